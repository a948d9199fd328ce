"""The statistics behind every verdict: correlations, paired tests, intervals and the standard error of T. stddev.

A thin layer over scipy and statsmodels that gives named numbers and refuses what has no answer.
"""

import functools
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.api import OLS, add_constant
from statsmodels.stats.multitest import multipletests

from kdutils.errors import UserError, choose

EXACT_UP_TO = 9
"""Rank correlations of up to this many points get the exact permutation p-value: 9! = 362,880 pairings."""
RESAMPLES = 9999

Method = Literal["pearson", "spearman", "kendall"]
Statistic = Callable[..., NDArray]


class Correlation(NamedTuple):
    """A correlation coefficient, its two-sided p-value, its confidence interval and the number of points."""

    r: float
    p: float
    low: float
    high: float
    n: int


class PairedTest(NamedTuple):
    """Mean of a - b with its t interval, and the two-sided p-values of three tests; counts of the signs."""

    mean: float
    low: float
    high: float
    t_p: float
    wilcoxon_p: float
    sign_p: float
    positive: int
    negative: int
    n: int


class SignTest(NamedTuple):
    """How many differences are above, below and at zero; the two-sided binomial p-value of the first two."""

    positive: int
    negative: int
    ties: int
    p: float


class Combined(NamedTuple):
    """The statistic and p-value of several p-values taken together."""

    statistic: float
    p: float


def correlation(
    x: ArrayLike,
    y: ArrayLike,
    method: Method = "pearson",
    interval: Literal["bootstrap", "fisher", "none"] = "bootstrap",
    confidence: float = 0.95,
    seed: int = 0,
) -> Correlation:
    """Correlation of two equally long sequences of at least four points.

    p: Student's t for Pearson (the paper's choice); for Spearman and Kendall (tau-b) exact over all pairings up to nine
    points, scipy's own beyond. Interval: bias-corrected bootstrap over points (percentile where that has no answer, as
    at r = 1), seeded; or Fisher's z, for Pearson only; or none (NaN), where only r and p are wanted. UserError for
    constant, unequal, too short or non-finite input.
    """
    x, y = _points(x, y)
    choose("correlation method", method, _STATISTICS)
    choose("interval", interval, ("bootstrap", "fisher", "none"))
    r, p = _coefficient_and_p(x, y, method)
    if interval == "none":
        low, high = math.nan, math.nan
    elif interval == "bootstrap":
        low, high = _bootstrap_interval(x, y, _STATISTICS[method], confidence, seed)
    elif method == "pearson":
        low, high = stats.pearsonr(x, y).confidence_interval(confidence)
    else:
        raise UserError("Fisher's z is an interval for Pearson's r; use interval='bootstrap' for rank correlations")
    return Correlation(r, p, float(low), float(high), len(x))


def p_text(p: float) -> str:
    """A p-value as it is written beside a result: "p = 0.24", "p = 0.003" or "p < 0.001"."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.2f}" if p >= 0.095 else f"p = {p:.3f}"


def correlations(
    frame: pd.DataFrame, by: Sequence[str], x: str, y: str, methods: Sequence[Method] = ("pearson",), **options
) -> pd.DataFrame:
    """One row a group of `frame` and method: the `by` columns, method, r, p, low, high, n, in the order of `frame`.

    `options` go to `correlation`.
    """
    by = list(by)
    rows = [
        (*key, method, *correlation(group[x], group[y], method, **options))
        for key, group in frame.groupby(by, sort=False)
        for method in methods
    ]
    return pd.DataFrame(rows, columns=[*by, "method", *Correlation._fields])


def combine_p(p_values: ArrayLike, method: Literal["fisher", "stouffer"] = "fisher") -> Combined:
    """One p-value for several *independent* tests of the same question.

    Pairs that share a teacher are not independent: read the result as a lower limit there.
    """
    choose("way to combine p-values", method, ("fisher", "stouffer"))
    result = stats.combine_pvalues(np.asarray(p_values, float), method=method)
    return Combined(float(result.statistic), float(result.pvalue))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """The p-values after Holm's correction for having made this many tests, in the order given."""
    return multipletests(np.asarray(p_values, float), method="holm")[1]


