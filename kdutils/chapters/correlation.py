"""T. stddev against the student's test loss: orders of schemes on the paper's 18 pairs, and on ours."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, ttest_ind_from_stats

from kdutils import paper, stats
from kdutils.report import few_shot, rules, tables

RUNS = 3  # that each published mean and spread rests on


def published_correlations() -> pd.DataFrame:
    """Pearson, Spearman and Kendall of T. stddev and S. test loss for each of the 18 published pairs (Tables 3-6).

    Columns: dataset, pair, method, r, p, n, and `p_holm`, corrected for the 18 tests of one method.
    """
    methods = ("pearson", "spearman", "kendall")
    found = stats.correlations(
        paper.pairs(), ["dataset", "pair"], "t_stddev", "test_loss", methods, interval="none"
    ).drop(columns=["low", "high"])
    return found.assign(p_holm=found.groupby("method")["p"].transform(stats.holm))


def live_in_words(points: pd.DataFrame) -> str:
    """What a run's points (`few_shot.beside_students`) show, beside how much its seeds differ."""
    losses = points.set_index("scheme")["test_loss"]
    better = [paper.SCHEME_LABELS[name] for name in losses.index if losses[name] < losses["identity"]]
    rest = points[points["scheme"] != "autoaugment"]
    whole, without = (stats.correlation(each["t_stddev"], each["test_loss"]) for each in (points, rest))
    noise = float((points["test_loss_std"] ** 2).mean() ** 0.5)
    return (
        f"In this run {len(better)} of {len(losses) - 1} schemes have a lower test loss than Identity "
        f"({', '.join(better) or 'none'}). The seeds of one scheme differ by {noise:.3f} nats, the schemes by "
        f"{losses.std(ddof=1):.3f}. {r_text(whole)}; without AutoAugment, whose policy was learned on photographs, "
        f"{r_text(without)}."
    )


def r_text(found: stats.Correlation) -> str:
    """`r = 0.88 (0.52 to 0.97, p = 0.002)`"""
    return f"r = {found.r:.2f} ({found.low:.2f} to {found.high:.2f}, {stats.p_text(found.p)})"


def family_in_words(subsets: pd.DataFrame, points: pd.DataFrame) -> str:
    """What is left of a pair's correlation (`few_shot.subsets`) without CutMix, and what T. stddev would choose."""
    told = [
        f"{name}, r = {row.r:.2f} ({stats.p_text(row.p)}, exact {stats.p_text(row.exact_p)})"
        for name, row in zip(subsets.index, subsets.itertuples(), strict=True)
    ]
    clear = int((subsets["p"][1:] < rules.LEVEL).sum())
    seven = points[~points["scheme"].isin(few_shot.PICKS)].set_index("scheme")
    chosen, best = seven["t_stddev"].idxmin(), seven["test_loss"].idxmin()
    label, regret = paper.SCHEME_LABELS, seven["test_loss"][chosen] - seven["test_loss"][best]
    choice = (
        f"the best student too, {label[best]}'s"
        if chosen == best
        else (f"{label[chosen]}, while the best student is {label[best]}'s: a regret of {regret:.3f} nats")
    )
    capital = told[0][0].upper() + told[0][1:]
    return (
        f"{'; '.join([capital, *told[1:]])}. Of the two smaller sets {clear} {'is' if clear == 1 else 'are'} "
        f"significant at 5 %. Among the seven existing schemes T. stddev chooses {choice}."
    )


def our_pairs() -> pd.DataFrame:
    """Pearson's r of each of our few-shot pairs, with p, for each set of schemes of `few_shot.SUBSETS`, as a table."""
    rows = {}
    for pair, points in few_shot.points().groupby("pair", sort=False):
        found = few_shot.subsets(points)
        cells = {name: f"{row.r:.2f} ({stats.p_text(row.p)})" for name, row in found.iterrows()}
        rows[pair] = {"students": int(points["n"].sum()), "schemes": len(points), **cells}
    return pd.DataFrame.from_dict(rows, "index").rename_axis(columns="teacher/student")


