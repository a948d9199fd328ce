"""Student versions and grades of the course assignments. The engine is nbgrader's, from the extra `course`.

The folder that `grade` writes holds an nbgrader course: its gradebook keeps the points that are given by hand in
nbgrader's formgrader, and grading again takes them over. Only what has changed is executed again.
"""

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from html import escape
from pathlib import Path

import nbformat
import pandas as pd
from filelock import FileLock, Timeout
from nbformat import NotebookNode
from traitlets.config import Config

from kdutils import _files
from kdutils.book.course import answers, assignments, gradebook, photographs, rosters, submissions
from kdutils.book.course.gradebook import Course
from kdutils.book.course.rosters import Roster
from kdutils.book.course.submissions import Submission
from kdutils.book.notebooks import ROOT
from kdutils.errors import UserError

POSIX = os.name == "posix"
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nbgrader.converters import Autograde
        from nbgrader.preprocessors import Execute

        from kdutils.book.course import execution, feedback, processes, sandbox
        from kdutils.book.course.execution import Limits
        from kdutils.book.course.runner import Runner
except ImportError:
    if gradebook.Gradebook is not None and POSIX:
        raise  # else a sentence says what is missing, when it is needed

CELL_SECONDS, NOTEBOOK_SECONDS, PAGE_SECONDS = 120, 600, 60
COLUMNS = ["student", "assignment", "points", "max_points", "left_to_grade", "trouble"]


def student_versions(
    out: Path,
    given: Mapping[str, object],
    root: Path = ROOT,
    roster: Roster | None = None,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Write every assignment without solutions and hidden tests to `out/<name>.ipynb`, with the parameters `given`.

    With a roster, to `out/<student>/<name>.ipynb`, with the student's own parameters over those `given`. The file of
    photographs goes to `out`; where there is none, the assignments that need it are left out, and that is said.
    """
    gradebook.need_nbgrader()
    sources = assignments.variants(given, root)
    if lacking := photographs.missing(sources):
        say(f"left out: {lacking}")
        sources = {name: each for name, each in sources.items() if not photographs.needed(each)}
    values = {out / student: own for student, own in _own_parameters(roster, given, root).items()}
    with tempfile.TemporaryDirectory() as folder:
        released = Course(Path(folder)).release(sources)
    written = []
    for place, own in (values or {out: {}}).items():
        for name, notebook in released.items():
            written.append(place / f"{name}.ipynb")
            text = nbformat.writes(assignments.with_parameters(notebook, own.get(name, {})))
            _files.write_text(written[-1], text + "\n")
    return written + photographs.copy_beside(out, sources)


def instructor_versions(out: Path, given: Mapping[str, object], root: Path = ROOT) -> list[Path]:
    """Write every assignment with solutions, hidden tests and rubrics to `out/<name>-solutions.ipynb`.

    The file of photographs goes beside them, if there is one.
    """
    sources = assignments.variants(given, root)
    written = {out / f"{name}-solutions.ipynb": each for name, each in sources.items()}
    for path, notebook in written.items():
        _files.write_text(path, nbformat.writes(notebook) + "\n")
    return list(written) + photographs.copy_beside(out, sources)


def grade(
    folder: Path,
    out: Path,
    given: Mapping[str, object],
    cell_seconds: int = CELL_SECONDS,
    notebook_seconds: int = NOTEBOOK_SECONDS,
    say: Callable[[str], None] = print,
    root: Path = ROOT,
    roster: Roster | None = None,
) -> pd.DataFrame:
    """Grade `folder/<student>/<assignment>.ipynb` and return a row for each, which is also `out/grades.csv`.

    Columns: COLUMNS, and the points of each exercise. `out/feedback/<student>/<assignment>.html` are the students'
    pages, `out/rubrics.md` the model answers. A submission in whatever state gets a row. `given` and `roster` are
    those of the student versions. UserError if another process grades into `out`, or photographs are missing.
    """
    _check_machine()
    sources = assignments.variants(given, root)
    values = _own_parameters(roster, given, root)
    limits = Limits(cell_seconds, notebook_seconds)
    found, strange = submissions.find(folder, sources)
    photographs.require({each.assignment: sources[each.assignment] for each in found})
    rows = [_refused(submission) for submission in strange]
    with _alone(out):
        processes.warm_up()
        course = Course(out / "course")
        released = course.release(sources)
        _files.write_text(out / "rubrics.md", assignments.rubrics(sources))
        runner = Runner(course.folder, sandbox.choose([out, folder, root / assignments.FOLDER]), limits)
        say(runner.kind.words)
        for name in {submission.assignment: None for submission in found}:
            runner.prepare(name, released[name])
        for number, (submission, own) in enumerate(_each_with_its_own(found, runner, values), 1):
            row = _grade(course, submission, released[submission.assignment], own, out)
            rows.append(row)
            points = f"{row['points']:g} of {row['max_points']:g} points"
            say(f"  {number}/{len(found)} {submission.student} {submission.assignment}: {points}")
        table = _table(rows)
        _files.write_text(out / "grades.csv", table.to_csv(index=False))
    return table


def _check_machine() -> None:
    """UserError where submissions cannot be graded."""
    gradebook.need_nbgrader()
    if not POSIX:
        raise UserError("grading runs programs within limits that Windows does not have: use Linux, macOS or WSL")


def _own_parameters(
    roster: Roster | None, given: Mapping[str, object], root: Path
) -> dict[str, dict[str, dict[str, object]]]:
    """Student -> assignment -> the parameters there, checked."""
    checked = {}
    for student, own in (roster or {}).items():
        try:
            checked[student] = assignments.checked({**given, **own}, root)
        except UserError as error:
            raise UserError(f"the roster's row of {student}: {error}") from error
    return checked


def _each_with_its_own(
    found: list[Submission], runner: "Runner", values: Mapping[str, Mapping[str, Mapping[str, object]]]
) -> Iterator[tuple[Submission, "Runner"]]:
    """Each submission, with a runner that has its student's parameters."""
    for submission in found:
        student = rosters.listed(submission.student, values)
        own = values.get(student, {}).get(submission.assignment, {})
        trouble = ("not on the roster",) if values and student not in values else ()
        yield replace(submission, trouble=submission.trouble + trouble), replace(runner, values=own)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the folder `out`; UserError if another process does."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise UserError(f"another process is grading into {out}; wait for it, or name another --out") from error
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror}. Name a folder that can be written to.") from error
    try:
        yield
    finally:
        lock.release()


