"""Statistics against scipy, brute force, closed forms and simulation."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from kdutils import paper, stats
from kdutils.errors import UserError

METHODS = {"pearson": scipy_stats.pearsonr, "spearman": scipy_stats.spearmanr, "kendall": scipy_stats.kendalltau}


def points(n, slope=1.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, slope * x + rng.normal(size=n)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [5, 9, 30])
def test_coefficients_are_scipys(method, n):
    x, y = points(n)
    assert stats.correlation(x, y, method).r == pytest.approx(METHODS[method](x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_vectorised_coefficients_are_scipys_with_ties(method):
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 4, (2, 50, 9)).astype(float)
    one_by_one = [METHODS[method](a, b).statistic for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(stats._STATISTICS[method](x, y), one_by_one, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_a_resample_of_one_point_counts_as_no_correlation(method):
    assert stats._STATISTICS[method](np.full(7, 0.1), np.full(7, 0.7)) == 0


def test_pearson_p_is_students_t():
    x, y = points(9)
    assert stats.correlation(x, y).p == pytest.approx(scipy_stats.pearsonr(x, y).pvalue)


def test_kendall_p_of_few_points_is_scipys_exact_one():
    x, y = points(9)
    exact = scipy_stats.kendalltau(x, y, method="exact").pvalue
    assert stats.correlation(x, y, "kendall").p == pytest.approx(exact, rel=1e-9)


def test_exact_p_with_ties_is_that_of_all_pairings_counted_by_hand():
    x, y = np.array([1.0, 2, 2, 3, 5, 6]), np.array([1.0, 3, 2, 2, 6, 4])
    observed = scipy_stats.spearmanr(x, y).statistic
    null = np.array([scipy_stats.spearmanr(x, order).statistic for order in itertools.permutations(y)])
    tail = min((null >= observed - 1e-9).mean(), (null <= observed + 1e-9).mean())
    assert stats.correlation(x, y, "spearman").p == pytest.approx(2 * tail, rel=1e-9)


@pytest.mark.parametrize("method", ["spearman", "kendall"])
def test_perfect_order_of_nine_has_the_smallest_possible_p(method):
    found = stats.correlation(np.arange(9), np.arange(9) ** 3, method)
    assert found.p == pytest.approx(2 / math.factorial(9), rel=1e-9)
    assert (found.r, found.low, found.high) == pytest.approx((1, 1, 1))


def test_fisher_interval_is_the_closed_form():
    x, y = points(20)
    found = stats.correlation(x, y, interval="fisher")
    half = 1.959963984540054 / math.sqrt(17)
    expected = np.tanh(np.arctanh(found.r) + np.array([-half, half]))
    assert (found.low, found.high) == pytest.approx(tuple(expected))


def test_bootstrap_interval_is_seeded_and_reasonable():
    x, y = points(40)
    one, two, other = (stats.correlation(x, y, seed=seed) for seed in (0, 0, 1))
    assert one == two
    assert one.low != other.low
    fisher = stats.correlation(x, y, interval="fisher")
    assert (one.low, one.high) == pytest.approx((fisher.low, fisher.high), abs=0.1)
    assert one.low < one.r < one.high


@pytest.mark.parametrize(("method", "truth"), [("pearson", 0.8), ("spearman", 6 / math.pi * math.asin(0.4))])
def test_bootstrap_interval_covers_the_truth_for_nine_points(method, truth, monkeypatch):
    monkeypatch.setattr(stats, "RESAMPLES", 999)
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        x = rng.normal(size=9)
        low, high = stats.correlation(x, 0.8 * x + 0.6 * rng.normal(size=9), method)[2:4]
        covered += low <= truth <= high
    assert 0.88 <= covered / 200 <= 0.99


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1, 2, 3], [1, 2, 3], "at least 4"),
        ([1, 2, 3, 4], [1, 2, 3], "same length"),
        ([1, 2, 3, math.nan], [1, 2, 3, 4], "missing"),
        ([0.1] * 5, [1, 2, 3, 4, 5], "constant"),
    ],
)
def test_input_without_a_correlation_is_refused(x, y, message):
    with pytest.raises(UserError, match=message):
        stats.correlation(x, y)


def test_unknown_names_and_an_unfit_interval_are_refused():
    x, y = points(9)
    with pytest.raises(UserError, match="Did you mean 'kendall'"):
        stats.correlation(x, y, "kendal")
    with pytest.raises(UserError, match="interval"):
        stats.correlation(x, y, "spearman", interval="fisher")


def test_correlations_has_a_row_a_pair_and_method_in_the_papers_order():
    found = stats.correlations(paper.pairs(), ["dataset", "pair"], "t_stddev", "test_loss", ["pearson", "kendall"])
    assert len(found) == 36
    assert found["n"].eq(9).all()
    assert found[["dataset", "pair", "method"]].iloc[0].tolist() == ["cifar100", "wrn_40_2/wrn_16_2", "pearson"]
    pair = paper.pairs().query("dataset == 'tinyimagenet' and pair == 'vgg13/vgg8'")
    row = found.query("dataset == 'tinyimagenet' and pair == 'vgg13/vgg8' and method == 'pearson'").iloc[0]
    assert row["r"] == pytest.approx(np.corrcoef(pair["t_stddev"], pair["test_loss"])[0, 1])


def test_one_published_pair_of_eighteen_is_not_significant():
    found = stats.correlations(paper.pairs(), ["dataset", "pair"], "t_stddev", "test_loss", interval="fisher")
    failing = found[found["p"] >= 0.05]
    assert failing[["dataset", "pair"]].to_numpy().tolist() == [["tinyimagenet", "resnet56/ShuffleV2"]]


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
    stouffer = stats.combine_p(p, "stouffer")
    assert stouffer.p == pytest.approx(scipy_stats.norm.sf(scipy_stats.norm.isf(p).sum() / math.sqrt(3)))


def test_holm_by_hand():
    np.testing.assert_allclose(stats.holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])


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


def test_paired_test_without_spread_is_refused():
    with pytest.raises(UserError, match="no spread"):
        stats.paired_test([2, 3, 4], [1, 2, 3])


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


def test_line_and_band_are_the_closed_form():
    x, y = points(9)
    at = np.linspace(-2, 2, 5)
    found = stats.fit_line(x, y, at)
    line = scipy_stats.linregress(x, y)
    np.testing.assert_allclose(found["y"], line.intercept + line.slope * at)
    residual = np.sqrt(((y - line.intercept - line.slope * x) ** 2).sum() / 7)
    half = scipy_stats.t.ppf(0.975, 7) * residual * np.sqrt(1 / 9 + (at - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum())
    np.testing.assert_allclose(found["high"] - found["y"], half)
    np.testing.assert_allclose(found["y"] - found["low"], half)


def t_stddev(u):
    """Eq. 10."""
    return u.std(axis=0, ddof=1).mean()


def windows(n, classes, seed):
    """n mean probabilities of 64 images each over `classes` classes of a confident, uneven teacher."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(64, rng.dirichlet(np.full(classes, 3.0)), size=n) / 64


