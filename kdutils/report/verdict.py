"""What a chapter concludes, and the recorded runs it leans on.

A notebook's last cell is `report.record(report.Verdict(...), ...)`: readers see a table, and the book collects the
verdicts from the executed notebooks for the scoreboard. The recorded runs themselves are `recorded_runs`' business.
"""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, ValidationError

from kdutils import paper
from kdutils.errors import UserError, choose
from kdutils.report import recorded_runs
from kdutils.report.evidence import EVIDENCE_LABELS, SIGNS, Evidence, Finding, deciding, may_decide
from kdutils.report.recorded_runs import recorded_provenance
from kdutils.report.rules import Word

KEY = "application/vnd.kdutils.verdict+json"


class Verdict(BaseModel):
    """A claim, what the paper says, what each kind of evidence found, and so what it comes to (`evidence.deciding`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    chapter: str  # the notebook's name, such as "04_correlation"
    claim_ids: tuple[str, ...] = ()  # rows of book/paper/claims.csv; none for a claim of the book's own
    claim: str
    paper: str = ""  # what the paper prints or argues
    findings: tuple[Finding, ...] = ()

    @property
    def decided(self) -> Finding | None:
        """The finding that decides, if any may."""
        return deciding(self.findings)

    @property
    def holds(self) -> Word:
        """The word for the claim: that of the deciding evidence."""
        return self.decided.says if self.decided else "not tested"

    @property
    def decided_by(self) -> Evidence | None:
        """The kind of evidence that decides, if any may."""
        return self.decided and self.decided.by

    @property
    def test(self) -> str:
        """The rule that decided."""
        return self.decided.test if self.decided else ""

    @property
    def size(self) -> str:
        """The size of the runs that decided; empty if nothing was run."""
        return self.decided.size if self.decided else ""

    @property
    def n(self) -> str:
        """What the deciding evidence rests on."""
        return self.decided.n if self.decided else ""

    def found(self, kind: Evidence) -> tuple[Finding, ...]:
        """The findings of one kind of evidence."""
        return tuple(finding for finding in self.findings if finding.by == kind)


class Record(NamedTuple):
    """Verdicts that a notebook shows as one table and that `verdicts` reads back from its outputs.

    Below them stand the recorded runs that the notebook has read, with the commands that made them. `sources` has the
    cells and their lines that read each.
    """

    verdicts: tuple[Verdict, ...]
    sources: Mapping[str, Sequence[tuple[int, int]]] = MappingProxyType({})

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> tuple[dict, dict]:
        """What notebooks show; what `verdicts` reads goes into the output's metadata, of which no builder complains."""
        lines = [*map(_line, self.verdicts), *(f"recorded run {name}: {_made(name)[0]}" for name in self.sources)]
        shown = {"text/html": _html(self.verdicts) + _sources_html(self.sources), "text/plain": "\n".join(lines)}
        told = {
            "verdicts": [verdict.model_dump(mode="json") for verdict in self.verdicts],
            "sources": list(self.sources),
            "places": list(self.sources.values()),
        }
        return shown, {KEY: told}


def record(*verdicts: Verdict) -> Record:
    """The verdicts of a chapter, as the last value of its last cell. A claim that is in no list is a UserError."""
    if not verdicts:
        raise UserError("nothing to record: give at least one Verdict")
    known = list(_claims().index)
    for verdict in verdicts:
        for name in verdict.claim_ids:
            choose("claim", name, known)
    return Record(verdicts, recorded_runs.used())


def verdict_on(name: str, *findings: Finding) -> Verdict:
    """The verdict on a listed claim, in the words and with the number of its list (`paper.claims`, `later_claims`)."""
    claims = _claims()
    row = claims.loc[choose("claim", name, list(claims.index))]
    return Verdict(
        chapter=row["chapter"], claim_ids=(name,), claim=row["statement"], paper=row["number"], findings=findings
    )


def _claims() -> pd.DataFrame:
    """The paper's claims and those made since, by their id."""
    return pd.concat([paper.claims(), paper.later_claims()]).set_index("id")