# --- One submission -----------------------------------------------------------------------------------------------


@contextmanager
def _told(trouble: list[str], what: str) -> Iterator[None]:
    """Turn any failure into words in `trouble`: a file from outside can be wrong in any way; none stops the rest."""
    try:
        yield
    except Exception as error:
        said = submissions.shown((str(error).strip().splitlines() or [""])[0])
        locked = "the gradebook is locked by another program" if "database is locked" in said else ""
        trouble.append(f"{what} ({locked or f'{type(error).__name__}: {said[:200]}'})")


def _grade(
    course: Course, submission: Submission, release: NotebookNode, runner: "Runner", out: Path
) -> dict[str, object]:
    """The submission's row in the table, and its page. Whatever is wrong with it costs this row alone."""
    trouble = list(submission.trouble)
    with _told(trouble, "could not be graded"):
        release = assignments.with_parameters(release, runner.values)
        notebook, problems = answers.complete(release, submission.path)
        trouble += problems
        trouble += _execute(course, submission, notebook, runner)
    points, left = {}, {}
    with _told(trouble, "its points could not be read"):
        if course.place("autograded", submission).is_file():
            points, left = course.points(submission)
    tasks = assignments.exercises(release)
    row = {
        "student": submission.student,
        "assignment": submission.assignment,
        "points": sum(points.values()),
        "max_points": sum(task.automatic + task.written for task in tasks),
        "left_to_grade": "; ".join(f"exercise {number}: {most:g} points" for number, most in left.items()),
        **{f"exercise_{task.number}": points.get(task.number, 0.0) for task in tasks},
    }
    _page(course, submission, row, trouble, out)
    return row | {"trouble": "; ".join(trouble)}


def _execute(course: Course, submission: Submission, notebook: NotebookNode, runner: "Runner") -> list[str]:
    """Run the notebook, unless it has been, and note its points in the gradebook; what went wrong, in words."""
    submitted = course.place("submitted", submission)
    stamp = course.folder / "graded" / submission.folder / f"{submission.assignment}.sha256"
    _files.write_text(submitted, nbformat.writes(_with_stable_ids(notebook)))
    digest = _files.sha256(submitted)
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != digest:
        stamp.unlink(missing_ok=True)
        steps = [runner if step is Execute else step for step in Autograde().autograde_preprocessors]
        options = Config({"Autograde": {"autograde_preprocessors": steps}})
        course.convert(Autograde, submission.assignment, submission.folder, options)
        _files.write_text(stamp, digest)  # last, so that what was interrupted is executed again
    return execution.trouble(nbformat.read(course.place("autograded", submission), as_version=4))


def _with_stable_ids(notebook: NotebookNode) -> NotebookNode:
    """Number the cells that have no place in the release, so that the same submission gives the same file."""
    for number, cell in enumerate(notebook.cells):
        if "nbgrader" not in cell.metadata:
            cell.id = f"own-{number}"
    return notebook


# --- Pages and the table ------------------------------------------------------------------------------------------


def _page(course: Course, submission: Submission, row: dict[str, object], trouble: list[str], out: Path) -> None:
    """The student's page, with the points and comments that the gradebook has now; a bare one if that fails."""
    target = out / "feedback" / submission.plain_folder / f"{submission.assignment}.html"
    with _told(trouble, "no page could be made"):
        left = row["left_to_grade"]
        processes.within(PAGE_SECONDS, feedback.write, course.folder, submission, trouble, left, target)
        return
    with _told(trouble, "no page could be written"):
        words = {"trouble": "; ".join(trouble)} | row
        _files.write_text(target, BARE.format(**{name: escape(str(value)) for name, value in words.items()}))


BARE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{assignment}</title></head>
<body><h1>{assignment} (Score: {points} / {max_points})</h1><p>{trouble}</p></body></html>
"""


def _refused(submission: Submission) -> dict[str, object]:
    """The row of what is no submission."""
    trouble = "; ".join(submission.trouble)
    return {"student": submission.student, "assignment": submission.assignment, "points": 0, "trouble": trouble}


def _table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """The rows by student and assignment; the exercises' columns by number, after the others."""
    numbers = {
        int(column.removeprefix("exercise_")) for row in rows for column in row if column.startswith("exercise_")
    }
    columns = [*COLUMNS[:-1], *(f"exercise_{number}" for number in sorted(numbers)), COLUMNS[-1]]
    return pd.DataFrame(rows, columns=columns).sort_values(["student", "assignment"], ignore_index=True)
