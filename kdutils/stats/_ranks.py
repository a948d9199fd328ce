"""Orders of more points than all pairings can be listed for: is there one, and which of two scores is nearer to it."""

import itertools
import math
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


class Within(NamedTuple):
    """Spearman's rho over all points, its mean over all changes within groups, and the two-sided p-value."""

    rho: float
    by_groups: float
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


def rank_order_within(x: ArrayLike, y: ArrayLike) -> Within:
    """Do x and y [groups, points] rise together within groups, beyond what the groups have in common?

    All n! ^ groups ways in which each group's x may change places are listed, so that p is exact; 1,296 for four groups
    of three. What x and y share from group to group stays in each of them, and in `by_groups`.
    """
    x, y = np.atleast_2d(np.asarray(x, float)), np.atleast_2d(np.asarray(y, float))
    if x.shape != y.shape or x.ndim != 2:
        raise UserError(f"expected two arrays of the same shape, got {x.shape} and {y.shape}")
    if (ways := math.factorial(x.shape[1]) ** len(x)) > 2**ALL_SWAPS_UP_TO:
        raise UserError(f"the {ways:,} changes within {len(x)} groups are too many to list")
    ranks, others = (scipy.stats.rankdata(values) for values in points(x.ravel(), y.ravel()))
    others -= others.mean()
    parts = np.stack([ranks, others]).reshape(2, *x.shape)
    null = np.zeros(1)
    for own, theirs in zip(*parts, strict=True):  # what a group adds to the covariance, the given order first
        changes = np.array([theirs @ order for order in itertools.permutations(own)])
        null = np.add.outer(null, changes).ravel()
    rhos = null / (np.linalg.norm(ranks - ranks.mean()) * np.linalg.norm(others))
    return Within(float(rhos[0]), float(rhos.mean()), _tail(rhos, rhos[0], "two-sided"))


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
