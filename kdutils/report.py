"""What a chapter concludes, and the recorded runs it leans on.

A notebook's last cell is `report.record(report.Verdict(...), ...)`: readers see a table, and the book collects the
verdicts from the executed notebooks for the scoreboard. The recorded runs themselves are `recordings`' business.
"""

import html
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import nbformat
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, ValidationError

from kdutils import paper, recordings
from kdutils.errors import UserError, choose
from kdutils.recordings import (
    check_name,
    provenance,
    recorded,
    recorded_names,
    recorded_provenance,
    write_recorded,
)

__all__ = [
    "Record",
    "Verdict",
    "beside_paper",
    "check_name",
    "mean_std",
    "plus_minus",
    "provenance",
    "record",
    "recorded",
    "recorded_names",
    "recorded_provenance",
    "scoreboard_markdown",
    "sources",
    "verdicts",
    "write_recorded",
]

KEY = "application/vnd.kdutils.verdict+json"
SIGNS = {"holds": "✓", "fails": "✗", "partly": "◐", "cannot tell": "?"}


class Verdict(BaseModel):
    """Whether a claim holds, under which test, and the numbers side by side: the paper's, recorded, this run's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    chapter: str  # the notebook's name, such as "04_correlation"
    claim_ids: tuple[str, ...] = ()  # rows of book/paper/claims.csv; none for a claim of the book's own
    claim: str
    paper: str = ""
    recorded: str = ""
    this_run: str
    holds: Literal["holds", "fails", "partly", "cannot tell"]
    test: str  # the rule that decided, stated before looking
    size: str  # of this run: quick, laptop, short or paper


class Record(NamedTuple):
    """Verdicts that a notebook shows as one table and that `verdicts` reads back from its outputs.

    Below them stand the recorded runs that the notebook has read, with the commands that made them.
    """

    verdicts: tuple[Verdict, ...]
    sources: tuple[str, ...] = ()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        """What notebooks show; what `verdicts` reads goes into the output's metadata, of which no builder complains."""
        lines = [*map(_line, self.verdicts), *(f"recorded run {name}: {_made(name)[0]}" for name in self.sources)]
        shown = {"text/html": _html(self.verdicts) + _sources_html(self.sources), "text/plain": "\n".join(lines)}
        told = {"verdicts": [verdict.model_dump(mode="json") for verdict in self.verdicts], "sources": self.sources}
        return shown, {KEY: told}


def record(*verdicts: Verdict) -> Record:
    """The verdicts of a chapter, as the last value of its last cell. A claim the paper does not make is a UserError."""
    if not verdicts:
        raise UserError("nothing to record: give at least one Verdict")
    known = list(paper.claims()["id"])
    for verdict in verdicts:
        for name in verdict.claim_ids:
            choose("claim", name, known)
    return Record(verdicts, recordings.used())


def verdicts(executed: Iterable[str | Path]) -> list[Verdict]:
    """All verdicts in the outputs of executed notebooks, in order."""
    return [verdict for path in executed for verdict in _verdicts_of(Path(path))]


def sources(executed: Iterable[str | Path]) -> list[str]:
    """The recorded runs that executed notebooks have read, in order."""
    return [name for path in executed for told in _told_by(Path(path)) for name in told.get("sources", ())]


def scoreboard_markdown(claims: pd.DataFrame, verdicts: Sequence[Verdict]) -> str:
    """The scoreboard as MyST text: each of the paper's claims by topic, then the claims of the book's own.

    A claim that no verdict names is "not tested yet"; one that several name has a row for each.
    """
    for name in {name for verdict in verdicts for name in verdict.claim_ids}:
        choose("claim", name, claims["id"])
    rows = [
        (claim, verdict)
        for claim in claims.itertuples()
        for verdict in [each for each in verdicts if claim.id in each.claim_ids] or [None]
    ]
    parts = [_summary(rows)]
    for topic in dict.fromkeys(claims["topic"]):
        parts.append(f"## {topic}\n\n{_claims_table([row for row in rows if row[0].topic == topic])}")
    own = [verdict for verdict in verdicts if not verdict.claim_ids]
    if own:
        parts.append(
            "## Beyond the paper\n\n"
            + _table(("Claim", "Verdict", "Test"), [(v.claim, *_verdict_cells(v)) for v in own])
        )
    return "\n\n".join(parts) + "\n"


def beside_paper(frame: pd.DataFrame, dataset: str, teacher: str) -> pd.DataFrame:
    """A `rank_schemes` frame with the column that the paper prints for that teacher (Tables 3 to 10) joined on.

    For each of t_stddev, mean_covariance and mean_correlation that both have: `<metric>_paper` in the frame's own units
    and `<metric>_ratio`, ours / paper's. Schemes the paper does not have get NaN.
    """
    cells = pd.concat([paper.table(number) for number in range(3, 11)])
    cells = cells[(cells["dataset"] == choose("dataset of the paper", dataset, cells["dataset"].unique()))]
    cells = cells[(cells["teacher"] == choose("teacher of the paper", teacher, cells["teacher"].unique()))]
    cells = cells[cells["student"] == ""].assign(value=lambda each: each["mean"] * each["unit"].map(float))
    published = cells.pivot(index="scheme", columns="metric", values="value")
    joined = frame.copy()
    for metric in [name for name in published if name in frame]:
        joined[f"{metric}_paper"] = frame["scheme"].map(published[metric])
        joined[f"{metric}_ratio"] = frame[metric] / joined[f"{metric}_paper"]
    return joined


