"""Any folder of images: `train/<class>/*` and `test/<class>/*`, or `<class>/*` alone."""

import hashlib
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import torch
from PIL import Image

from kdutils._files import sha256
from kdutils.data.core import Dataset, Split, need_folder
from kdutils.data.lazy import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    LARGE_SIZE,
    READERS,
    class_folders,
    class_names,
    image_files,
    open_image,
    unreadable,
)
from kdutils.errors import UserError

HELD_OUT = ("test", "val", "validation", "valid")  # folders of test images, the first that is there
HOLDS = f"train/<class>/<image> and test/<class>/<image> (or {', '.join(HELD_OUT[1:])} for test), or <class>/<image>"
ONE_IN = 5  # images of a folder without parts that are kept for testing


def load(data_dir: Path, size: int = 0) -> Dataset:
    """Images of any size and their classes, from `train/<class>/*` and `test/<class>/*` (HELD_OUT), read as RGB.

    Of a folder that holds its classes at once, without `train/`, one image in five of each class is kept for testing:
    those whose names' hashes are lowest, on any machine, and this is warned of.

    `size` in pixels: images up to 64 are held in memory, larger ones read as needed. If it is 0, the shorter side of an
    image decides, the median over the first of each class: up to 32 pixels -> 32, up to 64 -> 64, else 224. From 224 on
    the standard augmentation crops and resizes at random (`crops`). Normalised as ImageNet is. Warns of files that are
    left out, of images of other sizes, and of classes whose order may surprise.
    """
    need_folder(data_dir, "folder", HOLDS)
    train_dir, test_dir = _part_folders(data_dir)
    classes = class_names(train_dir)
    missing = sorted(set(class_names(test_dir)) ^ set(classes))
    if missing or not classes:
        raise UserError(
            f"{data_dir}: train/ and {test_dir.name}/ must hold the same classes; differs: {missing[:5] or 'none'}"
        )
    _warn_of_numbers(classes)
    size = size or _size_for([train_dir / name for name in classes])
    train = class_folders(train_dir, classes, size)
    parts = (
        _divide(train, train_dir, classes) if test_dir == train_dir else (train, class_folders(test_dir, classes, size))
    )
    found = Dataset.of_any_size("folder", parts, classes, size, IMAGENET_MEAN, IMAGENET_STD)
    return replace(found, resized_crops=size >= LARGE_SIZE)


@lru_cache(maxsize=16)
def suggested_size(data_dir: Path, fingerprint: str) -> int:
    """The size in pixels that `load` would choose by itself."""
    train_dir, _ = _part_folders(data_dir)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # loading tells of sizes that differ
        return _size_for([train_dir / name for name in class_names(train_dir)])


def _part_folders(data_dir: Path) -> tuple[Path, Path]:
    """The folders of training and of test images; the same one if it is not divided."""
    if not any(os.path.isdir(data_dir / name) for name in ("train", *HELD_OUT)) and class_names(data_dir):
        return data_dir, data_dir
    parts = data_dir / "train", held_out_folder(data_dir)
    for part in parts:
        need_folder(part, "folder", HOLDS)
    return parts


def held_out_folder(data_dir: Path) -> Path:
    """The first folder of HELD_OUT that is there, else `test/`."""
    return next((data_dir / name for name in HELD_OUT if os.path.isdir(data_dir / name)), data_dir / "test")


def _divide(whole: Split, folder: Path, classes: list[str]) -> tuple[Split, Split]:
    """Training and test images of a `folder` without parts."""
    files = [path for name in classes for path in image_files(folder / name)]
    keys = [hashlib.sha256(os.fsencode(path.name)).digest() for path in files]
    test = torch.zeros(len(whole), dtype=torch.bool)
    for c, name in enumerate(classes):
        members = sorted(torch.nonzero(whole.labels == c).flatten().tolist(), key=keys.__getitem__)
        if len(members) < 2:
            raise UserError(f"{name}/ holds one image: a class needs one to train and one to test with")
        test[members[: max(1, len(members) // ONE_IN)]] = True
    warnings.warn(f"no train/ and test/: {int(test.sum())} of {len(test)} images are kept for testing", stacklevel=4)
    return whole.subset(torch.nonzero(~test).flatten()), whole.subset(torch.nonzero(test).flatten())


def fingerprint(data_dir: Path) -> str:
    """A hash of the names and contents of all image files; what did not change is read once per process."""
    parts = [part for part in dict.fromkeys(_part_folders(data_dir)) if os.path.isdir(part)]
    images = [path for part in parts for name in class_names(part) for path in image_files(part / name)]
    with ThreadPoolExecutor(READERS) as readers:
        hashes = list(readers.map(_image_hash, images))
    listing = [(path.relative_to(data_dir).as_posix(), found) for path, found in zip(images, hashes, strict=True)]
    return hashlib.sha256(repr(listing).encode()).hexdigest()


def _image_hash(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise unreadable(path, error) from error


def _warn_of_numbers(classes: list[str]) -> None:
    """Class 2 is not the folder 2 where 10 comes before it: a teacher that counts its classes is then mostly wrong."""
    if all(name.isdecimal() for name in classes) and classes != sorted(classes, key=int):
        counted = sorted(classes, key=int)
        first = next(k for k, name in enumerate(counted) if classes[k] != name)
        warnings.warn(
            f"the class folders are numbers, but are sorted as text: class {first} is the folder {classes[first]}. If "
            f"the teacher counts, pad their names with zeros, such as {counted[first].zfill(len(counted[-1]))}",
            stacklevel=4,
        )


def _size_for(folders: list[Path]) -> int:
    """The size that the first image of each class suggests; where there is none, `class_folders` says so."""
    sides = sorted(min(open_image(path).size) for folder in folders for path in image_files(folder)[:1])
    sizes = [32 if side <= 32 else 64 if side <= 64 else LARGE_SIZE for side in sides] or [32]
    size = sizes[len(sizes) // 2]
    if sizes[0] != sizes[-1]:
        warnings.warn(
            f"the images differ in size: shorter sides from {sides[0]} to {sides[-1]} pixels; all are brought to "
            f"{size}. Choose another size with size=",
            stacklevel=4,
        )
    return size


def write(dataset: Dataset, folder: Path) -> Path:
    """Write every image to `<folder>/<train|test>/<class>/<number>.png`; returns `folder`."""
    for part, split in (("train", dataset.train), ("test", dataset.test)):
        images, labels = split.batch(torch.arange(len(split)))
        for name in dataset.classes:
            (folder / part / str(name)).mkdir(parents=True, exist_ok=True)
        for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
            path = folder / part / str(dataset.classes[label]) / f"{number:05d}.png"
            Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(path)
    return folder
