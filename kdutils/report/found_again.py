"""Recorded students that were trained once more from their command: how far the second is from the first.

The rule is in `book/results/README.md`.
"""

import math

import numpy as np
import pandas as pd

from kdutils import augment
from kdutils.report import campaigns, recorded_runs
from kdutils.runs import NO_SCHEME

AGAIN = ("few_cuda", "few_again", "few_again_avx2", "few_again_large")
METRICS = ("test_loss", "test_accuracy")
MEASURED = {*METRICS, "ece", "ace", "agreement", "teacher_kl", "key"}
FAR = 2 * math.sqrt(2)  # standard deviations of one seed: two seeds of one setting are rarely further apart


def table() -> pd.DataFrame:
    """One row per run that was made again, with its study and its settings.

    For both metrics (loss in nats, accuracy in per cent): the first value, the second (`_again`), and the `_spread` of
    seeds in the study. `found` is whether both differ by less than `FAR` spreads.
    """
    studies = _studies()
    rows = [row for name in AGAIN if name in recorded_runs.recorded_names() for row in _rows(name, studies)]
    frame = pd.DataFrame(rows)
    if rows:
        near = [(frame[f"{m}_again"] - frame[m]).abs() < FAR * frame[f"{m}_spread"] for m in METRICS]
        frame["found"] = near[0] & near[1]
    return frame


def page() -> str:
    """How many were found again, the table of all, and what made them, as MyST text."""
    frame = table()
    if frame.empty:
        return "No recorded run has been made again yet.\n"
    columns = {
        "study": "Study",
        "run": "Run",
        "test_loss": "Test loss, and again",
        "test_loss_spread": "its spread",
        "test_accuracy": "Accuracy, and again",
        "test_accuracy_spread": "its spread",
    }
    shown = frame.assign(
        run=[_described(row) for row in frame.to_dict("records")],
        test_loss=_first_and_second(frame, "test_loss", 3),
        test_loss_spread=frame["test_loss_spread"].map("{:.3f}".format),
        test_accuracy=_first_and_second(frame, "test_accuracy", 1),
        test_accuracy_spread=frame["test_accuracy_spread"].map("{:.1f}".format),
    )[[*columns]]
    same = math.prod(frame[metric] == frame[f"{metric}_again"] for metric in METRICS).sum()
    found = f"{frame['found'].sum()} of {len(frame)} runs were found again within the spread of seeds"
    verdict = f"{found}, {same} of them to the last digit."
    made = "Made again by: " + "; ".join(dict.fromkeys(f"{row.again} on {row.machine}" for row in frame.itertuples()))
    printed = shown.to_markdown(index=False, headers=[*columns.values()], disable_numparse=True)
    return f"{verdict}\n\n{printed}\n\n{made}.\n"


def seed_spread(runs: pd.DataFrame, metric: str) -> float:
    """The standard deviation of `metric` over seeds, pooled over the settings of a study; NaN with one seed of each."""
    settings = [column for column in runs if column not in {*MEASURED, "seed"}]
    each = runs.groupby(settings, dropna=False)[metric]
    squares, freedom = ((runs[metric] - each.transform("mean")) ** 2).sum(), len(runs) - each.ngroups
    return float(np.sqrt(squares / freedom)) if freedom else math.nan


def _first_and_second(frame: pd.DataFrame, metric: str, digits: int) -> list[str]:
    """`3.461 → 3.468`, on one line."""
    both = zip(frame[metric], frame[f"{metric}_again"], strict=True)
    return [f"{first:.{digits}f} → {second:.{digits}f}".replace(" ", "\N{NO-BREAK SPACE}") for first, second in both]


def _described(run: dict) -> str:
    """`resnet32/wrn_16_1, KD, CutMix, 20 epochs, seed 1`"""
    teacher = f"{run['teacher']}/" if isinstance(run["teacher"], str) else ""
    standard = "" if run["standard"] == "crop_flip" else f"standard {run['standard']}"
    scheme = "" if run["scheme"] == NO_SCHEME else augment.label(run["scheme"])
    parts = [f"{teacher}{run['student']}", run["method"].upper(), standard, scheme, f"{run['epochs']} epochs"]
    return ", ".join(filter(None, [*parts, f"seed {run['seed']}"]))


def _rows(name: str, studies: dict[str, pd.DataFrame]) -> list[dict]:
    machine = str(recorded_runs.recorded_provenance(name).get("machine", ""))
    rows = []
    for again in recorded_runs.recorded(name).to_dict("records"):
        study = next((each for each, runs in studies.items() if again["key"] in set(runs["key"])), None)
        if study is None:
            continue
        runs = studies[study]
        row = {**again, "study": study, "again": name, "machine": machine}
        for metric in METRICS:
            row[metric] = runs.set_index("key").loc[again["key"], metric]
            row[f"{metric}_again"], row[f"{metric}_spread"] = again[metric], seed_spread(runs, metric)
        rows.append(row)
    return rows


def _studies() -> dict[str, pd.DataFrame]:
    """The recorded tables of students, in the order of the campaigns, but those of runs made again."""
    listed = [name for names in campaigns.listed()["recorded"] for name in names if name not in AGAIN]
    tables = recorded_runs.there(lambda runs: runs, {name: (name,) for name in listed})
    return {name: runs for name, runs in tables.items() if {"key", "test_loss"} <= set(runs)}
