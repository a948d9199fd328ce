"""Large images: how strong the published correlation is on each pair, and what goes with its strength (A.1, Fig. 5)."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm
from scipy.stats import t as student_t

from kdutils import paper, plots, stats
from kdutils.report import few_shot, recorded_runs, tables

LARGE = ("imagenet100", "imagenet")
STUDY, RANKING = "few_large", "few_large_rank"  # recorded: our students at 128 pixels, and their teacher
CLASSES = {"cifar100": 100, "tinyimagenet": 200, "imagenet100": 100, "imagenet": 1000}
ACCOUNTS = {
    "classes": "number of classes",
    "hardness": "S. test loss with Identity (nats)",
    "spread": "spread of S. test loss over the schemes (nats)",
}
"""What might go with the strength of the correlation: columns of `strengths`."""


class Gap(NamedTuple):
    """A difference of Fisher's z with its 95 % interval and two-sided p-value."""

    difference: float
    low: float
    high: float
    p: float


def strengths() -> pd.DataFrame:
    """Pearson's r of T. stddev and S. test loss on all 20 published pairs, with what might explain its size.

    Columns: dataset, pair, r, low, high (Fisher's 95 % interval), p; classes; hardness (S. test loss with Identity);
    spread (unbiased standard deviation of the nine losses); noise (of a scheme's loss from run to run, root mean
    square; NaN if none is printed); reach (the lowest T. stddev in units of Identity's).
    """
    both = pd.concat([paper.pairs(), paper.pairs(large=True)])
    rows = [_strength(*key, group) for key, group in both.groupby(["dataset", "pair"], sort=False)]
    return pd.DataFrame(rows)


def _strength(dataset: str, pair: str, group: pd.DataFrame) -> dict[str, object]:
    found = stats.correlation(group["t_stddev"], group["test_loss"])
    identity = group.set_index("scheme").loc["identity"]
    return {
        "dataset": dataset,
        "pair": pair,
        "r": found.r,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "classes": CLASSES[dataset],
        "hardness": identity["test_loss"],
        "spread": group["test_loss"].std(ddof=1),
        "noise": float(np.sqrt((group["test_loss_std"] ** 2).mean())),
        "reach": group["t_stddev"].min() / identity["t_stddev"],
    }


def gap(frame: pd.DataFrame, dataset: str) -> Gap:
    """Fisher's z of a large dataset's pair less the mean z of the smaller pairs.

    How much a single pair may differ from their mean is taken from the spread that the smaller pairs have themselves,
    by Student's t: it holds what differs from pair to pair as well as the noise of nine schemes. The smaller pairs
    count as independent, though some share a teacher.
    """
    z = np.arctanh(frame.set_index("dataset")["r"])
    small = z[~z.index.isin(LARGE)]
    difference = float(z[dataset] - small.mean())
    error, freedom = float(small.std(ddof=1)) * math.sqrt(1 + 1 / len(small)), len(small) - 1
    half = float(student_t.ppf(0.975, freedom)) * error
    p = 2 * float(student_t.sf(abs(difference) / error, freedom))
    return Gap(difference, difference - half, difference + half, p)


def coefficients(dataset: str) -> pd.DataFrame:
    """The three correlations of a large dataset's pair, intervals by Fisher's z: method, r, p, low, high, n."""
    group = paper.pairs(large=True).query("dataset == @dataset")
    methods = ("pearson", "spearman", "kendall")
    return stats.correlations(group, ["dataset"], "t_stddev", "test_loss", methods).drop(columns="dataset")


def accounts(frame: pd.DataFrame) -> pd.DataFrame:
    """Spearman's correlation of r with each of `ACCOUNTS` over the pairs: columns account, rho, p, n."""
    rows = []
    for column, meaning in ACCOUNTS.items():
        found = stats.correlation(frame[column], frame["r"], "spearman", interval="none")
        rows.append((meaning, found.r, found.p, found.n))
    return pd.DataFrame(rows, columns=["account", "rho", "p", "n"])


@plots.style()
def ladder(frame: pd.DataFrame) -> plots.Chart:
    """Pearson's r of every pair with its Fisher interval, a row per pair, a colour per dataset."""
    chart = plots.Chart(figsize=(plots.WIDTH, 0.27 * len(frame) + 1.6), layout="constrained")
    ax = chart.subplots()
    rows = frame.reset_index(drop=True)
    for index, (dataset, group) in enumerate(rows.groupby("dataset", sort=False)):
        errors = [group["r"] - group["low"], group["high"] - group["r"]]
        style = {"fmt": "osD*"[index], "color": plots.COLOURS[index], "ms": 9 if index == 3 else 6}
        ax.errorbar(group["r"], group.index, xerr=errors, label=tables.DATASETS[dataset], **style)
    ax.axvline(0, color=plots.INK, lw=1)
    ax.set_yticks(range(len(rows)), rows["pair"], fontsize=10)
    ax.invert_yaxis()
    ax.set_xlabel("Pearson's r of T. stddev and S. test loss, 95 % interval")
    chart.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return chart


