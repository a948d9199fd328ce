"""What was planned to be run at full size, what of it is recorded, and the commands for the rest."""

import textwrap
from pathlib import Path

import pandas as pd

from kdutils import report

CAMPAIGNS = Path(__file__).parents[1] / "book" / "campaigns" / "campaigns.csv"
COLUMNS = 80  # of a command on the page, which then needs no scrolling


def planned() -> pd.DataFrame:
    """One row a campaign: `title`, the part of the `paper` that it repeats, what it `needs`, its `size` (laptop, short,
    paper), how many `runs` it is, the names they are `recorded` under, the `command` that makes them (or one of them),
    and how many are `done`.
    """
    table = pd.read_csv(CAMPAIGNS, keep_default_na=False)
    table["recorded"] = table["recorded"].str.split()
    return table.assign(done=[_done(names) for names in table["recorded"]])


def size_of(name: str) -> str:
    """The size of the campaign that a recorded run belongs to; "" for a measurement of the machine."""
    return next((row.size for row in planned().itertuples() if name in row.recorded), "")


def title_of(name: str) -> str:
    """What the campaign of a recorded run is about, and its size, in a sentence."""
    rows = (f"{row.title} ({row.size} size)." for row in planned().itertuples() if name in row.recorded)
    return next(rows, "A measurement of the machine.")


def page() -> str:
    """All campaigns with their state, then the commands of those that are not complete, as MyST text."""
    table = planned()
    rows = [
        f"| {row.title} | {row.paper} | {row.needs} ({row.size}) | {state(row.done, row.runs)} |"
        for row in table.itertuples()
    ]
    parts = ["| Campaign | In the paper | Needs (size) | State |\n| --- | --- | --- | --- |\n" + "\n".join(rows)]
    for row in table[table["done"] < table["runs"]].itertuples():
        command = " \\\n    ".join(textwrap.wrap(row.command, COLUMNS, break_long_words=False, break_on_hyphens=False))
        parts.append(f"{row.title} ({state(row.done, row.runs)}):\n\n```console\n{command}\n```")
    return "\n\n".join(parts) + "\n"


def state(done: int, runs: int) -> str:
    """`recorded`, `missing`, or how much of it there is."""
    return "missing" if done == 0 else "recorded" if done >= runs else f"{done} of {runs} runs recorded"


def _done(names: list[str]) -> int:
    """The runs in the recorded files of these names: each student of a table of students, else one a file."""
    there = [report.recorded(name) for name in names if name in report.recorded_names()]
    return sum(len(frame) if "test_loss" in frame else 1 for frame in there)
