"""Orders of more points than all pairings can be listed for: is there one, and which of two scores is nearer to it."""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike

from kdutils.errors import UserError
from kdutils.stats._checks import points
from kdutils.stats._coefficients import EXACT_UP_TO, Correlation, _tail, correlation

PAIRINGS = 100_000  # drawn at random, the observed one among them
ALL_SWAPS_UP_TO = 20  # points: a million ways to swap two scores of each


class Lead(NamedTuple):
    """Spearman's rho of one score less that of another, both with the same outcome, and its two-sided p-value."""

    difference: float
    p: float


def rank_order(x: ArrayLike, y: ArrayLike) -> Correlation:
    """Spearman's rho of at least four points with Fisher's interval, p by pairings of x and y.

    All of them up to nine points, beyond that 100,000 random ones, always the same; then p is at least 2 / 100,000.
    """
    found = correlation(x, y, "spearman")
    if found.n <= EXACT_UP_TO:
        return found
    ranks, others = (scipy.stats.rankdata(values) for values in points(x, y))
    test = scipy.stats.permutation_test(
        (ranks,),
        lambda drawn, axis: (drawn * others).sum(axis),
        permutation_type="pairings",
        vectorized=True,
        n_resamples=PAIRINGS - 1,
        random_state=0,
    )
    return found._replace(p=float(test.pvalue))


def lead(first: ArrayLike, second: ArrayLike, y: ArrayLike) -> Lead:
    """Does `first` order `y` better than `second` does? By swapping the ranks of the two point by point.

    Under the null both scores are equally good and may change places at each point: all 2^n swaps are listed. Needs 4
    to 20 points. Scores that agree leave little to swap, and p is then large.
    """
    a, b = (scipy.stats.rankdata(values) for values in points(first, second))
    y = scipy.stats.rankdata(points(y, y)[0])
    if len(a) != len(y):
        raise UserError(f"expected as many outcomes as scores, got {len(y)} for {len(a)}")
    if len(a) > ALL_SWAPS_UP_TO:
        raise UserError(f"the swaps of {len(a)} points are too many to list; at most {ALL_SWAPS_UP_TO} points")
    gaps = (a - b) * (y - y.mean())  # what a point adds to the lead; with the other sign once the two are swapped
    null = np.zeros(1)
    for gap in gaps:
        null = np.concatenate([null + gap, null - gap])
    difference = correlation(first, y, "spearman").r - correlation(second, y, "spearman").r
    return Lead(difference, _tail(null, gaps.sum(), "two-sided"))
