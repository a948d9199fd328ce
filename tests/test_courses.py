"""The round of grading on a small assignment: student versions, submissions of every sort, the table, the pages."""

import json
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from pupils import answered, hand_in, write_assignment
from typer.testing import CliRunner

from kdutils import cli, courses, grading, submissions
from kdutils.errors import UserError

SECONDS = 5  # for a cell of the small assignment
STUBBORN = """
import time
while True:
    try:
        time.sleep(1)
    except BaseException:
        pass
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one small assignment."""
    folder = tmp_path_factory.mktemp("course")
    write_assignment(folder)
    return folder


@pytest.fixture(scope="module")
def release(root: Path) -> Path:
    """Its student version."""
    return grading.student_versions(root / "handed-out", {}, root)[0]


@pytest.fixture(scope="module")
def source(root: Path) -> nbformat.NotebookNode:
    return courses.variants({}, root)["sums"]


def with_answer(release: Path, source: nbformat.NotebookNode, name: str, code: str) -> nbformat.NotebookNode:
    """The reference answers, but for one cell."""
    notebook = answered(release, source)
    next(cell for cell in notebook.cells if courses.grade_id(cell) == name).source = code
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
        "warns": "import sys\n\ndef square(x):\n    return sys.stdout.write('16') and x * x",
    }.items():
        hand_in(folder, student, "sums", with_answer(release, source, "exercise-2", code))
    deleted = answered(release, source)
    deleted.cells = [cell for cell in deleted.cells if not courses.is_graded(cell)]
    hand_in(folder, "deleted tests", "sums", deleted)
    changed = with_answer(release, source, "exercise-1", "twice = abs")
    for cell in changed.cells:
        if cell.cell_type == "code" and courses.is_graded(cell):
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
        ("warns", 2, 3, ""),
        ("deleted tests", 2, 3, "exercise-1-test was deleted and has been put back"),
        ("changed tests", 0, 3, "exercise-1-test was changed and has been put back"),
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
    assert "no assignment is named sum; there are sums" in table.loc["of another name"].trouble
    assert "sums.txt is not a notebook's name" in table.loc["text"].trouble


def test_written_answers_are_left_to_a_person(table: pd.DataFrame, root: Path) -> None:
    assert table.loc["reference"].left_to_grade == "exercise 3: 2 points"
    assert table.loc["empty"].left_to_grade == "", "no answer, nothing to grade"
    assert "- 2 points: so" in (root / "grades" / "rubrics.md").read_text()


def test_each_student_has_a_page_and_the_table_is_a_file(table: pd.DataFrame, root: Path) -> None:
    for student in ("reference", "exit", "no cells [1]", "not a notebook"):
        page = (root / "grades" / "feedback" / student / "sums.html").read_text(encoding="utf8")
        assert f"Score: {table.loc[student].points} / 7.0" in page
    assert "ended the kernel" in (root / "grades" / "feedback" / "exit" / "sums.html").read_text(encoding="utf8")
    again = pd.read_csv(root / "grades" / "grades.csv").set_index("student")
    assert list(again.points) == list(table.points)


def test_grading_again_executes_only_what_changed_and_takes_over_points_given_by_hand(
    table: pd.DataFrame, root: Path, folder: Path, release: Path, source: nbformat.NotebookNode
) -> None:
    with grading.Gradebook(f"sqlite:///{(root / 'grades' / 'course' / 'gradebook.db').resolve()}") as book:
        grade = book.find_grade("exercise-3-answer", "sums", "sums", "reference")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        book.db.commit()
    hand_in(folder, "empty", "sums", with_answer(release, source, "exercise-2", "square = None"))
    (root / "grades" / "course" / "graded" / "warns" / "sums.sha256").unlink()  # as if it had been interrupted
    executed = []
    with pytest.MonkeyPatch.context() as patch:
        real = grading.execution.LimitedExecute.preprocess
        spy = lambda self, nb, resources, km=None: (executed.append(1), real(self, nb, resources, km))[1]  # noqa: E731
        patch.setattr(grading.execution.LimitedExecute, "preprocess", spy)
        again = grading.grade(folder, root / "grades", {}, SECONDS, 4 * SECONDS, root=root).set_index("student")
    assert len(executed) == 2
    assert again.loc["warns"].points == 5
    assert (again.loc["reference"].points, again.loc["reference"].left_to_grade) == (6.5, "")
    assert again.loc["empty"].points == 2
    assert again.loc["exit"].trouble == table.loc["exit"].trouble


def test_grades_of_other_parameters_need_another_folder(table: pd.DataFrame, root: Path, folder: Path) -> None:
    with pytest.raises(UserError, match="holds grades of other assignments or parameters; name another folder"):
        grading.grade(folder, root / "grades", {"start": 4}, root=root)


def test_student_versions_hold_no_solution_and_take_parameters(release: Path, root: Path, tmp_path: Path) -> None:
    text = release.read_text()
    assert "x + x" not in text
    assert "start**2" not in text
    assert "So." not in text
    (other,) = grading.student_versions(tmp_path, {"start": "12"}, root)
    parameters = next(cell for cell in nbformat.read(other, 4).cells if courses.grade_id(cell) == "parameters")
    assert parameters.source.splitlines()[0] == "start: int = 12  # where to begin"
    assert "## Exercise 2: Square (3 points)" in other.read_text()
    with pytest.raises(UserError, match=r"no assignment has a parameter 'begin'. They have: seed, start"):
        courses.variants({"begin": 1}, root)
    with pytest.raises(UserError, match="a whole number"):
        courses.variants({"start": "x"}, root)


def test_an_assignment_describes_itself(root: Path) -> None:
    page = courses.page(root)
    assert page.startswith("### Sums\n\n`sums.ipynb`, about 5 minutes")
    assert "- add;\n- multiply.\n" in page
    assert "| 2 | Square | 3 |  |\n| 3 | Why (written) |  | 2 |\n| | **together** | **5** | **2** |" in page
    with pytest.raises(UserError, match="no assignment in"):
        courses.assignments(root / "handed-out")


def test_a_folder_without_submissions_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UserError, match=r"no submission in .*; expected .*/STUDENT/ASSIGNMENT.ipynb"):
            submissions.find(folder, ["sums"])


def test_without_nbgrader_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(grading, "Gradebook", None)
    for words in (["assignments", "--out", str(tmp_path)], ["grade", str(tmp_path)]):
        done = CliRunner().invoke(cli.app, words)
        assert done.exit_code == 1
        assert done.stderr == "kdutils: assignments need nbgrader: install kdutils with its extra, kdutils[course]\n"


def test_the_commands_pass_on_parameters_and_limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []
    row = {
        "student": "ada",
        "assignment": "sums",
        "points": 1.0,
        "max_points": 2.0,
        "left_to_grade": "",
        "trouble": "!",
    }
    monkeypatch.setattr(grading, "grade", lambda *words: asked.append(words) or pd.DataFrame([row]))
    words = ["grade", "handed-in", "--seed", "7", "--out", str(tmp_path), "--cell-seconds", "9"]
    done = CliRunner().invoke(cli.app, words)
    assert asked[0][:5] == (Path("handed-in"), tmp_path, {"seed": "7"}, 9, grading.NOTEBOOK_SECONDS)
    assert "ada, sums: !" in done.stdout
    done = CliRunner().invoke(cli.app, ["assignments", "--sed", "7", "--out", str(tmp_path)])
    assert (done.exit_code, list(tmp_path.iterdir())) == (1, [])
    assert done.stderr.startswith("kdutils: no assignment has a parameter 'sed'. They have:")
