"""A named dataset -> images in memory (uint8, N x 3 x H x W) or read lazily, labels, class names, mean and std.

`load(name, data_dir)` is the way in, or `from_torch` for PyTorch's datasets. A new one is a file here and a line in
`DATASETS`.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import platformdirs

from kdutils import _files
from kdutils.data import cifar100, digits, folder, imagenet, tinyimagenet
from kdutils.data.core import Dataset, MemorySplit, Split, batches, check_normalisation, first_per_class, shuffled
from kdutils.data.from_torch import from_torch
from kdutils.data.lazy import IMAGENET_MEAN, IMAGENET_STD, LARGE_SIZE, LazySplit
from kdutils.errors import UserError, choose

DATASETS: dict[str, Callable[[Path], Dataset]] = {
    "digits": lambda data_dir: digits.load(),
    "cifar100": cifar100.load,
    "tinyimagenet": tinyimagenet.load,
    "imagenet100": imagenet.load_100,
    "imagenet": imagenet.load,
    "folder": folder.load,
}

IMAGENET = (IMAGENET_MEAN, IMAGENET_STD)  # how a folder is normalised
SMALLEST = 8  # pixels along a side of an image

# Datasets of which two copies may differ; the others are the same everywhere.
FINGERPRINTS: dict[str, Callable[[Path], str]] = {
    "tinyimagenet": tinyimagenet.fingerprint,
    "imagenet100": imagenet.fingerprint_100,
    "imagenet": imagenet.fingerprint,
    "folder": folder.fingerprint,
}

__all__ = [
    "DATASETS",
    "Dataset",
    "LazySplit",
    "MemorySplit",
    "Split",
    "batches",
    "check_normalisation",
    "check_size",
    "data_folder",
    "fingerprint",
    "first_per_class",
    "from_torch",
    "known",
    "load",
    "resized_crops",
    "shuffled",
]


def data_folder(data_dir: str | Path | None = None) -> Path:
    """Where datasets lie: `data_dir`, else the variable KDUTILS_DATA, else the user's cache folder."""
    default = platformdirs.user_cache_path("kdutils") / "data"
    return _files.at_home(data_dir or os.environ.get("KDUTILS_DATA") or default)


def load(
    name: str,
    data_dir: str | Path | None = None,
    size: int = 0,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Dataset:
    """The dataset `name` from `data_dir` (see `data_folder`); "digits" needs no folder.

    `size` brings the images of a "folder" to that many pixels (see `folder.load`). `mean` and `std`, per channel and of
    images scaled to 0..1, are what the networks were trained with, if not the dataset's own.
    Raises UserError for an unknown name, and for files that are missing, damaged or mislabelled.
    """
    known(name)
    check_size(name, size)
    found = DATASETS[name](data_folder(data_dir), **({"size": size} if size else {}))
    if mean is None and std is None:
        return found
    return replace(found, mean=tuple(mean or found.mean), std=tuple(std or found.std))


def known(name: str) -> str:
    """Return `name` if it is that of a dataset; else a UserError."""
    if isinstance(name, str) and name not in DATASETS and os.path.isdir(name):
        raise UserError(f"{name} is a folder: the dataset is 'folder', and this its data_dir")
    return choose("dataset", name, DATASETS)


def check_size(name: str, size: int) -> None:
    """Refuse a size in pixels (0: none asked for) that the images of the dataset `name` cannot be brought to."""
    if size and name != "folder":
        raise UserError(f"a size is for the dataset 'folder': the images of {name!r} have one size")
    if size and size < SMALLEST:
        raise UserError(f"a size of {size}: images need at least {SMALLEST} pixels along a side")


def resized_crops(name: str, data_dir: str | Path | None, size: int, found: str) -> bool:
    """`Dataset.resized_crops` of a dataset that is not loaded, of this `size` and with the fingerprint `found`."""
    if name == "folder":
        return (size or folder.suggested_size(data_folder(data_dir), found)) >= LARGE_SIZE
    return name in ("imagenet", "imagenet100")


def fingerprint(name: str, data_dir: str | Path | None = None) -> str:
    """What tells this copy of a dataset from another of the same name: a hash, or "" where all copies are the same."""
    return FINGERPRINTS[name](data_folder(data_dir)) if name in FINGERPRINTS else ""
