"""Loss against accuracy: comparisons by hand, slopes against demeaned values, calibration that changes no answer."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import pearsonr
from torch.nn.functional import cross_entropy

from kdutils import paper
from kdutils.chapters import loss_not_accuracy


def points(**values: list) -> pd.DataFrame:
    return pd.DataFrame(
        {"test_loss_std": 0.2, "test_accuracy_std": 0.4, "n": 4, **values}, index=range(len(values["scheme"]))
    )


def test_published_values_are_those_of_the_tables() -> None:
    found = loss_not_accuracy.published().set_index(["dataset", "pair", "scheme"])
    assert len(found) == 14 * 3
    row = found.loc["cifar100", "vgg13/vgg8", "cutmix"]
    accuracies = paper.table(1).query("teacher == 'vgg13' and student == 'vgg8' and label == 'KD+CutMix'")
    assert row["test_accuracy"] == accuracies["mean"].item()
    losses = paper.table(4).query("student == 'vgg8' and teacher == 'vgg13' and scheme == 'cutmix'")
    assert row["test_loss"] == losses["mean"].item()


def test_a_comparison_starts_from_the_lower_loss() -> None:
    found = loss_not_accuracy.comparisons(
        points(scheme=["a", "b", "c"], test_loss=[2.0, 1.0, 1.9], test_accuracy=[70.0, 69.0, 71.0])
    ).set_index(["better", "worse"])
    assert set(found.index) == {("b", "a"), ("c", "a"), ("b", "c")}
    assert found.loc[("b", "a"), ["loss", "accuracy"]].tolist() == pytest.approx([-1, -1])
    assert found["disagree"].to_dict() == {("b", "a"): True, ("c", "a"): False, ("b", "c"): True}
    assert found["loss_se"].tolist() == pytest.approx([0.1 * 2**0.5] * 3)
    assert found["clear"].to_dict() == {("b", "a"): True, ("c", "a"): False, ("b", "c"): True}, "0.1 is noise"


def test_two_runs_need_more_than_two_standard_errors_to_be_clear() -> None:
    values = {"scheme": ["a", "b"], "test_loss": [2.0, 1.0], "test_accuracy": [70.0, 69.0]}
    runs = {n: points(**values, n=n, test_loss_std=0.6 * (n / 4) ** 0.5) for n in (1, 2, 4)}
    found = {n: loss_not_accuracy.comparisons(frame.assign(test_accuracy_std=0.01)) for n, frame in runs.items()}
    assert all(frame["loss_se"].item() == pytest.approx(0.6 / 2 * 2**0.5) for frame in found.values())
    assert {n: bool(frame["clear"].item()) for n, frame in found.items()} == {1: False, 2: False, 4: False}
    surer = points(**values, n=4, test_loss_std=0.3, test_accuracy_std=0.01)
    assert loss_not_accuracy.comparisons(surer)["clear"].item()


def test_groups_are_not_compared_with_each_other() -> None:
    frame = points(
        scheme=["a", "b"] * 2, pair=["p", "p", "q", "q"], test_loss=[1.0, 2, 3, 4], test_accuracy=[4.0, 3, 2, 1]
    )
    assert loss_not_accuracy.comparisons(frame, ["pair"])["pair"].tolist() == ["p", "q"]


def test_the_slope_within_pairs_is_that_of_the_demeaned_values() -> None:
    frame = loss_not_accuracy.published()
    slope, p = loss_not_accuracy.within_pairs(frame, "test_accuracy")
    centred = frame[["t_stddev", "test_accuracy"]] - frame.groupby(["dataset", "pair"])[
        ["t_stddev", "test_accuracy"]
    ].transform("mean")
    expected = (centred.prod(axis=1)).sum() / (centred["t_stddev"] ** 2).sum()
    assert slope == pytest.approx(expected)
    assert 0 < p < 1


def test_one_factor_finds_what_was_spoilt() -> None:
    rng = torch.Generator().manual_seed(0)
    honest = torch.randn(4000, 5, generator=rng) * 2
    labels = torch.multinomial(honest.softmax(1), 1, generator=rng).squeeze(1)
    found = loss_not_accuracy.tempered(honest * 3, labels)
    assert found.loss == pytest.approx(float(cross_entropy(honest * 3, labels)), rel=1e-5)
    assert found.factor == pytest.approx(1 / 3, rel=0.05)
    assert found.calibrated == pytest.approx(float(cross_entropy(honest, labels)), rel=2e-3)
    assert found.calibrated < found.loss - 0.1
    assert np.isfinite(found.factor)


def test_one_panel_per_study() -> None:
    found = loss_not_accuracy.comparisons(points(scheme=["a", "b"], test_loss=[2.0, 1.0], test_accuracy=[70.0, 69.0]))
    chart = loss_not_accuracy.quadrants({"one": found, "two": found})
    assert [ax.get_title(loc="left") for ax in chart.axes] == [f"{name}: 1 of 1 disagree" for name in ("one", "two")]


def test_tables_have_labels_units_and_printed_names() -> None:
    shown = loss_not_accuracy.disagreeing(loss_not_accuracy.panels(POINTS, "digits")["published, 14 pairs"])
    assert "resnet56/resnet20, Tiny ImageNet" in shown.index
    assert set(shown["lower loss"]) <= set(paper.SCHEME_LABELS.values())
    table = loss_not_accuracy.correlations({"one": POINTS})
    expected = pearsonr(POINTS["t_stddev"], POINTS["test_accuracy"])
    assert table.loc["one: S. accuracy", "Pearson's r"] == f"{expected.statistic:.2f}"
    assert loss_not_accuracy.slopes().loc["S. accuracy (points)", "per 10⁻³ of T. stddev"].startswith("-0.932")
    words = loss_not_accuracy.in_words({"one": loss_not_accuracy.comparisons(POINTS)})
    assert words == "- one: 0 of 10 comparisons disagree, 0 of them clearly."


POINTS = points(
    scheme=["identity", "flip", "cutout", "mixup", "cutmix"],
    t_stddev=[5.0, 4.5, 4.2, 3.9, 3.0],
    test_loss=[3.5, 3.4, 3.3, 3.2, 3.0],
    test_accuracy=[20.0, 21, 22, 23, 26],
)
