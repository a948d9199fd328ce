"""How sure a correlation over schemes is: permutations that respect shared teachers, a mixed model, and designs.

Frames are those of `paper.pairs()`: a row a pair and scheme, with `dataset`, `teacher`, `pair`, `scheme`, `t_stddev`
(in 1e-3) and `test_loss` (in nats).
"""

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.formula.api import mixedlm
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from kdutils.errors import UserError

FAMILY = ("cutmix", "cutmixpick_s", "cutmixpick_t")
"""CutMix and its two picks: three of the nine schemes, made of the same images."""


class Permutation(NamedTuple):
    """A mean correlation, its one-sided permutation p-value, how many draws, and its spread under the null."""

    mean_r: float
    p: float
    draws: int
    null_std: float


class Slope(NamedTuple):
    """The common slope of a mixed model (test loss in nats per 1e-3 of T. stddev), its interval and p-value."""

    slope: float
    low: float
    high: float
    p: float
    slope_std: float


def permutation_test(
    pairs: pd.DataFrame, shared: str = "teacher", draws: int = 4999, seed: int = 0, x: str = "t_stddev"
) -> Permutation:
    """Is the mean Pearson correlation of the pairs larger than where `x` has nothing to do with the schemes?

    The null permutes the schemes of `x`. What is shared is permuted as one: all pairs of a teacher and data set
    ("teacher"), all pairs of all teachers ("all", since schemes rank alike for every teacher), or each pair by itself
    ("none"). p counts the observed value among the draws, so it is never zero.
    """
    keys = {"none": pairs["pair"], "teacher": pairs["teacher"], "all": ""}
    if shared not in keys:
        raise UserError(f"what the pairs share is one of {', '.join(keys)}, not {shared!r}")
    groups = pairs["dataset"] + "/" + keys[shared] if shared != "all" else pd.Series("all", pairs.index)
    cells = pairs.assign(group=groups, name=pairs["dataset"] + "/" + pairs["pair"])
    blocks = [_block(rows, x) for _, rows in cells.groupby("group")]
    rng = np.random.default_rng(seed)
    count = sum(len(a) for a, _ in blocks)
    observed = sum(float((a * b).sum()) for a, b in blocks) / count
    null = np.array([sum(_permuted(a, b, rng) for a, b in blocks) for _ in range(draws)]) / count
    return Permutation(observed, float(1 + (null >= observed - 1e-9).sum()) / (1 + draws), draws, float(null.std()))


def _block(rows: pd.DataFrame, x: str) -> tuple[np.ndarray, np.ndarray]:
    """x and test loss of the pairs of one group, [pairs, schemes], each row centred and of length one."""
    tables = (rows.pivot(index="name", columns="scheme", values=name).to_numpy(float) for name in (x, "test_loss"))
    centred = [table - table.mean(axis=1, keepdims=True) for table in tables]
    first, second = (table / np.linalg.norm(table, axis=1, keepdims=True) for table in centred)
    return first, second


def _permuted(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> float:
    """The sum of the correlations of a group after one permutation of its schemes."""
    return float((a[:, rng.permutation(a.shape[1])] * b).sum())


def mixed_model(pairs: pd.DataFrame, centre_scheme: bool = False) -> Slope:
    """The slope of S. test loss on T. stddev over all pairs, each pair with a level and a slope of its own.

    With `centre_scheme`, the mean of a scheme over the pairs of a data set is taken out of both first: what remains
    asks whether differences *between teachers* in T. stddev tell anything of the differences between their students.
    """
    frame = pairs.assign(level=pairs["dataset"] + "/" + pairs["pair"])
    for name in ("t_stddev", "test_loss"):
        frame[name] -= frame.groupby("level")[name].transform("mean")
        if centre_scheme:  # a data set at a time: the two have different scales
            frame[name] -= frame.groupby(["dataset", "scheme"])[name].transform("mean")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a variance at zero is an answer here
        fit = mixedlm("test_loss ~ 0 + t_stddev", frame, groups=frame["level"], re_formula="0 + t_stddev").fit(
            reml=True, method="powell"
        )
    low, high = fit.conf_int().loc["t_stddev"]
    spread = math.sqrt(max(0.0, float(fit.cov_re.iloc[0, 0])))
    return Slope(float(fit.params["t_stddev"]), float(low), float(high), float(fit.pvalues["t_stddev"]), spread)


def leave_out(pairs: pd.DataFrame, without: Sequence[str] = FAMILY) -> pd.DataFrame:
    """The pairs without some schemes."""
    return pairs[~pairs["scheme"].isin(list(without))]


def fisher_interval(r: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a correlation of `n` independent points (at least 4), by Fisher's z."""
    if n < 4:
        raise UserError(f"Fisher's z needs at least 4 points, not {n}")
    half = stats.norm.ppf((1 + confidence) / 2) / math.sqrt(n - 3)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def schemes_needed(r: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """How many independent schemes show a true correlation `r` with p below `alpha` (two-sided), with this `power`."""
    if not 0 < abs(r) < 1:
        raise UserError(f"a correlation to detect lies between 0 and 1, not {r}")
    z = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)
    return math.ceil((z / math.atanh(abs(r))) ** 2 + 3)


def seeds_needed(difference: float, spread: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """How many seeds of each of two schemes tell a `difference` of mean test loss from zero, by Welch's t test.

    `spread`: the standard deviation over seeds of one scheme, in the unit of `difference`.
    """
    if not (difference and spread > 0):
        raise UserError(f"needs a difference and a spread above zero, got {difference} and {spread}")
    for n in range(2, 100_000):
        edge = stats.t.ppf(1 - alpha / 2, 2 * n - 2)
        shift = abs(difference) / (spread * math.sqrt(2 / n))
        if stats.nct.sf(edge, 2 * n - 2, shift) >= power:
            return n
    raise UserError(f"more than 100,000 seeds for a difference of {difference} at a spread of {spread}")


def resolved(pairs: pd.DataFrame, runs: int = 3) -> pd.DataFrame:
    """How many of each pair's neighbouring schemes, ordered by loss, the printed spreads tell apart (Welch, 5 %).

    Columns: dataset, pair, neighbours, resolved, and seeds: how many runs the median neighbour would need.
    """
    rows = []
    for (dataset, pair), group in pairs.groupby(["dataset", "pair"], sort=False):
        group = group.sort_values("test_loss")
        means, spreads = (group[name].to_numpy() for name in ("test_loss", "test_loss_std"))
        p = stats.ttest_ind_from_stats(
            means[:-1], spreads[:-1], runs, means[1:], spreads[1:], runs, equal_var=False
        ).pvalue
        gap = float(np.median(np.diff(means)))
        spread = float(np.sqrt(np.mean(spreads**2)))
        rows.append((dataset, pair, len(p), int((p < 0.05).sum()), seeds_needed(gap, spread)))
    return pd.DataFrame(rows, columns=["dataset", "pair", "neighbours", "resolved", "seeds"])