def published_table(found: pd.DataFrame) -> pd.DataFrame:
    """`published_correlations` as a reader wants it: a row per pair, r and p of each method in a column."""
    text = found.assign(
        text=[f"{row.r:.2f} ({stats.p_text(row.p)})" for row in found.itertuples()],
        name=found["pair"] + ", " + found["dataset"].map(tables.DATASETS),
    )
    shown = text.pivot(index="name", columns="method", values="text").loc[text["name"].drop_duplicates()]
    named = {"pearson": "Pearson's r", "spearman": "Spearman's ρ", "kendall": "Kendall's τ"}
    return shown[list(named)].rename(columns=named).rename_axis(index=None, columns="teacher/student")


def inversions() -> pd.DataFrame:
    """Orders of two schemes that go against T. stddev on a published pair (Tables 3-6), a row each.

    Columns: dataset, pair, better (by loss), worse, loss (what it saves, nats) and p, by Welch's test from the printed
    spreads of three runs.
    """
    rows = []
    for (dataset, pair), group in paper.pairs().groupby(["dataset", "pair"], sort=False):
        group = group.sort_values("test_loss")
        a, b = np.triu_indices(len(group), 1)
        first, second = group.iloc[a].reset_index(drop=True), group.iloc[b].reset_index(drop=True)
        p = ttest_ind_from_stats(*_runs(first), *_runs(second), equal_var=False).pvalue
        both = pd.DataFrame({"better": first["scheme"], "worse": second["scheme"], "p": p})
        both = both.assign(dataset=dataset, pair=pair, loss=second["test_loss"] - first["test_loss"])
        rows.append(both[first["t_stddev"] > second["t_stddev"]])
    return pd.concat(rows, ignore_index=True)[["dataset", "pair", "better", "worse", "loss", "p"]]


def _runs(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series, int]:
    return rows["test_loss"], rows["test_loss_std"], RUNS


def students_of_one_teacher(pairs: pd.DataFrame) -> pd.DataFrame:
    """Spearman's correlation of the test losses of every two students of one teacher over the schemes.

    Columns: dataset, teacher, first, second, rho, p (exact up to nine schemes).
    """
    rows = []
    for (dataset, teacher), group in pairs.groupby(["dataset", "teacher"], sort=False):
        losses = group.pivot(index="scheme", columns="student", values="test_loss").dropna()
        for first, second in zip(losses.columns, losses.columns[1:], strict=False):
            found = stats.correlation(losses[first], losses[second], "spearman", interval="none")
            rows.append((dataset, teacher, first, second, found.r, found.p))
    return pd.DataFrame(rows, columns=["dataset", "teacher", "first", "second", "rho", "p"])


def concordance(pairs: pd.DataFrame) -> tuple[float, float]:
    """Kendall's W of the orders in which the students of `pairs` put the schemes, and Friedman's p-value."""
    losses = pairs.pivot(index="pair", columns="scheme", values="test_loss").dropna(axis=1)
    found = friedmanchisquare(*losses.to_numpy().T)
    return float(found.statistic / (len(losses) * (losses.shape[1] - 1))), float(found.pvalue)


def extreme(pairs: pd.DataFrame, scheme: str, best: bool, without: Sequence[str] = ()) -> tuple[int, int, bool]:
    """On how many pairs `scheme` has the lowest (`best`) or highest loss, of how many, and if its mean rank is so."""
    losses = pairs.pivot(index=["dataset", "pair"], columns="scheme", values="test_loss").drop(columns=list(without))
    ends = losses.idxmin(axis=1) if best else losses.idxmax(axis=1)
    ranks = losses.rank(axis=1).mean()
    return int((ends == scheme).sum()), len(losses), scheme == (ranks.idxmin() if best else ranks.idxmax())
