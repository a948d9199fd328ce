"""Tests of differences and of several p-values, and the interval of a mean."""

import math
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from kdutils.errors import UserError
from kdutils.stats._checks import finite, level, points, probabilities, without_rounding


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


def paired_test(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> PairedTest:
    """Is a - b zero? Paired t test, Wilcoxon's signed ranks and the sign test over pairs of values.

    Differences that differ by no more than the rounding of a and b are equal: 0.3 - 0.2 and 0.2 - 0.1 are.
    """
    a, b = points(a, b, at_least=2)
    difference = without_rounding(a - b, max(abs(a).max(), abs(b).max()))
    if np.ptp(difference) == 0:
        raise UserError(f"all {len(difference)} differences equal {difference[0]:g}: no spread to test against")
    t_test = scipy.stats.ttest_1samp(difference, 0)
    low, high = t_test.confidence_interval(level(confidence))
    signs = sign_test(difference)
    return PairedTest(
        mean=float(difference.mean()),
        low=float(low),
        high=float(high),
        t_p=float(t_test.pvalue),
        wilcoxon_p=float(scipy.stats.wilcoxon(difference).pvalue),
        sign_p=signs.p,
        positive=signs.positive,
        negative=signs.negative,
        n=len(difference),
    )


def sign_test(differences: ArrayLike) -> SignTest:
    """Are positive and negative differences equally likely? Exact binomial; zeros are counted but not tested.

    What is below a billionth of the largest difference is a zero that was rounded.
    """
    differences = finite(differences, "a difference")
    differences = without_rounding(differences, abs(differences).max(), digits=9)
    positive, negative = int((differences > 0).sum()), int((differences < 0).sum())
    p = scipy.stats.binomtest(positive, positive + negative).pvalue if positive + negative else 1.0
    return SignTest(positive, negative, len(differences) - positive - negative, float(p))


def t_interval(mean: float, std: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Student's confidence interval of a mean of `n` runs with (unbiased) standard deviation `std`."""
    if n < 2:
        raise UserError(f"an interval needs the spread of at least 2 runs, got n = {n}")
    if not (math.isfinite(mean) and 0 <= std < math.inf):
        raise UserError(f"expected a mean and a standard deviation from 0, got {mean} and {std}")
    half = float(scipy.stats.t.ppf((1 + level(confidence)) / 2, n - 1)) * std / math.sqrt(n)
    return mean - half, mean + half


def combine_p(p_values: ArrayLike) -> Combined:
    """One p-value for several *independent* tests of the same question, by Fisher's method.

    Pairs that share a teacher are not independent: read the result as a lower limit there.
    """
    result = scipy.stats.combine_pvalues(probabilities(p_values))
    return Combined(float(result.statistic), float(result.pvalue))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """The p-values after Holm's correction for having made this many tests, in the order given."""
    p = probabilities(p_values)  # statsmodels' multipletests collects garbage each time, which takes 0.2 s
    order = np.argsort(p)
    stepped = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]).clip(max=1)
    return stepped[np.argsort(order)]


def p_text(p: float) -> str:
    """A p-value as it is written beside a result: "p = 0.24", "p = 0.003" or "p < 0.001"."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.2f}" if p >= 0.095 else f"p = {p:.3f}"
