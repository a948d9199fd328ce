"""ImageNet in torchvision's folder layout, and ImageNet100: a list of its classes, or a seeded draw of them."""

import hashlib
from functools import lru_cache
from pathlib import Path

from kdutils.data.core import Dataset, need_folder
from kdutils.data.lazy import IMAGENET_MEAN, IMAGENET_STD, LARGE_SIZE, class_folders, class_names, image_files
from kdutils.errors import UserError

FOLDER, CLASS_LIST = "imagenet", "imagenet100.txt"
HOLDS = f"{FOLDER}/train/<wnid>/<image> and {FOLDER}/val/<wnid>/<image> (torchvision's layout)"
DRAWN = 100


def load(data_dir: Path) -> Dataset:
    """ImageNet: officially 1,000 classes, 1,281,167 training and 50,000 validation images, read as needed at 224 x 224.

    A test image is the centre cut after its shorter side became 256; x is a random resized crop (`crops`) and flip, as
    in the paper's released code.
    """
    return _load("imagenet", data_dir, _all_classes(data_dir))


def load_100(data_dir: Path) -> Dataset:
    """ImageNet100: the classes of `imagenet100.txt` (one WordNet id per line) beside the data, else `drawn_classes`."""
    return _load("imagenet100", data_dir, _hundred(data_dir))


def fingerprint(data_dir: Path) -> str:
    """A hash of the names of ImageNet's classes and of how many images each has: tells a cut from the whole."""
    return _hash(data_dir, tuple(_all_classes(data_dir)))


def fingerprint_100(data_dir: Path) -> str:
    """The same of ImageNet100's classes: tells two class lists apart, and a cut from the whole."""
    return _hash(data_dir, tuple(_hundred(data_dir)))


def drawn_classes(classes: list[str], seed: int = 0) -> list[str]:
    """A seeded draw of 100 of the classes, sorted: those whose SHA-256 with the seed is lowest, on any machine."""
    return sorted(sorted(classes, key=lambda wnid: hashlib.sha256(f"{seed} {wnid}".encode()).digest())[:DRAWN])


@lru_cache(maxsize=4)  # listing the whole of ImageNet takes seconds, and every run of a sweep asks
def _hash(data_dir: Path, classes: tuple[str, ...]) -> str:
    parts = [data_dir / FOLDER / part for part in ("train", "val")]
    counts = [(name, *(len(image_files(part / name)) for part in parts)) for name in classes]
    return hashlib.sha256(repr(counts).encode()).hexdigest()


def _all_classes(data_dir: Path) -> list[str]:
    for part in ("train", "val"):
        need_folder(data_dir / FOLDER / part, "imagenet", HOLDS)
    classes = class_names(data_dir / FOLDER / "train")
    missing = sorted(set(classes) - set(class_names(data_dir / FOLDER / "val")))
    if missing or not classes:
        raise UserError(f"{data_dir / FOLDER}: val/ has no folder for {missing[:3] or 'any class'}; expected {HOLDS}")
    return classes


def _hundred(data_dir: Path) -> list[str]:
    known, path = _all_classes(data_dir), data_dir / CLASS_LIST
    if not path.is_file():
        if len(known) < DRAWN:
            raise UserError(f"cannot draw {DRAWN} classes of the {len(known)} in {data_dir / FOLDER}")
        return drawn_classes(known)
    listed = sorted(path.read_text(encoding="utf-8", errors="replace").split())
    unknown = sorted(set(listed) - set(known))
    if unknown or len(set(listed)) != DRAWN or len(listed) != DRAWN:
        raise UserError(
            f"{path} must list {DRAWN} different classes of {data_dir / FOLDER}/train, one per line; "
            f"it lists {len(set(listed))}, unknown among them: {unknown[:3] or 'none'}"
        )
    return listed


def _load(name: str, data_dir: Path, classes: list[str]) -> Dataset:
    return Dataset(
        name=name,
        train=class_folders(data_dir / FOLDER / "train", classes, LARGE_SIZE),
        test=class_folders(data_dir / FOLDER / "val", classes, LARGE_SIZE),
        classes=tuple(classes),
        image_size=LARGE_SIZE,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        crop_padding=28,
        cutout_size=56,
        policy="imagenet",
        resized_crops=True,
    )
