"""Recorded runs: a tidy CSV file each in `book/results/`, beside a JSON file that says where it came from.

Chapters set them beside the paper's numbers; if one is not there yet, they say so in plain words.
"""

import hashlib
import json
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from kdutils import _files
from kdutils._files import ROOT
from kdutils._provenance import made
from kdutils.errors import UserError, choose

RESULTS = ROOT / "book" / "results"
NOT_YET = "not recorded yet"
_used: dict[str, set[tuple[int, int]]] = {}  # what this process has read, in order, and where (`_place`)


class Missing(str):
    """What a page shows in the place of a recorded run that is not there."""

    def _repr_markdown_(self) -> str:
        return f"*{self}*"


def recorded_names() -> list[str]:
    """The names of all recorded runs."""
    return sorted(path.stem for path in RESULTS.glob("*.csv"))


def recorded(name: str) -> pd.DataFrame:
    """The table of a recorded run; a UserError if its file is not the one that was recorded."""
    text = _results_file(name, "csv").read_text(encoding="utf-8", errors="replace")
    if _digest(text) != _read_provenance(name)["sha256"]:
        raise UserError(f"the recorded run {name!r} has been changed since it was written: record it again")
    _used.setdefault(name, set()).add(_place())
    return pd.read_csv(RESULTS / f"{name}.csv")


def used() -> dict[str, list[tuple[int, int]]]:
    """The recorded runs that this process has read, in order, and the cells and lines of the notebook that did."""
    return {name: sorted(places) for name, places in _used.items()}


def recorded_provenance(name: str) -> dict[str, object]:
    """Where a recorded run came from: its command, data, seeds, versions, date and machine."""
    return {key: value for key, value in _read_provenance(name).items() if key != "sha256"}


def check_name(name: str) -> None:
    """Refuse a name that no recorded run can have."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]*", name):
        raise UserError(f"a recorded run needs a name of small letters, digits and underscores, got {name!r}")


def write_recorded(name: str, frame: pd.DataFrame, provenance: dict[str, object]) -> None:
    """Write a tidy table and its `provenance` to `book/results/`, where chapters find them as `recorded(name)`."""
    check_name(name)
    _files.repository()
    text = frame.to_csv(index=False, lineterminator="\n")
    facts = json.dumps({**provenance, "sha256": _digest(text)}, indent=2, ensure_ascii=False)
    _files.write_text(RESULTS / f"{name}.json", facts + "\n")
    _files.write_text(RESULTS / f"{name}.csv", text)


def provenance(**facts: object) -> dict[str, object]:
    """`facts` (command, data, teacher, steps, seed ...) with the date, the machine and the versions that ran.

    Of a path on this machine only the last part is kept; no host name is added.
    """
    plain = {
        key: _without_folders(str(value)) if isinstance(value, str | Path) else value for key, value in facts.items()
    }
    return {**plain, **made()}


def read(make: Callable[..., object], *names: str) -> object:
    """`make(*tables)` of the recorded runs `names`; if one is not there, a text that says which."""
    absent = [name for name in names if name not in recorded_names()]
    return Missing(f"{NOT_YET}: {', '.join(absent)}") if absent else make(*map(recorded, names))


def there(make: Callable[..., pd.DataFrame], recordings: dict[str, tuple[str, ...]]) -> dict[str, pd.DataFrame]:
    """Title -> `make(*tables)` for those of `recordings` (title -> names) whose files are all there, in order."""
    return {
        title: make(*map(recorded, names)) for title, names in recordings.items() if set(names) <= set(recorded_names())
    }


def or_empty(name: str, *columns: str) -> pd.DataFrame:
    """The recorded run `name`; while it is not there, these columns without a row."""
    return recorded(name) if name in recorded_names() else pd.DataFrame(columns=list(columns))


def _results_file(name: str, kind: str) -> Path:
    """A file of a recorded run, or a UserError that names the ones there are."""
    if name not in recorded_names():
        if not recorded_names():
            raise UserError(f"no recorded runs in {RESULTS}; they come with the project's repository, run from a clone")
        choose("recorded run", name, recorded_names())
    path = RESULTS / f"{name}.{kind}"
    if not path.is_file():
        raise UserError(f"the recorded run {name!r} has no {path.name} beside it: record it again")
    return path


def _read_provenance(name: str) -> dict[str, object]:
    """The whole JSON file of a recorded run."""
    try:
        facts = json.loads(_results_file(name, "json").read_text(encoding="utf-8"))
        return {**facts, "sha256": facts["sha256"]}
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"the provenance of {name!r} is damaged: record it again") from error


def _place() -> tuple[int, int]:
    """The number of the notebook's cell that is running, and the line that it has reached; zeros outside a notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        return 0, 0
    cell = len(shell.user_ns["In"]) - 1  # IPython's own count is the next cell's, in some versions
    frames = (frame for frame, _ in traceback.walk_stack(None) if frame.f_globals is shell.user_ns)
    return cell, next((frame.f_lineno for frame in frames if frame.f_code.co_name == "<module>"), 0)


def _digest(text: str) -> str:
    """SHA-256 of a text, the same on every operating system."""
    return hashlib.sha256(text.encode()).hexdigest()


def _without_folders(text: str) -> str:
    """The text with every absolute path cut down to its last part; web addresses stay."""
    return re.sub(
        r"(?<![\w.:/\\$}])(?:~|[A-Za-z]:)?(?:[/\\][^\s/\\'\"]+)+[/\\]?", lambda path: _last_part(path[0]), text
    )


def _last_part(path: str) -> str:
    """`/home/me/data/` -> `data`"""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]
