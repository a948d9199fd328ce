"""A study of schemes: T. stddev of the teacher beside the students that were distilled with each scheme."""

import pandas as pd

from kdutils import paper, stats


def beside_students(ranked: pd.DataFrame, students: pd.DataFrame) -> pd.DataFrame:
    """One point a scheme that both hold, in the order of `ranked`: what Fig. 1b draws.

    `ranked` is a frame of `metrics.rank_schemes`; `students` has a row a run with `scheme`, `test_loss` (nats) and
    `test_accuracy` (per cent). Adds the means over runs, their unbiased standard deviations (`_std`) and their number
    `n`; T. stddev and its error become multiples of 1e-3, as the paper prints them.
    """
    runs = students.dropna(subset=["test_loss"]).groupby("scheme")
    means = runs[["test_loss", "test_accuracy"]].mean()
    spreads = runs[["test_loss", "test_accuracy"]].std(ddof=1).add_suffix("_std")
    points = ranked.dropna(subset=["t_stddev"]).merge(
        means.join(spreads).join(runs.size().rename("n")), left_on="scheme", right_index=True
    )
    return points.assign(t_stddev=points["t_stddev"] * 1e3, t_stddev_se=points["t_stddev_se"] * 1e3)


def in_words(points: pd.DataFrame, x: str = "t_stddev", y: str = "test_loss") -> str:
    """The three correlations of two columns as a sentence's worth of text, each with its interval and p-value."""
    found = {name: stats.correlation(points[x], points[y], name) for name in ("pearson", "spearman", "kendall")}
    return "; ".join(
        f"{name.title()}'s {found[name].r:.2f} (95 % interval {found[name].low:.2f} to {found[name].high:.2f}, "
        f"{stats.p_text(found[name].p)})"
        for name in found
    )


def published_correlations() -> pd.DataFrame:
    """Pearson, Spearman and Kendall of T. stddev and S. test loss for each of the 18 published pairs (Tables 3-6).

    Columns: dataset, pair, method, r, p, n, and `p_holm`, corrected for the 18 tests of one method.
    """
    methods = ("pearson", "spearman", "kendall")
    found = stats.correlations(
        paper.pairs(), ["dataset", "pair"], "t_stddev", "test_loss", methods, interval="none"
    ).drop(columns=["low", "high"])
    return found.assign(p_holm=found.groupby("method")["p"].transform(stats.holm))
