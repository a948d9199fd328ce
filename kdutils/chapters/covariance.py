"""Mean covariance and correlation (Eq. 12-13) beside T. stddev: who breaks the order, and what the covariance is.

The mean over the N x N matrix Cov(P, P) of one batch is the variance, over classes, of the batch's mean probability u.
As u sums to one, its mean over classes is 1/C, and the mean over batches b is, exactly,

    v = 1/(C-1) sum_c [ mean_b (u_bc - mean u_c)^2 + (mean u_c - 1/C)^2 ]

that is the variance whose root T. stddev averages, for a window of one batch, and a *drift*: how far the teacher's
mean probability of a class lies from an equal share.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from kdutils import paper, plots, report, stats
from kdutils.report import tables

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


def red_arrows() -> pd.DataFrame:
    """Is the step of each metric against that of the loss? A row per pair and scheme, a column per metric."""
    return pd.DataFrame({name: arrows(name).set_index(["pair", "scheme"])["against"] for name in METRICS})


def red_arrows_table(red: pd.DataFrame, by: str) -> pd.DataFrame:
    """How many of `red_arrows` each "pair" or "scheme" has, and all together."""
    counts = red.groupby(by, sort=False).sum().rename(columns=METRICS)
    if by == "scheme":
        counts = counts.rename(index=lambda name: f"to {paper.SCHEME_LABELS[name]}")
    whole = pd.concat([counts, counts.sum().to_frame("all together").T])
    return whole.rename_axis(index=None, columns="red arrows")


def steps_against(points: pd.DataFrame) -> pd.DataFrame:
    """The steps of one pair of networks of ours, from each scheme to the next: which metrics go against the loss.

    `points`: a row per scheme, in the order of the paper, with the metrics and test_loss. Columns as in `red_arrows`.
    """
    up = points[[*METRICS, "test_loss"]].diff().iloc[1:] > 0
    return pd.DataFrame({name: up[name] != up["test_loss"] for name in METRICS})


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


def explained_table(found: pd.DataFrame) -> pd.DataFrame:
    """What T. stddev leaves over of a frame of `predicted`, by scheme: the smallest and the largest of the teachers."""
    shares = (found["rest"] / found["covariance"]).groupby(found["scheme"], sort=False).agg(["min", "max"])
    shown = shares.rename(index=paper.SCHEME_LABELS, columns={"min": "smallest share", "max": "largest share"})
    return shown.map("{:.1%}".format).rename_axis(index=None, columns="the rest, by scheme")


def explained_in_words(found: pd.DataFrame) -> str:
    """How much of the published covariances T. stddev accounts for, and what becomes of AutoAugment's anomaly."""
    rows, share = found.set_index(["teacher", "scheme"]), found["rest"] / found["covariance"]
    step = {t: rows.loc[t].loc["autoaugment"] - rows.loc[t].loc["cutout"] for t in rows.index.unique("teacher")}
    told = [
        f"{name}: {part.covariance * 1e6:+.1f} = {part.from_t_stddev * 1e6:+.1f} (T. stddev) "
        f"{part.rest * 1e6:+.1f} (rest)"
        for name, part in step.items()
    ]
    behind = {name: part for name, part in step.items() if part.covariance > 0}
    by_rest = all(part.rest > abs(part.from_t_stddev) or part.from_t_stddev <= 0 for part in behind.values())
    return (
        f"T. stddev accounts for {1 - share.max():.1%} to {1 - share.min():.1%} of the published covariances, and the "
        f"rest is above zero in {(found['rest'] > 0).sum()} of the {len(found)}, as {{eq}}`cov-parts` wants. The "
        f"paper's anomaly, AutoAugment minus Cutout in units of 10⁻⁶: {'; '.join(told)}. Where AutoAugment falls "
        f"behind ({', '.join(behind)}), {'it is' if by_rest else 'it is not'} the rest that puts it there."
    )


def behind(frame: pd.DataFrame, metric: str, scheme: str) -> list[str]:
    """The schemes of a `rank_schemes` frame whose `metric` is larger than that of `scheme`: by it, they are worse."""
    values = frame.set_index("scheme")[metric].dropna()
    return [name for name in values.index if values[name] > values[scheme]]


def published_behind(scheme: str, teacher: str = "resnet56") -> list[str]:
    """The schemes whose mean correlation is larger than that of `scheme` in Table 10."""
    cells = published("mean_correlation").rename(columns={"value": "mean_correlation"})
    return behind(cells[cells["teacher"] == teacher].drop_duplicates("scheme"), "mean_correlation", scheme)


def autoaugment_less_cutout(frame: pd.DataFrame) -> tuple[float, float]:
    """The mean covariance of AutoAugment less that of Cutout in a `rank_schemes` frame, and its standard error."""
    rows = frame.set_index("scheme")
    difference = rows.loc["autoaugment", "mean_covariance"] - rows.loc["cutout", "mean_covariance"]
    return float(difference), float(np.hypot(*rows.loc[["autoaugment", "cutout"], "mean_covariance_se"]))


