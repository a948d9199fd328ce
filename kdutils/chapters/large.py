"""Large images: how strong the published correlation is on each pair, and what goes with its strength (A.1, Fig. 5)."""

import math

import numpy as np
import pandas as pd

from kdutils import paper, plots, report, stats

CHAPTER = "09_large_images"
LARGE = ("imagenet100", "imagenet")
CLASSES = {"cifar100": 100, "tinyimagenet": 200, "imagenet100": 100, "imagenet": 1000}
ACCOUNTS = {
    "classes": "number of classes",
    "hardness": "S. test loss with Identity (nats)",
    "spread": "spread of S. test loss over the schemes (nats)",
}
"""What might go with the strength of the correlation: columns of `strengths`."""

WEAKER_RULE = "Fisher's z lies below the mean of the 18 smaller pairs, with a 95 % interval, on both (on one: partly)"
SIGNIFICANT_RULE = "Pearson, Spearman and Kendall are positive with p < 5 % (some of them: partly)"
WEAK_RULE = "none of Pearson, Spearman and Kendall has p < 5 %"
HARDER_RULE = (
    "over the 20 pairs r falls with hardness: Spearman's ρ < 0, p < 5 % (ρ > 0, p < 5 %: fails; else cannot tell)"
)


def strengths() -> pd.DataFrame:
    """Pearson's r of T. stddev and S. test loss on all 20 published pairs, with what might explain its size.

    Columns: dataset, pair, r, low, high (Fisher's 95 % interval), p; classes; hardness (S. test loss with Identity);
    spread (unbiased standard deviation of the nine losses); noise (of a scheme's loss from run to run, root mean
    square; NaN where none is printed); reach (the lowest T. stddev in units of Identity's).
    """
    both = pd.concat([paper.pairs(), paper.pairs(large=True)])
    rows = [_strength(*key, group) for key, group in both.groupby(["dataset", "pair"], sort=False)]
    return pd.DataFrame(rows)


def _strength(dataset: str, pair: str, group: pd.DataFrame) -> dict[str, object]:
    found = stats.correlation(group["t_stddev"], group["test_loss"], interval="fisher")
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


def gap(frame: pd.DataFrame, dataset: str, schemes: int = 9) -> tuple[float, float, float]:
    """Fisher's z of a large data set's pair less the mean z of the smaller pairs, with its 95 % interval.

    The variance of one z is 1 / (n - 3) over n schemes. The 18 count as independent, which makes the interval a little
    too narrow.
    """
    z = np.arctanh(frame.set_index("dataset")["r"])
    small = z[~z.index.isin(LARGE)]
    difference = float(z[dataset] - small.mean())
    half = 1.96 * math.sqrt((1 + 1 / len(small)) / (schemes - 3))
    return difference, difference - half, difference + half


def coefficients(dataset: str) -> pd.DataFrame:
    """The three correlations of a large data set's pair, bootstrap intervals too: method, r, p, low, high, n."""
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
    """Pearson's r of every pair with its Fisher interval, a row a pair, a colour a data set."""
    chart = plots.Chart(figsize=(plots.WIDTH, 0.27 * len(frame) + 1.6), layout="constrained")
    ax = chart.subplots()
    rows = frame.reset_index(drop=True)
    for index, (dataset, group) in enumerate(rows.groupby("dataset", sort=False)):
        errors = [group["r"] - group["low"], group["high"] - group["r"]]
        style = {"fmt": "osD*"[index], "color": plots.COLOURS[index], "ms": 9 if index == 3 else 6}
        ax.errorbar(group["r"], group.index, xerr=errors, label=dataset, **style)
    ax.axvline(0, color=plots.INK, lw=1)
    ax.set_yticks(range(len(rows)), rows["pair"], fontsize=10)
    ax.invert_yaxis()
    ax.set_xlabel("Pearson's r of T. stddev and S. test loss, 95 % interval")
    chart.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return chart


@plots.style()
def against(frame: pd.DataFrame) -> plots.Chart:
    """Pearson's r of every pair against hardness and against the spread of the losses, a colour a data set."""
    chart = plots.Chart(figsize=(plots.WIDTH, 6.4), layout="constrained")
    axes = chart.subplots(2, 1, sharey=True)
    for ax, column in zip(axes, ("hardness", "spread"), strict=True):
        for index, (dataset, group) in enumerate(frame.groupby("dataset", sort=False)):
            style = {"marker": "osD*"[index], "color": plots.COLOURS[index], "s": 110 if index == 3 else 45}
            ax.scatter(group[column], group["r"], label=dataset, **style)
        ax.set(xlabel=ACCOUNTS[column], ylabel="Pearson's r")
    axes[1].set_xscale("log")
    axes[1].set_xticks([0.01, 0.02, 0.05, 0.1], ["0.01", "0.02", "0.05", "0.1"])
    chart.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return chart


def verdicts(points: pd.DataFrame, dataset: str, size: str) -> list[report.Verdict]:
    """The chapter's four verdicts, on the published numbers; `points` are this run's, on `dataset`."""
    frame = strengths()
    gaps = {name: gap(frame, name) for name in LARGE}
    hundred, thousand = coefficients("imagenet100"), coefficients("imagenet")
    harder = stats.correlation(frame["hardness"], frame["r"], "spearman", interval="none")
    told = {
        "weaker-on-large-images": (
            "; ".join(f"{d}: z lower by {-m:.2f} ({-h:.2f} to {-lo:.2f})" for d, (m, lo, h) in gaps.items()),
            some_or_all([high < 0 for _, _, high in gaps.values()]),
            WEAKER_RULE,
        ),
        "significant-on-imagenet100": (in_words(hundred), some_or_all(list(_significant(hundred))), SIGNIFICANT_RULE),
        "weak-on-imagenet": (in_words(thousand), "fails" if _significant(thousand).any() else "holds", WEAK_RULE),
        "harder-therefore-weaker": (
            f"ρ of r with hardness: {harder.r:.2f}, {stats.p_text(harder.p)}, n = {harder.n}",
            "cannot tell" if harder.p >= 0.05 else "holds" if harder.r < 0 else "fails",
            HARDER_RULE,
        ),
    }
    statements = paper.claims().set_index("id")["statement"]
    live = stats.correlation(points["t_stddev"], points["test_loss"], interval="none")
    this_run = f"{dataset}: r = {live.r:.2f}, {stats.p_text(live.p)}, n = {live.n}"
    return [
        report.Verdict(
            chapter=CHAPTER,
            claim_ids=(claim,),
            claim=statements[claim],
            paper=text,
            this_run=this_run,
            holds=holds,
            test=rule,
            size=size,
        )
        for claim, (text, holds, rule) in told.items()
    ]


def some_or_all(each: list[bool]) -> str:
    """The word for a claim of several parts: holds, partly or fails."""
    return "holds" if all(each) else "partly" if any(each) else "fails"


def in_words(found: pd.DataFrame) -> str:
    """`Pearson r 0.73 (p = 0.025), ...` of a frame of `coefficients`."""
    return ", ".join(f"{plots.METHOD_LABELS[f.method]} {f.r:.2f} ({stats.p_text(f.p)})" for f in found.itertuples())


def _significant(found: pd.DataFrame) -> pd.Series:
    return (found["p"] < 0.05) & (found["r"] > 0)
