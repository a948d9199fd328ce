"""Published teachers by name: fetched once, checked against their hash every time, and never needed where a file is."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import torch

from kdutils import _files
from kdutils.errors import UserError, choose
from kdutils.models.base import Network
from kdutils.models.weights import load_weights

_CRD = "http://shape2prog.csail.mit.edu/repo/{}_vanilla/ckpt_epoch_240.pth"
_TORCHVISION = "https://download.pytorch.org/models/{}.pth"
_CHENYAOFO = "https://github.com/chenyaofo/pytorch-cifar-models/releases/download/resnet/cifar100_{}.pt"

PUBLISHED: dict[str, dict[str, str]] = {  # publisher -> network -> address
    # The paper's CIFAR-100 teachers: Tian et al. (2020), RepDistiller, scripts/fetch_pretrained_teachers.sh
    "crd": {
        name: _CRD.format(name) for name in ("wrn_40_2", "resnet56", "resnet110", "resnet32x4", "vgg13", "ResNet50")
    },
    # Smaller CIFAR-100 networks, not the paper's teachers: chenyaofo/pytorch-cifar-models
    "chenyaofo": {
        "resnet20": _CHENYAOFO.format("resnet20-23dac2f1"),
        "resnet32": _CHENYAOFO.format("resnet32-84213ce6"),
        "resnet44": _CHENYAOFO.format("resnet44-ffe32858"),
        "resnet56": _CHENYAOFO.format("resnet56-f2eff4c8"),
    },
    # ImageNet, 1000 classes
    "torchvision": {
        "resnet18": _TORCHVISION.format("resnet18-f37072fd"),
        "resnet34": _TORCHVISION.format("resnet34-b627a593"),
    },
}

# SHA-256 of files whose names do not carry it, as independent reproductions report it.
KNOWN_HASHES = {"crd_resnet32x4.pth": "22aa12e2b632b19ddde155ccf2388671842ddd304824b3095e0a7fff364beb4f"}


def load_pretrained(
    model: Network, source: str | Path, folder: str | Path | None = None, classes: Sequence[int] = ()
) -> Network:
    """Load weights into a `model` made by `build` and return it; `source` is a local file or a name in PUBLISHED.

    `classes`: see `load_weights`. `folder` keeps what is fetched (default: torch.hub's checkpoints). UserError as in
    `load_weights`, and where the file can neither be found nor fetched.
    """
    return load_weights(model, find_weights(model.name, source, folder), classes)


def find_weights(network: str, source: str | Path, folder: str | Path | None = None) -> Path:
    """The file that `source` means for `network`: that file itself where it exists, else what a publisher gives.

    UserError if it is neither a file nor a name in PUBLISHED; otherwise as `fetch`.
    """
    return Path(source) if _is_file(source) else fetch(network, str(source), folder)


def weights_sha256(network: str, source: str | Path, folder: str | Path | None = None) -> str:
    """The SHA-256 of the file that `source` means for `network`; nothing is fetched for it.

    UserError if it cannot be found or read, and where it is yet to be fetched and its hash is not known before.
    """
    path = Path(source)
    if not _is_file(source):
        url, path = _published(network, str(source), folder)
        if not os.path.isfile(path):
            return KNOWN_HASHES.get(path.name) or _not_here(url, path)
        _check(path)
    try:
        return _files.sha256(path)
    except OSError as error:
        raise UserError(f"cannot read the weights {path}: {error.strerror}") from error


def _not_here(url: str, path: Path) -> NoReturn:
    raise UserError(
        f"the weights {url} are not here yet, and a run is known by their content: start one that uses them, which "
        f"fetches them, or save that file as {path}"
    )


def _is_file(source: str | Path) -> bool:
    """Whether `source` is a file, rather than a publisher; UserError if it is neither."""
    if os.path.isfile(source):  # Path.is_file raises where a path is too long or not ours to see
        return True
    if str(source) not in PUBLISHED:
        raise UserError(f"no weights at {source}: name a file that exists, or one of: {', '.join(PUBLISHED)}")
    return False


def fetch(network: str, publisher: str, folder: str | Path | None = None) -> Path:
    """The file with the weights that `publisher` gives for `network`: from `folder`, else downloaded into it."""
    url, path = _published(network, publisher, folder)
    if not path.is_file():
        _download(url, path)
    _check(path)
    return path


def _published(network: str, publisher: str, folder: str | Path | None) -> tuple[str, Path]:
    """The address of what `publisher` gives for `network`, and the file that keeps it."""
    choose("publisher of weights", publisher, PUBLISHED)
    choose(f"network of {publisher}", network, PUBLISHED[publisher])
    url = PUBLISHED[publisher][network]
    folder = Path(folder) if folder else Path(torch.hub.get_dir()) / "checkpoints"
    named = Path(url).name
    return url, folder / (named if _hash_in(named) else f"{publisher}_{network}{Path(url).suffix}")


def _hash_in(name: str) -> str:
    """The first digits of the SHA-256 that torch.hub's convention puts into a file name, or nothing."""
    found = re.search(r"-([0-9a-f]{8,})\.", name)
    return found[1] if found else ""


def _download(url: str, path: Path) -> None:
    """Fetch `url` to `path`, whole or not at all (torch.hub writes under another name first)."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), _hash_in(path.name), progress=sys.stderr.isatty())
    except OSError as error:  # no network, no such file there, no room on the disk
        raise UserError(
            f"cannot fetch the weights {url} ({getattr(error, 'reason', error)}). "
            f"Fetch this file where there is a network and save it as {path}"
        ) from error
    except RuntimeError as error:
        raise UserError(f"{url} gave a file with another hash than its name says; nothing was kept") from error


def _check(path: Path) -> None:
    """UserError unless the file has its known hash, or else the one that was recorded when it was first used."""
    digest = _files.sha256(path)
    record = path.with_name(path.name + ".sha256")
    expected = _hash_in(path.name) or KNOWN_HASHES.get(path.name, "")
    if not expected and record.is_file():
        expected = "".join(record.read_text(encoding="utf-8", errors="replace").split()[:1])
    if not digest.startswith(expected):
        raise UserError(
            f"{path} is damaged or is not the published file: its SHA-256 starts with {digest[:8]}, "
            f"expected {expected[:8]}. Remove it and fetch it again"
        )
    if not expected:
        _files.write_text(record, f"{digest}  {path.name}\n")
