"""What the commands write and print: a table as CSV with its provenance beside it."""

import json
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from tqdm import tqdm

from kdutils import files
from kdutils.errors import UserError

StoreOption = Annotated[Path | None, typer.Option(help="Folder of results; else KDUTILS_STORE or the user's cache.")]


def check_output(path: Path | None) -> None:
    """Refuse, before any long work, a table's path that is no .csv or lies where nothing can be written."""
    if path is None:
        return
    if path.suffix != ".csv":
        raise UserError(f"{path} must end in .csv; its provenance goes beside it, into {path.stem}.json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}. Name a folder that can be written to.") from error


def write_table(path: Path, table: pd.DataFrame, provenance: dict) -> None:
    """Write `table` to `path` and where it comes from to the .json of the same name; each file whole or not there."""
    files.write_text(path, table.to_csv(index=False))
    files.write_text(path.with_suffix(".json"), json.dumps(provenance, indent=1) + "\n")


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
    if not all(word.isdigit() and int(word) > 0 for word in words):
        raise UserError(f"{text!r}: write whole numbers above 0 with commas, such as 1,2")
    return [int(word) for word in words]


def printed(table: pd.DataFrame) -> str:
    """The table for a terminal: four significant digits."""
    return table.to_string(index=False, float_format=lambda value: f"{value:.4g}")