def plus_minus(mean: float, spread: float) -> str:
    """`1.049 ± 0.021`: the spread with two significant digits, the mean with as many decimals."""
    if not math.isfinite(spread) or spread <= 0:
        return f"{mean:.4g}"
    decimals = max(0, 1 - math.floor(math.log10(float(f"{spread:.1e}"))))
    return f"{mean:.{decimals}f} ± {spread:.{decimals}f}"


def mean_std(values: ArrayLike) -> str:
    """`1.049 ± 0.021 (n = 3)`: mean and unbiased standard deviation of some runs, and how many there are."""
    values = np.asarray(values, float)
    spread = values.std(ddof=1) if len(values) > 1 else math.nan
    return f"{plus_minus(values.mean(), spread)} (n = {len(values)})"


def _told_by(path: Path) -> list[dict]:
    """What the records in one executed notebook hold."""
    outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
    return [output["metadata"][KEY] for output in outputs if KEY in output.get("metadata", {})]


def _verdicts_of(path: Path) -> list[Verdict]:
    """The verdicts in one executed notebook."""
    try:
        return [Verdict.model_validate(verdict) for told in _told_by(path) for verdict in told["verdicts"]]
    except ValidationError as error:
        raise UserError(f"{path.name} holds a verdict in a form this version does not know: execute it anew") from error


def _summary(rows: Sequence[tuple[object, Verdict | None]]) -> str:
    """How many claims there are and how they fare; a claim with differing verdicts counts under each of them."""
    fates = {(claim.id, "not tested yet" if verdict is None else verdict.holds) for claim, verdict in rows}
    counts = Counter(fate for _, fate in fates)
    told = [f"{fate}: {counts[fate]}" for fate in (*SIGNS, "not tested yet") if counts[fate]]
    return f"{len({name for name, _ in fates})} claims of the paper. {', '.join(told).capitalize()}."


def _claims_table(rows: Sequence[tuple[object, Verdict | None]]) -> str:
    """One row a claim and verdict."""
    cells = [
        (
            claim.statement,
            ": ".join(part for part in (claim.where, claim.number) if part),
            *(_verdict_cells(verdict) if verdict else ("not tested yet", _planned(claim.chapter))),
        )
        for claim, verdict in rows
    ]
    return _table(("Claim", "In the paper", "Verdict", "Test"), cells)


def _verdict_cells(verdict: Verdict) -> tuple[str, str]:
    """Verdict and test, with the size and the chapter of the run."""
    return f"{SIGNS[verdict.holds]} {verdict.holds}", f"{verdict.test} ({verdict.size} size, {_link(verdict.chapter)})"


def _planned(chapter: str) -> str:
    """`04_correlation` -> `planned for chapter 4`"""
    return f"planned for chapter {int(chapter[:2])}" if chapter else "not planned"


def _link(chapter: str) -> str:
    """A chapter's title as a link: a role, as the page may be included from anywhere."""
    return f"{{doc}}`/notebooks/{chapter}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in line) + " |" for line in lines
    )


def _html(verdicts: Iterable[Verdict]) -> str:
    """Three rows a verdict, so that the table fits a phone: the claim, the numbers side by side, the test."""
    body = []
    for verdict in verdicts:
        shown = [verdict.paper, verdict.recorded, verdict.this_run, f"{SIGNS[verdict.holds]} {verdict.holds}"]
        cells = "".join(f"<td>{html.escape(text) or '–'}</td>" for text in shown)
        body.append(
            f'<tbody><tr><th colspan="4" scope="rowgroup">{html.escape(verdict.claim)}</th></tr><tr>{cells}</tr>'
            f'<tr><td colspan="4">Test, {html.escape(verdict.size)} size: {html.escape(verdict.test)}</td></tr></tbody>'
        )
    head = "".join(
        f'<th scope="col" style="text-align: left">{name}</th>'
        for name in ("Paper", "Our recorded runs", "This run", "Does it hold?")
    )
    # "dataframe" makes themes style it as a table of data, in dark mode too
    return f'<table class="dataframe verdict"><thead><tr>{head}</tr></thead>{"".join(body)}</table>'


def _sources_html(names: Sequence[str]) -> str:
    """A list of recorded runs: name, date, machine and command."""
    items = []
    for name in names:
        command, made = _made(name)
        items.append(f"<li>{html.escape(name)} ({html.escape(made)}): <code>{html.escape(command)}</code></li>")
    return (
        f'<div class="sources"><p>The recorded runs on this page:</p><ul>{"".join(items)}</ul></div>' if items else ""
    )


def _made(name: str) -> tuple[str, str]:
    """How a recorded run was made: its command, and when and where."""
    facts = recorded_provenance(name)
    return str(facts.get("command", "")), ", ".join(str(facts[key]) for key in ("date", "machine") if key in facts)


def _line(verdict: Verdict) -> str:
    """A verdict as text for a terminal."""
    numbers = f"paper {verdict.paper or '–'}; recorded {verdict.recorded or '–'}; this run {verdict.this_run}"
    return f"{SIGNS[verdict.holds]} {verdict.holds}: {verdict.claim} [{numbers}; test: {verdict.test}]"
