"""Names of files and folders: what can only mean one thing is taken for it."""

import os
from pathlib import Path

import pytest

from kdutils.book.course import submissions
from kdutils.errors import UserError

NAMES = ("01_proposition", "02_t_stddev")


def handed_in(folder: Path, *paths: str | bytes) -> list[submissions.Submission]:
    """What is found among files of these names, after those that are refused (with the assignment's name in front)."""
    for name in paths:
        path = Path(os.fsdecode(os.path.join(os.fsencode(folder), os.fsencode(name))))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found, strange = submissions.find(folder, NAMES)
    return [*found, *strange]


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("ada/01_proposition.ipynb", "ada"),
        ("ada/01_proposition (1).ipynb", "ada"),
        ("ada/01_proposition-Copy1.ipynb", "ada"),
        ("ada/01_proposition - Copy.ipynb", "ada"),
        ("ada/01_Proposition_final.ipynb", "ada"),
        ("ada/Lovelace 01_proposition.IPYNB", "ada"),
        ("ada/01_proposition.ipynb.txt", "ada"),
        ("ada_01_proposition.ipynb", "ada"),
        ("ada_01_proposition (1).ipynb", "ada"),
        ("01_proposition-ada lovelace-Copy1.ipynb", "ada lovelace"),
        ("lovelaceada_123_4567_01_proposition.ipynb", "lovelaceada_123"),
        ("lovelaceada_LATE_123_4567_01_proposition-1-2.ipynb", "lovelaceada_123"),
    ],
)
def test_a_name_that_means_one_thing_is_taken_for_it(tmp_path: Path, name: str, student: str) -> None:
    (only,) = handed_in(tmp_path, name)
    assert (only.student, only.folder, only.assignment) == (student, student, "01_proposition")
    assert list(only.trouble) == ([] if name == "ada/01_proposition.ipynb" else [f"handed in as {Path(name).name}"])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (
            "ada/proposition.ipynb",
            "no assignment is named proposition; put one of 01_proposition, 02_t_stddev into the file's name",
        ),
        ("ada/101_proposition.ipynb", "no assignment is named 101_proposition"),
        ("ada/01_proposition and 02_t_stddev.ipynb", "no assignment is named"),
        ("ada/01_proposition.txt", "01_proposition.txt is not a notebook's name"),
        ("ada/01_proposition.ipynb/x", "01_proposition.ipynb is not a notebook's name"),
        ("01_proposition.ipynb", "01_proposition.ipynb names no student"),
        ("notes.txt", "notes.txt names no student"),
    ],
)
def test_what_can_mean_nothing_or_several_things_is_refused_with_the_reason(
    tmp_path: Path, name: str, why: str
) -> None:
    (only,) = handed_in(tmp_path, name)
    assert submissions.find(tmp_path, NAMES)[0] == []
    assert only.trouble[0].startswith(why)


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("lovelaceada_123_4567_homework.ipynb", "lovelaceada_123"),
        ("lovelaceada_LATE_123_4567_scan.pdf", "lovelaceada_123"),
        ("Ada Lovelace_12_assignsubmission_file_homework.ipynb", "Ada Lovelace_12"),
        ("homework_1.ipynb", "(nobody)"),
    ],
)
def test_a_file_of_a_platform_that_cannot_be_graded_has_its_student_all_the_same(
    tmp_path: Path, name: str, student: str
) -> None:
    (only,) = handed_in(tmp_path, name)
    assert (only.student, only.gradable) == (student, False)


def test_of_several_files_for_one_assignment_the_right_name_counts_or_none(tmp_path: Path) -> None:
    first, copy = handed_in(tmp_path / "one", "ada/01_proposition.ipynb", "ada/01_proposition (1).ipynb")
    assert (first.path.name, first.trouble) == ("01_proposition.ipynb", ())
    assert copy.trouble == ("01_proposition (1).ipynb is not graded: 01_proposition.ipynb is there too",)
    one, two = handed_in(tmp_path / "two", "ada_01_proposition.ipynb", "ada/01_proposition (1).ipynb")
    assert "may as well be ada_01_proposition.ipynb: keep one of them" in one.trouble[0]
    assert "may as well be 01_proposition (1).ipynb: keep one of them" in two.trouble[0]


def test_every_student_has_a_folder_of_their_own_whatever_the_name(tmp_path: Path) -> None:
    students = [
        b"a*",
        "a\ufffdb".encode(),
        b"a%2A",
        b"\xff\xfe",
        b"\xff\xfd",
        b"x" * 255,
        b"*" * 200,
        b"?" * 200,
        b"a\nb",
        b"a\x1b[31mb",
        b" ",
    ]
    found = handed_in(tmp_path, *(student + b"/01_proposition.ipynb" for student in students))
    folders = [submission.folder for submission in found]
    assert len(set(folders)) == len({submission.plain_folder for submission in found}) == len(students)
    for submission in found:
        assert 0 < len(submission.folder.encode()) <= 255
        assert not set("*?[]\n") & set(submission.folder)
        assert submission.student.isprintable()
        assert submission.student.encode()
        assert submission.path.is_file()
    assert "x" * 255 in folders


def test_hidden_files_are_passed_over_and_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (only,) = handed_in(
        tmp_path, ".DS_Store", "ada/.DS_Store", "__MACOSX/ada/._01_proposition.ipynb", "ada/01_proposition.ipynb"
    )
    assert only.student == "ada"
    for folder in (tmp_path / "missing", tmp_path / "ada" / "empty"):
        with pytest.raises(UserError, match=r"no submission in .*; expected .*/STUDENT/ASSIGNMENT.ipynb"):
            submissions.find(folder, NAMES)


def test_a_folder_that_cannot_be_listed_costs_its_own_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = submissions._visible
    closed = lambda folder: listed(folder) if folder.name != "bob" else (_ for _ in ()).throw(PermissionError())  # noqa: E731
    monkeypatch.setattr(submissions, "_visible", closed)
    one, two = handed_in(tmp_path, "ada/01_proposition.ipynb", "bob/01_proposition.ipynb")
    assert (one.student, one.trouble) == ("ada", ())
    assert (two.student, two.trouble[0]) == ("bob", "bob is not a notebook's name; expected ASSIGNMENT.ipynb")
