"""Figures and tables of Proposition 3.1 and of its assumption, what they say in words, and chapter 1's verdict."""

import numpy as np
import pandas as pd
from scipy.stats import chi2

from kdutils import report
from kdutils.paper import SCHEME_LABELS
from kdutils.plots import COLOURS, WIDTH, Chart, bars_with_errors, mark, style
from kdutils.report import Finding, Verdict, plus_minus
from kdutils.theory import STRUCTURES, variance_of_mean

ELEMENT_LABEL = "1 + (N − 1) × mean correlation"
GAP_LABEL = "E[(R_S − R_D)²] (nats²)"


@style()
def gap_lines(curves: pd.DataFrame, losses: np.ndarray, n: int) -> Chart:
    """`theory.gap_curves` as dots with two standard errors on the lines of Eq. 7.

    Left against each structure's rho; right against 1 + (n - 1) x mean correlation, where all lines are one.
    """
    chart = Chart(figsize=(WIDTH, 4.4), layout="constrained")
    left, right = chart.subplots(1, 2, sharey=True)
    rhos = np.linspace(0, 1, 101)
    for colour, (name, curve) in zip(COLOURS, curves.groupby("structure", sort=False), strict=False):
        structure = STRUCTURES[name]
        line = [variance_of_mean(losses.var(), structure.correlation(n, rho)) for rho in rhos]
        left.plot(rhos, line, color=colour, label=structure.label)
        for ax, x in ((left, curve["rho"]), (right, 1 + (n - 1) * curve["mean_correlation"])):
            ax.errorbar(x, curve["simulated"], 2 * curve["se"], fmt="o", ms=4, capsize=3, color=colour)
    right.plot([1, n], [losses.var() / n, losses.var()], color="#6e6e6e", zorder=0)
    left.set(xlabel="correlation ρ", ylabel=GAP_LABEL, yscale="log")
    right.set(xlabel=ELEMENT_LABEL, xscale="log")
    chart.legend(loc="outside upper center", ncols=2)
    return chart


def spread_and_bias(table: pd.DataFrame) -> Chart:
    """Standard deviation and bias of R_S for each scheme of a `risk.bias_and_variance` table, in nats."""
    spread = np.sqrt(table["variance"])
    parts = {
        "standard deviation of R_S": (spread, table["variance_se"] / (2 * spread)),
        "bias of R_S": (table["bias"], table["bias_se"]),
    }
    rows = [
        pd.DataFrame({"scheme": table["scheme"], "part": part, "value": value, "error": error})
        for part, (value, error) in parts.items()
    ]
    return bars_with_errors(pd.concat(rows), "value", "error", hue="part", label="nats")


@style()
def course(table: pd.DataFrame) -> Chart:
    """Variance over the first scheme's, and bias, of every scheme from predictor to predictor (`risk.compare`)."""
    chart = Chart(figsize=(WIDTH, 7.4), layout="constrained")
    above, below = chart.subplots(2, 1, sharex=True)
    predictors = list(table["predictor"].drop_duplicates())
    for scheme, rows in table.groupby("scheme", sort=False):
        look = {"color": mark(scheme).colour, "marker": mark(scheme).marker, "ms": 7, "lw": 1, "capsize": 2}
        position = [predictors.index(name) for name in rows["predictor"]]
        label = SCHEME_LABELS.get(scheme, scheme)
        above.errorbar(position, rows["variance_ratio"], rows["variance_ratio_se"], **look, label=label)
        below.errorbar(position, rows["bias"], rows["bias_se"], **look)
    first = SCHEME_LABELS.get(table["scheme"].iloc[0], table["scheme"].iloc[0])
    above.set(ylabel=f"variance / {first}'s", yscale="log")
    below.set(ylabel="bias (nats)")
    below.set_xticks(range(len(predictors)), [name.replace(" ", "\n", 1) for name in predictors])
    chart.legend(loc="outside upper center", ncols=3)
    return chart


