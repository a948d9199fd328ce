"""Variables of the environment, limits of the system, an output that cannot be written, schedulers that are none."""

import functools
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.case import Case, rows
from tests.faults.inputs import photos
from tests.faults.runs import RANK, TRAIN, ranked, trained

KIND = "surroundings"
PLACES = "notes.txt", "/dev/null", "/proc/x", "notes.txt/x", "x/" * 3000
SWEEP = ("sweep", "--student", "tiny", "--method", "ce", "--epochs", "1", "--images-per-class", "2")
PHOTOS = (*RANK, "--dataset", "folder", "--data-dir", "images")
NOBODY = 65534
EXPORT = ("results", "export", "new.zip", "--store", "theirs")


def cases() -> Iterator[Case]:
    """All of these kinds."""
    yield from variables()
    yield from limits()
    yield from rights()
    yield from schedulers()


def variables() -> Iterator[Case]:
    """KDUTILS_STORE, KDUTILS_DATA, KDUTILS_WORKERS, and those of a terminal."""
    for place in PLACES:
        yield Case(KIND, TRAIN, setting={"KDUTILS_STORE": place}, where=f"KDUTILS_STORE={place[:20]} train")
        yield Case(KIND, RANK, setting={"KDUTILS_STORE": place}, where=f"KDUTILS_STORE={place[:20]} rank")
    at_home = lambda out, here: trained(out, here) and (here / "home/s").is_dir() and not (here / "~").exists()  # noqa: E731
    yield Case(KIND, TRAIN, setting={"KDUTILS_STORE": "~/s"}, right=at_home, where="KDUTILS_STORE=~/s")
    yield Case(KIND, TRAIN, setting={"KDUTILS_STORE": "~no-such-user/s"}, where="KDUTILS_STORE=~no-such-user/s")
    in_cache = lambda out, here: trained(out, here) and any((here / "home").iterdir())  # noqa: E731
    empty = {"KDUTILS_STORE": "", "XDG_CACHE_HOME": ""}
    yield Case(KIND, TRAIN, setting=empty, right=in_cache, where="KDUTILS_STORE is empty")
    for place in ("notes.txt", "nowhere", "/dev/null", "x/" * 3000, "~no-such-user"):
        words = (*RANK, "--dataset", "cifar100")
        yield Case(KIND, words, setting={"KDUTILS_DATA": place}, where=f"KDUTILS_DATA={place[:20]}")
    for count in ("²", "x", "-1", "1.5", " 1", "9" * 400):
        for words in (SWEEP, (*SWEEP, "--dry-run")):
            where = f"KDUTILS_WORKERS={count[:20]} {words[-1]}"
            yield Case(KIND, words, setting={"KDUTILS_WORKERS": count}, where=where)
    odd = {"COLUMNS": "x", "TERM": "", "LANG": "nope", "LC_ALL": "nope"}
    yield Case(KIND, RANK, setting=odd, right=ranked, where="odd terminal")


def limits() -> Iterator[Case]:
    """A full disk, few file descriptors, an output that goes nowhere; and help, which needs none of these."""
    for words in (("notebooks",), ("--help",), ("--version",), RANK, ("results", "list", "--store", "theirs")):
        yield Case(KIND, words, before=full, where=f"full stdout, {words[0]}")
    for words in (TRAIN, RANK, EXPORT):
        yield Case(KIND, words, before=at_most(resource.RLIMIT_FSIZE, 600), where=f"no file over 600 bytes, {words[0]}")
    for words in (TRAIN, RANK, ("notebooks",)):
        yield Case(KIND, words, before=at_most(resource.RLIMIT_NOFILE, 5), where=f"5 files, {words[0]}")
    large = ("train", "--student", "resnet20", "--method", "ce", "--epochs", "1", "--batch-size", "512")
    yield Case(KIND, large, before=little_memory, where="30 MB of memory, train")
    for words in rows("--help | rank --help | --version"):
        yield Case(KIND, words, right=lambda out, here: bool(out.strip()), where=f"help {words}")


def rights() -> Iterator[Case]:
    """Files and folders that one may not read, or not write to."""
    own = {"KDUTILS_STORE": "store", "HOME": "home"}
    for place, words in {
        "w.pth": (*RANK, "--weights", "w.pth"),
        "deep": (*RANK, "--weights", "deep/w.pth"),
        "images/train": PHOTOS,
        "images/train/c0": PHOTOS,
        "images/train/c0/0.png": PHOTOS,
        "g.toml": (*SWEEP, "--file", "g.toml"),
        "packed.zip": ("results", "import", "packed.zip"),
        "theirs": ("results", "list", "--store", "theirs"),
        "good.ipynb": ("run-notebook", "good.ipynb"),
        "home": TRAIN,
        "mine.csv": (*RANK, "--out", "mine.csv"),
    }.items():
        files = {"images": photos, "deep/w.pth": b"x", "w.pth": b"x", "g.toml": b""}
        setting = own | ({"KDUTILS_STORE": "home/store"} if place == "home" else {})
        before = functools.partial(locked, place)
        yield Case("rights", words, files=files, setting=setting, before=before, where=f"{words[0]}, {place} locked")


def locked(place: str) -> None:
    """Take all rights on the place, and the rights of root, if this is root."""
    os.chmod(".", 0o777)
    os.chmod(place, 0)
    if os.geteuid() == 0:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)


def at_most(kind: int, most: int) -> Callable[[], None]:
    """Lets the process have so much of something, and no more."""
    return functools.partial(resource.setrlimit, kind, (most, most))


def little_memory() -> None:
    """30 MB more than the process has by now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    at_most(resource.RLIMIT_AS, pages * resource.getpagesize() + 30 * 10**6)()


def full() -> None:
    """A stdout on a disk that is full."""
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def schedulers() -> Iterator[Case]:
    """Addresses and files of no Dask scheduler."""
    files = {"empty.json": "", "list.json": "[]", "text.json": "x", "object.json": "{}"}
    for address in (*files, "nope", "tls://x:1", "ucx://x:1", "127.0.0.1:1", "tcp://", "x.json"):
        yield Case("schedulers", (*SWEEP, "--scheduler", address), files=files)
    done = lambda out, here: "1 done" in out  # noqa: E731  (an empty one is none)
    yield Case("schedulers", (*SWEEP, "--scheduler", ""), right=done)
