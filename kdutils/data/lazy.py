"""Images in class folders, decoded when a batch asks for them; small ones are decoded once and held in memory."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from kdutils.data.core import MemorySplit, Split
from kdutils.errors import UserError

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


def read_image(file: Path | BinaryIO, size: int, name: str | None = None) -> Tensor:
    """One file as uint8 [3, size, size]: RGB, shorter side resized to `size`, centre cut.

    Large images keep the usual margin first: the shorter side becomes 256 for a cut of 224 (He et al., 2016). `name`
    stands for an open `file` in the UserError for what is no image.
    """
    try:
        image = Image.open(file).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UserError(f"cannot read the image {name or file} ({error}). Mend or remove it") from error
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


def class_names(folder: Path) -> list[str]:
    """The names of the sub-folders of `folder`, one a class, sorted."""
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def class_folders(folder: Path, classes: list[str], size: int) -> Split:
    """The split under `folder`, one sub-folder a class, labelled by the position in `classes`."""
    found = [(path, label) for label, name in enumerate(classes) for path in image_files(folder / name)]
    if not found:
        raise UserError(f"no images in {folder}: expected {folder}/<class>/<image> ({', '.join(sorted(ENDINGS))})")
    paths, labels = zip(*found, strict=True)
    split = LazySplit(tuple(paths), torch.tensor(labels), size)
    return split.in_memory() if size <= IN_MEMORY_SIZE else split
