"""Images in class folders, decoded when a batch asks for them; small ones are decoded once and held in memory."""

import os
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from kdutils._files import open_regular
from kdutils.data.core import MemorySplit, Split
from kdutils.data.crops import random_box
from kdutils.errors import UserError

ENDINGS = {".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
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

    @property
    def side(self) -> int:
        """Pixels along a side of an image."""
        return self.size

    def __len__(self) -> int:
        return len(self.paths)

    def batch(self, index: Tensor, crops: Tensor | None = None) -> tuple[Tensor, Tensor]:
        wanted = [self.paths[i] for i in index.tolist()]
        with ThreadPoolExecutor(READERS) as readers:  # threads suffice: Pillow decodes without Python's lock
            if crops is None:
                images = list(readers.map(lambda path: read_image(path, self.size), wanted))
            else:
                images = list(readers.map(lambda path, crop: read_crop(path, self.size, crop), wanted, crops))
        return torch.stack(images), self.labels[index.cpu()]

    def subset(self, index: Tensor) -> "LazySplit":
        return LazySplit(tuple(self.paths[i] for i in index.tolist()), self.labels[index], self.size)

    def in_memory(self) -> MemorySplit:
        """All images decoded once, for small images."""
        return MemorySplit(*self.batch(torch.arange(len(self))))


def read_image(file: Path | BinaryIO, size: int, name: str | None = None) -> Tensor:
    """One file as uint8 [3, size, size]: RGB, shorter side resized to `size`, centre cut.

    Large images keep the usual margin first: the shorter side becomes 256 for a cut of 224 (He et al., 2016). `name`
    stands for an open `file` in the UserErrors.
    """
    short = shorter_side(size)
    image = open_image(file, name, least=lambda size: 2 * short)
    if max(image.size) * short**2 > min(image.size) * Image.MAX_IMAGE_PIXELS:  # it would be too large before the cut
        raise UserError(f"{name or file} is {image.width} x {image.height} pixels, too narrow to use. Remove it")
    return pixels(cut(image, size))


def read_crop(file: Path, size: int, draws: Tensor) -> Tensor:
    """One file's random resized crop (`crops.random_box`) as uint8 [3, size, size]."""

    def least(whole: tuple[int, int]) -> int:
        left, upper, right, lower = random_box(*whole, draws)
        return round(2 * size * min(whole) / min(right - left, lower - upper))

    return pixels(resized(open_image(file, least=least), size, draws))


def resized(image: Image.Image, size: int, draws: Tensor) -> Image.Image:
    """The random resized crop of `size` x `size` pixels that `draws` make of an image."""
    return image.resize((size, size), Image.Resampling.BILINEAR, random_box(*image.size, draws))


def cut(image: Image.Image, size: int) -> Image.Image:
    """The middle `size` x `size` pixels of an image whose shorter side was resized as `read_image` says."""
    whole = [max(size, round(side * shorter_side(size) / min(image.size))) for side in image.size]  # were all resized
    first = [(side - size) // 2 for side in whole]
    corners = [*first, *(place + size for place in first)]
    box = [place * old / new for place, old, new in zip(corners, 2 * image.size, 2 * whole, strict=True)]
    return image.resize((size, size), Image.Resampling.BILINEAR, box)


def pixels(image: Image.Image) -> Tensor:
    """An RGB image as uint8 [3, H, W]."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def shorter_side(size: int) -> int:
    """What the shorter side becomes before a cut of `size` pixels."""
    return size * 256 // 224 if size >= LARGE_SIZE else size


def open_image(
    file: Path | BinaryIO, name: str | None = None, least: Callable[[tuple[int, int]], int] | None = None
) -> Image.Image:
    """One file (of an animation the first frame) as 8-bit RGB; UserError where that cannot be had.

    With `least`, of its size, a JPEG of at least twice that many pixels per side is decoded at 1/2, 1/4 or 1/8 of its
    size, which is faster; no side then has fewer.

    As torchvision has it, and so what most teachers have seen: an orientation in the EXIF data is not applied, and of
    transparent pixels the colour beneath counts.
    """
    try:
        with nullcontext(file) if name else open_regular(file) as stream, Image.open(stream) as image:
            if least:
                image.draft(None, (least(image.size),) * 2)  # of other formats it does nothing
            deep, rgb = image.mode.startswith(("I", "F")), image.convert("RGB")
    except Exception as error:  # a damaged file can fail anywhere in Pillow's readers, with any exception
        raise unreadable(name or file, error) from error
    if deep:  # Pillow would cut such values off at 255, not scale them
        raise UserError(f"{name or file} has more than 8 bits per channel: convert the images to 8 bits first")
    return rgb


def unreadable(file: Path | str, error: Exception) -> UserError:
    """What a person should know of an image that cannot be read."""
    if isinstance(error, FileNotFoundError) and os.path.islink(file):  # as git-annex and DVC leave them
        return UserError(
            f"{file} is a link to a file that is not here: fetch it (git annex get, dvc pull), or remove it"
        )
    why = getattr(error, "strerror", None) or error
    if isinstance(error, UnidentifiedImageError):
        why = "its content is no image that Pillow knows"
    return UserError(f"cannot read the image {file} ({why}). Replace or remove it")


def visible_files(folder: Path) -> list[Path]:
    """All files under `folder`, in its sub-folders too as torchvision's ImageFolder has it, sorted; no hidden ones."""

    def refuse(error: OSError) -> None:
        raise UserError(f"cannot read {error.filename}: {error.strerror}") from error

    found = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in names if not name.startswith(".")]  # such as macOS's ._x.png
    return sorted(found)


def is_image(path: Path) -> bool:
    """Whether a file is named as an image that can be read."""
    return path.suffix.lower() in ENDINGS


def image_files(folder: Path) -> list[Path]:
    """The image files under `folder`, sorted."""
    return [path for path in visible_files(folder) if is_image(path)]


def class_names(folder: Path) -> list[str]:
    """The names of the sub-folders of `folder`, one per class, sorted."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror}") from error


def class_folders(folder: Path, classes: list[str], size: int) -> Split:
    """The split under `folder`, one sub-folder per class, labelled by the position in `classes`; warns of other files.

    UserError for a class without images.
    """
    found = [visible_files(folder / name) for name in classes]
    left_out = Counter(path.suffix.lower() or path.name for paths in found for path in paths if not is_image(path))
    paths = [[path for path in paths if is_image(path)] for paths in found]
    empty = [name for name, images in zip(classes, paths, strict=True) if not images]
    if empty:
        raise UserError(f"no images under {folder / empty[0]}: expected files named {', '.join(sorted(ENDINGS))}")
    if left_out:
        kinds = ", ".join(f"{count} {ending}" for ending, count in left_out.most_common(5))
        warnings.warn(
            f"{folder}: {left_out.total()} files are left out ({kinds}); read are {', '.join(sorted(ENDINGS))}",
            stacklevel=4,
        )
    labels = torch.arange(len(classes)).repeat_interleave(torch.tensor([len(images) for images in paths]))
    split = LazySplit(tuple(path for images in paths for path in images), labels, size)
    return split.in_memory() if size <= IN_MEMORY_SIZE else split