@plots.style()
def against(frame: pd.DataFrame) -> plots.Chart:
    """Pearson's r of every pair against hardness and against the spread of the losses, a colour per dataset."""
    chart = plots.Chart(figsize=(plots.WIDTH, 6.4), layout="constrained")
    axes = chart.subplots(2, 1, sharey=True)
    for ax, column in zip(axes, ("hardness", "spread"), strict=True):
        for index, (dataset, group) in enumerate(frame.groupby("dataset", sort=False)):
            style = {"marker": "osD*"[index], "color": plots.COLOURS[index], "s": 110 if index == 3 else 45}
            ax.scatter(group[column], group["r"], label=tables.DATASETS[dataset], **style)
        ax.set(xlabel=ACCOUNTS[column], ylabel="Pearson's r")
    axes[1].set_xscale("log")
    axes[1].set_xticks([0.01, 0.02, 0.05, 0.1], ["0.01", "0.02", "0.05", "0.1"])
    chart.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return chart


def gaps_in_words(gaps: dict[str, Gap]) -> str:
    """`ImageNet100: z lower by 0.96 (-0.23 to 2.14, p = 0.11); ...`"""
    return "; ".join(
        f"{tables.DATASETS[name]}: z lower by {-found.difference:.2f} ({-found.high:.2f} to {-found.low:.2f}, "
        f"{stats.p_text(found.p)})"
        for name, found in gaps.items()
    )


def in_words(found: pd.DataFrame) -> str:
    """`Pearson r 0.73 (p = 0.025), ...` of a frame of `coefficients`."""
    return ", ".join(f"{plots.METHOD_LABELS[f.method]} {f.r:.2f} ({stats.p_text(f.p)})" for f in found.itertuples())


def study() -> pd.DataFrame:
    """The points of our own study of photographs at 128 pixels, of those schemes that are recorded."""
    found = recorded_runs.there(few_shot.beside_students, {STUDY: (RANKING, STUDY)})
    return found.get(STUDY, pd.DataFrame(columns=["scheme"]))


def less_than_few_shot(points: pd.DataFrame, few: pd.DataFrame) -> Gap:
    """Fisher's z of the correlation over `points` less that of the few-shot study on CIFAR-100."""
    first, second = (stats.correlation(each["t_stddev"], each["test_loss"]) for each in (points, few))
    difference = math.atanh(first.r) - math.atanh(second.r)
    error = math.sqrt(1 / (first.n - 3) + 1 / (second.n - 3))
    half = float(norm.ppf(0.975)) * error
    return Gap(difference, difference - half, difference + half, 2 * float(norm.sf(abs(difference) / error)))


def coefficients_table() -> pd.DataFrame:
    """The `coefficients` of both large datasets as a reader wants them: a row per dataset and method."""
    both = pd.concat([coefficients(name).assign(dataset=name) for name in LARGE])
    label = both["dataset"].map(tables.DATASETS) + ", " + both["method"].map(plots.METHOD_LABELS)
    columns = {"what": "correlation", "r": "coefficient", "low": "95 % from", "high": "to", "p": "p", "n": "schemes"}
    return tables.table(both.assign(what=label), columns, {"r": 2, "low": 2, "high": 2})


def weakest(frame: pd.DataFrame) -> pd.DataFrame:
    """The three pairs with the lowest r of a frame of `strengths`, as a table."""
    rows = frame.nsmallest(3, "r").sort_index()
    columns = {
        "what": "teacher/student",
        "r": "Pearson's r",
        "spread": "spread over schemes (nats)",
        "noise": "noise of a scheme (nats)",
        "reach": "lowest T. stddev / Identity's",
    }
    named = rows.assign(what=rows["pair"] + ", " + rows["dataset"].map(tables.DATASETS))
    return tables.table(named, columns, {"r": 2, "reach": 2})


def hardness_in_words(frame: pd.DataFrame) -> str:
    """What a frame of `strengths` says of hardness, classes and spread as accounts of a weak correlation."""
    by_data = frame.groupby("dataset", sort=False)["hardness"].mean()
    lowest, flattest = (set(frame.nsmallest(3, column).index) for column in ("r", "spread"))
    names = ", ".join(f"{s.pair} on {tables.DATASETS[s.dataset]}" for s in frame.loc[sorted(lowest)].itertuples())
    told = {row.account: f"ρ = {row.rho:.2f} ({stats.p_text(row.p)})" for row in accounts(frame).itertuples()}
    hard, classes, spread = (
        told[meaning] for meaning in (ACCOUNTS[name] for name in ("hardness", "classes", "spread"))
    )
    order = "below" if by_data[list(LARGE)].max() < by_data["tinyimagenet"] else "not below"
    return (
        f"By the student's loss ImageNet100 ({by_data['imagenet100']:.2f}) and ImageNet ({by_data['imagenet']:.2f}) "
        f"are {order} Tiny ImageNet (mean {by_data['tinyimagenet']:.2f} nats). Over the 20 pairs r goes with hardness "
        f"by {hard}, with the number of classes by {classes}, with the spread of the losses by {spread}. The three "
        f"lowest r belong to {names}; {len(lowest & flattest)} of these are among the three pairs of smallest spread."
    )
