"""Any folder of images, `train/<class>/*` and `test/<class>/*` (or `val/`), and the lazy split for large ones."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from kdutils.data.core import Dataset, MemorySplit, Split, need_folder
from kdutils.errors import UserError

HOLDS = "train/<class>/<image> and test/<class>/<image> (or val/ for test/)"
ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
IN_MEMORY_SIZE = 64  # images up to this many pixels are held in memory; larger ones are read as they are needed
LARGE_SIZE = 224
READERS = max(2, min(8, os.cpu_count() or 2))
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class LazySplit:
    """A split whose images are decoded, resized and cut to `size` x `size` when a batch asks for them."""

    paths: tuple[Path, ...]
    labels: Tensor
    size: int

    def __len__(self) -> int:
        return len(self.paths)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        wanted = [self.paths[i] for i in index.tolist()]
        with ThreadPoolExecutor(READERS) as readers:
            images = list(readers.map(lambda path: read_image(path, self.size), wanted))
        return torch.stack(images), self.labels[index.cpu()]

    def subset(self, index: Tensor) -> "LazySplit":
        return LazySplit(tuple(self.paths[i] for i in index.tolist()), self.labels[index], self.size)

    def in_memory(self) -> MemorySplit:
        """All images decoded once, for small images."""
        return MemorySplit(*self.batch(torch.arange(len(self))))


def read_image(path: Path, size: int) -> Tensor:
    """One file as uint8 [3, size, size]: RGB, shorter side resized to `size`, centre cut.

    Large images keep the usual margin first: the shorter side becomes 256 for a cut of 224 (He et al., 2016).
    """
    try:
        image = Image.open(path).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UserError(f"cannot read the image {path} ({error}). Mend or remove it") from error
    short = size * 256 // 224 if size >= LARGE_SIZE else size
    if min(image.size) != short:
        scale = short / min(image.size)
        image = image.resize([max(size, round(side * scale)) for side in image.size], Image.Resampling.BILINEAR)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    pixels = np.array(image.crop((left, top, left + size, top + size)))
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def image_files(folder: Path) -> list[Path]:
    """The image files right under `folder`, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)


def class_folders(folder: Path, classes: list[str], size: int) -> Split:
    """The split under `folder`, one sub-folder a class, labelled by the position in `classes`."""
    found = [(path, label) for label, name in enumerate(classes) for path in image_files(folder / name)]
    if not found:
        raise UserError(f"no images in {folder}: expected {folder}/<class>/<image> ({', '.join(sorted(ENDINGS))})")
    paths, labels = zip(*found, strict=True)
    split = LazySplit(tuple(paths), torch.tensor(labels), size)
    return split.in_memory() if size <= IN_MEMORY_SIZE else split


def load(data_dir: Path) -> Dataset:
    """Images of any size and their classes, from `train/<class>/*` and `test/<class>/*` (or `val/`).

    The first image's shorter side decides the size: up to 32 pixels -> 32, up to 64 -> 64 (both held in memory), else
    224 (read as needed). Normalised as ImageNet is; `dataclasses.replace(dataset, mean=..., std=...)` changes that.
    """
    need_folder(data_dir, "folder", HOLDS)
    need_folder(data_dir / "train", "folder", HOLDS)
    test_dir = data_dir / "test" if (data_dir / "test").is_dir() else data_dir / "val"
    need_folder(test_dir, "folder", HOLDS)
    classes = _class_names(data_dir / "train")
    missing = sorted(set(_class_names(test_dir)) ^ set(classes))
    if missing or not classes:
        raise UserError(f"{data_dir}: train/ and {test_dir.name}/ must hold the same classes; differs: {missing[:5]}")
    size = _size_for(next((p for c in classes for p in image_files(data_dir / "train" / c)), None), data_dir)
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


def fingerprint(data_dir: Path) -> str:
    """A hash of the names and sizes of all image files: tells two folders apart without reading the images."""
    listing = sorted((str(p.relative_to(data_dir)), p.stat().st_size) for p in data_dir.rglob("*") if p.is_file())
    return hashlib.sha256(repr(listing).encode()).hexdigest()


def _class_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _size_for(first: Path | None, data_dir: Path) -> int:
    if first is None:
        raise UserError(f"no images under {data_dir / 'train'}: expected {HOLDS}")
    try:
        with Image.open(first) as image:
            short = min(image.size)
    except (OSError, UnidentifiedImageError) as error:
        raise UserError(f"cannot read the image {first} ({error}). Mend or remove it") from error
    return 32 if short <= 32 else 64 if short <= 64 else LARGE_SIZE
