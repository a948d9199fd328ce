"""The round of grading on a small assignment: submissions of every sort, the table, the pages."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from filelock import FileLock

from kdutils.book.course import assignments, gradebook, grading
from kdutils.errors import UserError
from tests.book.course.pupils import answered, hand_in, write_assignment

pytestmark = pytest.mark.long

SECONDS = 5  # for a cell of the small assignment
STUBBORN = """
import time
while True:
    try:
        time.sleep(1)
    except BaseException:
        pass
"""
LOOK_AROUND = """
import socket
def connect():
    socket.create_connection(("127.0.0.1", {port}), 5)
def ask_agent():
    socket.socket(socket.AF_UNIX).connect({agent!r})
def read():
    open({netrc!r})
for attempt in (connect, ask_agent, read):
    try:
        attempt()
        print("reached")
    except OSError as error:
        print(type(error).__name__)

def square(x):
    return x * x
"""


def with_answer(release: Path, source: nbformat.NotebookNode, name: str, code: str) -> nbformat.NotebookNode:
    """The reference answers, but for one cell."""
    notebook = answered(release, source)
    next(cell for cell in notebook.cells if assignments.grade_id(cell) == name).source = code
    return notebook


@pytest.fixture(scope="module")
def folder(root: Path, release: Path, source: nbformat.NotebookNode) -> Path:
    """Submissions of every sort, each by a student of that name."""
    folder, reference = root / "submissions", answered(release, source)
    hand_in(folder, "reference", "sums", reference)
    hand_in(folder, "empty", "sums", nbformat.read(release, 4))
    hand_in(folder, "not a notebook", "sums", "Dear teacher, my dog ate it.")
    hand_in(folder, "no cells [1]", "sums", json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}}))
    hand_in(folder, "of another name", "sum", reference)
    (folder / "text").mkdir()
    (folder / "text" / "sums.txt").write_text("4")
    for student, code in {
        "loop": "import time\n\ndef square(x):\n    return x * x\n\nwhile True:\n    time.sleep(0.1)",
        "stubborn loop": STUBBORN,
        "exit": "import os\nos._exit(0)",
        "quiet exit": "def square(x):\n    exit()",
        "syntax error": "def square(x)\n    return x * x",
        "passes what is shown": "def square(x):\n    return 4",
        "warns": "import sys\n\ndef square(x):\n    return sys.stdout.write('16') and x * x",
    }.items():
        hand_in(folder, student, "sums", with_answer(release, source, "exercise-2", code))
    deleted = answered(release, source)
    deleted.cells = [cell for cell in deleted.cells if not assignments.is_graded(cell)]
    hand_in(folder, "deleted tests", "sums", deleted)
    changed = with_answer(release, source, "exercise-1", "twice = abs")
    for cell in changed.cells:
        if cell.cell_type == "code" and assignments.is_graded(cell):
            cell.source, cell.metadata.nbgrader.points = "assert True", 100
    hand_in(folder, "changed tests", "sums", changed)
    helped = with_answer(release, source, "exercise-1", "def twice(x):\n    return two * x")
    helped.cells.insert(2, nbformat.v4.new_code_cell("two = 2"))
    helped.cells.append(helped.cells[-1].copy())
    hand_in(folder, "own cells", "sums", helped)
    for cell in reference.cells:
        del cell.metadata["nbgrader"]
    hand_in(folder, "marks lost", "sums", reference)
    return folder


@pytest.fixture(scope="module")
def table(root: Path, folder: Path) -> pd.DataFrame:
    """All of them graded in one go."""
    return grading.grade(folder, root / "grades", {}, SECONDS, 4 * SECONDS, root=root).set_index("student")


@pytest.mark.parametrize(
    ("student", "first", "second", "trouble"),
    [
        ("reference", 2, 3, ""),
        ("empty", 0, 0, ""),
        ("not a notebook", 0, 0, "the file is no notebook"),
        ("no cells [1]", 0, 0, "the file is no notebook"),
        ("loop", 2, 3, "exercise 2: a cell ran into the time limit"),
        ("stubborn loop", 2, 0, "exercise 2: a cell ran into the time limit; exercise 2: not run after that"),
        ("exit", 2, 0, "exercise 2: a cell ended the kernel; exercise 2: not run after that"),
        ("quiet exit", 2, 0, ""),
        ("syntax error", 2, 0, "exercise 2: a syntax error"),
        ("passes what is shown", 2, 0, ""),
        ("warns", 2, 3, ""),
        ("deleted tests", 2, 3, "exercise-1-test, exercise-2-test were deleted and have been put back"),
        ("changed tests", 0, 3, "exercise-1-test, exercise-2-test were changed and have been put back"),
        ("own cells", 2, 3, "exercise-3-answer stands there twice"),
        ("marks lost", 2, 3, ""),
    ],
)
def test_every_submission_gets_what_it_earned(
    table: pd.DataFrame, student: str, first: float, second: float, trouble: str
) -> None:
    row = table.loc[student]
    assert (row.exercise_1, row.exercise_2) == (first, second)
    assert (row.points, row.max_points) == (first + second, 7)
    assert trouble in row.trouble
    assert bool(row.trouble) == bool(trouble) or student == "quiet exit"


def test_what_cannot_be_graded_has_a_row_with_the_reason(table: pd.DataFrame, folder: Path) -> None:
    assert len(table) == len(list(folder.iterdir()))
    assert table.loc["of another name"].points == 0
    assert "no assignment is named sum; put one of sums into the file's name" in table.loc["of another name"].trouble
    assert "sums.txt is not a notebook's name" in table.loc["text"].trouble


def test_a_submission_that_looks_around_reaches_nothing_and_gets_its_ordinary_points(
    tmp_path: Path, release: Path, source: nbformat.NotebookNode, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".netrc").write_text("password")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as agent:
        agent.bind("agent")
        agent.listen()
        places = {"port": server.getsockname()[1], "agent": str(tmp_path / "agent"), "netrc": str(tmp_path / ".netrc")}
        looking = with_answer(release, source, "exercise-2", LOOK_AROUND.format(**places))
        hand_in(tmp_path / "in", "curious", "sums", looking)
        said: list[str] = []
        (row,) = grading.grade(tmp_path / "in", tmp_path / "out", {}, root=root, say=said.append).itertuples()
    if "in namespaces" not in said[0]:
        pytest.skip("namespaces: not possible on this machine")
    (executed,) = tmp_path.glob("out/course/autograded/*/sums/sums.ipynb")
    shown = [cell.outputs for cell in nbformat.read(executed, 4).cells if assignments.grade_id(cell) == "exercise-2"]
    assert shown[0][0].text.splitlines() == ["ConnectionRefusedError", "FileNotFoundError", "FileNotFoundError"]
    assert (row.points, row.trouble) == (5, "")


def test_written_answers_are_left_to_a_person(table: pd.DataFrame, root: Path) -> None:
    assert table.loc["reference"].left_to_grade == "exercise 3: 2 points"
    assert table.loc["empty"].left_to_grade == "", "no answer, nothing to grade"
    assert "- 2 points: so" in (root / "grades" / "rubrics.md").read_text()


def test_each_student_has_a_page_and_the_table_is_a_file(table: pd.DataFrame, root: Path) -> None:
    for student in ("reference", "exit", "no cells [1]", "not a notebook"):
        page = (root / "grades" / "feedback" / student / "sums.html").read_text(encoding="utf8")
        assert f"Score: {table.loc[student].points} / 7.0" in page
        assert ("Not graded yet" in page) == bool(table.loc[student].left_to_grade)
    assert "ended the kernel" in (root / "grades" / "feedback" / "exit" / "sums.html").read_text(encoding="utf8")
    again = pd.read_csv(root / "grades" / "grades.csv").set_index("student")
    assert list(again.points) == list(table.points)


def test_grading_again_executes_only_what_changed_and_takes_over_points_given_by_hand(
    table: pd.DataFrame, root: Path, folder: Path, release: Path, source: nbformat.NotebookNode
) -> None:
    with gradebook.Gradebook(f"sqlite:///{(root / 'grades' / 'course' / 'gradebook.db').resolve()}") as book:
        grade = book.find_grade("exercise-3-answer", "sums", "sums", "reference")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        book.db.commit()
    hand_in(folder, "empty", "sums", with_answer(release, source, "exercise-2", "square = None"))
    (root / "grades" / "course" / "graded" / "warns" / "sums.sha256").unlink()  # as if it had been interrupted
    executed = []
    with pytest.MonkeyPatch.context() as patch:
        real = grading.Runner.__call__
        spy = lambda runner, notebook, resources: (executed.append(1), real(runner, notebook, resources))[1]  # noqa: E731
        patch.setattr(grading.Runner, "__call__", spy)
        again = grading.grade(folder, root / "grades", {}, SECONDS, 4 * SECONDS, root=root).set_index("student")
    assert len(executed) == 2
    assert again.loc["warns"].points == 5
    assert (again.loc["reference"].points, again.loc["reference"].left_to_grade) == (6.5, "")
    assert again.loc["empty"].points == 2
    assert again.loc["exit"].trouble == table.loc["exit"].trouble


def test_grades_of_other_parameters_need_another_folder(table: pd.DataFrame, root: Path, folder: Path) -> None:
    with pytest.raises(UserError, match="holds grades of other assignments or parameters; name another folder"):
        grading.grade(folder, root / "grades", {"start": 4}, root=root)


def test_two_cannot_grade_into_one_folder(root: Path, folder: Path, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(UserError, match="another process is grading into"):
        grading.grade(folder, tmp_path, {}, root=root)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_gradebook_that_another_program_holds_is_one_line(table: pd.DataFrame, root: Path, folder: Path) -> None:
    book = root / "grades" / "course" / "gradebook.db"
    with closing(sqlite3.connect(book)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UserError, match=r"another program has locked it. Close what uses it, then grade again\.$"):
            grading.grade(folder, root / "grades", {}, root=root)
    content = book.read_bytes()
    book.write_bytes(b"no database at all" * 1000)
    with pytest.raises(UserError, match=r"gradebook.db is no gradebook \(file is not a database\)"):
        grading.grade(folder, root / "grades", {}, root=root)
    book.write_bytes(content)


def test_whatever_goes_wrong_with_a_submission_or_its_page_costs_one_row(
    release: Path, source: nbformat.NotebookNode, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for student in ("a", "b", "c"):
        hand_in(tmp_path / "in", student, "sums", answered(release, source))
    convert, within = gradebook.Course.convert, grading.processes.within
    monkeypatch.setattr(
        gradebook.Course,
        "convert",
        lambda course, converter, name, student="*", *rest: (
            1 / 0
            if (student, converter.__name__) == ("a", "Autograde")
            else convert(course, converter, name, student, *rest)
        ),
    )
    monkeypatch.setattr(
        grading.processes,
        "within",
        lambda seconds, work, *given: (
            1 / 0 if "b" in {getattr(each, "student", "") for each in given} else within(seconds, work, *given)
        ),
    )
    table = grading.grade(tmp_path / "in", tmp_path / "out", {}, SECONDS, root=root).set_index("student")
    assert list(table.points) == [0, 5, 5]
    assert table.loc["a"].trouble.startswith("could not be graded (ZeroDivisionError: division by zero)")
    assert table.loc["b"].trouble == "no page could be made (ZeroDivisionError: division by zero)"
    assert table.loc["c"].trouble == ""
    page = (tmp_path / "out" / "feedback" / "a" / "sums.html").read_text(encoding="utf-8")
    assert "could not be graded (ZeroDivisionError: division by zero)" in page
    assert len(pd.read_csv(tmp_path / "out" / "grades.csv")) == 3


def test_grading_again_is_not_refused_under_a_locale_that_is_not_utf8(tmp_path: Path) -> None:
    source = write_assignment(tmp_path)
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace("# Sums", "# Sums – größer als nötig"), encoding="utf-8")
    (release,) = grading.student_versions(tmp_path / "out", {}, tmp_path)
    hand_in(tmp_path / "in", "Zoë", "sums", nbformat.read(release, 4))
    program = (  # without kernels, and without asking other programs, of which this is no test
        "from pathlib import Path; from kdutils.book.course import grading; import nbgrader.api; here = Path('.')\n"
        "nbgrader.api.get_alembic_version = lambda: ''\n"
        "grading.sandbox.choose = lambda hidden: grading.sandbox.Sandbox('')\n"
        "grading.Runner._run = lambda runner, notebook, *_: notebook\n"
        "grading.processes.warm_up = lambda: None\n"
        "grading.processes.within = lambda seconds, work, *given: work(*given)\n"
        "for _ in range(2): assert len(grading.grade(here / 'in', here / 'grades', {}, root=here)) == 1"
    )
    ascii_only = {
        **os.environ,
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "utf-8",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=ascii_only, stderr=subprocess.PIPE, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_course_from_before_is_refused_in_a_line(tmp_path: Path, source: nbformat.NotebookNode) -> None:
    """It does not say what its student versions were made from, and holds their solutions."""
    with closing(sqlite3.connect(tmp_path / "gradebook.db")) as book:
        book.execute("create table grade (score)")
    (tmp_path / "source" / "sums").mkdir(parents=True)
    with pytest.raises(UserError, match=r"holds grades of other assignments or parameters; name another folder with"):
        gradebook.Course(tmp_path).release({"sums": source})
