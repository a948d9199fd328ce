"""Correlations of a few points: coefficients, exact p-values over all pairings, intervals."""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import scipy
from numpy.typing import ArrayLike, NDArray

from kdutils.errors import UserError, choose
from kdutils.stats._checks import level, points

EXACT_UP_TO = 9
"""All pairings of up to this many points are listed for an exact p-value: 9! = 362,880."""

Method = Literal["pearson", "spearman", "kendall"]
Alternative = Literal["two-sided", "greater", "less"]


class Correlation(NamedTuple):
    """A correlation coefficient, its two-sided p-value, its confidence interval and the number of points."""

    r: float
    p: float
    low: float
    high: float
    n: int


def correlation(
    x: ArrayLike,
    y: ArrayLike,
    method: Method = "pearson",
    interval: Literal["fisher", "none"] = "fisher",
    confidence: float = 0.95,
) -> Correlation:
    """Correlation of two equally long sequences of at least four points.

    p: Student's t for Pearson (the paper's choice; `permutation_p` is the exact one); for Spearman and Kendall (tau-b)
    exact over all pairings up to nine points, scipy's own beyond. Interval: `fisher_interval`; or none (NaN), if only
    r and p are wanted. UserError for constant, unequal, too short or non-finite input.
    """
    x, y = points(x, y)
    choose("correlation method", method, _SCORES)
    choose("interval", interval, ("fisher", "none"))
    r, p = _coefficient_and_p(x, y, method)
    low, high = (math.nan, math.nan) if interval == "none" else fisher_interval(r, len(x), confidence, method)
    return Correlation(r, p, low, high, len(x))


def correlations(
    frame: pd.DataFrame, by: Sequence[str], x: str, y: str, methods: Sequence[Method] = ("pearson",), **options
) -> pd.DataFrame:
    """One row per group of `frame` and method: the `by` columns, method, r, p, low, high, n, in the order of `frame`.

    `options` go to `correlation`. UserError for a row without a group.
    """
    by = list(by)
    for name in by:
        if frame[name].isna().any():
            raise UserError(f"column {name!r} names the groups, and a value of it is missing; drop its row first")
    rows = [
        (*key, method, *correlation(group[x], group[y], method, **options))
        for key, group in frame.groupby(by, sort=False)
        for method in methods
    ]
    return pd.DataFrame(rows, columns=[*by, "method", *Correlation._fields])


def fisher_interval(r: float, n: int, confidence: float = 0.95, method: Method = "pearson") -> tuple[float, float]:
    """The interval of a correlation of `n` independent points, by Fisher's z; NaN if there are too few points.

    The variance of z is 1 / (n - 3) for Pearson's r, (1 + r^2 / 2) / (n - 3) for Spearman's (Bonett and Wright, 2000,
    Psychometrika 65) and 0.437 / (n - 4) for Kendall's (Fieller et al., 1957, Biometrika 44). It assumes points that
    are near to normal, and unlike a bootstrap it holds what it says at eight or nine of them.
    """
    choose("correlation method", method, _SCORES)
    if not -1 <= r <= 1:
        raise UserError(f"a correlation lies between -1 and 1, not {r}")
    shortened = n - 4 if method == "kendall" else n - 3
    if shortened < 1:
        return math.nan, math.nan
    if abs(r) == 1:
        return r, r
    factor = {"pearson": 1.0, "spearman": 1 + r**2 / 2, "kendall": 0.437}[method]
    half = scipy.stats.norm.ppf((1 + level(confidence)) / 2) * math.sqrt(factor / shortened)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def permutation_p(
    x: ArrayLike, y: ArrayLike, method: Method = "pearson", alternative: Alternative = "two-sided"
) -> float:
    """The exact p-value of a correlation: the share of all n! pairings of x and y that are at least as extreme.

    `x` and `y` are sequences of 4 to 9 points; or both are series x points, and then the statistic is the mean
    coefficient of the series, whose points are permuted as one (the schemes of several pairs of networks). The smallest
    value is 1 / n!. "two-sided" doubles the smaller tail. UserError for more points: draw some of their pairings.
    """
    choose("alternative", alternative, ("two-sided", "greater", "less"))
    choose("correlation method", method, _SCORES)
    x, y = np.atleast_2d(np.asarray(x, float)), np.atleast_2d(np.asarray(y, float))
    if x.shape != y.shape or x.ndim != 2:
        raise UserError(f"expected two arrays of the same shape, got {x.shape} and {y.shape}")
    if x.shape[1] > EXACT_UP_TO:
        raise UserError(f"the pairings of {x.shape[1]} points are too many to list; at most {EXACT_UP_TO} points")
    rows = [_varying(*points(*pair)) for pair in zip(x, y, strict=True)]
    null = np.mean([_all_pairings(method, tuple(a), tuple(b)) for a, b in rows], axis=0)
    return _tail(null, null[0], alternative)  # the first pairing is the one that was given


def _varying(x: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
    """Both as they are; a UserError if one is constant."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        raise UserError("one of the two sequences is constant: it has no correlation with anything")
    return x, y


def _coefficient_and_p(x: NDArray, y: NDArray, method: Method) -> tuple[float, float]:
    """The coefficient and its two-sided p-value, exact for ranks of few points."""
    x, y = _varying(x, y)
    test = {"pearson": scipy.stats.pearsonr, "spearman": scipy.stats.spearmanr, "kendall": scipy.stats.kendalltau}
    result = test[method](x, y)
    r = float(np.clip(result.statistic, -1, 1))
    if method == "pearson" or len(x) > EXACT_UP_TO:
        return r, float(result.pvalue)
    null = _all_pairings(method, *(tuple(np.sort(scipy.stats.rankdata(values))) for values in (x, y)))
    return r, _tail(null, r, "two-sided")


def _tail(null: NDArray, observed: float, alternative: Alternative) -> float:
    """The share of the null distribution that is at least as extreme as `observed`."""
    slack = 1e-9  # equal coefficients that were rounded apart
    above, below = (null >= observed - slack).mean(), (null <= observed + slack).mean()
    return float({"greater": above, "less": below, "two-sided": min(1, 2 * min(above, below))}[alternative])


_SCORES: dict[str, Callable[[NDArray], NDArray]] = {
    "pearson": lambda values: np.subtract.outer(values, values),
    "spearman": lambda values: np.subtract.outer(scipy.stats.rankdata(values), scipy.stats.rankdata(values)),
    "kendall": lambda values: np.sign(np.subtract.outer(values, values)),
}
"""What a coefficient compares two points by: each is sum a_ij b_ij / sqrt(sum a_ij^2 sum b_ij^2) over the scores a of x
and b of y (Daniels, 1944, Biometrika 33)."""


@functools.lru_cache(maxsize=16)
def _all_pairings(method: Method, x: tuple[float, ...], y: tuple[float, ...]) -> NDArray[np.float64]:
    """The coefficient for each of the n! orders of x beside y, the given one first; kept: ranks are often the same."""
    a, b = (_SCORES[method](np.array(values)) for values in (x, y))
    order = _orders(len(x))
    total = np.zeros(order.shape[1])
    for i, j in itertools.combinations(range(len(x)), 2):
        total += a[order[i], order[j]] * b[i, j]
    return 2 * total / math.sqrt((a**2).sum() * (b**2).sum())


@functools.cache
def _orders(n: int) -> NDArray[np.intp]:
    """All n! orders of n things, a column each."""
    return np.array(list(itertools.permutations(range(n)))).T.copy()
