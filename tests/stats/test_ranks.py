"""Orders of many points: p by random pairings against the exact one, and which of two scores leads, by brute force."""

import itertools

import numpy as np
import pytest
from scipy import stats as scipy_stats

from kdutils import stats
from kdutils.errors import UserError


def drawn(n, seed=0):
    return np.random.default_rng(seed).normal(size=(3, n))


def test_up_to_nine_points_all_pairings_are_listed():
    x, y, _ = drawn(8)
    assert stats.rank_order(x, y) == stats.correlation(x, y, "spearman")


def test_beyond_nine_points_p_is_the_share_of_pairings_that_are_as_far():
    x, y, _ = drawn(16, seed=4)
    found = stats.rank_order(x, y + 0.5 * x)
    assert found[:1] + found[2:] == tuple(stats.correlation(x, y + 0.5 * x, "spearman"))[:1] + found[2:]
    rng, rho = np.random.default_rng(1), found.r
    null = np.array([scipy_stats.spearmanr(rng.permutation(x), y + 0.5 * x).statistic for _ in range(2000)])
    expected = 2 * min((null >= rho).mean(), (null <= rho).mean())
    assert 0.01 < expected < 0.9
    assert found.p == pytest.approx(expected, abs=0.03)
    assert stats.rank_order(x, y + 0.5 * x).p == found.p


def test_a_perfect_order_of_sixteen_is_beyond_all_random_ones():
    x = np.arange(16)
    assert stats.rank_order(x, x**3).p == pytest.approx(2e-5)
    assert stats.rank_order(x, -x).r == pytest.approx(-1)


@pytest.mark.parametrize("share", [0.0, 0.5, 3.0])
def test_the_lead_of_a_score_is_that_of_all_swaps(share):
    first, second, y = drawn(7, seed=5)
    first = first + share * y
    a, b, ranks = (scipy_stats.rankdata(values) for values in (first, second, y))
    gaps = (a - b) * (ranks - ranks.mean())
    null = np.array([(gaps * signs).sum() for signs in itertools.product((1, -1), repeat=7)])
    expected = min(1, 2 * min((null >= gaps.sum() - 1e-9).mean(), (null <= gaps.sum() + 1e-9).mean()))
    found = stats.lead(first, second, y)
    assert found.p == pytest.approx(expected)
    rho = [scipy_stats.spearmanr(values, y).statistic for values in (first, second)]
    assert found.difference == pytest.approx(rho[0] - rho[1])


def test_the_lead_is_antisymmetric_and_equal_scores_have_none():
    first, second, y = drawn(16)
    one, other = stats.lead(first, second, y), stats.lead(second, first, y)
    assert one.difference == pytest.approx(-other.difference)
    assert one.p == pytest.approx(other.p)
    assert stats.lead(first, 2 * first + 1, y) == stats.Lead(0.0, 1.0)


def test_the_lead_of_scores_that_are_equally_good_is_seldom_significant():
    """Two noisy copies of the outcome: at most 5 % of 400 draws, so more than 35 has a chance below one in 1,000."""
    found = 0
    for seed in range(400):
        first, second, y = drawn(12, seed)
        found += stats.lead(y + first, y + second, y).p < 0.05
    assert found <= 35


def test_a_score_that_is_far_ahead_is_found():
    first, second, y = drawn(16)
    assert stats.lead(y + 0.1 * first, second, y).p < 0.01


def test_what_has_no_answer_is_refused():
    x, y, z = drawn(21)
    with pytest.raises(UserError, match="at most 20 points"):
        stats.lead(x, y, z)
    with pytest.raises(UserError, match="as many outcomes as scores"):
        stats.lead(x[:6], y[:6], z[:7])
    with pytest.raises(UserError, match="constant"):
        stats.rank_order(np.ones(12), np.arange(12))


def test_within_groups_p_is_that_of_all_changes_one_by_one():
    x, y = np.random.default_rng(3).normal(size=(2, 3, 3)) + np.array([0.0, 1.0, 2.0])[:, None]
    found = stats.rank_order_within(x, y)
    changes = itertools.product(itertools.permutations(range(3)), repeat=3)
    null = np.array(
        [
            scipy_stats.spearmanr(np.concatenate([row[list(way)] for row, way in zip(x, ways, strict=True)]), y.ravel())
            for ways in changes
        ]
    )[:, 0]
    assert found.rho == pytest.approx(null[0])
    assert found.by_groups == pytest.approx(null.mean())
    assert found.p == pytest.approx(min(1, 2 * min((null >= null[0] - 1e-9).mean(), (null <= null[0] + 1e-9).mean())))
    assert 0.05 < found.p < 1


def test_changes_within_groups_that_are_too_many_are_refused():
    with pytest.raises(UserError, match="the 1,728,000 changes within 3 groups are too many to list"):
        stats.rank_order_within(np.ones((3, 5)), np.ones((3, 5)))
    with pytest.raises(UserError, match="the same shape"):
        stats.rank_order_within(np.ones((2, 3)), np.ones((3, 2)))