def parts_table(table: pd.DataFrame) -> pd.DataFrame:
    """A `risk.bias_and_variance` table as a reader wants it: a row per scheme, each number with its standard error."""
    labels = [SCHEME_LABELS.get(name, name) for name in table["scheme"]]
    share = (table["squared_bias"] / table["gap"]).clip(lower=0)
    columns = {
        "variance (10⁻³ nats²)": ("variance", 1e3),
        f"over {labels[0]}'s": ("variance_ratio", 1),
        "bias (10⁻³ nats)": ("bias", 1e3),
    }
    shown = {
        label: [plus_minus(scale * v, scale * e) for v, e in zip(table[name], table[f"{name}_se"], strict=True)]
        for label, (name, scale) in columns.items()
    }
    shown["bias² in the gap"] = [f"{part:.0%}" for part in share]
    return pd.DataFrame(shown, index=labels).rename_axis(columns="scheme")


def z_table(curves: pd.DataFrame) -> pd.DataFrame:
    """By how many standard errors the simulated gap departs from the exact one: correlation x structure."""
    wide = curves.pivot(index="rho", columns="structure", values="z").map("{:+.2f}".format)
    return wide.rename(columns={name: each.label for name, each in STRUCTURES.items()}).rename_axis(None, columns="ρ")


def in_words(parts: pd.DataFrame) -> str:
    """What CutMix and CutMixPick (T. ent.) do to the two parts of the gap (`risk.bias_and_variance`)."""
    rows = parts.set_index("scheme")
    cutmix, pick = rows.loc["cutmix"], rows.loc["cutmixpick_t"]
    larger = [SCHEME_LABELS[name] for name in rows.index if rows.loc[name, "gap"] > rows.loc["identity", "gap"]]
    most = rows["gap"].idxmax()
    return (
        f"Under CutMix the squared bias makes up {cutmix.squared_bias / cutmix.gap:.0%} of the gap. CutMix multiplies "
        f"the variance of Identity by {plus_minus(cutmix.variance_ratio, cutmix.variance_ratio_se)}, CutMixPick (T. "
        f"ent.) by {plus_minus(pick.variance_ratio, pick.variance_ratio_se)}. {len(larger)} of {len(rows) - 1} "
        f"schemes have a larger gap than Identity; the largest is that of {SCHEME_LABELS[most]}."
    )


def verdicts(curves: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """Chapter 1's verdict: the theorem, and its simulation (`theory.gap_curves`) with the losses of `dataset`."""
    rising = curves.sort_values("mean_correlation").groupby("structure")["exact"]
    proved = Finding(
        by="theorem",
        says="holds" if rising.apply(lambda gaps: gaps.is_monotonic_increasing and gaps.is_unique).all() else "fails",
        numbers="the gap is Var[q]/N times 1 + (N − 1) × mean correlation, whatever the loss",
        test="a proof in two lines (Eq. 5 to 7)",
    )
    return [report.verdict_on("proposition", proved, simulated(curves, dataset, size))]


def simulated(curves: pd.DataFrame, dataset: str, size: str) -> Finding:
    """Whether the simulated gaps lie on the theorem's line and rise along it."""
    agreement = chi2.sf((curves["z"] ** 2).sum(), len(curves))
    ends = curves.groupby("structure")[["simulated", "se"]].agg(["first", "last"])
    rise = ends["simulated", "last"] - ends["simulated", "first"]
    growth = (rise / np.hypot(ends["se", "first"], ends["se", "last"])).min()
    return Finding(
        by=report.kind_of(dataset),
        says="holds" if agreement > 0.01 and growth > 3 else "fails",
        numbers=f"simulated with real losses: on the line, p = {agreement:.2f}; growth by at least {growth:.0f} "
        "standard errors",
        n=f"{len(curves)} points",
        size=size,
        short_of="a simulation",
        test="chi-square of simulated against exact, p > 1 %; gap at ρ = 1 above ρ = 0 by three standard errors",
    )
