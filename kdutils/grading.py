"""Student versions and grades of the course assignments. The engine is nbgrader's, from the extra `course`.

The folder that `grade` writes holds an nbgrader course: its gradebook keeps the points that are given by hand in
nbgrader's formgrader, and grading again takes them over. Only what has changed is executed again.
"""

import logging
import os
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import nbformat
import pandas as pd
from nbformat import NotebookNode
from traitlets.config import Config

from kdutils import courses, files, submissions
from kdutils.errors import UserError
from kdutils.notebooks import ROOT
from kdutils.submissions import Submission

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nbgrader.api import Gradebook
        from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
        from nbgrader.converters.base import BaseConverter, NbGraderException
        from nbgrader.coursedir import CourseDirectory
        from nbgrader.preprocessors import Execute

        from kdutils import execution
except ImportError:
    Gradebook = None

CELL_SECONDS, NOTEBOOK_SECONDS = 120, 600
COLUMNS = ["student", "assignment", "points", "max_points", "left_to_grade", "trouble"]
QUIET = logging.getLogger("kdutils.nbgrader")  # nbgrader's running commentary; what matters comes in the table
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


def student_versions(out: Path, given: Mapping[str, object], root: Path = ROOT) -> list[Path]:
    """Write every assignment without solutions and hidden tests to `out/<name>.ipynb`, with the parameters `given`."""
    _need_nbgrader()
    sources = courses.variants(given, root)
    with tempfile.TemporaryDirectory() as course, _environment(Path(course)):
        released = _release(Path(course), sources)
    for name, notebook in released.items():
        files.write_text(out / f"{name}.ipynb", nbformat.writes(notebook) + "\n")
    return [out / f"{name}.ipynb" for name in released]


def grade(
    folder: Path,
    out: Path,
    given: Mapping[str, object],
    cell_seconds: int = CELL_SECONDS,
    notebook_seconds: int = NOTEBOOK_SECONDS,
    say: Callable[[str], None] = print,
    root: Path = ROOT,
) -> pd.DataFrame:
    """Grade `folder/<student>/<assignment>.ipynb` and return a row for each, which is also `out/grades.csv`.

    Columns: COLUMNS, and the points of each exercise. `out/feedback/<student>/<assignment>.html` are the pages for the
    students, `out/rubrics.md` the model answers. A submission in whatever state gets a row. The parameters `given` are
    those that the student versions were made with.
    """
    _need_nbgrader()
    sources = courses.variants(given, root)
    found, strange = submissions.find(folder, sources)
    course = (out / "course").resolve()
    files.write_text(out / "rubrics.md", courses.rubrics(sources))
    rows = []
    with _environment(course):
        released = _release_once(course, sources)
        for number, submission in enumerate(found, 1):
            problems = _autograde(course, released, submission, cell_seconds, notebook_seconds)
            row = _row(course, sources[submission.assignment], submission, problems)
            _feedback(course, submission, out)
            rows.append(row)
            points = f"{row['points']:g} of {row['max_points']:g} points"
            say(f"  {number}/{len(found)} {submission.student} {submission.assignment}: {points}")
    rows += [{"student": s.student, "assignment": s.assignment, "points": 0, "trouble": why} for s, why in strange]
    table = _table(rows)
    files.write_text(out / "grades.csv", table.to_csv(index=False))
    return table


def _need_nbgrader() -> None:
    if Gradebook is None:
        raise UserError("assignments need nbgrader: install kdutils with its extra, kdutils[course]")


# --- The course folder --------------------------------------------------------------------------------------------


def _release(course: Path, sources: Mapping[str, NotebookNode]) -> dict[str, NotebookNode]:
    """Let nbgrader make the student versions of `sources` in the course folder, and note their tests there."""
    for name, notebook in sources.items():
        files.write_text(course / "source" / name / f"{name}.ipynb", nbformat.writes(notebook))
        _convert(GenerateAssignment, course, name)
    return {name: nbformat.read(course / "release" / name / f"{name}.ipynb", as_version=4) for name in sources}


def _release_once(course: Path, sources: Mapping[str, NotebookNode]) -> dict[str, NotebookNode]:
    """As `_release`; a course folder that grades were given in takes no other assignments."""
    kept = {name: course / "source" / name / f"{name}.ipynb" for name in sources}
    if (course / "gradebook.db").exists():
        if any(not path.is_file() or path.read_text() != nbformat.writes(sources[name]) for name, path in kept.items()):
            raise UserError(
                f"{course.parent} holds grades of other assignments or parameters; name another folder with --out"
            )
        if all((course / "release" / name / f"{name}.ipynb").is_file() for name in sources):
            return {name: nbformat.read(course / "release" / name / f"{name}.ipynb", as_version=4) for name in sources}
    return _release(course, sources)


