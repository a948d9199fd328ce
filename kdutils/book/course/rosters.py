"""A class list: parameters of each student's own, so that no two have the same tables and figures to write about."""

import hashlib
import re
from collections.abc import Collection
from pathlib import Path

from kdutils.book.course.platforms import read_table
from kdutils.book.course.submissions import safe
from kdutils.errors import UserError

Roster = dict[str, dict[str, str]]  # student -> parameters, as they are written on the command line


def read(path: Path) -> Roster:
    """The students of a CSV file, with the parameters that stand in the columns beside `student`.

    A file without such columns gives each student a `seed`, which their name alone decides: students may come and go.
    UserError for a file that is no such table, or a name that stands there twice or that no folder can bear.
    """
    table = read_table(path, "the roster").map(str.strip)
    table.columns = table.columns.str.strip()
    if "student" not in table or table.empty or table.columns.has_duplicates:
        raise UserError(f"{path} is no roster: expected a CSV file with a column `student` and a row per student")
    for student in table["student"]:
        if safe(student) != student or set(student) & set("/\\") or student.startswith(".") or not student:
            raise UserError(f"{path}: no folder can be named {student[:40]!r}; write letters, digits, spaces, - and _")
    twice = table["student"][table["student"].str.casefold().duplicated()]
    if len(twice):
        raise UserError(f"{path}: {twice.iloc[0]!r} stands there twice")
    rows = table.set_index("student").to_dict("index")
    return {student: row or {"seed": str(_seed(student))} for student, row in rows.items()}


def listed(student: str, roster: Collection[str]) -> str:
    """The name by which a student stands on the roster: as it is, or without the number that a platform puts to it."""
    return student if student in roster else re.sub(r"_\d+$", "", student)


def _seed(student: str) -> int:
    """A number of at most nine digits for a name."""
    return int(hashlib.sha256(student.encode()).hexdigest(), 16) % 10**9
