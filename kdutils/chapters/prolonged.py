"""Prolonged training: test error over the budget of epochs, where its optimum lies, and what moves it (Sec. 5.2)."""

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from kdutils import augment, plots, stats
from kdutils.chapters import tables_1_2
from kdutils.report import recorded_runs, tables
from kdutils.runs import NO_SCHEME

STUDY = "few_prolonged"  # recorded: our few-shot students over several budgets
STANDARD_LABELS = {"flip": "Flip", "crop_flip": "Flip+Crop", "none": "no DA"}
VALUES = {"test_loss": "S. test loss (nats)", "test_error": "S. test error (%)"}


def name(method: str, standard: str, scheme: str) -> str:
    """What a line is called: `KD, Flip+Crop, CutMix`."""
    parts = [method.upper(), STANDARD_LABELS[standard]]
    return ", ".join(parts if scheme == NO_SCHEME else [*parts, augment.label(scheme)])


def lines(students: pd.DataFrame) -> pd.DataFrame:
    """Runs of `sweep` with the `line` that each belongs to and its `test_error` in per cent."""
    kinds = students[["method", "standard", "scheme"]].itertuples(index=False)
    return students.assign(line=[name(*kind) for kind in kinds], test_error=100 - students["test_accuracy"])


def optima(students: pd.DataFrame) -> pd.DataFrame:
    """The best number of epochs of each line and seed, by test loss.

    Columns: line, seed, epochs (the budget of the lowest loss), test_loss (that loss), optimum (epochs, by a parabola
    in their logarithm through the lowest budget and its neighbours), at_start, at_edge: the smallest (largest)
    budget of the line is its best, so that the optimum may lie before (beyond) it.
    """
    rows = []
    done = students.dropna(subset=["test_loss"]).sort_values("epochs", kind="stable")
    for (line, seed), group in done.groupby(["line", "seed"], sort=False):
        best, last = int(group["test_loss"].argmin()), len(group) - 1
        x, y = np.log2(group["epochs"].to_numpy(float)), group["test_loss"].to_numpy()
        inside = 0 < best < last
        top = _lowest_point(x[best - 1 : best + 2], y[best - 1 : best + 2]) if inside else x[best]
        rows.append((line, seed, group["epochs"].iloc[best], y[best], 2.0**top, best == 0, best == last))
    return pd.DataFrame(rows, columns=["line", "seed", "epochs", "test_loss", "optimum", "at_start", "at_edge"])


def _lowest_point(x: np.ndarray, y: np.ndarray) -> float:
    """Where the parabola through three points, the middle one the lowest, is lowest."""
    curvature, slope, _ = np.polyfit(x - x[1], y, 2)
    return float(x[1] - slope / (2 * curvature)) if curvature > 0 else float(x[1])


def optima_table(best: pd.DataFrame) -> pd.DataFrame:
    """`optima` as a reader wants them: a row per line, a column per seed; at an end of the budgets, a bound."""
    sign = np.where(best["at_edge"], "≥ ", np.where(best["at_start"], "≤ ", ""))
    cells = best.assign(cell=sign + best["optimum"].map("{:.0f}".format))
    wide = cells.pivot(index="line", columns="seed", values="cell").loc[best["line"].unique()]
    return wide.rename(columns="best epochs, seed {}".format).rename_axis(index=None, columns="trained by").fillna("–")


def recorded_students() -> pd.DataFrame:
    """The `lines` of our recorded few-shot students; none while none is recorded."""
    return lines(recorded_runs.or_empty(STUDY, "method", "standard", "scheme", "test_accuracy"))


def recorded_optima() -> pd.DataFrame:
    """The `optima_table` of our recorded students over several budgets, few-shot and of the paper's size."""
    titles = {"20 images per class": (STUDY,), "all images": ("prolonged",)}
    frames = recorded_runs.there(lambda runs: optima_table(optima(lines(runs))), titles)
    named = [frame.rename(index=f"{{}}, {title}".format) for title, frame in frames.items()]
    return pd.concat(named).fillna("–") if named else tables.nothing_yet(recorded_runs.NOT_YET)


