"""The strength of the published correlations, against scipy and against data made to order."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, norm, pearsonr, ttest_ind

from kdutils import paper
from kdutils.chapters import large_images


def test_strengths_of_all_twenty_pairs() -> None:
    frame = large_images.strengths()
    assert len(frame) == 20
    group = paper.pairs(large=True).query("dataset == 'imagenet100'")
    row = frame.set_index("dataset").loc["imagenet100"]
    expected = pearsonr(group["t_stddev"], group["test_loss"])
    assert (row["r"], row["p"]) == pytest.approx(tuple(expected))
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert row["hardness"] == 0.6713
    assert row["spread"] == pytest.approx(np.std(group["test_loss"], ddof=1))
    assert row["reach"] == pytest.approx(2.165 / 2.545)
    assert np.isnan(frame.set_index("dataset").loc["imagenet", "noise"]), "ImageNet was run once"


def test_gap_is_a_t_test_of_one_more_pair_with_the_spread_of_the_others() -> None:
    z = np.array([1.0, 1.4, 0.6, 1.2])
    small = pd.DataFrame({"dataset": ["cifar100"] * 4, "r": np.tanh(z)})
    found = large_images.gap(
        pd.concat([small, pd.DataFrame({"dataset": ["imagenet"], "r": np.tanh([0.5])})]), "imagenet"
    )
    expected = ttest_ind([0.5], z)  # of one value: the spread is that of the others
    assert (found.difference, found.p) == pytest.approx((0.5 - z.mean(), expected.pvalue))
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval()))


def test_gap_has_its_level_if_pairs_differ_by_more_than_the_noise_of_their_schemes() -> None:
    z = np.random.default_rng(0).normal(1.5, 0.55, size=(400, 19))  # nine schemes alone would make it 0.41
    names = ["cifar100"] * 18 + ["imagenet"]
    p = [large_images.gap(pd.DataFrame({"dataset": names, "r": np.tanh(each)}), "imagenet").p for each in z]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.033)  # 3 standard errors; with 0.41, 0.14


def test_coefficients_are_those_of_the_pair() -> None:
    found = large_images.coefficients("imagenet").set_index("method")
    group = paper.pairs(large=True).query("dataset == 'imagenet'")
    assert found.loc["kendall", "r"] == pytest.approx(kendalltau(group["t_stddev"], group["test_loss"]).statistic)
    assert (found["low"] < found["r"]).all()
    assert (found["r"] < found["high"]).all()


def test_tables_and_words_follow_the_numbers() -> None:
    frame = large_images.strengths()
    assert large_images.coefficients_table().loc["ImageNet, Pearson r", "coefficient"] == "0.35"
    assert large_images.weakest(frame).loc["resnet34/resnet18, ImageNet", "noise of a scheme (nats)"] == "–"
    assert "are below Tiny ImageNet" in large_images.hardness_in_words(frame)
    harder = frame.assign(hardness=frame["hardness"] + 9 * frame["dataset"].isin(large_images.LARGE))
    assert "are not below Tiny ImageNet" in large_images.hardness_in_words(harder)


def test_figures_show_every_pair() -> None:
    frame = large_images.strengths()
    (ax,) = large_images.ladder(frame).axes
    assert sum(len(bars.lines[0].get_xdata()) for bars in ax.containers) == 20
    for ax in large_images.against(frame).axes:
        assert sum(len(dots.get_offsets()) for dots in ax.collections) == 20


def test_two_correlations_are_compared_by_fishers_z() -> None:
    rng = np.random.default_rng(0)
    first, second = (pd.DataFrame({"t_stddev": x, "test_loss": x + y}) for x, y in rng.normal(size=(2, 2, 9)))
    found = large_images.less_than_few_shot(first, second)
    z = [np.arctanh(pearsonr(each["t_stddev"], each["test_loss"]).statistic) for each in (first, second)]
    assert found.difference == pytest.approx(z[0] - z[1])
    assert found.p == pytest.approx(2 * norm.sf(abs(z[0] - z[1]) / (2 / 6) ** 0.5))
    assert found.high - found.low == pytest.approx(2 * 1.959964 * (2 / 6) ** 0.5)
