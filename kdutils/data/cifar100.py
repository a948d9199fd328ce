"""CIFAR-100: from torchvision's folder, or from one NumPy archive."""

import lzma
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch

from kdutils.data.core import Dataset, MemorySplit, need_folder
from kdutils.errors import UserError

FOLDER, ARCHIVE = "cifar-100-python", "cifar100.npz"
HOLDS = f"{FOLDER}/ (as torchvision unpacks it) or {ARCHIVE} (x_train, y_train, x_test, y_test, classes)"
IMAGES = {"train": 50_000, "test": 10_000}
CLASSES = 100
BROKEN = (  # RuntimeError: encrypted, or an unknown compression; MemoryError: a header that lies
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


def load(data_dir: Path) -> Dataset:
    """50,000 training and 10,000 test images, 100 classes, 3 x 32 x 32 (Krizhevsky, 2009)."""
    need_folder(data_dir, "cifar100", HOLDS)
    if (data_dir / ARCHIVE).is_file():
        train, test, classes = _from_archive(data_dir / ARCHIVE)
    else:
        train, test, classes = _from_torchvision(data_dir)
    return Dataset(
        name="cifar100",
        train=train,
        test=test,
        classes=classes,
        image_size=32,
        mean=(0.5071, 0.4867, 0.4408),
        std=(0.2675, 0.2565, 0.2761),
        crop_padding=4,
        cutout_size=8,
        policy="cifar10",
    )


def _split(images: np.ndarray, labels: np.ndarray) -> MemorySplit:
    pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    return MemorySplit(pixels, torch.from_numpy(np.asarray(labels).astype(np.int64)))


def _from_archive(path: Path) -> tuple[MemorySplit, MemorySplit, tuple[str, ...]]:
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            parts = {key: archive[key] for key in ("x_train", "y_train", "x_test", "y_test", "classes")}
    except BROKEN as error:
        raise UserError(f"{path} is damaged or is not a CIFAR-100 archive ({error}). Make or copy it again") from error
    for part, count in IMAGES.items():
        images, labels = parts[f"x_{part}"], parts[f"y_{part}"]
        fits = images.shape == (count, 32, 32, 3) and labels.shape == (count,)
        if not fits or images.dtype != np.uint8 or not np.issubdtype(labels.dtype, np.integer):
            raise UserError(
                f"{path}: x_{part} is {images.dtype} {images.shape} with {labels.dtype} {labels.shape} labels; "
                f"expected uint8 ({count}, 32, 32, 3) with whole numbers ({count},)"
            )
    classes = tuple(str(name) for name in parts["classes"])
    if len(classes) != CLASSES:
        raise UserError(f"{path} names {len(classes)} classes; expected {CLASSES}")
    return _split(parts["x_train"], parts["y_train"]), _split(parts["x_test"], parts["y_test"]), classes


def _from_torchvision(data_dir: Path) -> tuple[MemorySplit, MemorySplit, tuple[str, ...]]:
    from torchvision.datasets import CIFAR100  # torchvision takes seconds to load

    try:
        train, test = CIFAR100(data_dir, train=True), CIFAR100(data_dir, train=False)
    except RuntimeError as error:  # torchvision checks the MD5 of every file
        raise UserError(f"CIFAR-100 in {data_dir} is missing or damaged; expected {HOLDS}") from error
    except OSError as error:
        raise UserError(f"CIFAR-100 in {data_dir} cannot be read ({error}); expected {HOLDS}") from error
    return _split(train.data, train.targets), _split(test.data, test.targets), tuple(train.classes)
