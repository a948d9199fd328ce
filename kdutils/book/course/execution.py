"""The execution of a submission, within limits, in a process that is not the grader's. It needs nbgrader.

A cell that could not be run, because the kernel died or the time was up, is given an error, so that its test fails.
"""

import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from subprocess import DEVNULL

import nbformat
import psutil
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbclient.util import ensure_async, run_sync
from nbformat import NotebookNode
from nbgrader.preprocessors import Execute
from traitlets import Any, Bool, Dict, Unicode

from kdutils import _files
from kdutils.book.course import judging, processes, sandbox
from kdutils.book.course.assignments import exercise_number, grade_id, is_answer, is_graded
from kdutils.book.course.judging import UNDONE, UNFINISHED, UNRESTORED, failed
from kdutils.book.course.outputs import harmless

TOO_SLOW, DIED, NOT_RUN, SYNTAX = "TimeLimit", "KernelDied", "NotRun", "SyntaxError"
TOO_LONG, TOO_BIG = "OutputLimit", "MemoryLimit"
SPOKEN = {
    TOO_SLOW: "a cell ran into the time limit",
    DIED: "a cell ended the kernel",
    NOT_RUN: "not run after that",
    TOO_LONG: "a cell printed too much",
    TOO_BIG: "a cell took too much memory",
    UNFINISHED: "a test did not come to its end",
    UNRESTORED: "how cells are run was changed",
    SYNTAX: "a syntax error",
    "IndentationError": "a syntax error",
    "TabError": "a syntax error",
}
OUTPUT, CELL_OUTPUT = 4 * judging.CELL_OUTPUT, judging.CELL_OUTPUT  # letters that a submission, and a cell, may show


@dataclass(frozen=True)
class Limits:
    """Seconds of a cell, and of all cells of a notebook together; bytes of memory of all its processes."""

    cell_seconds: float
    notebook_seconds: float
    memory: float = 4e9


def run(source: Path, target: Path, place: Path, kind: sandbox.Sandbox, limits: Limits) -> None:
    """Execute the notebook `source` in the room `place`, and write it to `target` with outputs that do no harm."""
    variables = sandbox.environment(place)
    os.environ.clear()
    os.environ.update(variables)
    notebook = nbformat.read(source, as_version=4)
    step = LimitedExecute(limits=limits, place=place, kind=kind)
    executed, _ = step.preprocess(notebook, {})
    for cell in executed.cells:
        if cell.cell_type == "code":
            cell.outputs = harmless(cell.outputs)
    _files.write_text(target, nbformat.writes(executed))


class Kernel(AsyncKernelManager):
    """Starts the kernel in a sandbox."""

    kind, place = Any(), Any()

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """The command of the kernel, within that of the sandbox."""
        return [*self.kind.command(self.place), *super().format_kernel_cmd(extra_arguments)]

    def write_connection_file(self, **how: object) -> None:
        """Write the file; it belongs to the kernel's user."""
        super().write_connection_file(**how)
        self.kind.hand_over(Path(self.connection_file))


