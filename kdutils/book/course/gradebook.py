"""The nbgrader course in a folder: what is released, handed in and executed, and its gradebook.

It needs nbgrader, from the extra `course`.
"""

import hashlib
import logging
import os
import sqlite3
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from traitlets.config import Config

from kdutils import _files
from kdutils.book.course.assignments import exercise_number
from kdutils.book.course.submissions import Submission
from kdutils.errors import UserError

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nbgrader.api import Gradebook
        from nbgrader.converters import GenerateAssignment
        from nbgrader.converters.base import BaseConverter
        from nbgrader.coursedir import CourseDirectory
except ImportError:
    Gradebook = None

QUIET = logging.getLogger("kdutils.nbgrader")  # nbgrader's running commentary; what matters comes in the table
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


def need_nbgrader() -> None:
    """UserError if nbgrader is not installed."""
    if Gradebook is None:
        raise UserError("assignments need nbgrader: install kdutils with its extra, kdutils[course]")


class Course:
    """An nbgrader course under `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.book = self.folder / "gradebook.db"

    def place(self, step: str, submission: Submission, suffix: str = ".ipynb") -> Path:
        """Where a submission lies after one of nbgrader's steps: submitted, autograded, feedback."""
        name = submission.assignment
        return self.folder / step / submission.folder / name / f"{name}{suffix}"

    def convert(self, converter: type, assignment: str, student: str = "*", options: Config | None = None) -> None:
        """One step of nbgrader for one assignment (and student); NbGraderException if it gives up."""
        directory = CourseDirectory(root=str(self.folder), assignment_id=assignment, student_id=student, log=QUIET)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nbgrader and nbconvert warn of each other's versions
            step: BaseConverter = converter(coursedir=directory, config=options or Config(), log=QUIET)
            step.force = True
            step.start()

    def release(self, sources: Mapping[str, NotebookNode]) -> dict[str, NotebookNode]:
        """The student versions of `sources`; their tests are noted in the gradebook.

        They are made once. A course that holds a gradebook takes no other assignments.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # names and grades
        made = {name: self.folder / "release" / name / f"{name}.ipynb" for name in sources}
        if self.book.exists():
            self._check_free()
            if any(self._digest(name) != _digest(source) for name, source in sources.items()):
                raise UserError(
                    f"{self.folder.parent} holds grades of other assignments or parameters; "
                    "name another folder with --out"
                )
        if not self.book.exists() or not all(path.is_file() for path in made.values()):
            for name, source in sources.items():
                self._release(name, source)
        return {name: nbformat.read(path, as_version=4) for name, path in made.items()}

    def _release(self, name: str, source: NotebookNode) -> None:
        """Let nbgrader make a student version. The source, with its solutions, does not stay in the course."""
        path = self.folder / "source" / name / f"{name}.ipynb"
        _files.write_text(path, nbformat.writes(source))
        with _programs():
            self.convert(GenerateAssignment, name)
        path.unlink()
        _files.write_text(self.folder / "made_from" / f"{name}.sha256", _digest(source))

    def _digest(self, name: str) -> str:
        """What the student version was made from; "" if nothing is known."""
        path = self.folder / "made_from" / f"{name}.sha256"
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def points(self, submission: Submission) -> tuple[dict[int, float], dict[int, float]]:
        """The points of each exercise, and those that are left to be given by a person."""
        points: dict[int, float] = {}
        left: dict[int, float] = {}
        name = submission.assignment
        with Gradebook(f"sqlite:///{self.book}") as book:
            for grade in book.find_submission_notebook(name, name, submission.folder).grades:
                number = exercise_number(grade.name)
                points[number] = points.get(number, 0) + grade.score
                if grade.needs_manual_grade:
                    left[number] = left.get(number, 0) + grade.max_score
        return points, left

    def _check_free(self) -> None:
        """UserError if another program holds the gradebook, or it is none."""
        try:
            with closing(sqlite3.connect(self.book, timeout=1)) as database:
                database.execute("BEGIN IMMEDIATE")
                database.rollback()
        except sqlite3.OperationalError as error:
            why = "another program has locked it" if "locked" in str(error) else str(error)
            raise UserError(f"cannot write {self.book}: {why}. Close what uses it, then grade again.") from error
        except sqlite3.DatabaseError as error:
            raise UserError(f"{self.book} is no gradebook ({error}); put back a copy of it, or move it away") from error


def _digest(notebook: NotebookNode) -> str:
    return hashlib.sha256(nbformat.writes(notebook).encode()).hexdigest()


@contextmanager
def _programs() -> Iterator[None]:
    """Let nbgrader find alembic, which it calls by name to make a gradebook."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before
