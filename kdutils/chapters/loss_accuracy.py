"""Test loss beside test accuracy: where they disagree about two schemes, and how much of a loss is calibration."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import ttest_ind_from_stats
from statsmodels.formula.api import ols
from torch import Tensor, nn

from kdutils import paper, plots, views
from kdutils.data import Dataset

ROWS = {"KD": "identity", "KD+CutMix": "cutmix", "KD+CutMixPick": "cutmixpick_t"}
"""Rows of Tables 1 and 2 (240 epochs) -> the scheme of Tables 3 to 6 beside it. "KD" sees x once, Identity twice."""
RUNS = 3  # behind each value of Tables 1 to 6
CLEAR = 0.05  # level of Welch's tests


def published() -> pd.DataFrame:
    """The 14 pairs and three schemes of which the paper prints T. stddev, S. test loss and S. test accuracy.

    Columns: dataset, pair, scheme, t_stddev (1e-3), test_loss (nats) and test_accuracy (%) with _std, n (Tables 1-6).
    """
    cells = pd.concat([paper.table(1), paper.table(2)])
    cells = cells[(cells["metric"] == "test_accuracy") & (cells["epochs"] == 240) & cells["label"].isin(list(ROWS))]
    accuracies = cells.assign(scheme=cells["label"].map(ROWS))[
        ["dataset", "teacher", "student", "scheme", "mean", "std"]
    ]
    accuracies = accuracies.rename(columns={"mean": "test_accuracy", "std": "test_accuracy_std"})
    joined = paper.pairs().merge(accuracies, on=["dataset", "teacher", "student", "scheme"])
    return joined.drop(columns=["teacher", "student", "t_stddev_std"]).assign(n=RUNS)


def comparisons(points: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Every two schemes of each group: what the one with the lower test loss does to loss and accuracy.

    `points` has scheme, test_loss and test_accuracy, each with its _std over n runs. Columns: the `by` columns, better
    (by loss), worse, loss (never positive) and accuracy (better - worse) with their standard errors loss_se and
    accuracy_se, disagree (the accuracy falls) and clear (both differ at 5 % by Welch's test: of two or three runs, two
    standard errors are no evidence).
    """
    groups = points.groupby(list(by), sort=False) if by else [((), points)]
    rows = []
    for key, group in groups:
        for first, second in combinations(group.itertuples(), 2):
            better, worse = (first, second) if first.test_loss <= second.test_loss else (second, first)
            loss_se = np.hypot(better.test_loss_std / better.n**0.5, worse.test_loss_std / worse.n**0.5)
            accuracy_se = np.hypot(better.test_accuracy_std / better.n**0.5, worse.test_accuracy_std / worse.n**0.5)
            loss, accuracy = better.test_loss - worse.test_loss, better.test_accuracy - worse.test_accuracy
            clear = all(_welch_p(better, worse, name) < CLEAR for name in ("test_loss", "test_accuracy"))
            rows.append((*key, better.scheme, worse.scheme, loss, loss_se, accuracy, accuracy_se, accuracy < 0, clear))
    columns = ["better", "worse", "loss", "loss_se", "accuracy", "accuracy_se", "disagree", "clear"]
    return pd.DataFrame(rows, columns=[*by, *columns])


def _welch_p(first: tuple, second: tuple, name: str) -> float:
    """Welch's two-sided p-value for a mean over runs of two rows of `comparisons`' points; NaN for single runs."""
    sides = [(getattr(row, name), getattr(row, f"{name}_std"), row.n) for row in (first, second)]
    if min(first.n, second.n) < 2:
        return math.nan
    return float(ttest_ind_from_stats(*sides[0], *sides[1], equal_var=False).pvalue)


def within_pairs(points: pd.DataFrame, y: str) -> tuple[float, float]:
    """Slope of `y` on T. stddev inside the pairs (each pair its own level), and its two-sided p-value.

    Pairs that share a teacher share their T. stddev, so the errors are clustered by teacher and data set.
    """
    points = points.assign(level=points["dataset"] + points["pair"])
    teachers = (points["dataset"] + points["pair"].str.split("/").str[0]).astype("category").cat.codes
    fit = ols(f"{y} ~ t_stddev + C(level)", points).fit(
        cov_type="cluster", cov_kwds={"groups": teachers.to_numpy()}, use_t=True
    )
    return float(fit.params["t_stddev"]), float(fit.pvalues["t_stddev"])


class Tempered(NamedTuple):
    """Test loss in nats as it is, and at the best single factor on all logits, which changes no answer."""

    loss: float
    calibrated: float
    factor: float


def tempered(logits: Tensor, labels: Tensor) -> Tempered:
    """How much of the cross-entropy of `logits` [N, C] a single factor on them would take away.

    The factor that minimises the loss on these very images, so `calibrated` is a lower limit (Guo et al., 2017).
    """

    def loss(log_factor: float) -> float:
        return float(torch.nn.functional.cross_entropy(np.exp(log_factor) * logits.double(), labels))

    best = minimize_scalar(loss, bounds=(-4, 4), method="bounded")
    return Tempered(loss(0.0), float(best.fun), float(np.exp(best.x)))


def tempered_on(network: nn.Module, dataset: Dataset) -> Tempered:
    """`tempered` of a network on the data set's test images."""
    images, labels = dataset.test.batch(torch.arange(len(dataset.test)))
    return tempered(views.read_logits(views.reader(network), dataset, images), labels)


@plots.style()
def quadrants(panels: dict[str, pd.DataFrame]) -> plots.Chart:
    """`comparisons` drawn, a panel each: the loss that the better scheme saves, and the accuracy that it gains.

    Below zero accuracy is lost although loss is saved: red, filled where both are clear.
    """
    chart = plots.Chart(figsize=(plots.WIDTH, 2.1 + 1.9 * len(panels)), layout="constrained")
    for ax, (name, found) in zip(chart.subplots(len(panels), 1, squeeze=False).ravel(), panels.items(), strict=True):
        ax.axhline(0, color=plots.INK, lw=1)
        for row in found.itertuples():
            colour = plots.ACCENT if row.disagree else plots.COLOURS[0]
            ax.errorbar(
                -row.loss, row.accuracy, row.accuracy_se, row.loss_se, "o", color=colour, elinewidth=0.7,
                ms=7 if row.disagree else 5, mfc=colour if row.clear else "none",
            )  # fmt: skip
        ax.set(xlabel="loss saved (nats)", ylabel="accuracy gained (points)")
        ax.set_title(f"{name}: {found['disagree'].sum()} of {len(found)} disagree", loc="left")
    return chart
