"""Learning platforms: submissions as Moodle and Canvas pack them, and their own tables with the points filled in.

Moodle packs `Ada Lovelace_1234_assignsubmission_file/NAME.ipynb`, or the same without a folder, and names the student
"Participant 1234" in its grading worksheet. Canvas packs `lovelaceada_1234_5678_NAME.ipynb`, and 1234 is the ID in its
gradebook. Both become the student `Ada Lovelace_1234`, so that the points find their row.
"""

import contextlib
import io
import re
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from kdutils._files import open_regular, write_text
from kdutils.errors import UserError

MOODLE = re.compile(r"(.+_\d+)_assignsubmission_(?:file|onlinetext)_?.*")
CANVAS = re.compile(r"(.+?)(?:_LATE)?_(\d{3,})_\d{3,}(?:_(?:-\d+)+)?")  # the last: handed in again
ANY_CANVAS = re.compile(r"(.+?)(?:_LATE)?_(\d{3,})_\d{3,}_.+")
LARGEST = 2 * 10**9  # bytes of a class's notebooks, unpacked
MOODLE_NAMES = ("Identifier", "Full name", "Email address", "ID number", "Username")
CANVAS_NAMES = ("Student", "ID", "SIS User ID", "SIS Login ID")
WHO = MOODLE_NAMES + CANVAS_NAMES  # columns that tell whose row it is
POSSIBLE = "Points Possible"


@dataclass(frozen=True)
class Worksheet:
    """A platform's own table, and in which column each assignment's points go."""

    table: pd.DataFrame
    places: dict[str, str]


def of_folder(name: str) -> str:
    """The student whom a folder of this name is of."""
    found = MOODLE.fullmatch(name)
    return found[1] if found else name


def of_file(name: str) -> str:
    """The student whom a file is of, by what its name holds besides the assignment's."""
    found = CANVAS.fullmatch(name)
    return f"{found[1]}_{found[2]}" if found else of_folder(name)


def of_any_file(name: str) -> str:
    """The student whom a platform names in front of a file's own name, whatever that is; empty if there is none."""
    found = ANY_CANVAS.fullmatch(name)
    student = f"{found[1]}_{found[2]}" if found else of_folder(name)
    return student if student != name else ""


@contextlib.contextmanager
def folder(path: Path) -> Iterator[Path]:
    """The folder of submissions: `path` itself, or what a platform's zip file holds, for as long as the block lasts."""
    if path.is_dir() or not path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory() as place:
        try:
            with open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
                members = [each for each in archive.infolist() if not each.is_dir()]
                if sum(each.file_size for each in members) > LARGEST:
                    raise UserError(f"{path} unpacks to more than {LARGEST:,} bytes; unpack yourself what you trust")
                for member in members:
                    member.filename = member.filename.replace("\\", "/")  # as some programs on Windows pack
                    archive.extract(member, place)  # which leaves out "..", drives and the like
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
            raise UserError(f"{path} is no folder and cannot be unpacked as a zip file: {error}") from error
        yield Path(place)


def read_table(path: Path, what: str) -> pd.DataFrame:
    """The cells of a CSV file as text; UserError for a file that is none, by the name of `what` it should be."""
    try:
        with open_regular(path) as stream:
            text = stream.read(LARGEST).decode("utf-8-sig")
        head = text.partition("\n")[0]
        separator = ";" if head.count(";") > head.count(",") else ","  # Excel's, by the country
        table = pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False)
        if not isinstance(table.index, pd.RangeIndex):  # pandas takes the first cells for names of rows
            raise ValueError("a row has more cells than there are columns")
    except UnicodeDecodeError as error:
        raise UserError(f"cannot read {what} {path}: it is not in UTF-8; save it as *CSV UTF-8*") from error
    except (OSError, ValueError) as error:
        said = str(error).strip().splitlines()[0]
        raise UserError(f"cannot read {what} {path} as a CSV file: {said}") from error
    return table


def read_worksheet(path: Path, assignments: Collection[str], handed_in: Collection[str]) -> Worksheet:
    """A platform's table, checked before the work; UserError if it has no student or no place for points."""
    table = read_table(path, "the worksheet")
    places = _places(table, path, assignments, handed_in)
    if not set(WHO) & set(table) or not places:
        raise UserError(
            f"{path} is neither a grading worksheet of Moodle, with the English columns Identifier and Grade and, "
            f"where several assignments were handed in, the name of its own in its file name, nor a gradebook of "
            f"Canvas, with a column for one of {', '.join(assignments)}"
        )
    return Worksheet(table, places)


def fill(worksheet: Worksheet, table: pd.DataFrame, copy: Path) -> str:
    """Write a copy of the worksheet with the points of `table` (of `grading.grade`); return what is left, in words.

    Points are scaled to the most that the platform gives. What is not graded in full, or not to be matched with one
    student, stays as it was.
    """
    sheet, filled, waiting = worksheet.table.copy(), 0, 0
    graded = table.dropna(subset=["max_points"])
    for assignment, column in worksheet.places.items():
        most = _most(sheet, column)
        for row in graded[graded["assignment"] == assignment].itertuples():
            match = [place for place, line in sheet.iterrows() if _is(row.student, line)]
            if row.left_to_grade:
                waiting += 1
            elif len(match) == 1:
                scale = most.get(match[0], row.max_points) / row.max_points
                sheet.loc[match[0], column] = f"{row.points * scale:g}"
                filled += 1
    write_text(copy, sheet.to_csv(index=False))
    said = f"{filled} grades filled in; {waiting} wait for written answers"
    return f"{said}; {len(graded) - filled - waiting} have no place there"


def _places(
    sheet: pd.DataFrame, path: Path, assignments: Collection[str], handed_in: Collection[str]
) -> dict[str, str]:
    """Assignment -> the column for its points."""
    if {"Identifier", "Grade"} <= set(sheet):
        named = [name for name in assignments if name in path.name] or list(handed_in)
        return {named[0]: "Grade"} if len(named) == 1 else {}
    return {name: column for name in assignments for column in sheet if re.match(rf"{re.escape(name)}(?!\w)", column)}


def _most(sheet: pd.DataFrame, column: str) -> dict[int, float]:
    """Row -> the most points that the platform gives; empty if it does not say."""
    for maximum in {"Maximum grade", "Maximum Grade"} & set(sheet):  # Moodle's; the second in old versions
        return pd.to_numeric(sheet[maximum], errors="coerce").dropna().to_dict()
    possible = sheet.index[sheet.get("Student", pd.Series("", sheet.index)).str.strip() == POSSIBLE]
    points = pd.to_numeric(sheet.loc[possible, column], errors="coerce").dropna()
    return dict.fromkeys(sheet.index, points.iloc[0]) if len(points) else {}


def _is(student: str, line: pd.Series) -> bool:
    """Whether a row of the worksheet is that student's: by the number a platform gave, else by name or address."""
    known = {line[column].casefold().removeprefix("participant ").strip() for column in WHO if column in line} - {""}
    number = re.fullmatch(r".+_(\d+)", student)
    return (number[1] if number else student.casefold()) in known
