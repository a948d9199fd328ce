"""PyTorch's own datasets of (image, label) as one of ours, such as torchvision's or a user's."""

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat

import torch
from PIL import Image
from torch import Tensor
from torch.utils import data as torch_data

from kdutils.data.core import Dataset, MemorySplit, Split, check_normalisation
from kdutils.data.lazy import IMAGENET_MEAN, IMAGENET_STD, IN_MEMORY_SIZE, LARGE_SIZE, READERS, cut, pixels, resized
from kdutils.errors import UserError


def from_torch(
    train: torch_data.Dataset | torch_data.DataLoader,
    test: torch_data.Dataset | torch_data.DataLoader,
    classes: Sequence[str] = (),
    size: int = 0,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
) -> Dataset:
    """The dataset of two PyTorch datasets whose items are (image, label, ...), before augmentation and normalisation.

    An image is one of Pillow's, or a tensor [C, H, W] of bytes or of floats in 0..1; grey ones get three equal
    channels. `size` in pixels brings all to one square size; 0: that of the first one. Labels count from 0; `classes`
    names them, by default after `train.classes`. Of a DataLoader the dataset is used: order and batches are the
    ranking's own. `mean` and `std` are what the teacher was trained with. All labels are read at once, from `targets`
    if a dataset has them; images up to 64 pixels are held in memory, and from 224 on the standard augmentation crops
    and resizes at random (`crops`). UserError for items of another form.
    """
    train, test = _dataset_of(train), _dataset_of(test)
    first = as_bytes(_item(train, 0)[0])
    size = size or min(first.shape[1:])
    check_normalisation(mean, std)
    parts = _split(train, size), _split(test, size)
    if min(int(part.labels.min()) for part in parts) == 1:
        warnings.warn(
            "no image has the label 0: the classes are counted from 0, so there is one without images", stacklevel=2
        )
    known = int(max(part.labels.max() for part in parts)) + 1
    names = classes or _known(train, "classes") or range(known)
    found = Dataset.of_any_size("from_torch", parts, tuple(map(str, names)), size, mean, std)
    return replace(found, resized_crops=size >= LARGE_SIZE)


@dataclass(frozen=True)
class TorchSplit:
    """A split whose images are asked of a PyTorch dataset when a batch needs them."""

    source: torch_data.Dataset
    positions: Tensor
    labels: Tensor
    side: int

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: Tensor, crops: Tensor | None = None) -> tuple[Tensor, Tensor]:
        index = index.cpu()
        with ThreadPoolExecutor(READERS) as readers:
            drawn = repeat(None) if crops is None else crops
            images = list(readers.map(self._image, self.positions[index].tolist(), drawn))
        return torch.stack(images), self.labels[index]

    def subset(self, index: Tensor) -> "TorchSplit":
        return TorchSplit(self.source, self.positions[index], self.labels[index], self.side)

    def _image(self, position: int, crop: Tensor | None) -> Tensor:
        x = as_bytes(_item(self.source, position)[0])
        if crop is None and x.shape[1:] == (self.side, self.side):
            return x
        image = Image.fromarray(x.permute(1, 2, 0).contiguous().numpy())
        return pixels(cut(image, self.side) if crop is None else resized(image, self.side, crop))


def as_bytes(image: Image.Image | Tensor) -> Tensor:
    """One image as uint8 [3, H, W]; UserError for what is no image, or one that is normalised already."""
    if isinstance(image, Image.Image):
        return pixels(image.convert("RGB"))
    if not isinstance(image, Tensor) or image.ndim != 3 or image.shape[0] not in (1, 3):
        what = tuple(image.shape) if isinstance(image, Tensor) else type(image).__name__
        raise UserError(f"an item's image is a picture of Pillow's or a tensor [3, H, W]; got {what}")
    if image.is_floating_point():
        if image.min() < 0 or image.max() > 1:
            low, high = float(image.min()), float(image.max())
            raise UserError(
                f"an image has values from {low:.3g} to {high:.3g}: give floats in 0..1 or bytes, before "
                "normalisation, and say mean and std"
            )
        image = (image * 255).round()
    return image.to(torch.uint8).expand(3, -1, -1)


def _dataset_of(source: torch_data.Dataset | torch_data.DataLoader) -> torch_data.Dataset:
    found = source.dataset if isinstance(source, torch_data.DataLoader) else source
    if not hasattr(found, "__getitem__") or not hasattr(found, "__len__") or not len(found):
        raise UserError(f"a dataset has a length and items by position; a {type(found).__name__} cannot be used")
    return found


def _item(source: torch_data.Dataset, position: int) -> tuple:
    item = source[position]
    if not isinstance(item, tuple | list) or len(item) < 2:
        of = f" of {len(item)}" if isinstance(item, tuple | list) else ""
        raise UserError(f"an item of the dataset is (image, label); got a {type(item).__name__}{of}")
    return item


def _known(source: torch_data.Dataset, name: str) -> Sequence | None:
    """The "targets" or "classes" of torchvision's datasets, or of the part of one that `random_split` makes."""
    if not isinstance(source, torch_data.Subset):
        return getattr(source, name, None)
    whole = _known(source.dataset, name)
    return whole if whole is None or name == "classes" else [whole[position] for position in source.indices]


def _split(source: torch_data.Dataset, size: int) -> Split:
    given = _known(source, "targets")
    if given is None or len(given) != len(source):
        given = [_item(source, position)[1] for position in range(len(source))]
    try:
        labels = torch.as_tensor(given).flatten()
    except (TypeError, ValueError, RuntimeError):  # such as texts, or a row of numbers each
        labels = torch.zeros(0)
    if len(labels) != len(source) or labels.is_floating_point():
        what = f"{given[0]!r:.40}"
        raise UserError(f"labels are whole numbers, one per image, that count the classes from 0; the first is {what}")
    split = TorchSplit(source, torch.arange(len(source)), labels.long(), size)
    return MemorySplit(*split.batch(torch.arange(len(source)))) if size <= IN_MEMORY_SIZE else split
