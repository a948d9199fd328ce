"""Weights and datasets, as a ranking reads them."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from kdutils import models
from kdutils.data import cifar100
from tests.data.pictures import picture
from tests.data.test_folder import damage
from tests.faults.case import Case, rows
from tests.faults.runs import RANK, SMALL, ranked
from tests.faults.stores import NO_FILES, archive
from tests.models.test_bad_weights import OTHER_FORMATS, REFUSALS
from tests.models.test_weights import WRAPPINGS


def cases() -> Iterator[Case]:
    """All of these kinds."""
    yield from weights()
    yield from networks()
    yield from folders()
    yield from archives()


# --- Weights ------------------------------------------------------------------------------------------------------


def weights() -> Iterator[Case]:
    """Files of a teacher's weights; those that are published in a form of their own load."""
    bad = {name: changed(change) for name, (change, _) in REFUSALS.items()} | OTHER_FORMATS | NO_FILES
    bad |= {"empty": b"", "text": b"x", "zip": archive({"a": "b"}), "half": b"PK\3\4", "json": b"{}"}
    for name, content in bad.items():
        yield Case("weights", (*RANK, "--weights", "w.pth"), files={"w.pth": content}, where=name)
    headers = {f"header {n}": n.to_bytes(8, "little") + b"{}" for n in (0, 7, 2**62, 2**63 - 1)}
    for name, content in {**headers, "empty": b"", "text": b"x", "json": b"{}", "zip": archive({"a": "b"})}.items():
        safe = {"w.safetensors": content}
        yield Case("weights", (*RANK, "--weights", "w.safetensors"), files=safe, where=f"safetensors, {name}")
    for name, wrap in WRAPPINGS.items():
        files = {"w.pth": changed(wrap)}
        yield Case("weights", (*RANK, "--weights", "w.pth"), files=files, right=ranked, where=f"right, {name}")


def changed(change: Callable[[dict], object]) -> Callable[[Path], None]:
    """Writes the weights of a network after that change."""

    def save(path: Path) -> None:
        torch.manual_seed(0)
        torch.save(change(models.build("tiny", 10, 16).state_dict()), path)

    return save


# --- Networks from elsewhere --------------------------------------------------------------------------------------

LINEAR = "import torch\n\ndef f(num_classes):\n    return torch.nn.Sequential(torch.nn.Flatten(), {})"
BAD_NETWORKS = {
    "another name": "g = 1",
    "a number": "f = 3",
    "a class": "f = dict",
    "a built-in": "f = max",
    "no argument": "def f(): ...",
    "no network": "def f(num_classes): ...",
    "a syntax error": "def f(",
    "an error": "1 / 0",
    "two lines": "raise ValueError('\\x1b]0;x\\x07\\n2')",
    "an exit": "import sys\nsys.exit()",
    "an exit inside": "import sys\ndef f(num_classes): sys.exit()",
    "an error inside": "def f(num_classes): 1 / 0",
    "three classes": LINEAR.format("torch.nn.Linear(768, 3)"),
    "another size": LINEAR.format("torch.nn.Linear(5, num_classes)"),
    "no numbers": LINEAR.format("torch.nn.Linear(768, num_classes)") + ".fill",
    "not UTF-8": b"\xff",
    "a zero": b"\0",
}
NAMED = (
    "timm:nope",
    "timm:",
    "torchvision:nope",
    "torchvision:",
    "nope.py:f",
    "notes.txt:f",
    ".py:f",
    ":",
    "net.py:",
    "a:b:c",
)


def networks() -> Iterator[Case]:
    """`--teacher FILE.py:FUNCTION` and other names."""
    words = ("rank", "--teacher-epochs", "1", *SMALL, "--teacher")
    good = {"net.py": LINEAR.format("torch.nn.Linear(768, num_classes)")}
    for name, source in BAD_NETWORKS.items():
        yield Case("networks", (*words, "net.py:f"), files={"net.py": source}, where=name)
    for name, spoil in NO_FILES.items():
        yield Case("networks", (*words, "net.py:f"), files={"net.py": spoil}, where=name)
    yield from (Case("networks", (*words, name), files=good) for name in NAMED)
    yield Case("networks", (*words, "net.py:f", "--weights", "tiny.safetensors"), files=good)
    yield Case("networks", (*words, "net.py:f"), files=good, right=ranked, where="right")


# --- Folders of images --------------------------------------------------------------------------------------------


def photos(path: Path) -> None:
    """Ten classes, two images of 16 pixels each for training and one for testing."""
    for part, count in (("train", 2), ("test", 1)):
        for number in range(10):
            (path / part / f"c{number}").mkdir(parents=True)
            for image in range(count):
                picture(10 * number + image, (16, 16)).save(path / part / f"c{number}" / f"{image}.png")


def png(size: tuple[int, int] = (16, 16), mode: str = "RGB", ending: str = "png", **options: object) -> bytes:
    """An image file's content."""
    content = io.BytesIO()
    Image.new(mode, size).save(content, ending, **options)
    return content.getvalue()