def shift(best: pd.DataFrame, weaker: str, stronger: str) -> pd.Series:
    """By how many doublings the optimum of `stronger` lies later than that of `weaker`, by seed."""
    wide = best.pivot(index="seed", columns="line", values="optimum")
    return np.log2(wide[stronger] / wide[weaker]).dropna()


def published() -> pd.DataFrame:
    """What prolonging gains in Tables 1 and 2, in percentage points: dataset, pair, alone (KD), picked (CutMixPick)."""
    frames = []
    for table in tables_1_2.EPOCHS:
        alone = tables_1_2.gains(tables_1_2.Comparison(table, tables_1_2.KD_LONG, (tables_1_2.KD,)))
        picked = tables_1_2.gains(tables_1_2.Comparison(table, tables_1_2.PICK_LONG, (tables_1_2.PICK,)))
        frames.append(alone[["dataset", "pair"]].assign(alone=alone["gain"], picked=picked["gain"]))
    return pd.concat(frames, ignore_index=True)


def published_table() -> pd.DataFrame:
    """`published` as a reader wants it."""
    frame = published()
    label = frame["pair"] + ", " + frame["dataset"].map(tables.DATASETS)
    names = {"pair": "teacher/student", "alone": "prolonging KD (points)", "picked": "prolonging CutMixPick (points)"}
    return tables.table(frame.assign(pair=label), names, 2)


def admits_longer(gains: pd.DataFrame) -> dict[str, stats.PairedTest]:
    """Dataset -> by how much more prolonging gains with CutMixPick than without, over the pairs of `published`."""
    groups = gains.groupby("dataset", sort=False)
    return {dataset: stats.paired_test(group["picked"], group["alone"]) for dataset, group in groups}


def published_in_words() -> str:
    """What prolonging does in Tables 1 and 2: on how many pairs it helps, and by how much more with CutMixPick."""
    frame, told = published(), []
    for dataset, test in admits_longer(frame).items():
        group = frame[frame["dataset"] == dataset]
        told.append(
            f"on {tables.DATASETS[dataset]} it helps plain KD on {(group['alone'] > 0).sum()} of {len(group)} pairs "
            f"and CutMixPick on {(group['picked'] > 0).sum()}, which gains {test.mean:+.2f} points more "
            f"({test.low:.2f} to {test.high:.2f}, {stats.p_text(test.t_p)})"
        )
    return f"Prolonging: {'; '.join(told)}."


def falls(students: pd.DataFrame, line: str) -> pd.Series:
    """By how many points the test error of a line falls from its smallest budget to its largest, by seed."""
    error = students[students["line"] == line].pivot(index="seed", columns="epochs", values="test_error")
    return (error.iloc[:, 0] - error.iloc[:, -1]).dropna() if error.shape[1] > 1 else pd.Series(dtype=float)


def order_in_words(students: pd.DataFrame) -> str:
    """The lines from the lowest mean test error to the highest, at the smallest and at the largest budget."""
    means = students.groupby(["line", "epochs"])["test_error"].mean().unstack()
    ends = {int(epochs): means[epochs].sort_values() for epochs in (means.columns.min(), means.columns.max())}
    told = [
        f"At {epochs} epochs, from the lowest test error: "
        + "; ".join(f"{line} {value:.1f} %" for line, value in order.items())
        for epochs, order in ends.items()
    ]
    edge = optima(students).groupby("line", sort=False)["at_edge"].all()
    return f"{'. '.join(told)}. In {edge.sum()} of {len(edge)} lines the largest budget is the best with every seed."


@plots.style()
def curves(students: pd.DataFrame, value: str) -> plots.Chart:
    """Fig. 2 and 7: `value` ("test_loss" or "test_error") over the budget of epochs, a line per way of training."""
    budgets = sorted(students["epochs"].unique())
    chart = plots.lines_with_bands(students, "epochs", value, "line", "epochs of training", VALUES[value], True)
    (ax,) = chart.axes
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator(budgets))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(ScalarFormatter())
    return chart
