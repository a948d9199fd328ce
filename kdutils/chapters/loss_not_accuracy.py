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

from kdutils import paper, plots, stats
from kdutils.data import Dataset
from kdutils.metrics import responses
from kdutils.report import few_shot, tables

ROWS = {"KD": "identity", "KD+CutMix": "cutmix", "KD+CutMixPick": "cutmixpick_t"}
"""Rows of Tables 1 and 2 (240 epochs) -> the scheme of Tables 3 to 6 beside it. "KD" sees x once, Identity twice."""
RUNS = 3  # behind each value of Tables 1 to 6
CLEAR = 0.05  # level of Welch's tests
QUANTITIES = {"test_loss": "S. test loss", "test_accuracy": "S. accuracy"}


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
    accuracy_se, disagree (the accuracy falls), p (Welch's test, the larger of loss and accuracy: of two or three
    runs, two standard errors are no evidence) and clear (p < 5 %).
    """
    groups = points.groupby(list(by), sort=False) if by else [((), points)]
    rows = []
    for key, group in groups:
        for first, second in combinations(group.itertuples(), 2):
            better, worse = (first, second) if first.test_loss <= second.test_loss else (second, first)
            loss_se = np.hypot(better.test_loss_std / better.n**0.5, worse.test_loss_std / worse.n**0.5)
            accuracy_se = np.hypot(better.test_accuracy_std / better.n**0.5, worse.test_accuracy_std / worse.n**0.5)
            loss, accuracy = better.test_loss - worse.test_loss, better.test_accuracy - worse.test_accuracy
            p = np.maximum(*(_welch_p(better, worse, name) for name in ("test_loss", "test_accuracy")))
            rows.append((*key, better.scheme, worse.scheme, loss, loss_se, accuracy, accuracy_se, accuracy < 0, p))
    columns = ["better", "worse", "loss", "loss_se", "accuracy", "accuracy_se", "disagree", "p"]
    found = pd.DataFrame(rows, columns=[*by, *columns])
    return found.assign(clear=found["p"] < CLEAR)


def studies(live: pd.DataFrame, dataset: str) -> dict[str, pd.DataFrame]:
    """Title -> the points of a study of all schemes: our recorded few-shot one, if it is there, and this run's."""
    study = few_shot.study()
    recorded = {"our few-shot study, CIFAR-100": study} if len(study) else {}
    return {**recorded, f"this run, {dataset}": live}


def panels(live: pd.DataFrame, dataset: str) -> dict[str, pd.DataFrame]:
    """Title -> `comparisons`: of the published pairs, and of each of `studies`."""
    found = {"published, 14 pairs": comparisons(published(), ["dataset", "pair"])}
    return found | {title: comparisons(points) for title, points in studies(live, dataset).items()}


def disagreeing(found: pd.DataFrame) -> pd.DataFrame:
    """The `comparisons` of published pairs in which loss and accuracy disagree, as a table."""
    rows = found[found["disagree"]]
    label = rows["pair"] + ", " + rows["dataset"].map(tables.DATASETS)
    columns = {
        "what": "teacher/student",
        "better": "lower loss",
        "worse": "higher loss",
        "loss": "loss less (nats)",
        "loss_se": "std. error",
        "accuracy": "accuracy less (points)",
        "accuracy_se": "std. error ",
        "p": "p of both",
    }
    shown = tables.table(rows.assign(what=label), columns, {"accuracy": 2, "accuracy_se": 2})
    return shown.replace(paper.SCHEME_LABELS)


def in_words(found: dict[str, pd.DataFrame]) -> str:
    """How many comparisons of each panel disagree, as a list."""
    lines = [
        f"- {title}: {each['disagree'].sum()} of {len(each)} comparisons disagree, "
        f"{(each['disagree'] & each['clear']).sum()} of them clearly."
        for title, each in found.items()
    ]
    return "\n".join(lines)


def correlations(points: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Pearson's r of T. stddev with test loss and with test accuracy, a row per study and quantity, as a table."""
    rows = [
        {"what": f"{title}: {name}", **stats.correlation(frame["t_stddev"], frame[column])._asdict()}
        for title, frame in points.items()
        for column, name in QUANTITIES.items()
    ]
    columns = {"what": "T. stddev with", "r": "Pearson's r", "low": "95 % from", "high": "to", "p": "p", "n": "schemes"}
    return tables.table(pd.DataFrame(rows), columns, {"r": 2, "low": 2, "high": 2})


def slopes() -> pd.DataFrame:
    """The slopes `within_pairs` of the published numbers, as a table."""
    units = {"test_loss": "S. test loss (nats)", "test_accuracy": "S. accuracy (points)"}
    rows = [(units[name], *within_pairs(published(), name)) for name in QUANTITIES]
    found = pd.DataFrame(rows, columns=["what", "slope", "p"])
    return tables.table(found, {"what": "quantity", "slope": "per 10⁻³ of T. stddev", "p": "p"})


def _welch_p(first: tuple, second: tuple, name: str) -> float:
    """Welch's two-sided p-value for a mean over runs of two rows of `comparisons`' points; NaN for single runs."""
    sides = [(getattr(row, name), getattr(row, f"{name}_std"), row.n) for row in (first, second)]
    if min(first.n, second.n) < 2:
        return math.nan
    return float(ttest_ind_from_stats(*sides[0], *sides[1], equal_var=False).pvalue)


def within_pairs(points: pd.DataFrame, y: str) -> tuple[float, float]:
    """Slope of `y` on T. stddev inside the pairs (each pair its own level), and its two-sided p-value.

    Pairs that share a teacher share their T. stddev, so the errors are clustered by teacher and dataset.
    """
    points = points.assign(level=points["dataset"] + points["pair"])
    teachers = (points["dataset"] + points["pair"].str.split("/").str[0]).astype("category").cat.codes
    fit = ols(f"{y} ~ t_stddev + C(level)", points).fit(
        cov_type="cluster", cov_kwds={"groups": teachers.to_numpy()}, use_t=True
    )
    return float(fit.params["t_stddev"]), float(fit.pvalues["t_stddev"])


class Tempered(NamedTuple):
    """Test loss in nats as it is, and at the best single factor on all logits, which changes no prediction."""

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
    """`tempered` of a network on the dataset's test images."""
    images, labels = dataset.test.batch(torch.arange(len(dataset.test)))
    return tempered(responses.read_logits(responses.reader(network), dataset, images), labels)


@plots.style()
def quadrants(panels: dict[str, pd.DataFrame]) -> plots.Chart:
    """`comparisons` drawn, one panel each: the loss that the better scheme saves, and the accuracy that it gains.

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
