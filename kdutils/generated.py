"""The parts of the front matter that are made from data when the book is built."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kdutils import campaigns, courses, paper, plots, report, speed_pages

FRONT_PAIR = ("cifar100", "wrn_40_2/wrn_16_2")  # Fig. 1b of the paper
NOT_TESTED = "not tested yet"


def pages(executed: list[Path]) -> dict[str, str]:
    """File name -> content, for `book/_generated/`: front figure, scoreboard, recorded runs, speed, assignments."""
    claims, verdicts = paper.claims(), report.verdicts(executed)
    return {
        "front.svg": front_figure(),
        "scoreboard.md": report.scoreboard_markdown(claims, verdicts),
        "scoreboard_summary.md": scoreboard_summary(claims, verdicts),
        "campaigns.md": campaigns.page(),
        "assignments.md": courses.page(),
        "results.md": recorded_runs(),
        "bench.md": speed_pages.bench_page(),
    }


def front_figure() -> str:
    """The paper's Fig. 1b as SVG, from its Table 3: S. test loss against T. stddev for the nine schemes."""
    pairs = paper.pairs().set_index(["dataset", "pair"])
    points = pairs.loc[FRONT_PAIR].reset_index(drop=True)
    return plots.scatter_with_fit(points, x_error="t_stddev_std", y_error="test_loss_std")._repr_svg_()


def scoreboard_summary(claims: pd.DataFrame, verdicts: Sequence[report.Verdict]) -> str:
    """The front page's scoreboard, as MyST text: how the claims of each topic fare, and all together.

    A claim with differing verdicts counts under each of them, as in the scoreboard's own first line.
    """
    fates = {(name, verdict.holds) for verdict in verdicts for name in verdict.claim_ids}
    fates |= {(name, NOT_TESTED) for name in set(claims["id"]) - {name for name, _ in fates}}
    counts = pd.DataFrame(sorted(fates), columns=["id", "fate"]).merge(claims)
    table = pd.crosstab(counts["topic"], counts["fate"], margins=True, margins_name="together")
    table = table.reindex([*claims["topic"].unique(), "together"])
    shown = [fate for fate in (*report.SIGNS, NOT_TESTED) if fate in table]
    lines = [["Claims on", *(f"{report.SIGNS.get(fate, '')} {fate}" for fate in shown)]]
    lines += [["---"] + ["--:"] * len(shown)]
    lines += [[topic, *(str(table.loc[topic, fate] or "") for fate in shown)] for topic in table.index]
    rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f":::{{table}} How the paper's {len(claims)} claims fare in this book.\n:name: tab-front\n\n{rows}\n:::\n"


def recorded_runs() -> str:
    """A section for each recorded run, as MyST text: what it is, a link to its table, where it came from (folded)."""
    return "\n".join(map(_recorded_run, report.recorded_names())) or "No run has been recorded yet.\n"


def _recorded_run(name: str) -> str:
    frame = report.recorded(name)
    facts = report.recorded_provenance(name)
    rows = [f"| {key.replace('_', ' ')} | {_cell(value)} |" for key, value in facts.items() if value not in ("", None)]
    table = f"{len(frame)} rows, with the columns {', '.join(f'`{column}`' for column in frame.columns)}"
    lines = [f"## {name.replace('_', ' ')}", "", campaigns.title_of(name), ""]
    lines += [f"{{download}}`{name}.csv <results/{name}.csv>`: {table}.", ""]
    made = ["| What | Value |", "| --- | --- |", *rows]
    return "\n".join([*lines, ":::{dropdown} How it was made", *made, ":::", ""])


def _cell(value: object) -> str:
    """A value of a provenance file in a cell of a Markdown table: code, so that nothing in it is taken for markup."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_cell(inner)}" for key, inner in value.items() if inner not in ("", None, []))
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"`{' '.join(text.split()).replace('`', chr(39)).replace('|', '/')}`"