def paired_test(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> PairedTest:
    """Is a - b zero? Paired t test, Wilcoxon's signed ranks and the sign test over pairs of values."""
    difference = np.subtract(*_points(a, b, at_least=2))
    if np.ptp(difference) == 0:
        raise UserError(f"all {len(difference)} differences equal {difference[0]:g}: no spread to test against")
    t_test = stats.ttest_1samp(difference, 0)
    low, high = t_test.confidence_interval(confidence)
    signs = sign_test(difference)
    return PairedTest(
        mean=float(difference.mean()),
        low=float(low),
        high=float(high),
        t_p=float(t_test.pvalue),
        wilcoxon_p=float(stats.wilcoxon(difference).pvalue),
        sign_p=signs.p,
        positive=signs.positive,
        negative=signs.negative,
        n=len(difference),
    )


def sign_test(differences: ArrayLike) -> SignTest:
    """Are positive and negative differences equally likely? Exact binomial; zeros are counted but not tested."""
    differences = np.asarray(differences, float)
    positive, negative = int((differences > 0).sum()), int((differences < 0).sum())
    p = stats.binomtest(positive, positive + negative).pvalue if positive + negative else 1.0
    return SignTest(positive, negative, len(differences) - positive - negative, float(p))


def t_interval(mean: float, std: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Student's confidence interval of a mean of `n` runs with (unbiased) standard deviation `std`."""
    if n < 2:
        raise UserError(f"an interval needs the spread of at least 2 runs, got n = {n}")
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * std / math.sqrt(n)
    return mean - half, mean + half


def fit_line(x: ArrayLike, y: ArrayLike, at: ArrayLike, confidence: float = 0.95) -> pd.DataFrame:
    """The least-squares line through (x, y) and its confidence band at the places `at`: columns x, y, low, high."""
    x, y = _points(x, y)
    at = np.asarray(at, float)
    prediction = OLS(y, add_constant(x)).fit().get_prediction(add_constant(at, has_constant="add"))
    band = prediction.conf_int(alpha=1 - confidence)
    return pd.DataFrame({"x": at, "y": prediction.predicted_mean, "low": band[:, 0], "high": band[:, 1]})


def stddev_standard_error(u: ArrayLike) -> float:
    """The standard error of T. stddev (Eq. 10), by the delete-one jackknife over windows.

    `u` is n_u x C: one mean probability a window, windows independent, n_u >= 3. Deleting window i takes
    n / (n - 1) (u_i - mean)^2 off a class's sum of squares, so all n_u values of T. stddev come in one pass. The error
    is that of the mean over repetitions with the same n_u: a standard deviation of few windows is itself a little low,
    by 1 / 4 n_u of its value (near-Gaussian u), and this is not in it.
    """
    u = np.asarray(u, float)
    if u.ndim != 2 or len(u) < 3:
        raise UserError(f"expected u as windows x classes with at least 3 windows, got shape {u.shape}")
    n = len(u)
    squares = (u - u.mean(axis=0)) ** 2
    left = np.maximum(squares.sum(axis=0) - n / (n - 1) * squares, 0)  # rounding may leave -1e-20
    without = np.sqrt(left / (n - 2)).mean(axis=1)
    return float(np.sqrt((n - 1) * np.var(without)))


def _points(x: ArrayLike, y: ArrayLike, at_least: int = 4) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both sequences as float arrays, or a UserError that says what is wrong with them."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.ndim != 1 or x.shape != y.shape:
        raise UserError(f"expected two sequences of the same length, got shapes {x.shape} and {y.shape}")
    if len(x) < at_least:
        raise UserError(f"expected at least {at_least} points, got {len(x)}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise UserError("a value is missing or infinite; drop its row first")
    return x, y


def _coefficient_and_p(x: NDArray, y: NDArray, method: Method) -> tuple[float, float]:
    """The coefficient and its two-sided p-value, exact for ranks of few points."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        raise UserError("one of the two sequences is constant: it has no correlation with anything")
    result = {"pearson": stats.pearsonr, "spearman": stats.spearmanr, "kendall": stats.kendalltau}[method](x, y)
    if method == "pearson" or len(x) > EXACT_UP_TO:
        return float(result.statistic), float(result.pvalue)
    null = _all_pairings(method, *(tuple(np.sort(stats.rankdata(values))) for values in (x, y)))
    slack = 1e-9  # equal coefficients that were rounded apart
    tails = (null >= result.statistic - slack).mean(), (null <= result.statistic + slack).mean()
    return float(result.statistic), float(min(1, 2 * min(tails)))


@functools.lru_cache(maxsize=16)
def _all_pairings(method: Method, x_ranks: tuple[float, ...], y_ranks: tuple[float, ...]) -> NDArray[np.float64]:
    """The coefficient for every way to pair the two sets of ranks; kept, as sets without ties are all alike."""
    test = stats.permutation_test(
        (y_ranks,),
        lambda ranks, axis=-1: _STATISTICS[method](np.array(x_ranks), ranks),
        permutation_type="pairings",
        n_resamples=np.inf,
        batch=20_000,
        vectorized=True,
    )
    return test.null_distribution


def _bootstrap_interval(
    x: NDArray, y: NDArray, statistic: Statistic, confidence: float, seed: int
) -> tuple[float, float]:
    """Bias-corrected and accelerated bootstrap over points; its percentile form where that is not defined."""
    options = {"paired": True, "n_resamples": RESAMPLES, "confidence_level": confidence, "vectorized": True}
    for kind in ("BCa", "percentile"):
        with np.errstate(invalid="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # its answer is the percentile form below
            found = stats.bootstrap((x, y), statistic, method=kind, rng=np.random.default_rng(seed), **options)
        if np.isfinite(found.confidence_interval).all():
            break
    return found.confidence_interval


def _pearson(x: NDArray, y: NDArray, axis: int = -1) -> NDArray:
    """Pearson's r along the last axis; 0 for a resample that repeats one value."""
    x, y = x - x[..., :1], y - y[..., :1]  # a constant resample becomes exactly 0
    x, y = x - x.mean(-1, keepdims=True), y - y.mean(-1, keepdims=True)
    return _ratio((x * y).sum(-1), np.sqrt((x**2).sum(-1) * (y**2).sum(-1)))


def _spearman(x: NDArray, y: NDArray, axis: int = -1) -> NDArray:
    """Spearman's rho along the last axis: Pearson's r of the ranks."""
    return _pearson(stats.rankdata(x, axis=-1), stats.rankdata(y, axis=-1))


def _kendall(x: NDArray, y: NDArray, axis: int = -1) -> NDArray:
    """Kendall's tau-b along the last axis: agreeing less disagreeing pairs of points, ties allowed for."""
    first, second = np.triu_indices(x.shape[-1], 1)
    x, y = np.sign(x[..., first] - x[..., second]), np.sign(y[..., first] - y[..., second])
    return _ratio((x * y).sum(-1), np.sqrt((x**2).sum(-1) * (y**2).sum(-1)))


def _ratio(numerator: NDArray, denominator: NDArray) -> NDArray:
    """numerator / denominator, 0 where the denominator is."""
    return np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator > 0)


_STATISTICS: dict[str, Statistic] = {"pearson": _pearson, "spearman": _spearman, "kendall": _kendall}
