"""Images in class folders, decoded when a batch asks for them; small ones are decoded once and held in memory."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image
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
    stands for an open `file` in the UserError of `open_image`.
    """
    image = open_image(file, name)
    short = size * 256 // 224 if size >= LARGE_SIZE else size
    if min(image.size) != short:
        scale = short / min(image.size)
        image = image.resize([max(size, round(side * scale)) for side in image.size], Image.Resampling.BILINEAR)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    pixels = np.array(image.crop((left, top, left + size, top + size)))
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def open_image(file: Path | BinaryIO, name: str | None = None) -> Image.Image:
    """One file (of an animation the first frame) as 8-bit RGB; UserError where that cannot be had."""
    try:
        with Image.open(file) as image:
            deep, rgb = image.mode.startswith(("I", "F")), image.convert("RGB")
    except Exception as error:  # a damaged file can fail anywhere in Pillow's readers, with any exception
        raise UserError(f"cannot read the image {name or file} ({error}). Mend or remove it") from error
    if deep:  # Pillow would cut such values off at 255, not scale them
        raise UserError(f"{name or file} has more than 8 bits a channel: convert the images to 8 bits first")
    return rgb


def image_files(folder: Path) -> list[Path]:
    """The image files right under `folder`, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)


def class_names(folder: Path) -> list[str]:
    """The names of the sub-folders of `folder`, one a class, sorted."""
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def class_folders(folder: Path, classes: list[str], size: int) -> Split:
    """The split under `folder`, one sub-folder a class, labelled by the position in `classes`."""
    found = [image_files(folder / name) for name in classes]
    empty = [name for name, paths in zip(classes, found, strict=True) if not paths]
    if empty:
        raise UserError(f"no images right under {folder / empty[0]}: expected files named {', '.join(sorted(ENDINGS))}")
    labels = torch.arange(len(classes)).repeat_interleave(torch.tensor([len(paths) for paths in found]))
    split = LazySplit(tuple(path for paths in found for path in paths), labels, size)
    return split.in_memory() if size <= IN_MEMORY_SIZE else split
