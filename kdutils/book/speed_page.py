"""What the book says of speed, as MyST text, drawn from the recorded measurements."""

import pandas as pd

from kdutils import report
from kdutils.bench import growth


def bench_page() -> str:
    """The last recorded ratios, with the machine that they were measured on."""
    if "bench" not in report.recorded_names():
        return "No bench has been recorded yet.\n"
    frame, facts = report.recorded("bench"), report.recorded_provenance("bench")
    before, after = facts["statistics_bytes"]
    table = _table(*_ratios(frame))
    return (
        f"{table}\nMeasured on {facts['date']} on this machine: {facts['machine']}; {facts['versions']}. Its load "
        f"average was {facts['load_before']} when the bench began: above 0, other processes disturbed it, the ratios "
        f"with two threads most. The running statistics of a ranking took {before:,} bytes after 60 windows and "
        f"{after:,} after 120.\n"
    )


def growth_page() -> str:
    """The last recorded table of how times grow: a row per quantity, times beside that of the smallest number."""
    if "growth" not in report.recorded_names():
        return "Not recorded yet.\n"
    frame = report.recorded("growth")
    rows = [
        (what, *(f"{row.n:,}: {row.ratio:.2f}" for row in each.itertuples()))
        for what, each in frame.groupby("what", sort=False)
        if len(each) > 1
    ]
    seconds = frame.groupby("what")["seconds"].first()
    return (
        f"{_table(('What grows', 'smallest', 'larger', 'largest'), rows)}\nA run of a sweep took "
        f"{seconds[growth.SWEPT] / seconds[growth.ALONE]:.2f} times as long as the same run without one, for the "
        "shortest runs there are.\n"
    )


def _ratios(frame: pd.DataFrame) -> tuple[tuple[str, ...], list[tuple]]:
    """The head and the rows of the table: one row per comparison, one column per instruction set and threads."""
    measured = frame.assign(isa=frame.get("isa", ""), said=[_said(row) for row in frame.itertuples()])
    wide = measured.pivot_table(index="name", columns=["isa", "threads"], values="said", aggfunc="first", sort=False)
    wide = wide.fillna("–")
    aims = measured.drop_duplicates("name").set_index("name")
    threads = [f"{isa}, {n} thread{'s' * (n > 1)}".removeprefix(", ") for isa, n in wide.columns]
    return ("What is compared", *threads, "Aim"), [
        (row.Index, *row[1:], _aim(aims.loc[row.Index])) for row in wide.itertuples()
    ]


def _said(row: tuple) -> str:
    return f"{row.ratio:.2f}" if row.met else f"{row.ratio:.2f}, missed"


def _aim(row: pd.Series) -> str:
    if pd.notna(row["least"]):
        return f"at least {row['least']:g}"
    return f"at most {row['most']:g}" if pd.notna(row["most"]) else "–"


def _table(head: tuple[str, ...], rows: list[tuple]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"
