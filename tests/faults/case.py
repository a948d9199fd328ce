"""What a case is, and how one is run: in a process of its own, in a folder of its own, within a limit of time."""

import contextlib
import multiprocessing
import os
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path

from kdutils import cli
from kdutils.cli import faults

LIMIT = 120  # seconds; none takes more than a few where it is alone
LOCK = threading.Lock()  # a start asks for the exit status of all processes, and each status can be read once
OUTCOMES = ("clear", "long", "traceback", "silently wrong", "accepted", "hung")
COMMANDS = ("bench", "book", "courses", "notebooks", "rank", "results", "sweep", "train")
PRELOAD = [*(f"kdutils.cli.{name}" for name in COMMANDS), "kdutils.book.course.grading", "tests.faults.table"]
CHANGING = ("store", "data", "home", "theirs")
THEIRS = {
    "notes.txt": b"my own work",
    "mine.csv": b"a,b\n",
    "mine.json": b"{}",
    "mine.zip": b"PK",
    "mine.ipynb": b"{}",
    "taken.png": b"PNG",
}


@dataclass(frozen=True)
class Case:
    """Words for `kdutils`, or any call, with the files, variables and limits that it finds.

    `right`: what holds, given stdout and the folder, if it is accepted; None: it has to be refused. `before`: what the
    process does first. `where`: the case's name, if the words do not tell.
    """

    kind: str
    words: tuple[str, ...] = ()
    call: Callable[[], object] | None = None
    files: Mapping[str, object] = field(default_factory=dict)
    setting: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], object] | None = None
    right: Callable[[str, Path], bool] | None = None
    where: str = ""

    def __str__(self) -> str:
        name = self.where or " ".join(word if len(word) < 60 else f"{word[:20]}...({len(word)})" for word in self.words)
        return f"{self.kind}: {name}"


@dataclass(frozen=True)
class Outcome:
    """One of OUTCOMES; whether it is the one that was expected, and what was said."""

    name: str
    expected: bool
    said: str


def run(case: Case, number: int, folder: Path) -> Outcome:
    """Run the case in `folder`, which is made for it; `number` is its place in the table.

    Its process is forked from one that has imported everything, which saves the seconds that imports take.
    """
    from tests.faults import table  # which imports this module

    here = folder / "here"
    (here / "home").mkdir(parents=True)
    shutil.copytree(table.material(), here, dirs_exist_ok=True)
    for name, content in {**THEIRS, **case.files}.items():
        write(here / name, content)
    before = listing(here)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    process = context.Process(target=_child, args=(number, folder))
    with LOCK:
        process.start()
    if hung := not wait([process.sentinel], LIMIT):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    with LOCK:
        process.join()
    out, err = ((folder / name).read_text(encoding="utf-8", errors="replace") for name in ("out", "err"))
    if hung:
        return Outcome("hung", False, err)
    return judge(case, process.exitcode, out, err, before, here)


def judge(case: Case, status: int, out: str, err: str, before: dict[str, bytes], here: Path) -> Outcome:
    """What became of it. A refusal leaves the folder as it was; of a user's own files none may ever change."""
    after = listing(here)
    kept = all(after.get(name) == content for name, content in before.items())
    said = err.strip() or out.strip()
    if "Traceback" in err or "This is a fault of kdutils" in err or status < 0:
        return Outcome("traceback", False, said)
    if status:
        alone = kept and set(after) == set(before)
        name = "silently wrong" if not alone else "clear" if 0 < len(said.splitlines()) <= 3 else "long"
        return Outcome(name, name == "clear" and case.right is None, said if alone else f"{said} [files changed]")
    right = case.right is not None and kept and case.right(out, here)
    return Outcome("accepted" if right else "silently wrong", right, out.strip() + err.strip())


def write(path: Path, content: object) -> None:
    """Bytes, text, a function that makes either or writes to the path, or None for a folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if callable(content):
        content = content(path)
    elif content is None:
        path.mkdir(exist_ok=True)
    if isinstance(content, str):
        content = content.encode()
    if isinstance(content, bytes):
        path.write_bytes(content)


def rows(text: str) -> list[tuple[str, ...]]:
    """Words for a command, one case between bars, each as a person would type it in a shell."""
    return [tuple(shlex.split(row)) for row in text.split("|")]


def listing(here: Path) -> dict[str, bytes]:
    """Every file outside the stores and the data, where results come and damaged ones are set aside."""
    files = (path for path in here.rglob("*") if path.is_file() and not path.is_symlink() and path.name != ".lock")
    names = {str(path.relative_to(here)): path for path in files}
    return {name: path.read_bytes() for name, path in names.items() if not name.startswith(CHANGING)}


def _child(number: int, folder: Path) -> None:
    """Become `kdutils`, and end as it ends."""
    from tests.faults import table

    os.setsid()
    case, here = table.CASES[number], folder / "here"
    for name, descriptor in (("out", 1), ("err", 2)):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), descriptor)
    sys.stdout, sys.stderr = (open(d, "w", encoding="utf-8", closefd=False) for d in (1, 2))  # noqa: SIM115
    own = {
        "HOME": here / "home",
        "KDUTILS_STORE": here / "store",
        "KDUTILS_DATA": here / "data",
        "KDUTILS_WORKERS": "0",
    }
    os.environ.update({name: str(value) for name, value in {**own, **case.setting}.items()})
    os.chdir(here)
    sys.argv = ["kdutils", *case.words]
    if case.before:
        case.before()
    cli.main() if case.call is None else sys.exit(_called(case.call))  # an exception is a traceback on stderr


def _called(call: Callable[[], object]) -> int:
    """A function of the package in the place of a command; the exit status."""
    try:
        print(call())
    except Exception as error:
        return faults.tell(error)
    return 0
