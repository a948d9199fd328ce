"""The strength of the published correlations, against scipy and against data made to order."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, pearsonr

from kdutils import paper
from kdutils.chapters import large


def test_strengths_of_all_twenty_pairs() -> None:
    frame = large.strengths()
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


def test_gap_is_that_of_fishers_z_and_covers_nothing_where_there_is_none() -> None:
    small = pd.DataFrame({"dataset": ["cifar100"] * 4, "r": np.tanh([1.0, 1.2, 0.8, 1.0])})
    frame = pd.concat([small, pd.DataFrame({"dataset": ["imagenet"], "r": np.tanh([0.5])})])
    middle, low, high = large.gap(frame, "imagenet")
    assert middle == pytest.approx(-0.5)
    assert high - middle == pytest.approx(middle - low) == pytest.approx(1.96 * (1.25 / 6) ** 0.5)


def test_gap_interval_has_its_coverage() -> None:
    draws = np.random.default_rng(0)
    x, y = draws.normal(size=(2, 1500, 19, 9))
    y = 0.9 * x + np.sqrt(1 - 0.81) * y
    r = np.array([[np.corrcoef(*pair)[0, 1] for pair in zip(*each, strict=True)] for each in zip(x, y, strict=True)])
    names = ["cifar100"] * 18 + ["imagenet"]
    intervals = [large.gap(pd.DataFrame({"dataset": names, "r": each}), "imagenet") for each in r]
    covered = np.mean([low < 0 < high for _, low, high in intervals])
    assert covered == pytest.approx(0.95, abs=0.02)


def test_coefficients_are_those_of_the_pair() -> None:
    found = large.coefficients("imagenet").set_index("method")
    group = paper.pairs(large=True).query("dataset == 'imagenet'")
    assert found.loc["kendall", "r"] == pytest.approx(kendalltau(group["t_stddev"], group["test_loss"]).statistic)
    assert (found["low"] < found["r"]).all()
    assert (found["r"] < found["high"]).all()


def test_claims_follow_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    points = pd.DataFrame({"t_stddev": [1.0, 2, 3, 4], "test_loss": [1.0, 2, 4, 3]})
    claims = paper.claims()
    found = {v.claim_ids[0]: v.holds for v in large.verdicts(points, "digits", "quick")}
    assert set(found) == set(claims[claims["chapter"] == "09_large_images"]["id"])
    assert found["weaker-on-large-images"] == found["weak-on-imagenet"] == "holds"
    whole = paper.pairs

    def perfect(large: bool = False) -> pd.DataFrame:  # nearly as strong a correlation as can be on the large images
        return whole(large).assign(test_loss=lambda f: f["t_stddev"] + 1e-4 * f["test_loss"]) if large else whole()

    monkeypatch.setattr(paper, "pairs", perfect)
    found = {v.claim_ids[0]: v.holds for v in large.verdicts(points, "digits", "quick")}
    assert found["weaker-on-large-images"] == found["weak-on-imagenet"] == "fails"
    assert found["significant-on-imagenet100"] == "holds"


def test_figures_show_every_pair() -> None:
    frame = large.strengths()
    (ax,) = large.ladder(frame).axes
    assert sum(len(bars.lines[0].get_xdata()) for bars in ax.containers) == 20
    for ax in large.against(frame).axes:
        assert sum(len(dots.get_offsets()) for dots in ax.collections) == 20
