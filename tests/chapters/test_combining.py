"""Gains of a scheme under several methods, and the published gains of CRD and CutMixPick, against plain arithmetic."""

import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from kdutils import paper
from kdutils.chapters import combining


def runs() -> pd.DataFrame:
    rows = [
        ("vid", "none", 0, 90.0, 0.30),
        ("vid", "cutmix", 0, 92.0, 0.25),
        ("at", "none", 0, 91.0, 0.28),
        ("at", "none", 1, 91.0, 0.28),
        ("at", "cutmix", 0, 90.5, 0.29),
        ("at", "cutmix", 1, 93.0, 0.20),
        ("sp", "cutmix", 0, 99.0, 0.01),
    ]
    return pd.DataFrame(rows, columns=["method", "scheme", "seed", "test_accuracy", "test_loss"])


def test_gains_are_paired_by_method_and_seed() -> None:
    found = combining.gains(runs(), "cutmix")
    assert found["method"].tolist() == ["vid", "at", "at"], "in order of the runs; SP was not run without CutMix"
    assert found["accuracy_gain"].tolist() == [2.0, -0.5, 2.0]
    assert found["loss_gain"].tolist() == pytest.approx([0.05, -0.01, 0.08])


def test_published_gains_and_intervals() -> None:
    frame = combining.published()
    assert len(frame) == 14
    tiny = frame.query("dataset == 'tinyimagenet'")
    expected = paper.gains(2, ("CRD+CutMixPick", 240), ("CRD", 240))
    assert tiny["pick_under_crd"].tolist() == expected["gain"].tolist()
    table = combining.combined(frame).set_index(["dataset", "quantity"])
    interval = ttest_1samp(tiny["pick_under_crd"] - tiny["pick_under_kd"], 0).confidence_interval()
    row = table.loc[("tinyimagenet", "less")]
    assert (row["low"], row["high"]) == pytest.approx(tuple(interval))
    less = table.xs("less", level="quantity")
    assert (less["high"] < 0).all(), "the chapter's text says so"


@pytest.mark.parametrize(
    ("gain", "less", "holds"),
    [((0.1, 0.5), (-0.1, 0.2), "holds"), ((0.1, 0.5), (-0.4, -0.1), "partly"), ((-0.1, 0.5), (-0.4, -0.1), "fails")],
)
def test_to_combine_is_to_gain_and_to_be_independent(gain: tuple, less: tuple, holds: str) -> None:
    rows = [("pick_under_crd", *gain), ("crd_under_pick", *gain), ("less", *less)]
    assert combining.combine(pd.DataFrame(rows, columns=["quantity", "low", "high"])) == holds


@pytest.mark.parametrize(
    ("means", "holds"),
    [([1.0, 1.2, 0.9], "holds"), ([-1.0, -1.2, -0.9], "fails"), ([1.0, -1.0, 0.5], "cannot tell")],
)
def test_all_gain(means: list[float], holds: str) -> None:
    assert combining.all_gain(pd.Series(means)) == holds


@pytest.mark.parametrize(("dataset", "half"), [("digits", "cannot tell"), ("cifar100", "holds")])
def test_every_claim_of_the_chapter_gets_a_verdict(dataset: str, half: str) -> None:
    gained = combining.gains(runs(), "cutmix")
    found = {v.claim_ids[0]: v.holds for v in combining.verdicts(gained, dataset, "quick")}
    claims = paper.claims()
    assert set(found) == set(claims[claims["chapter"] == "08_more_methods"]["id"])
    assert found["cutmix-five-methods-half"] == half


def test_bars_show_the_mean_and_every_seed() -> None:
    (ax,) = combining.bars(combining.gains(runs(), "cutmix"), "gain").axes
    assert [patch.get_width() for patch in ax.patches] == [2.0, 0.75]
    assert ax.lines[0].get_xdata().tolist() == [2.0, -0.5, 2.0]