def test_standard_error_is_the_brute_force_jackknife():
    u = windows(17, 10, seed=0)
    left_out = np.array([t_stddev(np.delete(u, i, axis=0)) for i in range(17)])
    expected = math.sqrt(16 / 17 * ((left_out - left_out.mean()) ** 2).sum())
    assert stats.stddev_standard_error(u) == pytest.approx(expected, rel=1e-10)


def test_standard_error_covers_the_expected_metric():
    probabilities = np.random.default_rng(5).dirichlet(np.full(20, 3.0))
    rng = np.random.default_rng(6)
    draws = rng.multinomial(64, probabilities, size=(600, 40)) / 64
    metrics = np.array([t_stddev(u) for u in draws])
    errors = np.array([stats.stddev_standard_error(u) for u in draws])
    assert np.mean(abs(metrics - metrics.mean()) < 1.96 * errors) == pytest.approx(0.95, abs=0.03)
    assert errors.mean() == pytest.approx(metrics.std(), rel=0.1)


def test_few_windows_read_low_by_a_quarter_of_one_over_n():
    draws = np.random.default_rng(7).normal(size=(4000, 20, 5))
    assert np.mean([t_stddev(u) for u in draws]) == pytest.approx(1 - 1 / (4 * 20), abs=0.003)


@pytest.mark.parametrize("shape", [(2, 10), (10,)])
def test_standard_error_needs_three_windows(shape):
    with pytest.raises(UserError, match="3 windows"):
        stats.stddev_standard_error(np.zeros(shape))


def test_standard_error_of_a_class_that_never_appears_is_zero():
    u = windows(10, 4, seed=2)
    with_empty = np.column_stack([u, np.zeros(10)])
    assert stats.stddev_standard_error(with_empty) == pytest.approx(stats.stddev_standard_error(u) * 4 / 5)


def test_frames_and_series_are_accepted():
    frame = pd.DataFrame({"x": [1.0, 2, 3, 5], "y": [1.0, 3, 2, 4]}, index=[7, 8, 9, 10])
    assert stats.correlation(frame["x"], frame["y"]).n == 4
