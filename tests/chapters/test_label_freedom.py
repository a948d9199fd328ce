"""Gains under CE and under KD, by hand, and the verdict that follows from them."""

import pandas as pd
import pytest
from scipy.stats import ttest_rel

from kdutils.chapters import label_freedom


def students(kd_gain: tuple[float, ...], ce_gain: tuple[float, ...]) -> pd.DataFrame:
    """Runs of which CutMix gains these points, and Mixup one point less, a number a seed."""
    rows = []
    for method, by_seed in (("kd", kd_gain), ("ce", ce_gain)):
        for seed, gain in enumerate(by_seed):
            for scheme, more in (("none", 0.0), ("cutmix", gain), ("mixup", gain - 1)):
                rows.append((method, scheme, seed, 90 + more, 0.5 - more / 100))
    return pd.DataFrame(rows, columns=["method", "scheme", "seed", "test_accuracy", "test_loss"])


def test_gains_are_over_x_alone_of_the_same_method_and_seed() -> None:
    gained = label_freedom.gains(students((3.0, 4.0), (1.0, -1.0))).set_index(["scheme", "method", "seed"])
    assert gained.loc[("cutmix", "kd", 1), "accuracy_gain"] == pytest.approx(4)
    assert gained.loc[("mixup", "ce", 1), "accuracy_gain"] == pytest.approx(-2)
    table = label_freedom.means(gained.reset_index()).set_index(["scheme", "method"])
    assert table.loc[("cutmix", "kd"), ["mean", "count"]].tolist() == [3.5, 2]


@pytest.mark.parametrize(
    ("kd", "ce", "holds"),
    [
        ((3.0, 4.0, 3.5), (1.0, 1.9, 1.6), "holds"),
        ((1.0, 1.9, 1.6), (3.0, 4.0, 3.5), "fails"),
        ((3.0, 1.0, 2.0), (1.0, 3.0, 2.5), "cannot tell"),
    ],
)
def test_the_verdict_is_a_paired_test_over_seeds(kd, ce, holds) -> None:
    gained = label_freedom.gains(students(kd, ce))
    test = label_freedom.freedom(gained)
    assert test.t_p == pytest.approx(ttest_rel(kd, ce).pvalue)
    assert test.mean == pytest.approx(sum(kd) / 3 - sum(ce) / 3)
    assert label_freedom.verdict(gained, "digits", "quick").holds == holds


def test_the_figure_has_a_bar_a_scheme_and_method() -> None:
    (ax,) = label_freedom.bars(label_freedom.gains(students((3.0, 4.0), (1.0, -1.0)))).axes
    assert sorted(round(bar.get_width(), 6) for bar in ax.patches) == [-1.0, 0.0, 2.5, 3.5]
