"""Tiny ImageNet in its official layout: from the folder, or straight from the archive, which is never unpacked."""

import hashlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import torch

from kdutils.data.core import Dataset, MemorySplit, need_folder
from kdutils.data.lazy import ENDINGS, IMAGENET_MEAN, IMAGENET_STD, READERS, read_image
from kdutils.errors import UserError

FOLDER = "tiny-imagenet-200"
HOLDS = f"{FOLDER}/ (as its archive unpacks), {FOLDER}.zip, or a cut of it in the same layout, {FOLDER}-<name>.zip"
OFFICIAL_MD5 = "90528d7ca1a48142e341f4ef8d21d0de"  # of the published tiny-imagenet-200.zip, 248,100,043 bytes
IMAGE_SIZE = 64
BROKEN = (
    OSError,
    KeyError,
    RuntimeError,
    EOFError,
    UnicodeDecodeError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


def load(data_dir: Path) -> Dataset:
    """200 classes, 3 x 64 x 64, greyscale files as RGB; officially 500 training images per class.

    The 10,000 validation images are the test set: the official test images have no labels. Labels follow the sorted
    WordNet ids, and a class's training images their numbers, so that the first n are the same in a cut and the whole.
    """
    source = find(data_dir)
    if source.name == f"{FOLDER}.zip":
        _check_hash(source)
    try:
        with _reader(source) as read:
            sizes = _listing(source)
            wnids = sorted(read("wnids.txt").decode().split())
            train = _train_files(sizes, wnids)
            test = _val_files(read("val/val_annotations.txt").decode(), sizes, wnids)
            names = _class_names(read("words.txt").decode() if "words.txt" in sizes else "")
            splits = [_decode(files, read) for files in (train, test)]
    except BROKEN as error:
        raise UserError(
            f"{source} is damaged or incomplete ({error}). Make or copy it again; expected {HOLDS}"
        ) from error
    return Dataset(
        name="tinyimagenet",
        train=splits[0],
        test=splits[1],
        classes=tuple(names.get(wnid, wnid) for wnid in wnids),
        image_size=IMAGE_SIZE,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        crop_padding=8,
        cutout_size=16,
        policy="imagenet",
    )


def find(data_dir: Path) -> Path:
    """The folder or archive of Tiny ImageNet under `data_dir`: the folder first, then the whole archive, then a cut."""
    need_folder(data_dir, "tinyimagenet", HOLDS)
    cuts = sorted(data_dir.glob(f"{FOLDER}-*.zip"))
    if (data_dir / FOLDER).is_dir():
        return data_dir / FOLDER
    if (data_dir / f"{FOLDER}.zip").is_file():
        return data_dir / f"{FOLDER}.zip"
    if len(cuts) > 1:
        raise UserError(f"{data_dir} holds {len(cuts)} cuts of Tiny ImageNet: {[c.name for c in cuts]}. Keep one")
    if not cuts:
        raise UserError(f"no Tiny ImageNet in {data_dir}: expected {HOLDS}")
    return cuts[0]


def fingerprint(data_dir: Path) -> str:
    """A hash of the images' names and sizes, the same for folder and archive: tells a cut from the whole."""
    source = find(data_dir)
    found = source.stat()
    return _fingerprint(source, found.st_ino, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=4)  # of a folder, listing takes seconds, and every run of a sweep asks
def _fingerprint(source: Path, *state: int) -> str:
    try:
        images = sorted(item for item in _listing(source).items() if item[0].startswith(("train/", "val/images/")))
    except BROKEN as error:
        raise UserError(f"{source} is damaged ({error}). Make or copy it again") from error
    return hashlib.sha256(repr(images).encode()).hexdigest()


def _check_hash(archive: Path) -> None:
    with open(archive, "rb") as stream:
        digest = hashlib.file_digest(stream, "md5").hexdigest()
    if digest != OFFICIAL_MD5:
        raise UserError(
            f"{archive} is not the published archive: its MD5 is {digest}, expected {OFFICIAL_MD5}. "
            f"Copy it again, or name it {FOLDER}-<name>.zip if it is a cut"
        )


@contextmanager
def _reader(source: Path) -> Iterator[Callable[[str], bytes]]:
    """Yield what reads a file by its name under `FOLDER`; an archive's checksums are checked as it is read."""
    if source.is_dir():
        yield lambda name: (source / name).read_bytes()
        return
    with zipfile.ZipFile(source) as archive:
        yield lambda name: archive.read(f"{FOLDER}/{name}")


def _listing(source: Path) -> dict[str, int]:
    """The files by name under `FOLDER`, with their sizes in bytes. Only what is listed here is ever read."""
    if source.is_dir():
        files = (path for path in source.rglob("*") if path.is_file())
        return {path.relative_to(source).as_posix(): path.stat().st_size for path in files}
    with zipfile.ZipFile(source) as archive:
        inside = (info for info in archive.infolist() if info.filename.startswith(f"{FOLDER}/") and not info.is_dir())
        return {info.filename.removeprefix(f"{FOLDER}/"): info.file_size for info in inside}


def _train_files(sizes: dict[str, int], wnids: list[str]) -> list[tuple[str, int]]:
    """(file, label) of the training images, class by class, each class in the order of its numbers."""
    label_of = {wnid: label for label, wnid in enumerate(wnids)}
    found: dict[str, list[str]] = {wnid: [] for wnid in wnids}
    for name in sizes:
        parts = name.split("/")
        if parts[0] == "train" and parts[2:3] == ["images"] and Path(name).suffix.lower() in ENDINGS:
            if parts[1] not in found:
                raise UserError(f"Tiny ImageNet: train/{parts[1]} is not one of the classes in wnids.txt")
            found[parts[1]].append(name)
    empty = [wnid for wnid, files in found.items() if not files]
    if empty:
        raise UserError(f"Tiny ImageNet: no training images of {empty[:3]}; expected train/<wnid>/images/*.JPEG")
    in_order = {wnid: sorted(files, key=lambda name: (len(name), name)) for wnid, files in found.items()}
    return [(name, label_of[wnid]) for wnid, files in in_order.items() for name in files]


def _val_files(annotations: str, sizes: dict[str, int], wnids: list[str]) -> list[tuple[str, int]]:
    """(file, label) of the validation images, as `val_annotations.txt` lists them: file, WordNet id, box."""
    label_of = {wnid: label for label, wnid in enumerate(wnids)}
    files = []
    for line in annotations.splitlines():
        name, _, rest = line.partition("\t")
        wnid = rest.split("\t")[0]
        if f"val/images/{name}" not in sizes or wnid not in label_of:
            raise UserError(f"Tiny ImageNet: val_annotations.txt names an unknown image or class: {line!r}")
        files.append((f"val/images/{name}", label_of[wnid]))
    return files


def _class_names(words: str) -> dict[str, str]:
    """WordNet id -> its first name."""
    pairs = (line.split("\t", 1) for line in words.splitlines() if "\t" in line)
    return {wnid: names.split(",")[0] for wnid, names in pairs}


def _decode(files: list[tuple[str, int]], read: Callable[[str], bytes]) -> MemorySplit:
    def image(file: tuple[str, int]) -> torch.Tensor:
        return read_image(io.BytesIO(read(file[0])), IMAGE_SIZE, name=f"{FOLDER}/{file[0]}")

    with ThreadPoolExecutor(READERS) as readers:
        images = list(readers.map(image, files))
    if not images:
        raise UserError("Tiny ImageNet: val_annotations.txt lists no images")
    return MemorySplit(torch.stack(images), torch.tensor([label for _, label in files]))
