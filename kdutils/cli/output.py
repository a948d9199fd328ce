"""What the commands write and print: a table as CSV with its provenance beside it."""

import json
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from tqdm import tqdm

from kdutils import _files, report
from kdutils.errors import UserError

FIGURES, OURS = (".svg", ".png", ".pdf"), b"kdutils "


def named(text: str) -> Path:
    """The path that a word names; an empty one, as of an unset variable, would be the current folder."""
    if not text:
        raise typer.BadParameter("it is empty: name a folder or a file, or leave it out")
    return Path(text)


StoreOption = Annotated[
    Path | None,
    typer.Option(help="Folder of results; else KDUTILS_STORE or the user's cache.", parser=named, metavar="PATH"),
]


def check_output(path: Path | None) -> None:
    """Refuse, before any long work, a table's path that is no .csv or lies where nothing can be written."""
    if path is None:
        return
    if path.suffix != ".csv":
        raise UserError(f"{path} must end in .csv; its provenance goes beside it, into {path.stem}.json")
    beside = path.with_suffix(".json")
    for file in (path, beside):
        _files.check_place(file)
    if (_files.is_file(path) or _files.is_file(beside)) and not is_provenance(beside):
        foreign = beside if _files.is_file(beside) else path
        raise UserError(f"{foreign} was not written by kdutils, so it is kept; name another file")


def check_json(path: Path | None) -> None:
    """Refuse, before any long work, to write a command's JSON file over anything else, or where nothing can be."""
    if path is not None:
        _files.check_place(path)
        if _files.is_file(path) and not is_provenance(path):
            raise UserError(f"{path} was not written by kdutils, so it is kept; name another file")


def check_plot(path: Path | None) -> None:
    """Refuse, before any long work, a figure's path that is of no known form, another's file, or not to be written."""
    if path is None:
        return
    if path.suffix not in FIGURES:
        raise UserError(f"{path} must end in one of: {', '.join(FIGURES)}")
    _files.check_place(path)
    if _files.is_file(path) and OURS not in path.read_bytes():
        raise UserError(f"{path} was not written by kdutils, so it is kept; name another file")


def check_record(name: str) -> None:
    """Refuse, before any long work, a name that no recorded run can have, and to record where there is no book."""
    if name:
        report.check_name(name)
        _files.repository()


def is_provenance(path: Path) -> bool:
    """True for a JSON file that names the command of ours which made it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["command"].startswith("kdutils ")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def write_table(path: Path, table: pd.DataFrame, provenance: dict) -> None:
    """Write `table` to `path` and where it comes from to the .json of the same name; each file whole or not there."""
    _files.write_text(path, table.to_csv(index=False))
    _files.write_text(path.with_suffix(".json"), json.dumps(provenance, indent=1) + "\n")


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Show warnings as a line for people, without the place in the code."""

    def show(message: Warning | str, *_: object) -> None:
        tqdm.write(f"kdutils: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


def read_numbers(text: str) -> list[int]:
    """Whole numbers above 0, with commas between them."""
    words = [word.strip() for word in text.split(",")]
    if not all(re.fullmatch(r"[1-9][0-9]{0,8}", word) for word in words):
        raise UserError(f"{text!r}: write whole numbers above 0 with commas, such as 1,2")
    return [int(word) for word in words]


def printed(table: pd.DataFrame) -> str:
    """The table for a terminal: four significant digits."""
    return table.to_string(index=False, float_format=lambda value: f"{value:.4g}")
