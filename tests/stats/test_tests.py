"""Tests of differences and of p-values against scipy, brute force and simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from kdutils import stats
from kdutils.errors import UserError


def points(n, slope=1.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, slope * x + rng.normal(size=n)


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.24320, "p = 0.24"), (0.0499, "p = 0.050"), (0.0027, "p = 0.003"), (0.0009, "p < 0.001"), (1.0, "p = 1.00")],
)
def test_p_values_are_written_with_the_digits_that_matter(p, text):
    assert stats.p_text(p) == text


def test_combined_p_values_are_the_textbook_sums():
    p = np.array([0.2, 0.01, 0.6])
    fisher = stats.combine_p(p)
    assert fisher.statistic == pytest.approx(-2 * np.log(p).sum())
    assert fisher.p == pytest.approx(scipy_stats.chi2.sf(fisher.statistic, 6))


def test_holm_by_hand():
    np.testing.assert_allclose(stats.holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])


def test_holm_is_that_of_statsmodels():
    p = np.random.default_rng(0).uniform(0, 0.2, (5, 7))  # each call of statsmodels collects all garbage
    p[3, :3] = p[3, 0]  # ties
    for values in p:
        np.testing.assert_allclose(stats.holm(values), multipletests(values, method="holm")[1])


def test_paired_test_is_three_tests_of_the_differences():
    a, b = points(7, seed=3)
    found = stats.paired_test(a, b)
    assert found.t_p == pytest.approx(scipy_stats.ttest_rel(a, b).pvalue)
    assert found.wilcoxon_p == pytest.approx(scipy_stats.wilcoxon(a, b).pvalue)
    assert found.sign_p == pytest.approx(scipy_stats.binomtest(found.positive, 7).pvalue)
    assert found.positive + found.negative == found.n == 7
    difference = a - b
    expected = stats.t_interval(difference.mean(), difference.std(ddof=1), 7)
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.mean == pytest.approx(difference.mean())


@pytest.mark.parametrize("gain", [1.0, 0.1, -0.7, 1e-3])
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e9])
def test_equal_gains_have_no_spread_however_they_were_rounded(gain, scale):
    before = np.array([1.0, 2.1, 3.2, 4.3, 5.4]) * scale
    with pytest.raises(UserError, match="no spread"):
        stats.paired_test(before + gain * scale, before)


def test_gains_that_are_equal_but_for_rounding_are_ties():
    """All 32 signs of five gains: 0.1 three times and 0.2 twice, printed with one decimal."""
    a, b = np.array([0.3, 0.9, 7.1, 0.7, 0.4]), np.array([0.2, 0.8, 7.0, 0.5, 0.6])
    found = stats.paired_test(a, b)
    ranks = np.array([2.0, 2.0, 2.0, 4.5, 4.5])
    null = np.array([ranks @ signs for signs in itertools.product([0, 1], repeat=5)])
    observed = ranks @ [1, 1, 1, 1, 0]
    assert found.wilcoxon_p == pytest.approx(2 * min((null >= observed).mean(), (null <= observed).mean()))
    assert stats.sign_test(np.array([0.3, 1.0, 2.0]) - [0.1 + 0.2, 0.5, 1.0]) == (2, 0, 1, 0.5)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: stats.sign_test([1, 2, math.nan, -1]), "a difference is missing"),
        (lambda: stats.sign_test([]), "at least one value"),
        (lambda: stats.holm([0.01, math.nan, 0.03]), "a p-value is missing"),
        (lambda: stats.holm([0.01, -0.03]), "lies in 0..1; got -0.03 to 0.01"),
        (lambda: stats.combine_p([1.5, 0.5]), "lies in 0..1; got 0.5 to 1.5"),
        (lambda: stats.combine_p([]), "at least one value"),
        (lambda: stats.paired_test([1, 2], [1, math.inf]), "missing or infinite"),
        (lambda: stats.paired_test([1, 2], [1, 3], confidence=95), "such as 0.95; got 95"),
        (lambda: stats.t_interval(1, math.nan, 3), "standard deviation from 0, got 1 and nan"),
        (lambda: stats.t_interval(1, -1, 3), "standard deviation from 0"),
    ],
)
def test_what_has_no_answer_is_refused(ask, message):
    with pytest.raises(UserError, match=message):
        ask()


def test_sign_test_counts_and_leaves_ties_out():
    assert stats.sign_test([1, 2, 3, 0, -1, 5, 1]) == (5, 1, 1, pytest.approx(2 * 7 / 64))
    assert stats.sign_test([0, 0]).p == 1


def test_t_interval_covers_the_mean_as_often_as_it_says():
    runs = np.random.default_rng(0).normal(3, 2, (4000, 3))
    covered = [
        low <= 3 <= high
        for low, high in (stats.t_interval(run.mean(), run.std(ddof=1), 3, confidence=0.9) for run in runs)
    ]
    assert np.mean(covered) == pytest.approx(0.9, abs=0.015)
    with pytest.raises(UserError, match="at least 2"):
        stats.t_interval(1, 1, 1)
