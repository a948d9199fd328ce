"""What the book says of speed, as MyST text, drawn from the recorded measurements."""

import pandas as pd

from kdutils import report


def bench_page() -> str:
    """The last recorded ratios, with the machine that they were measured on."""
    if "bench" not in report.recorded_names():
        return "No bench has been recorded yet.\n"
    frame, facts = report.recorded("bench"), report.recorded_provenance("bench")
    rows = [(row.name_, row.threads, f"{row.ratio:.2f}", _bound(row)) for row in _rows(frame)]
    before, after = facts["statistics_bytes"]
    table = _table(("What is compared", "Threads", "Ratio", "Aim"), rows)
    return (
        f"{table}\nMeasured on {facts['date']} on this machine: {facts['machine']}; {facts['versions']}. Its load "
        f"average was {facts['load_before']} when the bench began: above 0, other processes disturbed it, the ratios "
        f"with two threads most. The running statistics of a ranking took {before:,} bytes after 60 windows and "
        f"{after:,} after 120.\n"
    )


def _rows(frame: pd.DataFrame) -> list:
    return list(frame.rename(columns={"name": "name_"}).itertuples())


def _bound(row: tuple) -> str:
    if pd.notna(row.least):
        said = f"at least {row.least:g}"
    elif pd.notna(row.most):
        said = f"at most {row.most:g}"
    else:
        return "–"
    return f"{said}: {'met' if row.met else 'missed'}"


def _table(head: tuple[str, ...], rows: list[tuple]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"
