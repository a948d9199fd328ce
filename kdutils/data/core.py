"""What a dataset is to the rest of the package: two splits of uint8 images and a few facts about them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from kdutils.data import crops
from kdutils.errors import UserError


class Split(Protocol):
    """Images with labels; `labels` is int64 [N]."""

    labels: Tensor

    def __len__(self) -> int: ...

    def batch(self, index: Tensor, crops: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The images (uint8 [n, 3, H, W]) and labels (int64 [n]) at the positions `index`.

        With `crops` (`crops.draw`), random resized crops of the files, if they are read as they are needed.
        """

    def subset(self, index: Tensor) -> "Split":
        """The split that holds only the positions `index`."""


@dataclass(frozen=True)
class MemorySplit:
    """A split whose images lie in memory: uint8 [N, 3, H, W]."""

    images: Tensor
    labels: Tensor

    @property
    def side(self) -> int:
        """Pixels along a side of an image."""
        return self.images.shape[-1]

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        index = index.to(self.images.device)
        return self.images[index], self.labels[index]

    def subset(self, index: Tensor) -> "MemorySplit":
        return MemorySplit(self.images[index], self.labels[index])


@dataclass(frozen=True)
class Dataset:
    """A named dataset, with what the schemes need to know about its images.

    `mean` and `std` are per channel, for images scaled to 0..1. `crop_padding` and `cutout_size` are in pixels;
    `policy` is the AutoAugment policy ("cifar10" or "imagenet"). With `resized_crops` the crop of the standard
    augmentation is a random resized one, which is made as files are read (`crops`), else one of the padded image.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    crop_padding: int
    cutout_size: int
    policy: str
    resized_crops: bool = False

    def __post_init__(self) -> None:
        for part, split in (("training", self.train), ("test", self.test)):
            check_labels(f"{self.name} {part} set", split.labels, len(self.classes))
            if (side := getattr(split, "side", self.image_size)) != self.image_size:
                raise UserError(f"{self.name}: image_size is {self.image_size}, but {part} images have {side} pixels")
        check_normalisation(self.mean, self.std)

    @classmethod
    def of_any_size(
        cls,
        name: str,
        parts: tuple[Split, Split],
        classes: Sequence[str],
        size: int,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> "Dataset":
        """The dataset of these training and test images, the schemes' settings in proportion to their size."""
        return cls(
            name=name,
            train=parts[0],
            test=parts[1],
            classes=tuple(classes),
            image_size=size,
            mean=tuple(mean),
            std=tuple(std),
            crop_padding=size // 8,
            cutout_size=size // 4,
            policy="imagenet" if size > 32 else "cifar10",
        )

    def normalise(self, x: Tensor) -> Tensor:
        """Images in 0..255 (uint8 or float) -> what the networks take: float32, zero mean, unit spread."""
        mean = torch.tensor(self.mean, device=x.device).view(3, 1, 1) * 255
        std = torch.tensor(self.std, device=x.device).view(3, 1, 1) * 255
        return (x.float() - mean) / std

    def prepared(self) -> str:
        """How its images come to a network, in words."""
        mean, std = (" ".join(f"{value:.3g}" for value in values) for values in (self.mean, self.std))
        return f"{self.name}, {self.image_size} x {self.image_size} pixels, normalised: mean {mean}, std {std}"

    def for_standard(self, split: Split, index: Tensor, generator: torch.Generator) -> Tensor:
        """The images at the positions `index`, as `augment.standard` takes them: cropped if it is by resized crops."""
        cropped = (crops.draw(len(index), generator),) if self.resized_crops else ()
        return split.batch(index, *cropped)[0]

    def resident(self, device: torch.device | str) -> "Dataset":
        """The same dataset with its in-memory images held on `device`."""

        def move(split: Split) -> Split:
            if isinstance(split, MemorySplit):
                return MemorySplit(split.images.to(device), split.labels.to(device))
            return split

        return replace(self, train=move(self.train), test=move(self.test))


def check_labels(what: str, labels: Tensor, num_classes: int) -> None:
    """Refuse an empty split, and labels outside 0..num_classes-1."""
    if len(labels) == 0:
        raise UserError(f"the {what} holds no images")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise UserError(f"the {what} has labels from {low} to {high}; expected 0 to {num_classes - 1}")


def check_normalisation(mean: Sequence[float], std: Sequence[float]) -> None:
    """Refuse means and standard deviations that are not one per channel, of images scaled to 0..1."""
    numbers = isinstance(mean, Iterable) and isinstance(std, Iterable)
    if not (numbers and len(mean) == len(std) == 3 and all(0 <= m <= 1 for m in mean) and all(0 < s <= 1 for s in std)):
        raise UserError(f"mean {mean} and std {std} must be three numbers each, of images scaled to 0..1; std above 0")


def first_per_class(dataset: Dataset, n: int) -> Dataset:
    """The few-shot transfer set: the first `n` training images of each class; the test set stays whole."""
    keep = [torch.nonzero(dataset.train.labels == c).flatten()[:n] for c in range(len(dataset.classes))]
    short = [dataset.classes[c] for c, index in enumerate(keep) if len(index) < n]
    if short or n < 1:
        raise UserError(f"cannot take {n} training images per class of {dataset.name}: too few in {short[:3] or 'all'}")
    return replace(dataset, train=dataset.train.subset(torch.cat(keep)))


def batches(
    split: Split, indices: Iterable[Tensor], cropped_by: torch.Generator | None = None
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield (images, labels, index) for each index; the next batch is read while the current one is used.

    With `cropped_by`, images are random resized crops drawn from it.
    """
    if isinstance(split, MemorySplit):
        for index in indices:
            yield *split.batch(index), index
        return
    with ThreadPoolExecutor(1) as reader:
        waiting = None
        for index in indices:
            cropped = () if cropped_by is None else (crops.draw(len(index), cropped_by),)
            following = (reader.submit(split.batch, index, *cropped), index)
            if waiting:
                yield *waiting[0].result(), waiting[1]
            waiting = following
        if waiting:
            yield *waiting[0].result(), waiting[1]


def shuffled(n: int, batch_size: int, generator: torch.Generator, drop_last: bool) -> list[Tensor]:
    """One epoch's random mini-batches of positions 0..n-1; a last batch of one image is always dropped."""
    order = torch.randperm(n, generator=generator).split(batch_size)
    smallest = batch_size if drop_last else 2
    return [index for index in order if len(index) >= smallest]


def need_folder(path: Path, name: str, holds: str) -> None:
    """Refuse a folder that is not there, saying what it should hold."""
    if not os.path.isdir(path):  # Path.is_dir raises where a path is too long or not ours to see
        raise UserError(f"no folder {path}. {name} is read from a folder that holds {holds}: name it with data_dir")
