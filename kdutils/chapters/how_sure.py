"""How sure a correlation over schemes is: permutations that respect shared teachers, a mixed model, and designs.

Frames are those of `paper.pairs()`: a row per pair and scheme, with `dataset`, `teacher`, `pair`, `scheme`, `t_stddev`
(in 1e-3) and `test_loss` (in nats).
"""

import itertools
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
from kdutils.report.few_shot import FAMILY
from kdutils.stats import EXACT_UP_TO

SLACK = 1e-9  # equal coefficients that were rounded apart


class Permutation(NamedTuple):
    """A mean correlation, its one-sided permutation p-value, and its values under the null, drawn or listed."""

    mean_r: float
    p: float
    null: np.ndarray

    @property
    def null_std(self) -> float:
        """The spread of the mean correlation under the null."""
        return float(self.null.std())

    @property
    def two_sided(self) -> float:
        """Twice the smaller tail, at most 1. Never zero: what was observed counts among the null's values."""
        below = max(1, int((self.null <= self.mean_r + SLACK).sum())) / len(self.null)
        return min(1.0, 2 * min(self.p, below))


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

    The null permutes the schemes of `x`. What is shared is permuted as one: all pairs of a teacher and dataset
    ("teacher"), all pairs of all teachers ("all", since schemes rank alike for every teacher), or each pair by itself
    ("none"). "all" is exact: it lists every arrangement of up to nine schemes. The others have too many, and draw some;
    then p counts the observed value among the draws, so that it is never zero.
    """
    keys = {"none": pairs["pair"], "teacher": pairs["teacher"], "all": ""}
    if shared not in keys:
        raise UserError(f"what the pairs share is one of {', '.join(keys)}, not {shared!r}")
    groups = pairs["dataset"] + "/" + keys[shared] if shared != "all" else pd.Series("all", pairs.index)
    cells = pairs.assign(group=groups, name=pairs["dataset"] + "/" + pairs["pair"])
    blocks = [_block(rows, x) for _, rows in cells.groupby("group")]
    count = sum(len(a) for a, _ in blocks)
    observed = sum(float((a * b).sum()) for a, b in blocks) / count
    schemes = blocks[0][0].shape[1]
    if shared == "all" and schemes <= EXACT_UP_TO:
        null = _every_arrangement(*blocks[0]) / count
        return Permutation(observed, float((null >= observed - SLACK).mean()), null)
    rng = np.random.default_rng(seed)
    null = np.array([sum(_permuted(a, b, rng) for a, b in blocks) for _ in range(draws)]) / count
    return Permutation(observed, float(1 + (null >= observed - SLACK).sum()) / (1 + draws), null)


def _every_arrangement(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The sum of the correlations of a group for each arrangement of its schemes."""
    together = a.T @ b  # what scheme i of x beside scheme j of the loss adds, over all pairs
    orders = np.array(list(itertools.permutations(range(len(together)))))
    return together[orders, np.arange(len(together))].sum(axis=1)


def _block(rows: pd.DataFrame, x: str) -> tuple[np.ndarray, np.ndarray]:
    """x and test loss of the pairs of one group, [pairs, schemes], each row centred and of length one."""
    tables = (rows.pivot(index="name", columns="scheme", values=name).to_numpy(float) for name in (x, "test_loss"))
    centred = [table - table.mean(axis=1, keepdims=True) for table in tables]
    first, second = (table / np.linalg.norm(table, axis=1, keepdims=True) for table in centred)
    return first, second


def _permuted(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> float:
    """The sum of the correlations of a group after one permutation of its schemes."""
    return float((a[:, rng.permutation(a.shape[1])] * b).sum())


def mixed_model(pairs: pd.DataFrame, centre_scheme: bool = False, by: str = "level") -> Slope:
    """The slope of S. test loss on T. stddev over all pairs, each pair with a level and a slope of its own.

    With `by`, such as the teacher, it is each value of that column that has its own slope. With `centre_scheme`, the
    mean of a scheme over the pairs of a dataset is taken out of both first: what remains
    asks whether differences *between teachers* in T. stddev tell anything of the differences between their students.
    """
    frame = pairs.assign(level=pairs["dataset"] + "/" + pairs["pair"])
    for name in ("t_stddev", "test_loss"):
        frame[name] -= frame.groupby("level")[name].transform("mean")
        if centre_scheme:  # one dataset at a time: the two have different scales
            frame[name] -= frame.groupby(["dataset", "scheme"])[name].transform("mean")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a variance at zero is an answer here
        fit = mixedlm("test_loss ~ 0 + t_stddev", frame, groups=frame[by], re_formula="0 + t_stddev").fit(
            reml=True, method="powell"
        )
    low, high = fit.conf_int().loc["t_stddev"]
    spread = math.sqrt(max(0.0, float(fit.cov_re.iloc[0, 0])))
    return Slope(float(fit.params["t_stddev"]), float(low), float(high), float(fit.pvalues["t_stddev"]), spread)


def leave_out(pairs: pd.DataFrame, without: Sequence[str] = FAMILY) -> pd.DataFrame:
    """The pairs without some schemes."""
    return pairs[~pairs["scheme"].isin(list(without))]


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
