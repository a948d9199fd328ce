"""Student versions, what an assignment says of itself, and the commands of the course."""

from pathlib import Path

import nbformat
import pandas as pd
import pytest
from typer.testing import CliRunner

from kdutils import cli
from kdutils.book.course import assignments, gradebook, grading
from kdutils.errors import UserError
from tests.book.course.pupils import write_assignment


def test_student_versions_hold_no_solution_and_take_parameters(release: Path, root: Path, tmp_path: Path) -> None:
    text = release.read_text()
    assert "x + x" not in text
    assert "start**2" not in text
    assert "So." not in text
    (other,) = grading.student_versions(tmp_path, {"start": "12"}, root)
    parameters = next(cell for cell in nbformat.read(other, 4).cells if assignments.grade_id(cell) == "parameters")
    assert parameters.source.splitlines()[0] == "start: int = 12  # where to begin"
    assert "## Exercise 2: Square (3 minutes, easy; 3 points)" in other.read_text()
    with pytest.raises(UserError, match=r"no assignment has a parameter 'begin'. They have: seed, start"):
        assignments.variants({"begin": 1}, root)
    with pytest.raises(UserError, match="a whole number"):
        assignments.variants({"start": "x"}, root)


def test_the_instructors_version_holds_solutions_hidden_tests_and_rubrics(root: Path, tmp_path: Path) -> None:
    (path,) = grading.instructor_versions(tmp_path, {"start": "12"}, root)
    text = path.read_text(encoding="utf-8")
    assert path.name == "sums-solutions.ipynb"
    assert all(part in text for part in ("start: int = 12", "x + x", "BEGIN HIDDEN TESTS", "Rubric"))
    assert text.count("points)") >= 3
    done = CliRunner().invoke(cli.app, ["assignments", "--solutions", "--roster", "class.csv", "--out", str(tmp_path)])
    assert (done.exit_code, done.stderr) == (
        1,
        "kdutils: --solutions makes one version, for instructors; leave out --roster\n",
    )


def test_an_assignment_describes_itself(root: Path) -> None:
    page = assignments.page(root)
    assert page.startswith("### Sums\n\n`sums.ipynb`, about 15 minutes")
    assert "- add;\n- multiply.\n" in page
    assert "| 2 | Square | 3 | easy | 3 |  |\n| 3 | Why (written) | 10 | hard |  | 2 |\n" in page
    assert "| | **together** | **15** | | **5** | **2** |\n" in page
    with pytest.raises(UserError, match="no assignment in"):
        assignments.assignments(root / "handed-out")


def test_an_exercise_without_minutes_and_difficulty_is_named(tmp_path: Path) -> None:
    source = write_assignment(tmp_path)
    source.write_text(source.read_text().replace("Square (3 minutes, easy)", "Square (3 minutes)"))
    with pytest.raises(UserError, match='exercise 2 needs a heading: "## Exercise 2: Title'):
        assignments.page(tmp_path)


def test_without_nbgrader_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gradebook, "Gradebook", None)
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
    monkeypatch.setattr(grading, "grade", lambda *words, roster: asked.append((*words, roster)) or pd.DataFrame([row]))
    (tmp_path / "class.csv").write_text("student,start\nada,5\n", encoding="utf-8")
    words = ["grade", "handed-in", "--seed", "7", "--out", str(tmp_path), "--cell-seconds", "9"]
    done = CliRunner().invoke(cli.app, [*words, "--roster", str(tmp_path / "class.csv")])
    assert asked[0][:5] == (Path("handed-in"), tmp_path, {"seed": "7"}, 9, grading.NOTEBOOK_SECONDS)
    assert asked[0][-1] == {"ada": {"start": "5"}}
    (tmp_path / "class.csv").unlink()
    assert "ada, sums: !" in done.stdout
    done = CliRunner().invoke(cli.app, ["assignments", "--sed", "7", "--out", str(tmp_path)])
    assert (done.exit_code, list(tmp_path.iterdir())) == (1, [])
    assert done.stderr.startswith("kdutils: no assignment has a parameter 'sed'. They have:")
