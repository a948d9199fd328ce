"""Schemes made of transforms: torchvision's, and any callable on uint8 batches, under the randomness of a `Draw`."""

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from kdutils.augment import libraries
from kdutils.augment.core import GRANULARITIES, Augmented, Draw, Granularity
from kdutils.errors import UserError, choose

FORKED = ("cuda", "xpu")  # whose generators PyTorch can restore; another's goes on from the seed


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """The global generators of PyTorch, NumPy and Python start from `seed` within, and go on as before afterwards."""
    numpys, pythons = np.random.get_state(), random.getstate()  # noqa: NPY002
    kind = device.type if device.type in FORKED else None
    with torch.random.fork_rng(devices=[device] if kind else [], device_type=kind):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 (other people's transforms draw from it)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpys)  # noqa: NPY002
            random.setstate(pythons)


def as_uint8(x: Tensor) -> Tensor:
    """Images in 0..255 as the uint8 that transforms expect: they take float images to lie in 0..1."""
    return x if x.dtype == torch.uint8 else x.round().clamp(0, 255).to(torch.uint8)


def apply(transform: Callable[[Tensor], Tensor], x: Tensor, draw: Draw) -> Tensor:
    """`transform` of the mini-batch as a whole, or of one image after another if each has a draw of its own."""
    parts = as_uint8(x).split(len(x) if draw.count == 1 else 1)
    with seeded(draw.seed(), x.device):
        made = [transform(part) for part in parts]
    return made[0] if len(made) == 1 else torch.cat(made)


@dataclass(frozen=True, eq=False)
class Transform:
    """The function of a scheme that applies `transform`; see `from_transform`."""

    transform: Callable
    per: Granularity | None = None

    def __call__(self, x: Tensor, draw: Draw) -> Tensor:
        """x' of images in 0..255, rounded to uint8."""
        count = {None: draw.count, "batch": 1, "sample": len(x)}[self.per]
        return apply(libraries.on_bytes(self.transform), x, replace(draw, count=count))


@dataclass(frozen=True, eq=False)
class Mixing:
    """The function of a scheme for a torchvision transform that contains v2.MixUp or v2.CutMix."""

    transform: nn.Module

    def __call__(self, x: Tensor, draw: Draw) -> Augmented:
        """x' and what it was made of, read off the labels: each image goes in as a class of its own.

        The labels are on the CPU, so that a GPU need not wait for a look at them.
        """
        with seeded(draw.seed(), x.device):
            made, weights = self.transform(as_uint8(x), torch.eye(len(x)))
        own = torch.arange(len(x))
        lam = weights.diagonal().clone()
        others = weights - torch.diag(lam)
        if (others > 0).sum(1).max() > 1:
            raise UserError("a transform may mix each image with one other: use one of v2.CutMix and v2.MixUp")
        partner = torch.where(others.amax(1) > 0, others.argmax(1), own)
        return Augmented(made, *(part.to(x.device) for part in (own, partner, lam)))


def from_transform(transform: Callable, per: Granularity | None = None) -> Transform | Mixing:
    """The function of a scheme from a transform of torchvision v2, kornia or albumentations, or a callable.

    A callable takes and returns mini-batches [n, 3, H, W] of uint8.
    Its random numbers are governed by the ranking's seed: the global generators of PyTorch, NumPy and Python are seeded
    from the scheme's stream while it runs, and restored. `per` "batch" calls it once per mini-batch, "sample" once per
    image (as a batch of one); by default the ranking's `granularity` decides. v2.CutMix and v2.MixUp get the labels
    that they need, and always see the whole mini-batch. UserError for what cannot be called.
    """
    if per is not None:
        choose("per", per, GRANULARITIES)
    if not callable(transform):
        raise UserError(f"a transform is called with images; a {type(transform).__name__} cannot be")
    if not _mixers(transform):
        return Transform(libraries.prepared(transform), per)
    if per == "sample":
        raise UserError("v2.CutMix and v2.MixUp mix the images of a mini-batch: they cannot work per sample")
    transform = copy.deepcopy(transform)
    for mixer in _mixers(transform):
        mixer.num_classes = None  # the labels are positions in the mini-batch, not classes
        mixer.register_forward_pre_hook(lambda _, given: (given[0].float(), *given[1:]))  # MixUp fails on uint8
        mixer.register_forward_hook(lambda _, given, made: (as_uint8(made[0]), *made[1:]))
    return Mixing(transform)


def _mixers(transform: Callable) -> list[nn.Module]:
    """The v2.CutMix and v2.MixUp within a transform."""
    if not isinstance(transform, nn.Module):
        return []
    from torchvision.transforms import v2  # torchvision takes seconds to load

    found = [transform] if isinstance(transform, v2.CutMix | v2.MixUp) else []
    return found + [mixer for part in getattr(transform, "transforms", ()) for mixer in _mixers(part)]


def randaugment(x: Tensor, draw: Draw) -> Tensor:
    """Two random operations of magnitude 9 of 31 (Cubuk et al., 2020), as torchvision has it."""
    from torchvision.transforms import v2

    return apply(v2.RandAugment(), x, draw)


def trivialaugment(x: Tensor, draw: Draw) -> Tensor:
    """One random operation of a random magnitude (Müller & Hutter, 2021), as torchvision has it."""
    from torchvision.transforms import v2

    return apply(v2.TrivialAugmentWide(), x, draw)


def augmix(x: Tensor, draw: Draw) -> Tensor:
    """Three chains of random operations mixed with x (Hendrycks et al., 2020), as torchvision has it.

    torchvision draws the weights of the mixture per image, even where the operations are drawn per mini-batch.
    """
    from torchvision.transforms import v2

    return apply(v2.AugMix(), x, draw)


def random_erasing(x: Tensor, draw: Draw) -> Tensor:
    """With probability one half a rectangle becomes what normalises to zero (Zhong et al., 2020), as in torchvision."""
    from torchvision.transforms import v2

    return apply(v2.RandomErasing(value=draw.settings.fill), x, draw)


def greyscale(x: Tensor, draw: Draw) -> Tensor:
    """Every image in shades of grey; nothing is drawn."""
    from torchvision.transforms import v2

    return apply(v2.Grayscale(3), x, draw)


def gaussian_noise(x: Tensor, draw: Draw) -> Tensor:
    """Noise of standard deviation 0.1 of the range on every value, clipped to the range, as torchvision has it."""
    from torchvision.transforms import v2

    return apply(v2.GaussianNoise(), x, draw)


def blank(x: Tensor, draw: Draw) -> Tensor:
    """The dataset's mean colour and nothing of x: what T. stddev prefers to any scheme that shows x.

    The teacher answers every such x' alike. So only the half of x varies between windows, and T. stddev (Eq. 10) is
    exactly half of Identity's.
    """
    return torch.tensor(draw.settings.fill, device=x.device).view(1, 3, 1, 1).expand(x.shape).clone()
