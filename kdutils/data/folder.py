"""Any folder of images: `train/<class>/*` and `test/<class>/*` (or `val/`)."""

import hashlib
from pathlib import Path

from kdutils.data.core import Dataset, need_folder
from kdutils.data.lazy import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    LARGE_SIZE,
    class_folders,
    class_names,
    image_files,
    open_image,
)
from kdutils.errors import UserError

HOLDS = "train/<class>/<image> and test/<class>/<image> (or val/ for test/)"


def load(data_dir: Path) -> Dataset:
    """Images of any size and their classes, from `train/<class>/*` and `test/<class>/*` (or `val/`).

    The first image's shorter side decides the size: up to 32 pixels -> 32, up to 64 -> 64 (both held in memory), else
    224 (read as needed). Normalised as ImageNet is; `dataclasses.replace(dataset, mean=..., std=...)` changes that.
    """
    need_folder(data_dir, "folder", HOLDS)
    need_folder(data_dir / "train", "folder", HOLDS)
    test_dir = held_out_folder(data_dir)
    need_folder(test_dir, "folder", HOLDS)
    classes = class_names(data_dir / "train")
    missing = sorted(set(class_names(test_dir)) ^ set(classes))
    if missing or not classes:
        raise UserError(
            f"{data_dir}: train/ and {test_dir.name}/ must hold the same classes; differs: {missing[:5] or 'none'}"
        )
    size = _size_for(data_dir / "train" / classes[0])
    return Dataset(
        name="folder",
        train=class_folders(data_dir / "train", classes, size),
        test=class_folders(test_dir, classes, size),
        classes=tuple(classes),
        image_size=size,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        crop_padding=size // 8,
        cutout_size=size // 4,
        policy="imagenet" if size > 32 else "cifar10",
    )


def held_out_folder(data_dir: Path) -> Path:
    """`test/` where there is one, else `val/`."""
    return data_dir / "test" if (data_dir / "test").is_dir() else data_dir / "val"


def fingerprint(data_dir: Path) -> str:
    """A hash of the names and sizes of all image files: tells two folders apart without reading the images."""
    parts = [part for part in (data_dir / "train", held_out_folder(data_dir)) if part.is_dir()]
    images = [path for part in parts for name in class_names(part) for path in image_files(part / name)]
    listing = [(path.relative_to(data_dir).as_posix(), path.stat().st_size) for path in images]
    return hashlib.sha256(repr(listing).encode()).hexdigest()


def _size_for(folder: Path) -> int:
    """The size that the first image under `folder` decides; where there is none, `class_folders` says so."""
    short = min((min(open_image(path).size) for path in image_files(folder)[:1]), default=0)
    return 32 if short <= 32 else 64 if short <= 64 else LARGE_SIZE