class LimitedExecute(Execute):
    """Runs the cells one by one; after a cell that cannot be stopped, or that ends the kernel, all others fail."""

    limits, place, kind = Any(), Any(), Any()
    shutdown_kernel = Unicode("immediate")
    skip_cells_with_tag = Unicode("")  # a tag must not switch a test off
    record_timing = Bool(False)
    store_widget_state = Bool(False)
    stopped = Unicode("", help="what an earlier cell has done, so that no more cells are run")
    too_big = Bool(False, help="whether the kernel was ended because of its memory")
    shown = Dict(help="letters of output: of the notebook, of this cell; whether this cell was cut short")
    error_on_timeout = Dict(
        {"ename": TOO_SLOW, "evalue": "", "traceback": [f"{TOO_SLOW}: this cell took too long and was stopped"]}
    )

    def create_kernel_manager(self) -> Kernel:
        """A kernel in the sandbox. It is reached by sockets in the room, as it may have no network."""
        where = {"transport": "ipc", "ip": sandbox.sockets(self.place), "transport_encryption": "auto"}
        file = str(self.place / "runtime" / "kernel.json")  # not where `tempfile` was first asked for a folder
        self.km = Kernel(kernel_name="python3", kind=self.kind, place=self.place, connection_file=file, **where)
        return self.km

    @contextmanager
    def setup_kernel(self, **how: object) -> Iterator[None]:
        """Start the kernel in its room, and the clock; end it if it takes too much."""
        how |= {"cwd": str(self.place), "env": dict(os.environ), "preexec_fn": self.kind.limit_processes}
        how |= {"stdout": DEVNULL, "stderr": DEVNULL}  # what bypasses IPython does not reach the teacher's terminal
        with super().setup_kernel(**how):
            self.deadline = time.monotonic() + self.limits.notebook_seconds
            self.shown = {"notebook": 0}
            self.timeout_func = lambda cell: max(0.01, min(self.limits.cell_seconds, self.deadline - time.monotonic()))
            with _watched(self):
                self._ask(f"exec({judging.GUARD!r}, {{}})")
                yield

    def preprocess_cell(self, cell: NotebookNode, resources: dict, index: int) -> tuple[NotebookNode, dict]:
        """Run one cell, or let it fail if the time is up or the kernel gone."""
        if cell.cell_type != "code":
            return cell, resources
        if self.stopped:
            return failed(cell, NOT_RUN, f"not run, because an earlier cell {self.stopped}"), resources
        if time.monotonic() >= self.deadline:
            self.stopped = "used up the time of the notebook"
            return failed(cell, TOO_SLOW, "not run, because the time of the notebook was up"), resources
        self.shown |= {"cell": 0, "cut": False}
        try:
            if is_graded(cell) and not is_answer(cell):
                return self._test(cell, resources, index), resources
            return super().preprocess_cell(cell, resources, index)
        except (CellTimeoutError, Empty):
            self.stopped = "took too long and could not be stopped"
            return failed(cell, TOO_SLOW, f"this cell {self.stopped}"), resources
        except DeadKernelError:
            self.stopped = (
                f"used more than {self.limits.memory / 1e9:g} GB of memory" if self.too_big else "ended the kernel"
            )
            return failed(cell, TOO_BIG if self.too_big else DIED, f"this cell {self.stopped}"), resources

    def _test(self, cell: NotebookNode, resources: dict, index: int) -> NotebookNode:
        """Run a test cell as IPython runs it at the start of a kernel; it passes if it comes to its own last line."""
        plain, word = cell.source, secrets.token_hex()
        restored, *changed = self._ask(judging.restoring(word, plain), judging.VALUE) or [""]
        if restored != word:
            return failed(cell, UNRESTORED, "how cells are run was changed, and this could not be undone")
        cell.source = judging.finishing(plain, word)
        super().preprocess_cell(cell, resources, index)
        cell.source = plain
        cell.outputs = judging.judged(cell.outputs, word, judging.ends_in_value(plain))
        cell.outputs += [judging.undone(changed)] if changed else []
        return cell

    async def _async_ask(self, code: str, value: str = "[]") -> list[str]:
        """Run code that is no part of the notebook; return the words in the list `value` after it."""
        sent = await ensure_async(self.kc.execute(code, silent=True, user_expressions={"value": value}))
        until = time.monotonic() + self.timeout_func(None)
        while time.monotonic() < until:
            await self._async_check_alive()
            try:
                reply = await ensure_async(self.kc.shell_channel.get_msg(timeout=1))
            except Empty:
                continue
            if reply["parent_header"].get("msg_id") == sent:
                return judging.words(reply["content"])
        raise Empty

    _ask = run_sync(_async_ask)

    def process_message(self, msg: dict, cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Take over what the kernel shows, as long as it is not too much."""
        content = msg["content"]
        if msg["msg_type"] == "status" or judging.SHOWN in content.get("data", {}):
            return super().process_message(msg, cell, cell_index)
        size = _size(content)
        if self.shown["cell"] + size > CELL_OUTPUT:
            if not self.shown["cut"]:
                failed(cell, TOO_LONG, "this cell showed too much; the rest is left out")
            self.shown["cut"] = True
            return None
        if self.shown["notebook"] + size > OUTPUT:
            return None
        self.shown |= {"cell": self.shown["cell"] + size, "notebook": self.shown["notebook"] + size}
        return super().process_message(msg, cell, cell_index)


def _size(content: object) -> int:
    """The letters in a message."""
    if isinstance(content, dict):
        return sum(map(_size, content.values()))
    return sum(map(_size, content)) if isinstance(content, list) else len(content) if isinstance(content, str) else 8


# --- Watching -----------------------------------------------------------------------------------------------------


@contextmanager
def _watched(step: LimitedExecute) -> Iterator[None]:
    """End the kernel, with all that it has started, when they take more memory than a submission may."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            this = psutil.Process()
            below = this.children(recursive=True)
            if all(sum(map(memory, [this, *below])) > step.limits.memory for memory in (_memory, _own_memory)):
                step.too_big = True
                processes.end(set(below))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _memory(process: psutil.Process) -> int:
    """Bytes that are at once too many where processes share them, as those of a pool do, and quick to read."""
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def _own_memory(process: psutil.Process) -> int:
    """Bytes, with a process's part of what it shares (on macOS, which does not know it, without)."""
    try:
        used = process.memory_full_info()
        return getattr(used, "pss", used.uss)
    except psutil.Error:
        return _memory(process)


def trouble(executed: NotebookNode) -> list[str]:
    """What went wrong beyond answers that are wrong: the exercise and the kind, once each."""
    found, place = [], "before the exercises"
    for cell in executed.cells:
        number = exercise_number(grade_id(cell))
        place = place if number is None else f"exercise {number}"
        for output in cell.get("outputs", []):
            if output.output_type == "error" and output.ename in SPOKEN:
                found.append(f"{place}: {SPOKEN[output.ename]}")
            if output.output_type == "stream" and UNDONE in output.text:
                found.append(f"{place}: how cells are run was changed; that was undone before each test")
    return list(dict.fromkeys(found))
