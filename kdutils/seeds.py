"""Named streams of randomness: what is drawn for one purpose never depends on what was drawn for another."""

import hashlib

import torch


def generator(seed: int, *names: str | int) -> torch.Generator:
    """A CPU generator for the stream `names` of `seed`, e.g. `generator(0, "cutmix", step)`.

    The same arguments always give the same stream, so a resumed run needs no saved random state.
    """
    digest = hashlib.sha256(repr((seed, *names)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def on_device(device: torch.device, source: torch.Generator) -> torch.Generator:
    """A generator for tensors on `device`, seeded from `source`, which is one of the CPU."""
    return torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=source)))
