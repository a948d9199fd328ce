"""Correlations against scipy, brute force, closed forms and simulation."""

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


def test_pearson_p_is_students_t():
    x, y = points(9)
    assert stats.correlation(x, y).p == pytest.approx(scipy_stats.pearsonr(x, y).pvalue)


def test_kendall_p_of_few_points_is_scipys_exact_one():
    x, y = points(9)
    exact = scipy_stats.kendalltau(x, y, method="exact").pvalue
    assert stats.correlation(x, y, "kendall").p == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("method", ["spearman", "kendall"])
def test_perfect_order_of_nine_has_the_smallest_possible_p(method):
    found = stats.correlation(np.arange(9), np.arange(9) ** 3, method)
    assert found.p == pytest.approx(2 / math.factorial(9), rel=1e-9)
    assert (found.r, found.low, found.high) == pytest.approx((1, 1, 1))


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


def test_frames_and_series_are_accepted():
    frame = pd.DataFrame({"x": [1.0, 2, 3, 5], "y": [1.0, 3, 2, 4]}, index=[7, 8, 9, 10])
    assert stats.correlation(frame["x"], frame["y"]).n == 4


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("ties", [False, True])
def test_exact_p_is_that_of_all_pairings_counted_by_hand(method, alternative, ties):
    x, y = np.random.default_rng(3).integers(0, 4, (2, 6)).astype(float) if ties else np.array(points(6))
    observed = METHODS[method](x, y).statistic
    null = np.array([METHODS[method](x, order).statistic for order in itertools.permutations(y)])
    greater, less = (null >= observed - 1e-9).mean(), (null <= observed + 1e-9).mean()
    expected = {"greater": greater, "less": less, "two-sided": min(1, 2 * min(greater, less))}[alternative]
    assert stats.permutation_p(x, y, method, alternative) == pytest.approx(expected, rel=1e-9)
    if alternative == "two-sided" and method != "pearson":
        assert stats.correlation(x, y, method).p == pytest.approx(expected, rel=1e-9)


def test_exact_p_of_several_series_permutes_their_points_as_one():
    x, y = np.random.default_rng(0).normal(size=(2, 3, 5))

    def mean_r(order):
        return np.mean([scipy_stats.pearsonr(a[list(order)], b).statistic for a, b in zip(x, y, strict=True)])

    null = np.array([mean_r(order) for order in itertools.permutations(range(5))])
    expected = (null >= null[0] - 1e-9).mean()
    assert stats.permutation_p(x, y, alternative="greater") == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("left_out", "expected"), [([], 1 / 362_880), (["cutmix", "cutmixpick_s", "cutmixpick_t"], 3 / 720)]
)
def test_exact_p_of_the_published_pairs_with_and_without_the_cutmix_family(left_out, expected):
    pairs = paper.pairs().query("scheme not in @left_out")
    pairs = pairs.assign(name=pairs["dataset"] + pairs["pair"])
    x, y = (pairs.pivot(index="name", columns="scheme", values=column) for column in ("t_stddev", "test_loss"))
    assert stats.permutation_p(x, y, alternative="greater") == pytest.approx(expected, rel=1e-9)


def test_values_equal_but_for_rounding_are_tied_and_a_sequence_of_them_is_constant():
    y = [1.0, 2.0, 3.0, 4.0]
    assert stats.correlation([0.3, 0.1 + 0.2, 0.4, 0.5], y, "spearman") == stats.correlation(
        [3, 3, 4, 5], y, "spearman"
    )
    with pytest.raises(UserError, match="constant"):
        stats.correlation([0.3, 0.1 + 0.2, 0.3, 0.3], y)


def test_pairings_that_cannot_be_listed_or_paired_are_refused():
    with pytest.raises(UserError, match="10 points are too many"):
        stats.permutation_p(*points(10))
    with pytest.raises(UserError, match="same shape"):
        stats.permutation_p([1, 2, 3, 4], [1, 2, 3])
    with pytest.raises(UserError, match="constant"):
        stats.permutation_p([1, 1, 1, 1], [1, 2, 3, 4])
    with pytest.raises(UserError, match="Did you mean 'greater'"):
        stats.permutation_p(*points(5), alternative="grater")


def test_fisher_interval_of_pearson_is_scipys():
    x, y = points(20)
    found = stats.correlation(x, y)
    assert (found.low, found.high) == pytest.approx(tuple(scipy_stats.pearsonr(x, y).confidence_interval(0.95)))
    assert stats.fisher_interval(found.r, 20) == (found.low, found.high)


@pytest.mark.parametrize("n", [8, 9, 30])
@pytest.mark.parametrize(
    ("method", "truth"),
    [("pearson", 0.6), ("spearman", 6 / math.pi * math.asin(0.3)), ("kendall", 2 / math.pi * math.asin(0.6))],
)
def test_intervals_cover_the_truth_as_often_as_they_say(method, truth, n):
    """1,500 samples of a bivariate normal distribution with r = 0.6: the share has a standard error of 0.6 %."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1500, n))
    y = 0.6 * x + 0.8 * rng.normal(size=(1500, n))
    r = [METHODS[method](a, b).statistic for a, b in zip(x, y, strict=True)]
    limits = np.array([stats.fisher_interval(min(each, 1), n, method=method) for each in r])
    covered = ((limits[:, 0] <= truth) & (truth <= limits[:, 1])).mean()
    assert 0.93 <= covered <= 0.975, covered


def test_an_interval_of_too_few_points_is_not_given():
    assert np.isnan(stats.fisher_interval(0.5, 3)).all()
    assert np.isnan(stats.fisher_interval(0.5, 4, method="kendall")).all()
    for r, confidence in ((1.1, 0.95), (math.nan, 0.95), (0.5, 95)):
        with pytest.raises(UserError, match="between"):
            stats.fisher_interval(r, 9, confidence)


def test_unknown_names_are_refused():
    with pytest.raises(UserError, match="Did you mean 'kendall'"):
        stats.correlation(*points(9), "kendal")


def test_a_row_without_a_group_is_refused():
    frame = pd.DataFrame({"g": ["a"] * 4 + [np.nan] * 4, "x": range(8), "y": [1, 3, 2, 4, 4, 3, 2, 1]})
    with pytest.raises(UserError, match="column 'g'"):
        stats.correlations(frame, ["g"], "x", "y")