BAD_IMAGES = {
    **{name: spoil for name, spoil in NO_FILES.items() if name != "folder"},
    **{f"cut {seed}": damage(png(), "truncated", seed) for seed in range(4)},
    "empty": b"",
    "text": b"x",
    "LFS": b"version https://git-lfs.github.com/spec/v1\n",
    "16 bits": png(mode="I;16"),
    "long": lambda path: png((1, 200_000)),
    "wide": lambda path: png((200_000, 1)),
    "large": lambda path: png((20_000, 20_000), "1"),
    "SVG": b"<svg/>",
}
BAD_FOLDERS = {
    "no test": {"images/train/a/0.png": png(), "images/train/b/0.png": png()},
    "no images": {"images/train/a": None, "images/test/a": None},
    "a file": {"images": b"x"},
    "nothing": {"images": None},
    "one class": {"images/train/a/0.png": png(), "images/test/a/0.png": png()},
    "other classes": {"images": photos, "images/test/zzz/0.png": png()},
    "an empty class": {"images": photos, "images/train/zzz": None},
    "eleven classes": {"images": photos, "images/train/z/0.png": png(), "images/test/z/0.png": png()},
    "flat": {"images/0.png": png()},
}
RIGHT_FOLDERS = {
    "plain": {},
    "hidden": {"images/train/c0/._0.png": b"\0\5\x16\7", "images/.cache/x": b"x", "images/train/.DS_Store": b"x"},
    "others": {"images/train/c0/a.heic": b"x", "images/train/c0/notes.txt": b"x"},
    "upper case": {"images/train/c0/B.PNG": png()},
    "grey": {"images/train/c0/g.png": png(mode="L")},
    "alpha": {"images/train/c0/g.png": png(mode="RGBA")},
    "palette": {"images/train/c0/g.png": png(mode="P")},
    "CMYK": {"images/train/c0/g.jpg": png(mode="CMYK", ending="jpeg")},
    "EXIF": {"images/train/c0/g.jpg": png(ending="jpeg", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")},
    "nested": {"images/train/c0/deep/er/1.png": png()},
    "GIF": {"images/train/c0/a.gif": png(ending="gif")},
    "another size": {"images/train/c0/large.png": png((300, 200))},
}


def folders() -> Iterator[Case]:
    """`--dataset folder`: one image, or the folder itself, is not what it should be, or only looks so."""
    words = (*RANK, "--dataset", "folder", "--data-dir", "images")
    for name, content in BAD_IMAGES.items():
        files = {"images": photos, "images/train/c0/0.png": instead(content)}
        yield Case("folders", words, files=files, where=f"image {name}")
    for name, files in BAD_FOLDERS.items():
        yield Case("folders", words, files=files, where=name)
    for name, files in RIGHT_FOLDERS.items():
        yield Case("folders", words, files={"images": photos, **files}, right=ranked, where=f"right, {name}")
    for more in rows("--image-size 5 | --mean 0.5 | --std 0 | --images-per-class 3 | --k 64"):
        yield Case("folders", (*words, *more), files={"images": photos})


def instead(content: object) -> Callable[[Path], object]:
    """Takes the place of the file, which a link or a pipe cannot by itself."""

    def replace(path: Path) -> object:
        path.unlink()
        return content(path) if callable(content) else content

    return replace


# --- Archives -----------------------------------------------------------------------------------------------------


def small() -> None:
    """Let an archive of CIFAR-100 hold fewer images, so that a case takes no second."""
    cifar100.IMAGES.update(train=200, test=100)


def arrays(**changes: object) -> Callable[[Path], None]:
    """Writes an archive with other arrays; None leaves one out."""

    def save(path: Path) -> None:
        rng = np.random.default_rng(0)
        sizes = {"train": 200, "test": 100}
        whole = {f"x_{part}": rng.integers(256, size=(n, 32, 32, 3), dtype=np.uint8) for part, n in sizes.items()}
        whole |= {f"y_{part}": np.arange(n) % 100 for part, n in sizes.items()}
        whole |= {"classes": np.array([f"c{number}" for number in range(100)]), **changes}
        np.savez(path, **{name: value for name, value in whole.items() if value is not None})

    return save


LABELS = np.arange(200) % 100
BAD_ARCHIVES = {
    **NO_FILES,
    "empty": b"",
    "text": b"x",
    "cut": b"PK\3\4",
    "no arrays": archive({"a": "b"}),
    "one array": b"\x93NUMPY\1\0",
    "no labels": arrays(y_train=None),
    "fractions": arrays(y_train=LABELS + 0.7),
    "texts": arrays(y_train=LABELS.astype(str)),
    "objects": arrays(classes=np.array([object()] * 100)),
    "truths": arrays(y_train=LABELS > 5),
    "few labels": arrays(y_train=LABELS[:5]),
    "negative": arrays(y_train=LABELS - 1),
    "too high": arrays(y_train=LABELS + 1),
    "few names": arrays(classes=np.array(["a"])),
    "floats": arrays(x_train=np.zeros((200, 32, 32, 3), np.float32)),
    "complex": arrays(x_train=np.zeros((200, 32, 32, 3), complex)),
    "channels first": arrays(x_train=np.zeros((200, 3, 32, 32), np.uint8)),
    "no axis": arrays(x_train=np.uint8(3)),
}
OTHER_ARCHIVES = {"tinyimagenet": "tiny-imagenet-200.zip", "imagenet100": "imagenet", "imagenet": "imagenet"}


def archives() -> Iterator[Case]:
    """`--dataset cifar100` and the other sets, each with something else in the place of its files."""
    words = ("rank", "--teacher", "tiny", "--weights", "w.pth", *SMALL, "--dataset")
    teacher = {"w.pth": lambda path: torch.save(models.build("tiny", 100, 32).state_dict(), path)}
    for name, content in {**BAD_ARCHIVES, "right": arrays()}.items():
        files = {"data/cifar100.npz": content, **teacher}
        right = ranked if name == "right" else None
        yield Case("archives", (*words, "cifar100"), files=files, before=small, right=right, where=name)
    for dataset, place in OTHER_ARCHIVES.items():
        for name, content in {"empty": b"", "text": b"x", "zip": archive({"a": "b"}), **NO_FILES}.items():
            files = {f"data/{place}": content, **teacher}
            yield Case("archives", (*words, dataset), files=files, where=f"{dataset} {name}")