def _convert(converter: type, course: Path, assignment: str, student: str = "*", options: Config | None = None) -> None:
    """One step of nbgrader for one assignment (and student); NbGraderException where it gave up."""
    config = Config({"KernelManager": {"transport_encryption": "auto"}})
    config.merge(options or Config())
    folder = CourseDirectory(root=str(course), assignment_id=assignment, student_id=student, log=QUIET)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbgrader and nbconvert warn of each other's versions
        step: BaseConverter = converter(coursedir=folder, config=config, log=QUIET)
        step.force = True
        step.start()


@contextmanager
def _environment(course: Path) -> Iterator[None]:
    """What nbgrader and the kernels inherit: this environment's programs, one thread, one store of trained teachers."""
    ours = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",  # nbgrader calls alembic
        "JUPYTER_PREFER_ENV_PATH": "1",
        "OMP_NUM_THREADS": "1",
        "IPYTHONDIR": str(course / "ipython"),
        "KDUTILS_STORE": str(course / "store"),
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# --- One submission -----------------------------------------------------------------------------------------------


def _autograde(
    course: Path, released: Mapping[str, NotebookNode], submission: Submission, cell_seconds: int, notebook_seconds: int
) -> list[str]:
    """Execute a submission and note its points in the gradebook; what was wrong with it, in words."""
    submitted, graded = (_place(course, step, submission) for step in ("submitted", "autograded"))
    stamp = course / "graded" / _safe(submission.student) / f"{submission.assignment}.sha256"
    notebook, problems = submissions.complete(released[submission.assignment], submission.path)
    files.write_text(submitted, nbformat.writes(_with_stable_ids(notebook)))
    digest = files.sha256(submitted)
    if not stamp.is_file() or stamp.read_text() != digest:
        stamp.unlink(missing_ok=True)
        limits = {"timeout": cell_seconds, "notebook_seconds": notebook_seconds}
        steps = [execution.LimitedExecute if step is Execute else step for step in Autograde().autograde_preprocessors]
        options = Config({"LimitedExecute": limits, "Autograde": {"autograde_preprocessors": steps}})
        try:
            _convert(Autograde, course, submission.assignment, _safe(submission.student), options)
        except NbGraderException as error:
            return [*problems, f"nbgrader gave up ({str(error).splitlines()[0]})"]
        files.write_text(stamp, digest)  # last, so that what was interrupted is executed again
    return problems + execution.trouble(nbformat.read(graded, as_version=4))


def _with_stable_ids(notebook: NotebookNode) -> NotebookNode:
    """Number the cells that have no place in the release, so that the same submission gives the same file."""
    for number, cell in enumerate(notebook.cells):
        if "nbgrader" not in cell.metadata:
            cell.id = f"own-{number}"
    return notebook


def _safe(student: str) -> str:
    """The student's name without what nbgrader takes for a pattern."""
    return re.sub(r"[*?\[\]%+]|^\s|\s$", lambda found: quote(found[0]), student)


def _place(course: Path, step: str, submission: Submission, suffix: str = ".ipynb") -> Path:
    return course / step / _safe(submission.student) / submission.assignment / f"{submission.assignment}{suffix}"


def _row(course: Path, source: NotebookNode, submission: Submission, problems: list[str]) -> dict[str, object]:
    """The submission's line in the table, from the gradebook."""
    tasks = courses.exercises(source)
    points = {task.number: 0.0 for task in tasks}
    left: dict[int, float] = {}
    if _place(course, "autograded", submission).is_file():
        name = submission.assignment
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
            for grade in book.find_submission_notebook(name, name, _safe(submission.student)).grades:
                number = courses.exercise_number(grade.name)
                points[number] += grade.score
                if grade.needs_manual_grade:
                    left[number] = left.get(number, 0) + grade.max_score
    return {
        "student": submission.student,
        "assignment": submission.assignment,
        "points": sum(points.values()),
        "max_points": sum(task.automatic + task.written for task in tasks),
        "left_to_grade": "; ".join(f"exercise {number}: {most:g} points" for number, most in left.items()),
        "trouble": "; ".join(problems),
        **{f"exercise_{number}": value for number, value in points.items()},
    }


def _feedback(course: Path, submission: Submission, out: Path) -> None:
    """The student's page: what was executed, with the points and comments that the gradebook has now."""
    if not _place(course, "autograded", submission).is_file():
        return
    _convert(GenerateFeedback, course, submission.assignment, _safe(submission.student))
    target = out / "feedback" / submission.student / f"{submission.assignment}.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_place(course, "feedback", submission, ".html"), target)


def _table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """The rows by student and assignment; the exercises' columns by number, after the others."""
    numbers = {
        int(column.removeprefix("exercise_")) for row in rows for column in row if column.startswith("exercise_")
    }
    columns = [*COLUMNS[:-1], *(f"exercise_{number}" for number in sorted(numbers)), COLUMNS[-1]]
    return pd.DataFrame(rows, columns=columns).sort_values(["student", "assignment"], ignore_index=True)
