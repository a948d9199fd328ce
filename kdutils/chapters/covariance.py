"""Mean covariance and correlation (Eq. 12-13) beside T. stddev: who breaks the order, and what the covariance is.

The mean over the N x N matrix Cov(P, P) of one batch is the variance, over classes, of the batch's mean probability u.
As u sums to one, its mean over classes is 1/C, and the mean over batches b is, exactly,

    v = 1/(C-1) sum_c [ mean_b (u_bc - mean u_c)^2 + (mean u_c - 1/C)^2 ]

that is the variance whose root T. stddev averages, for a window of one batch, and a *drift*: how far the teacher's
mean answer to a class lies from an equal share.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from kdutils import paper, plots, stats

METRICS = {"t_stddev": "T. stddev", "mean_covariance": "mean covariance", "mean_correlation": "mean correlation"}
SOURCES = {"t_stddev": (3, 4), "mean_covariance": (9,), "mean_correlation": (10,)}
BATCHES = 5  # mini-batches in a window of K = 640


def published(metric: str) -> pd.DataFrame:
    """The six pairs of Tables 9 and 10 with one `metric` beside S. test loss as the same table prints it.

    Columns: pair, teacher, scheme, value (T. stddev in 1e-3), test_loss; schemes in printed order.
    """
    cells = pd.concat([paper.table(number) for number in SOURCES[metric]])
    losses = cells[cells["metric"] == "test_loss"]
    values = cells[cells["metric"] == metric].rename(columns={"mean": "value"})[["teacher", "scheme", "value"]]
    joined = losses.rename(columns={"mean": "test_loss"}).merge(values, on=["teacher", "scheme"])
    joined["pair"] = joined["teacher"] + "/" + joined["student"]
    replicated = paper.table(9)[["teacher", "student"]].apply("/".join, axis=1)
    return joined[joined["pair"].isin(replicated)][["pair", "teacher", "scheme", "value", "test_loss"]]


def arrows(metric: str) -> pd.DataFrame:
    """The paper's arrows: for each pair and scheme but the first, are metric and loss higher than one row above?

    Columns: pair, scheme, up, loss_up (bool), against (they differ: a red arrow in the paper).
    """
    frame = published(metric)
    steps = frame.assign(**frame.groupby("pair")[["value", "test_loss"]].diff()).dropna(subset=["value"])
    up, loss_up = steps["value"] > 0, steps["test_loss"] > 0
    return steps[["pair", "scheme"]].assign(up=up, loss_up=loss_up, against=up != loss_up)


def predicted() -> pd.DataFrame:
    """The published mean covariance of each teacher and scheme, and what the published T. stddev makes of it.

    Columns: teacher, scheme, covariance (Table 9), from_t_stddev = 5 C/(C-1) T. stddev^2, rest. The rest is the drift,
    and what is lost by squaring a mean of roots: both are at least zero, but for the digits printed.
    """
    first, second = (published(name).drop_duplicates(["teacher", "scheme"]) for name in ("mean_covariance", "t_stddev"))
    frame = first.merge(second[["teacher", "scheme", "value"]], on=["teacher", "scheme"], suffixes=("", "_t"))
    frame = frame.assign(covariance=frame["value"], from_t_stddev=BATCHES * 100 / 99 * (frame["value_t"] * 1e-3) ** 2)
    frame["rest"] = frame["covariance"] - frame["from_t_stddev"]
    return frame[["teacher", "scheme", "covariance", "from_t_stddev", "rest"]]


def behind(frame: pd.DataFrame, metric: str, scheme: str) -> list[str]:
    """The schemes of a `rank_schemes` frame whose `metric` is larger than that of `scheme`: by it, they are worse."""
    values = frame.set_index("scheme")[metric].dropna()
    return [name for name in values.index if values[name] > values[scheme]]


def published_behind(scheme: str, teacher: str = "resnet56") -> list[str]:
    """The schemes whose mean correlation is larger than that of `scheme` in Table 10."""
    cells = published("mean_correlation").rename(columns={"value": "mean_correlation"})
    return behind(cells[cells["teacher"] == teacher].drop_duplicates("scheme"), "mean_correlation", scheme)


def anomalies(frame: pd.DataFrame) -> str:
    """What the paper says of single schemes of resnet56 in Tables 9 and 10, beside a ranking of ours, in words."""
    agrees = "autoaugment" in behind(frame, "mean_covariance", "cutout")
    rows = frame.set_index("scheme").loc[["autoaugment", "cutout"]]
    errors = abs(rows["mean_covariance"].diff().iloc[1]) / rows["mean_covariance_se"].pow(2).sum() ** 0.5
    ours = _labels(behind(frame, "mean_correlation", "cutmixpick_t"))
    return (
        f"**{'As in' if agrees else 'Against'} the paper**, AutoAugment's mean covariance is here "
        f"{'above' if agrees else 'below'} Cutout's, by {errors:.1f} standard errors of a difference; the paper's is "
        f"above. By the mean correlation, behind CutMixPick (T. ent.) come {ours}; in the paper "
        f"{_labels(published_behind('cutmixpick_t'))}."
    )


def _labels(names: list[str]) -> str:
    return ", ".join(paper.SCHEME_LABELS[name] for name in names)


def take_apart(u: ArrayLike) -> dict[str, float]:
    """From u of single batches [n, C] (`views.mean_probabilities`): the mean covariance and its two parts, exactly.

    Keys: covariance, covariance_se, varying, drift (these two add up to it); t_stddev_1 and t_stddev_5, for windows of
    one batch and of five, each with its _se.
    """
    u = np.asarray(u, float)
    classes = u.shape[1]
    each = u.var(axis=1, ddof=1)  # v of every batch, Eq. 12
    five = u[: len(u) // BATCHES * BATCHES].reshape(-1, BATCHES, classes).mean(axis=1)
    return {
        "covariance": each.mean(),
        "covariance_se": each.std(ddof=1) / len(u) ** 0.5,
        "varying": u.var(axis=0).sum() / (classes - 1),
        "drift": ((u.mean(axis=0) - 1 / classes) ** 2).sum() / (classes - 1),
        "t_stddev_1": u.std(axis=0, ddof=1).mean(),
        "t_stddev_1_se": stats.stddev_standard_error(u),
        "t_stddev_5": five.std(axis=0, ddof=1).mean(),
        "t_stddev_5_se": stats.stddev_standard_error(five),
    }


def noise(frame: pd.DataFrame) -> pd.DataFrame:
    """How noisy each metric of a `rank_schemes` frame is, all at the cost of that one pass.

    Index: metric. Columns: relative_error, the median over schemes of standard error / value; separation, the standard
    deviation of the values over schemes in units of the root mean square error: how well the schemes are told apart.
    """
    rows = {}
    for metric, label in METRICS.items():
        found = frame[[metric, f"{metric}_se"]].dropna()
        value, error = found[metric], found[f"{metric}_se"]
        rows[label] = {
            "relative_error": (error / value).median(),
            "separation": value.std(ddof=1) / (error**2).mean() ** 0.5,
        }
    return pd.DataFrame(rows).T


@plots.style()
def prediction_chart(frame: pd.DataFrame) -> plots.Chart:
    """`predicted`, a panel a teacher: bars of what T. stddev explains and of the rest, schemes downwards."""
    teachers = list(frame["teacher"].unique())
    chart = plots.Chart(figsize=(plots.WIDTH, 1.2 + 2.4 * len(teachers)), layout="constrained")
    axes = chart.subplots(len(teachers), 1, sharex=True, squeeze=False).ravel()
    for ax, teacher in zip(axes, teachers, strict=True):
        rows = frame[frame["teacher"] == teacher]
        names = [paper.SCHEME_LABELS[name] for name in rows["scheme"]]
        ax.barh(names, rows["from_t_stddev"], color=plots.COLOURS[0], label="from T. stddev")
        ax.barh(names, rows["rest"], left=rows["from_t_stddev"], color=plots.COLOURS[1], label="the rest")
        ax.invert_yaxis()
        ax.grid(visible=False, axis="y")
        ax.tick_params(axis="y", labelsize=9.5)
        ax.set_title(teacher, loc="left")
    axes[-1].set_xlabel("mean covariance, as published")
    axes[-1].ticklabel_format(axis="x", scilimits=(-3, 3))
    chart.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return chart
