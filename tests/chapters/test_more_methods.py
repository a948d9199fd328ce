"""Gains of a scheme under several methods, and the published gains of CRD and CutMixPick, against plain arithmetic."""

import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from kdutils import paper
from kdutils.chapters import more_methods


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
    found = more_methods.gains(runs(), "cutmix")
    assert found["method"].tolist() == ["vid", "at", "at"], "in order of the runs; SP was not run without CutMix"
    assert found["accuracy_gain"].tolist() == [2.0, -0.5, 2.0]
    assert found["loss_gain"].tolist() == pytest.approx([0.05, -0.01, 0.08])


def test_the_table_has_the_interval_over_seeds_and_holms_p() -> None:
    gained = pd.DataFrame(
        {
            "method": ["at"] * 3 + ["sp"] * 3 + ["vid"],
            "accuracy_gain": [1.0, 1.5, 2.5, -1.0, 2.0, 0.5, 3.0],
            "loss_gain": [0.1, 0.2, 0.3, 0.0, 0.0, 0.3, 0.5],
        }
    )
    shown, tests = more_methods.gain_table(gained), [ttest_1samp(gained["accuracy_gain"][:3], 0)]
    tests.append(ttest_1samp(gained["accuracy_gain"][3:6], 0))
    low, high = tests[0].confidence_interval()
    assert shown.loc["AT", ["95 % from", "to"]].tolist() == [f"{low:.2f}", f"{high:.2f}"]
    assert shown.loc["AT", "p (Holm)"] == f"{2 * tests[0].pvalue:.3f}"
    assert shown.loc["SP", "p (Holm)"] == f"{tests[1].pvalue:.3f}"
    assert shown.loc["VID"].tolist() == [1, "3.00", "–", "–", "–", "0.500"]
    assert shown["test loss saved (nats)"].tolist() == ["0.200", "0.100", "0.500"]


def test_published_gains_and_intervals() -> None:
    frame = more_methods.published()
    assert len(frame) == 14
    tiny = frame.query("dataset == 'tinyimagenet'")
    expected = paper.gains(2, ("CRD+CutMixPick", 240), ("CRD", 240))
    assert tiny["pick_under_crd"].tolist() == expected["gain"].tolist()
    table = more_methods.combined(frame).set_index(["dataset", "quantity"])
    interval = ttest_1samp(tiny["pick_under_crd"] - tiny["pick_under_kd"], 0).confidence_interval()
    row = table.loc[("tinyimagenet", "less")]
    assert (row["low"], row["high"]) == pytest.approx(tuple(interval))
    assert more_methods.published_table().loc["resnet56/resnet20, CIFAR-100", "CutMixPick over CRD"] == "-0.22"
    shown = more_methods.combined_table(more_methods.combined(frame))
    assert shown.loc["CutMixPick over CRD, less over KD, Tiny ImageNet", "mean (points)"] == "-0.56"


def test_bars_show_the_mean_and_every_seed() -> None:
    (ax,) = more_methods.bars(more_methods.gains(runs(), "cutmix"), "gain").axes
    assert [patch.get_width() for patch in ax.patches] == [2.0, 0.75]
    assert ax.lines[0].get_xdata().tolist() == [2.0, -0.5, 2.0]
