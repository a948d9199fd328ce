"""What the book says of speed and cost, as MyST text, drawn from the recorded measurements."""

import pandas as pd

from kdutils import report
from kdutils.costs import KIND

DATASETS = {"cifar100": "CIFAR-100", "tinyimagenet": "Tiny ImageNet"}
SAID_HOURS = "2 to 6"  # for a CIFAR-100 experiment on one 2080Ti (the paper's appendix)


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


def costs_page() -> str:
    """The recorded cost of every kind of training, and of all of them."""
    if "costs" not in report.recorded_names():
        return "No costs have been recorded yet.\n"
    frame, facts = report.recorded("costs").fillna({"teacher": ""}), report.recorded_provenance("costs")
    parts = [_sums(frame), _checked(frame, facts)]
    for dataset, name in DATASETS.items():
        parts.append(f"## {name}\n\n{_kinds(frame[frame.dataset == dataset])}")
    return "\n\n".join(parts) + "\n"


def _sums(frame: pd.DataFrame) -> str:
    sums = frame.groupby("dataset")[["runs", "epochs", "hours", "pflops"]].sum()
    rows = [
        (name, f"{sums.runs[key]:,}", f"{sums.epochs[key]:,}", f"{sums.hours[key]:,.0f}", f"{sums.pflops[key]:,.0f}")
        for key, name in DATASETS.items()
    ]
    total = sums.sum()
    both = ("both", f"{total.runs:,.0f}", f"{total.epochs:,.0f}", f"{total.hours:,.0f}", f"{total.pflops:,.0f}")
    return _table(("Data", "Trainings", "Epochs", "Hours of one worker", "PFLOPs"), [*rows, both])


def _checked(frame: pd.DataFrame, facts: dict) -> str:
    estimated, measured = facts["check_estimated_seconds"], facts["check_measured_seconds"]
    cifar = frame[(frame.dataset == "cifar100") & (frame.method == "kd")]
    mean = cifar.pflops.sum() / cifar.epochs.sum() * 240
    where = f"Measured on {facts['date']} on this machine: {facts['machine']}; {facts['versions']}."
    check = (
        f"As a check, {facts['check_steps']} more steps of one pair were run: estimated {estimated:.1f} s, measured "
        f"{measured:.1f} s ({measured / estimated - 1:+.0%})."
    )
    scale = (
        f"A KD training of 240 epochs on CIFAR-100 is {mean:.1f} PFLOPs on average over these kinds; the paper says "
        f"that one takes {SAID_HOURS} hours on an NVIDIA 2080Ti."
    )
    return f"{where} {check} {scale}"


def _kinds(frame: pd.DataFrame) -> str:
    rows = [
        (
            f"{row.teacher}/{row.student}" if row.teacher else row.student,
            row.method,
            row.views.replace("x'", "x′"),
            f"{row.runs:,}",
            f"{row.epochs:,}",
            f"{row.step_seconds:.3g}",
            f"{row.step_gflops:,.0f}",
            f"{row.hours:,.0f}",
        )
        for row in frame.sort_values(KIND).itertuples()
    ]
    head = ("Networks", "Method", "A step sees", "Trainings", "Epochs", "Seconds a step", "GFLOPs a step", "Hours")
    return _table(head, rows)


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
