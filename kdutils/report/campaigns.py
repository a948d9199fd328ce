"""What was planned to be run at full size, what of it is recorded, and the commands for the rest."""

import textwrap

import pandas as pd

from kdutils._files import ROOT
from kdutils.report import recorded_runs

CAMPAIGNS = ROOT / "book" / "campaigns" / "campaigns.csv"
COLUMNS = 80  # of a command on the page, which then needs no scrolling


def listed() -> pd.DataFrame:
    """The campaigns as their file lists them: `planned` without what is done. No recorded run is read."""
    table = pd.read_csv(CAMPAIGNS, keep_default_na=False)
    return table.assign(recorded=table["recorded"].str.split())


def planned() -> pd.DataFrame:
    """One row per campaign: `title`, the part of the `paper` that it repeats, what it `needs`, its `size` (laptop,
    short, paper), how many `runs` it is, the names they are `recorded` under, the `command` that makes them (or one of
    them), and how many are `done`.
    """
    table = listed()
    return table.assign(done=[_done(names) for names in table["recorded"]])


def size_of(name: str) -> str:
    """The size of the campaign that a recorded run belongs to; "" for a measurement of the machine."""
    return next((row.size for row in listed().itertuples() if name in row.recorded), "")


def short_of(name: str) -> str:
    """Why a recorded run may not decide yet: it is missing, or has so many of its runs; "" if it is whole."""
    if name not in recorded_runs.recorded_names():
        return recorded_runs.NOT_YET
    facts = recorded_runs.recorded_provenance(name)
    return lacking(facts.get("runs", 1), facts.get("planned_runs", 1))


def how_much(name: str) -> str:
    """How much of a recorded run is there, for a sentence."""
    return short_of(name) or "all recorded"


def lacking(done: int, runs: int) -> str:
    """Why so many of a study's runs may not decide yet; "" if all are there."""
    if done >= runs:
        return ""
    return state(done, runs) if done else recorded_runs.NOT_YET


def students() -> pd.DataFrame:
    """Every student of the recorded runs that was trained to the end on photographs, once: key, dataset, pair."""
    parts = []
    for name in recorded_runs.recorded_names():
        frame = recorded_runs.recorded(name)
        if {"key", "test_loss", "scheme"} <= set(frame):
            facts = recorded_runs.recorded_provenance(name)
            pair = [frame.get(role, facts.get(role, "")) for role in ("teacher", "student")]
            taught = pd.Series(pair[0], frame.index, dtype=object).fillna("")  # cross-entropy has no teacher
            parts.append(frame.assign(pair=taught + "/" + pair[1]))
    whole = pd.concat(parts).dropna(subset=["test_loss"]) if parts else pd.DataFrame(columns=["key", "dataset", "pair"])
    return whole[whole["dataset"] != "digits"].drop_duplicates("key")[["key", "dataset", "pair"]]


def title_of(name: str) -> str:
    """What the campaign of a recorded run is about, and its size, in a sentence."""
    rows = (f"{row.title} ({row.size} size)." for row in listed().itertuples() if name in row.recorded)
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
    """The runs in the recorded files of these names: each student of a table of students, else one per file."""
    there = [recorded_runs.recorded(name) for name in names if name in recorded_runs.recorded_names()]
    return sum(len(frame) if "test_loss" in frame else 1 for frame in there)
