"""A named data set -> images in memory (uint8, N x 3 x H x W) or read lazily, labels, class names, mean and std.

`load(name, data_dir)` is the way in. A new data set is one file here and one line in `DATASETS`.
"""

import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

from kdutils.data import cifar100, digits, folder, imagenet, tinyimagenet
from kdutils.data.core import Dataset, MemorySplit, Split, batches, first_per_class, shuffled
from kdutils.data.lazy import LazySplit
from kdutils.errors import choose

DATASETS: dict[str, Callable[[Path], Dataset]] = {
    "digits": lambda data_dir: digits.load(),
    "cifar100": cifar100.load,
    "tinyimagenet": tinyimagenet.load,
    "imagenet100": imagenet.load_100,
    "imagenet": imagenet.load,
    "folder": folder.load,
}

# Data sets of which two copies may differ; the others are the same everywhere.
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
    "data_folder",
    "fingerprint",
    "first_per_class",
    "load",
    "shuffled",
]


def data_folder(data_dir: str | Path | None = None) -> Path:
    """Where data sets lie: `data_dir`, else the variable KDUTILS_DATA, else the user's cache folder."""
    return Path(data_dir or os.environ.get("KDUTILS_DATA") or platformdirs.user_cache_path("kdutils") / "data")


def load(name: str, data_dir: str | Path | None = None) -> Dataset:
    """The data set `name` from `data_dir` (see `data_folder`); "digits" needs no folder.

    Raises UserError for an unknown name, and for files that are missing, damaged or mislabelled.
    """
    choose("dataset", name, DATASETS)
    return DATASETS[name](data_folder(data_dir))


def fingerprint(name: str, data_dir: str | Path | None = None) -> str:
    """What tells this copy of a data set from another of the same name: a hash, or "" where all copies are the same."""
    return FINGERPRINTS[name](data_folder(data_dir)) if name in FINGERPRINTS else ""
