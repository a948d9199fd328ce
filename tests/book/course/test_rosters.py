"""A class list: who has which parameters, and that a student is graded with their own."""

from pathlib import Path

import nbformat
import pytest

from kdutils.book.course import assignments, grading, rosters
from kdutils.errors import UserError
from tests.book.course.pupils import answered, hand_in


def roster(folder: Path, text: str) -> Path:
    path = folder / "class.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_are_parameters(tmp_path: Path) -> None:
    read = rosters.read(roster(tmp_path, "student,start,seed\nada, 5,1\nGrace Hopper_1906,7,2\n"))
    assert read == {"ada": {"start": "5", "seed": "1"}, "Grace Hopper_1906": {"start": "7", "seed": "2"}}


def test_names_alone_give_each_a_seed_that_does_not_depend_on_the_others(tmp_path: Path) -> None:
    read = rosters.read(roster(tmp_path, "student\nada\ngrace\nalan\n"))
    assert len({own["seed"] for own in read.values()}) == 3
    assert rosters.read(roster(tmp_path, "student\ngrace\n"))["grace"] == read["grace"]


def test_a_student_is_listed_with_or_without_the_platform_s_number() -> None:
    roster = ["Ada Lovelace", "Grace Hopper_1906", "team_1"]
    given = ["Ada Lovelace_1815", "Grace Hopper_1906", "Ada Lovelace", "team_1", "team_2", "alan"]
    listed = ["Ada Lovelace", "Grace Hopper_1906", "Ada Lovelace", "team_1"]
    assert [name for name in (rosters.listed(each, roster) for each in given) if name in roster] == listed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot read the roster"),
        ("name\nada\n", "a column `student`"),
        ("student,seed\nada,1,2,3\n", "a row has more cells than there are columns"),
        ("student\n", "a row per student"),
        ("student, student\nada,grace\n", "is no roster"),
        ("student\nada\nAda\n", "'Ada' stands there twice"),
        ("student\n../ada\n", "no folder can be named '../ada'"),
        ("student,seed\n,1\n", "no folder can be named ''"),
        ("student\n.ada\n", "no folder can be named '.ada'"),
    ],
)
def test_what_is_no_roster_is_said(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        rosters.read(roster(tmp_path, text))


def test_a_missing_roster_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the roster"):
        rosters.read(tmp_path / "none.csv")


def parameter_cell(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return next(cell.source for cell in cells if assignments.grade_id(cell) == "parameters")


def test_each_student_is_handed_their_own_parameters_over_the_given_ones(root: Path, tmp_path: Path) -> None:
    students = {"ada": {"start": "5"}, "grace": {}}
    written = grading.student_versions(tmp_path, {"start": "9", "seed": "4"}, root, students)
    assert written == [tmp_path / "ada" / "sums.ipynb", tmp_path / "grace" / "sums.ipynb"]
    assert parameter_cell(written[0]).startswith("start: int = 5  #")
    assert parameter_cell(written[1]).startswith("start: int = 9  #")
    assert all("seed: int = 4  #" in parameter_cell(path) for path in written)
    with pytest.raises(UserError, match="the roster's row of ada: no assignment has a parameter 'begin'"):
        grading.student_versions(tmp_path, {}, root, {"ada": {"begin": "5"}})


def test_a_student_is_graded_with_their_own_parameters(root: Path, source, tmp_path: Path) -> None:
    """Both wrote in what `start` is for ada: right for her, wrong for grace, and the page shows the cell that ran."""
    students = {"ada": {"start": "5"}, "grace": {"start": "7"}}
    handed_out = grading.student_versions(tmp_path / "out", {}, root, students)
    for student, release in (*zip(students, handed_out, strict=True), ("alan", handed_out[0])):
        mine = answered(release, source)
        (answer,) = (cell for cell in mine.cells if assignments.grade_id(cell) == "exercise-1")
        answer.source = "def twice(x):\n    return 2 * x if x in (2, 5) else 0"
        hand_in(tmp_path / "in", student, "sums", mine)
    table = grading.grade(tmp_path / "in", tmp_path / "grades", {}, say=str, root=root, roster=students)
    points = table.set_index("student")["exercise_1"]
    assert points.to_dict() == {"ada": 2, "grace": 0, "alan": 0}
    assert list(table.set_index("student")["trouble"].loc[["ada", "grace"]]) == ["", ""]
    assert "not on the roster" in table.set_index("student").loc["alan", "trouble"]
    page = (tmp_path / "grades" / "feedback" / "grace" / "sums.html").read_text(encoding="utf-8")
    assert "where to begin" in page
    assert "7" in page.split("where to begin")[0][-60:]
