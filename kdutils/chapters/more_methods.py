"""Better inputs with better losses: CutMix under AT, CC, SP, PKT and VID, and whether gains combine (Sec. 5.2)."""

import numpy as np
import pandas as pd

from kdutils import plots, stats
from kdutils.chapters import tables_1_2
from kdutils.report import recorded_runs, tables
from kdutils.runs import NO_SCHEME

STEPS = {
    "pick_under_kd": (tables_1_2.PICK, tables_1_2.KD),
    "pick_under_crd": (tables_1_2.CRD_PICK, tables_1_2.CRD),
    "crd_under_pick": (tables_1_2.CRD_PICK, tables_1_2.PICK),
}
"""What combining gains: name -> (row of the tables, the row that it is compared with)."""
GAINS = {
    "pick_under_kd": "CutMixPick over KD",
    "pick_under_crd": "CutMixPick over CRD",
    "crd_under_pick": "CRD over KD, both with CutMixPick",
    "less": "CutMixPick over CRD, less over KD",
}
"""Columns of `published`, and the difference that `combined` makes of two of them, in words."""


def gains(students: pd.DataFrame, scheme: str) -> pd.DataFrame:
    """What `scheme` adds to each method: a row per method and seed that was run with it and without.

    Columns: method, seed, accuracy_gain (percentage points) and loss_gain (nats; positive is better).
    """
    wide = students.pivot(index=["method", "seed"], columns="scheme", values=["test_accuracy", "test_loss"])
    accuracy = wide["test_accuracy"][scheme] - wide["test_accuracy"][NO_SCHEME]
    loss = wide["test_loss"][NO_SCHEME] - wide["test_loss"][scheme]
    frame = pd.DataFrame({"accuracy_gain": accuracy, "loss_gain": loss}).dropna().reset_index()
    order = {method: place for place, method in enumerate(dict.fromkeys(students["method"]))}
    return frame.sort_values("method", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def gain_table(gained: pd.DataFrame) -> pd.DataFrame:
    """`gains` as a reader wants them: per method the mean over seeds, of accuracy with its 95 % t interval and p-value.

    The p-values have Holm's correction. A method with one seed has no interval; equal gains of all seeds have no p.
    """
    rows = []
    for method, each in gained.groupby("method", sort=False):
        accuracy, loss = each["accuracy_gain"], each["loss_gain"].mean()
        test = stats.paired_test(accuracy, np.zeros(len(each))) if len(each) > 1 and np.ptp(accuracy) else None
        found = (test.low, test.high, test.t_p) if test else (np.nan, np.nan, np.nan)
        rows.append((method.upper(), len(each), accuracy.mean(), *found, loss))
    table = pd.DataFrame(rows, columns=["method", "n", "mean", "low", "high", "p", "loss"])
    tested = table["p"].notna()
    table.loc[tested, "p"] = stats.holm(table.loc[tested, "p"])
    names = {"method": "method", "n": "seeds", "mean": "accuracy gained (points)", "low": "95 % from", "high": "to"}
    names |= {"p": "p (Holm)", "loss": "test loss saved (nats)"}
    return tables.table(table, names, {"mean": 2, "low": 2, "high": 2})


def published() -> pd.DataFrame:
    """What combining gains in Tables 1 and 2, in percentage points on each pair.

    Columns: dataset, pair; pick_under_kd, pick_under_crd (CutMixPick over the method alone); crd_under_pick (CRD over
    KD, both with CutMixPick).
    """
    frames = []
    for table in tables_1_2.EPOCHS:
        found = {
            name: tables_1_2.gains(tables_1_2.Comparison(table, row, (base,))) for name, (row, base) in STEPS.items()
        }
        columns = {name: frame["gain"] for name, frame in found.items()}
        frames.append(found["pick_under_kd"][["dataset", "pair"]].assign(**columns))
    return pd.concat(frames, ignore_index=True)


def combined(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean gains of `published` over the pairs of each dataset, with 95 % t intervals; `less` is the difference.

    `less`: what CutMixPick adds under CRD less what it adds under KD; zero if the two ways are independent.
    """
    rows = []
    whole = frame.assign(less=frame["pick_under_crd"] - frame["pick_under_kd"])
    for dataset, group in whole.groupby("dataset", sort=False):
        for quantity in ("pick_under_crd", "crd_under_pick", "less"):
            test = stats.paired_test(group[quantity], np.zeros(len(group)))
            rows.append((dataset, quantity, test.mean, test.low, test.high, test.t_p, test.n))
    return pd.DataFrame(rows, columns=["dataset", "quantity", "mean", "low", "high", "p", "n"])


def our_combination() -> pd.DataFrame:
    """The quantities of `combined` from our own students of Table 1's rows, by seed; empty if they are not there.

    A row per seed that has all four rows of the table, in the columns of `published`.
    """
    for runs in recorded_runs.there(tables_1_2.labelled, {"rows": ("few_table1",)}).values():
        steps = {name: tables_1_2.our_gain(runs, row, base) for name, (row, base) in STEPS.items()}
        return pd.DataFrame(steps).dropna().assign(dataset="cifar100")
    return pd.DataFrame(columns=[*STEPS, "dataset"])


def published_table() -> pd.DataFrame:
    """`published` as a reader wants it: a row per pair and dataset, gains in percentage points."""
    frame = published()
    label = frame["pair"] + ", " + frame["dataset"].map(tables.DATASETS)
    names = {"pair": "teacher/student"} | {name: GAINS[name] for name in STEPS}
    return tables.table(frame.assign(pair=label), names, 2)


def combined_table(found: pd.DataFrame) -> pd.DataFrame:
    """A frame of `combined` as a reader wants it."""
    label = found["quantity"].map(GAINS) + ", " + found["dataset"].map(tables.DATASETS)
    names = {"what": "gain", "mean": "mean (points)", "low": "95 % from", "high": "to", "p": "p", "n": "pairs"}
    return tables.table(found.assign(what=label), names, {"mean": 2, "low": 2, "high": 2})


@plots.style()
def bars(frame: pd.DataFrame, label: str) -> plots.Chart:
    """The gain in accuracy of each method, its mean over seeds as a bar and each seed as a dot."""
    methods = list(frame["method"].drop_duplicates())
    chart = plots.Chart(figsize=(plots.WIDTH, 0.45 * len(methods) + 1.2), layout="constrained")
    ax = chart.subplots()
    means = frame.groupby("method")["accuracy_gain"].mean()
    ax.barh(range(len(methods)), means[methods], 0.6, color=plots.COLOURS[0])
    ax.plot(frame["accuracy_gain"], frame["method"].map(methods.index), "o", color=plots.INK, mec=plots.PANEL)
    ax.axvline(0, color=plots.INK, lw=1)
    ax.set_yticks(range(len(methods)), [method.upper() for method in methods])
    ax.invert_yaxis()
    ax.set_xlabel(label)
    return chart
