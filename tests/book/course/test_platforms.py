"""Learning platforms: names as Moodle and Canvas make them, their zip files, and their tables with the points in."""

import zipfile
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from kdutils import cli
from kdutils.book.course import grading, platforms, submissions
from kdutils.errors import UserError

NAMES = ["01_proposition", "02_t_stddev"]
MOODLE = """\ufeffIdentifier,Full name,Email address,Status,Grade,Maximum Grade
Participant 1234,Ada Lovelace,ada@example.org,Submitted,,100.00
Participant 1235,Ada Lovelace,ada2@example.org,Submitted,,100.00
Participant 1236,Grace Hopper,grace@example.org,Submitted,7,100.00
"""
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,01_proposition (77),02_t_stddev (78)
    Points Possible,,,,,22,48
"Lovelace, Ada",1234,u1,ada,A,,
"Hopper, Grace",1236,u2,grace,A,,
"""


def graded(*rows: tuple[str, str, float, str]) -> pd.DataFrame:
    columns = ["student", "assignment", "points", "left_to_grade"]
    return pd.DataFrame(rows, columns=columns).assign(max_points=[22 if "01" in row[1] else 24 for row in rows])


def filled(path: Path, content: str, table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """A worksheet as it was and with the points of `table`, and what is said of it."""
    path.write_text(content, encoding="utf-8")
    worksheet = platforms.read_worksheet(path, NAMES, set(table["assignment"]))
    said = platforms.fill(worksheet, table, path.with_name("copy.csv"))
    return worksheet.table, pd.read_csv(path.with_name("copy.csv"), dtype=str, keep_default_na=False), said


def packed(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "{}")
    return path


@pytest.mark.parametrize(
    "names",
    [
        ["Ada Lovelace_1234_assignsubmission_file/01_proposition.ipynb"],
        ["Ada Lovelace_1234_assignsubmission_file_/01_proposition.ipynb"],
        ["Ada Lovelace_1234_assignsubmission_file_01_proposition.ipynb"],
        ["Ada Lovelace_1234_56789_01_proposition.ipynb"],
        ["Ada Lovelace_LATE_1234_56789_01_proposition-2.ipynb"],
        ["Ada Lovelace_1234_assignsubmission_file\\01_proposition.ipynb", "__MACOSX\\._01_proposition.ipynb"],
    ],
)
def test_a_platform_s_zip_file_gives_the_student_with_the_number(tmp_path: Path, names: list[str]) -> None:
    with platforms.folder(packed(tmp_path / "all.zip", *names)) as folder:
        found, strange = submissions.find(folder, NAMES)
    assert ([(each.student, each.assignment) for each in found], strange) == (
        [("Ada Lovelace_1234", "01_proposition")],
        [],
    )


def test_folders_of_one_s_own_keep_their_names(tmp_path: Path) -> None:
    for name in ("group_1_2", "group_1_3", "team_1000_2000"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "01_proposition.ipynb").write_text("{}")
    with platforms.folder(tmp_path) as folder:
        assert folder == tmp_path
        found, _ = submissions.find(folder, NAMES)
    assert [each.student for each in found] == ["group_1_2", "group_1_3", "team_1000_2000"]


def test_nothing_is_unpacked_outside_and_what_cannot_be_unpacked_is_said(tmp_path: Path, monkeypatch) -> None:
    with platforms.folder(packed(tmp_path / "bad.zip", "../../outside/01_proposition.ipynb")) as folder:
        assert [path.name for path in folder.rglob("*.ipynb")] == ["01_proposition.ipynb"]
    assert not list(tmp_path.parent.glob("outside"))
    (tmp_path / "text").write_text("no zip")
    with pytest.raises(UserError, match="cannot be unpacked as a zip file"), platforms.folder(tmp_path / "text"):
        pass
    monkeypatch.setattr(platforms, "LARGEST", 1)
    with pytest.raises(UserError, match="more than 1 bytes"), platforms.folder(tmp_path / "bad.zip"):
        pass


def test_a_moodle_worksheet_gets_scaled_points_by_number_and_keeps_the_rest(tmp_path: Path) -> None:
    table = graded(
        ("Ada Lovelace_1234", "01_proposition", 11, ""),
        ("Ada Lovelace", "01_proposition", 5, ""),  # there are two
        ("Grace Hopper_1236", "01_proposition", 22, "exercise 2: 3 points"),
        ("Ada Lovelace_1234", "02_t_stddev", 24, ""),  # another worksheet's
    )
    before, after, said = filled(tmp_path / "Grades-KD-01_proposition-99.csv", MOODLE, table)
    assert after["Grade"].tolist() == ["50", "", "7"]
    assert after.drop(columns="Grade").equals(before.drop(columns="Grade"))
    assert said.startswith("1 grades filled in; 1 wait")


@pytest.mark.parametrize("maximum", ["Maximum Grade", "Maximum grade"])
def test_a_moodle_worksheet_of_any_name_is_of_the_one_assignment_that_was_handed_in(
    tmp_path: Path, maximum: str
) -> None:
    table = graded(("Grace Hopper_1236", "01_proposition", 11, ""))
    content = MOODLE.replace("Maximum Grade", maximum)
    _, after, _ = filled(tmp_path / "Grades-KD-Homework 1-99.csv", content, table)
    assert after["Grade"].tolist() == ["", "", "50"]
    _, after, _ = filled(tmp_path / "Grades-KD-02_t_stddev-99.csv", content, table)
    assert after["Grade"].tolist() == ["", "", "7"], "another assignment's worksheet"


def test_tables_with_semicolons_are_read_and_other_encodings_are_said(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("student;seed\r\nLovelace, Ada;1\r\n", encoding="utf-8-sig")
    assert platforms.read_table(path, "the roster").to_dict("list") == {"student": ["Lovelace, Ada"], "seed": ["1"]}
    path.write_text("student\nMüller\n", encoding="latin-1")
    with pytest.raises(UserError, match=r"cannot read the roster .* save it as \*CSV UTF-8\*"):
        platforms.read_table(path, "the roster")


def test_a_canvas_gradebook_gets_the_points_of_every_assignment(tmp_path: Path) -> None:
    table = graded(
        ("lovelaceada_1234", "01_proposition", 11, ""),
        ("grace", "02_t_stddev", 12, ""),  # by login
        ("nobody_99", "02_t_stddev", 1, ""),
    )
    _, after, said = filled(tmp_path / "gradebook.csv", CANVAS, table)
    after = after.set_index("ID")
    assert after.loc["1234", "01_proposition (77)"] == "11"
    assert after.loc["1236", "02_t_stddev (78)"] == "24", "out of 48 there"
    assert (after == "").sum().sum() == 3 + 2, "nothing else"
    assert said == "2 grades filled in; 0 wait for written answers; 1 have no place there"


@pytest.mark.parametrize(
    ("name", "text"), [("Grades.csv", MOODLE), ("01_proposition.csv", "a,b\n1,2\n"), ("x.csv", "")]
)
def test_a_table_of_another_kind_is_refused_before_the_work(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="worksheet"):
        platforms.read_worksheet(tmp_path / name, NAMES, NAMES)
    with pytest.raises(UserError, match="cannot read the worksheet"):
        platforms.read_worksheet(tmp_path / "missing.csv", NAMES, NAMES)


def test_the_command_takes_the_zip_file_and_writes_a_copy_of_the_worksheet(tmp_path: Path, monkeypatch) -> None:
    sheet = tmp_path / "Grades-01_proposition.csv"
    sheet.write_text(MOODLE, encoding="utf-8")
    name = "Ada Lovelace_1234_assignsubmission_file/01_proposition.ipynb"
    zipped = packed(tmp_path / "all.zip", name)

    def grade(folder: Path, *_: object, **__: object) -> pd.DataFrame:
        assert (folder / name).is_file()
        return graded(("Ada Lovelace_1234", "01_proposition", 22, "")).assign(trouble="")

    monkeypatch.setattr(grading, "grade", grade)
    command = ["grade", str(zipped), "--out", str(tmp_path / "out"), "--worksheet", str(sheet)]
    done = CliRunner().invoke(cli.app, command)
    assert done.exit_code == 0, done.output
    assert "1 grades filled in" in done.output
    assert ",100,100.00" in (tmp_path / "out" / sheet.name).read_text(encoding="utf-8")
    assert sheet.read_text(encoding="utf-8") == MOODLE
    assert CliRunner().invoke(cli.app, [*command[:3], str(tmp_path), *command[4:]]).exit_code == 1, "over the original"
