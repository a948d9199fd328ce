"""The grader's side of an execution: a sandbox for each notebook, its limits, and the gradebook as it was before."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from kdutils import _files
from kdutils.book.course import execution, photographs, processes, sandbox
from kdutils.book.course.assignments import exercise_number, grade_id, with_parameters
from kdutils.book.course.execution import Limits
from kdutils.errors import UserError

START_SECONDS = 90  # beyond those of the notebook: for a kernel to start and to end


@dataclass(frozen=True)
class Runner:
    """Executes notebooks of the course in `folder`; to nbgrader it is a preprocessor.

    `values` are parameters of one student's own: nbgrader has put back those that all have.
    """

    folder: Path
    kind: sandbox.Sandbox
    limits: Limits
    values: Mapping[str, object] = field(default_factory=dict)

    def __call__(self, notebook: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """The notebook as it ran, with teachers of its own copy of the store."""
        notebook = with_parameters(notebook, self.values)
        with self._as_before(), sandbox.room(self.kind) as place:
            return self._run(notebook, place, self.limits), resources

    def prepare(self, name: str, release: NotebookNode) -> None:
        """Run what stands before the exercises of a release once, for every submission to start from.

        Its trained networks are kept in the course's store. UserError if it fails: then no submission could run.
        """
        done = self.folder / "prepared" / name
        if done.is_file():
            return
        notebook = NotebookNode({**release, "cells": list(_prelude(release))})
        patient = Limits(self.limits.notebook_seconds, self.limits.notebook_seconds)
        with sandbox.room(self.kind) as place:
            executed = self._run(notebook, place, patient)
            for output in (output for cell in executed.cells for output in cell.get("outputs", [])):
                if output.output_type == "error":
                    why = f"{output.ename}: {output.evalue}".strip(": ")
                    raise UserError(f"{name} does not run here: before its exercises, {why}")
            if (place / "store").is_dir():
                shutil.copytree(place / "store", self.folder / "store", dirs_exist_ok=True)
        _files.write_text(done, "")

    def _run(self, notebook: NotebookNode, place: Path, limits: Limits) -> NotebookNode:
        source, target = self.folder / "desk" / "source.ipynb", self.folder / "desk" / "executed.ipynb"
        target.unlink(missing_ok=True)
        _files.write_text(source, nbformat.writes(notebook))
        if (self.folder / "store").is_dir():
            shutil.copytree(self.folder / "store", place / "store")
        photographs.copy_beside(place, {"": notebook})
        self.kind.hand_over(place)
        seconds = limits.notebook_seconds + START_SECONDS
        processes.within(seconds, execution.run, source, target, place, self.kind, limits)
        return nbformat.read(target, as_version=4)

    @contextmanager
    def _as_before(self) -> Iterator[None]:
        """RuntimeError if the gradebook is another one after the block; it is put back, and the other one kept."""
        book = self.folder / "gradebook.db"
        before = book.read_bytes()
        try:
            yield
        finally:
            after = book.read_bytes() if book.is_file() else b""
            if after != before:
                _files.write_bytes(book.with_suffix(".changed.db"), after)
                _files.write_bytes(book, before)
                raise RuntimeError(
                    "the gradebook was changed while this notebook ran, and has been put back; "
                    f"the changed one is {book.stem}.changed.db"
                )


def _prelude(release: NotebookNode) -> Iterator[NotebookNode]:
    """The cells before the first exercise."""
    for cell in release.cells:
        if exercise_number(grade_id(cell)) is not None:
            return
        yield cell
