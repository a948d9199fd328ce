"""Work in a process of its own, with a limit of time; nothing that it starts outlives it.

A process that has left its parent behind is still found: the kernel of Linux gives it to this process (`prctl(2)`,
PR_SET_CHILD_SUBREAPER). On other systems such a process escapes.
"""

import contextlib
import ctypes
import multiprocessing
import os
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from multiprocessing.connection import Connection

import psutil

PR_SET_CHILD_SUBREAPER = 36
SERVER = multiprocessing.get_context("forkserver")  # a child is made in milliseconds, from a process without threads
SERVER.set_forkserver_preload(["kdutils.book.course.execution", "kdutils.book.course.feedback"])


class Failed(RuntimeError):
    """The work in the other process ended with an error; the message is that error's."""


def within(seconds: float, work: Callable[..., None], *arguments: object) -> None:
    """Call `work(*arguments)` in a process of its own. What it makes, it writes to files.

    TimeoutError after `seconds`, Failed if it raises, ChildProcessError if its process is ended from outside.
    """
    receiver, sender = SERVER.Pipe(duplex=False)
    with nothing_left():
        _start(SERVER.Process(target=_report, args=(sender, work, arguments)))
        sender.close()
        if not receiver.poll(seconds):
            raise TimeoutError(f"it took longer than {seconds:g} s")
        try:
            said = receiver.recv_bytes(1000).decode()
        except (EOFError, OSError) as error:
            raise ChildProcessError("its process was ended from outside") from error
    if said:
        raise Failed(said)


def warm_up() -> None:
    """Start to load, beside what is done here, what the work will need."""
    forkserver.ensure_running()


def _start(process: multiprocessing.Process) -> None:
    """Start it without running the main module again, which may be a script without `if __name__ == "__main__"`."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        process.start()
    finally:
        sys.modules["__main__"] = main


def _report(sender: Connection, work: Callable[..., None], arguments: tuple) -> None:
    """Do the work, and send what went wrong in a few words, or nothing."""
    os.setsid()  # so that neither Ctrl-C nor a signal to the group of a student's parent goes further
    _adopt_orphans(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            work(*arguments)
        said = ""
    except Exception as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0]
    sender.send_bytes(said[:200].encode(errors="replace"))


@contextlib.contextmanager
def nothing_left(seconds: float = 10) -> Iterator[None]:
    """What is started within the block, and whatever that starts, has ended when the block ends."""
    warm_up()  # the server stays
    before = descendants()
    _adopt_orphans(True)
    try:
        yield
    finally:
        deadline = time.monotonic() + seconds
        while (left := descendants() - before) and time.monotonic() < deadline:
            end(left)
        _adopt_orphans(False)


def descendants() -> set[psutil.Process]:
    """Find all processes below this one.

    Looked for twice: one whose parent ends during a look is found neither below that parent nor here, its new place.
    """
    this = psutil.Process()
    return set(this.children(recursive=True)) | set(this.children(recursive=True))


def end(processes: set[psutil.Process]) -> None:
    """Stop them all first, so that none makes another, then kill them."""
    for act in (psutil.Process.suspend, psutil.Process.kill):
        for process in processes:
            with contextlib.suppress(psutil.Error):
                act(process)
    psutil.wait_procs(processes, timeout=1)


def _adopt_orphans(adopt: bool) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)
