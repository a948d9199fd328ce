"""What the book says of speed, as MyST text, drawn from the recorded measurements."""

import pandas as pd

from kdutils import report


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


def _ratios(frame: pd.DataFrame) -> tuple[tuple[str, ...], list[tuple]]:
    """The head and the rows of the table: a row a comparison, a column a number of threads."""
    measured = frame.assign(said=[_said(row) for row in frame.itertuples()])
    wide = measured.pivot_table(index="name", columns="threads", values="said", aggfunc="first", sort=False).fillna("–")
    aims = measured.drop_duplicates("name").set_index("name")
    threads = [f"{n} thread" if n == 1 else f"{n} threads" for n in wide.columns]
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