def anomalies(*rankings: pd.DataFrame) -> str:
    """What the paper says of single schemes of resnet56 in Tables 9 and 10, beside rankings of ours, in words."""
    found = [autoaugment_less_cutout(frame) for frame in rankings]
    z = [difference / error for difference, error in found]
    if min(z) > 2 or max(z) < -2:
        shown = f"**{'as in' if min(z) > 2 else 'against'} the paper**, by more than two standard errors in each run"
    else:
        shown = "not beyond two standard errors in each run, so that its sign cannot be told"
    values = " and ".join(f"{1e6 * value:+.1f} ± {1e6 * error:.1f}" for value, error in found)
    ours = dict.fromkeys(_labels(behind(frame, "mean_correlation", "cutmixpick_t")) for frame in rankings)
    return (
        f"AutoAugment's mean covariance less Cutout's is above zero in the paper. Here it is {values} (10⁻⁶, a value "
        f"per recorded run with its standard error): {shown}. By the mean correlation, behind CutMixPick (T. ent.) "
        f"come {'; in another run '.join(ours)}; in the paper {_labels(published_behind('cutmixpick_t'))}."
    )


def _labels(names: list[str]) -> str:
    return ", ".join(paper.SCHEME_LABELS[name] for name in names)


def take_apart(u: ArrayLike) -> dict[str, float]:
    """From u of single batches [n, C] (`responses.mean_probabilities`): the mean covariance and its two parts, exactly.

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


def noise_table(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """`noise` of several rankings as a reader wants it: a row per ranking and metric."""
    found = pd.concat({title: noise(frame) for title, frame in frames.items()})
    found.index = [f"{title}: {metric}" for title, metric in found.index]
    shown = found.assign(relative_error=found["relative_error"].map("{:.2%}".format))
    names = {"relative_error": "relative error", "separation": "separation (std. errors)"}
    return shown.assign(separation=shown["separation"].map("{:.1f}".format)).rename(columns=names)


def parts_table(parts: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Scheme -> `take_apart`, as a reader wants it: the mean covariance and its two parts in 10^-6."""
    names = {"covariance": "mean covariance (10⁻⁶)", "covariance_se": "its std. error"}
    names |= {"varying": "varies (10⁻⁶)", "drift": "drift (10⁻⁶)"}
    found = pd.DataFrame(parts).T[list(names)] * 1e6
    shown = found.rename(index=paper.SCHEME_LABELS, columns=names).map("{:.1f}".format)
    return shown.rename_axis(index=None, columns="scheme")


def beside_paper(frame: pd.DataFrame) -> pd.DataFrame:
    """The three metrics of a ranking of resnet56 with their errors, each beside what the paper prints for its own."""
    joined, columns = report.beside_paper(frame, "cifar100", "resnet56"), {"scheme": "scheme"}
    units = {"t_stddev": (1e3, "T. stddev (10⁻³)"), "mean_covariance": (1e6, "covariance (10⁻⁶)")}
    units["mean_correlation"] = (1e3, "correlation (10⁻³)")
    for name, (unit, label) in units.items():
        ends = {"": label, "_se": "its std. error", "_paper": f"{label}, paper"}
        for end, title in ends.items():
            joined[name + end] *= unit
            columns[name + end] = title
    return tables.table(joined, columns, 2)


def drift_in_words(frame: pd.DataFrame) -> str:
    """The drift in the mean covariance of a ranking of resnet56: what the variance of u leaves over, by scheme."""
    varying = frame[["var_confidence", "var_coupling", "var_batch"]].sum(axis=1) * BATCHES * 100 / 99
    rest = (1 - varying / frame["mean_covariance"]).set_axis(frame["scheme"].map(paper.SCHEME_LABELS)).dropna()
    error = 2 * (frame["t_stddev_se"] / frame["t_stddev"]).median()
    found = predicted().set_index(["teacher", "scheme"]).loc[("resnet56", "autoaugment")]
    below = int((rest < 0).sum())
    return (
        f"The drift in our mean covariance (what the variance of u leaves over): "
        f"{', '.join(f'{name} {value:.1%}' for name, value in rest.items())}. Each is uncertain by about {error:.1%}, "
        f"and a drift cannot be below zero: {below} of {len(rest)} are, by that noise. For AutoAugment and the paper's "
        f"resnet56 it is {found['rest'] / found['covariance']:.1%}."
    )


@plots.style()
def prediction_chart(frame: pd.DataFrame) -> plots.Chart:
    """`predicted`, a panel per teacher: bars of what T. stddev explains and of the rest, schemes downwards."""
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