def verdicts(executed: Iterable[str | Path]) -> list[Verdict]:
    """All verdicts in the outputs of executed notebooks, in order."""
    return [verdict for path in executed for verdict in _verdicts_of(Path(path))]


def sources(executed: Iterable[str | Path]) -> list[str]:
    """The recorded runs that executed notebooks have read, in order."""
    return [name for path in executed for told in _told_by(Path(path)) for name in told["sources"]]


def reads(executed: str | Path) -> dict[int, list[tuple[int, str]]]:
    """The line and the name of each recorded run that a cell of an executed notebook has read, by the cell's number."""
    by_cell: dict[int, list[tuple[int, str]]] = {}
    for told in _told_by(Path(executed)):
        for name, places in zip(told["sources"], told["places"], strict=True):
            for cell, line in places:
                by_cell.setdefault(cell, []).append((line, name))
    return by_cell


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
    import nbformat  # a second to load, and only the book reads notebooks

    outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
    return [output["metadata"][KEY] for output in outputs if KEY in output.get("metadata", {})]


def _verdicts_of(path: Path) -> list[Verdict]:
    """The verdicts in one executed notebook."""
    try:
        return [Verdict.model_validate(verdict) for told in _told_by(path) for verdict in told["verdicts"]]
    except ValidationError as error:
        raise UserError(
            f"{path.name} holds a verdict in a form this version does not know: execute it again"
        ) from error


def _html(verdicts: Iterable[Verdict]) -> str:
    """A table, narrow enough for a phone, with a body per verdict: claim, a row per kind of evidence, conclusion."""
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Evidence", "What was found", "It says"))
    # "dataframe" makes themes style it as a table of data, in dark mode too
    bodies = "".join(f"<tbody>{_body(verdict)}</tbody>" for verdict in verdicts)
    return f'<table class="dataframe verdict"><thead><tr>{head}</tr></thead>{bodies}</table>'


def _body(verdict: Verdict) -> str:
    """The rows of one verdict."""
    rows = [_row("", "the paper", verdict.paper, "")] if verdict.paper else []
    for found in verdict.findings:
        decides = "decides" if found.by == verdict.decided_by and may_decide(found) else ""
        rows.append(_row(decides, EVIDENCE_LABELS[found.by], " ".join(told(found)), signed(found.says)))
    claim = f'<tr><th colspan="3" scope="rowgroup">{html.escape(verdict.claim)}</th></tr>'
    end = f'<tr><td colspan="3">{html.escape(_conclusion(verdict))}</td></tr>'
    return claim + "".join(rows) + end


def _row(style: str, *cells: str) -> str:
    shown = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
    return f'<tr class="{style}">{shown}</tr>' if style else f"<tr>{shown}</tr>"


def told(found: Finding) -> list[str]:
    """What was found, what it rests on, and why it falls short of the claim, if it does."""
    rests = ", ".join(part for part in (found.n, f"{found.size} size" if found.size else "") if part)
    parts = [found.numbers, f"({rests})" if rests else "", f"[{found.short_of}]" if found.short_of else ""]
    return [part for part in parts if part]


def signed(word: Word) -> str:
    """`✓ holds`"""
    return f"{SIGNS[word]} {word}"


def _conclusion(verdict: Verdict) -> str:
    """`✓ holds, decided by our photographs. Test: ...`"""
    if verdict.decided is None:
        return f"{signed(verdict.holds)}: no evidence that may decide the claim as it is stated."
    return f"{signed(verdict.holds)}, decided by {EVIDENCE_LABELS[verdict.decided.by]}. Test: {verdict.test}."


def _sources_html(names: Iterable[str]) -> str:
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
    found = [f"{EVIDENCE_LABELS[each.by]}: {' '.join(told(each))}: {each.says}" for each in verdict.findings]
    evidence = "; ".join([f"paper {verdict.paper or '–'}", *found])
    return f"{verdict.claim} [{evidence}] {_conclusion(verdict)}"
