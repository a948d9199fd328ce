"""The parts of the front matter that are made from data when the book is built."""

from pathlib import Path

from kdutils import campaigns, courses, paper, plots, report, speed_pages

FRONT_PAIR = ("cifar100", "wrn_40_2/wrn_16_2")  # Fig. 1b of the paper


def pages(executed: list[Path]) -> dict[str, str]:
    """File name -> content, for `book/_generated/`: front figure, scoreboard, recorded runs, speed, assignments."""
    scoreboard = report.scoreboard_markdown(paper.claims(), report.verdicts(executed))
    return {
        "front.svg": front_figure(),
        "scoreboard.md": scoreboard,
        "scoreboard_summary.md": scoreboard.split("\n\n")[0] + "\n",
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


def recorded_runs() -> str:
    """A section for each recorded run, as MyST text: where it came from, its size, a link to its table."""
    return "\n".join(map(_recorded_run, report.recorded_names())) or "No run has been recorded yet.\n"


def _recorded_run(name: str) -> str:
    frame = report.recorded(name)
    facts = report.recorded_provenance(name)
    rows = [f"| {key.replace('_', ' ')} | {_cell(value)} |" for key, value in facts.items() if value not in ("", None)]
    table = f"{len(frame)} rows, with the columns {', '.join(f'`{column}`' for column in frame.columns)}"
    lines = [f"## {name.replace('_', ' ')}", "", f"{{download}}`{name}.csv <results/{name}.csv>`: {table}.", ""]
    return "\n".join([*lines, "| What | Value |", "| --- | --- |", *rows, ""])


def _cell(value: object) -> str:
    """A value of a provenance file in a cell of a Markdown table: code, so that nothing in it is taken for markup."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_cell(inner)}" for key, inner in value.items() if inner not in ("", None, []))
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"`{' '.join(text.split()).replace('`', chr(39)).replace('|', '/')}`"
