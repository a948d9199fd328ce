"""The optimum over budgets and what moves it, on curves whose answers are known."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from kdutils import paper, report
from kdutils.chapters import prolonged
from kdutils.report import recorded_runs

CE, CE_CROP = "CE, Flip", "CE, Flip+Crop"
KD, KD_CROP, KD_MIX = "KD, Flip", "KD, Flip+Crop", "KD, Flip+Crop, CutMix"
BUDGETS = (30, 60, 120, 240)


def test_lines_are_named_by_what_makes_x_and_x_prime() -> None:
    runs = pd.DataFrame(
        {
            "method": ["ce", "kd"],
            "standard": ["flip", "crop_flip"],
            "scheme": ["none", "cutmix"],
            "test_accuracy": [90.0, 93.5],
        }
    )
    named = prolonged.lines(runs)
    assert named["line"].tolist() == [CE, KD_MIX]
    assert named["test_error"].tolist() == [10.0, 6.5]


def test_the_optimum_is_the_lowest_point_of_a_parabola_or_a_bound() -> None:
    best = prolonged.optima(students({KD: [30, 80], KD_CROP: [240, 120]})).set_index(["line", "seed"])
    assert best["optimum"].to_dict() == pytest.approx({(KD, 0): 30, (KD, 1): 80, (KD_CROP, 0): 240, (KD_CROP, 1): 120})
    assert best["epochs"].to_dict() == {(KD, 0): 30, (KD, 1): 60, (KD_CROP, 0): 240, (KD_CROP, 1): 120}
    assert best["at_start"].tolist() == [True, False, False, False]
    assert best["at_edge"].tolist() == [False, False, True, False]
    table = prolonged.optima_table(best.reset_index())
    assert table.loc[KD].tolist() == ["≤ 30", "80"]
    assert table.loc[KD_CROP].tolist() == ["≥ 240", "120"]


def test_a_line_with_more_budgets_has_its_own_end() -> None:
    longer = students({KD_CROP: [200]}, (*BUDGETS, 480))
    best = prolonged.optima(pd.concat([longer, students({KD: [240]})])).set_index("line")
    assert best["at_edge"].to_dict() == {KD_CROP: False, KD: True}
    assert best.loc[KD_CROP, "optimum"] == pytest.approx(200)


def test_shift_counts_doublings() -> None:
    best = prolonged.optima(students({KD: [30, 60], KD_CROP: [120, 30]}))
    assert prolonged.shift(best, KD, KD_CROP).tolist() == pytest.approx([2.0, -1.0])


def test_published_gains_and_their_test() -> None:
    gains = prolonged.published()
    cifar = paper.gains(1, ("KD+CutMixPick", 960), ("KD+CutMixPick", 240))
    assert gains.query("dataset == 'cifar100'")["picked"].tolist() == cifar["gain"].tolist()
    tiny = paper.gains(2, ("KD", 480), ("KD", 240))
    assert gains.query("dataset == 'tinyimagenet'")["alone"].tolist() == tiny["gain"].tolist()
    expected = [ttest_rel(g["picked"], g["alone"]).pvalue for _, g in gains.groupby("dataset")]
    assert [test.t_p for test in prolonged.admits_longer(gains).values()] == pytest.approx(expected)
    assert "on Tiny ImageNet it helps plain KD on 3 of 7 pairs and CutMixPick on 7" in prolonged.published_in_words()
    assert prolonged.published_table().loc["vgg13/vgg8, CIFAR-100"].tolist() == ["1.02", "0.57"]


def test_curves_mark_the_budgets_and_every_optimum() -> None:
    frame = students({KD: [30, 60], KD_CROP: [120, 120]})
    (ax,) = prolonged.curves(frame, "test_loss").axes
    assert ax.get_xticks().tolist() == list(BUDGETS)
    rings = [float(line.get_xdata()[0]) for line in ax.lines if line.get_label() == "_minimum"]
    assert rings == [30, 120]


def test_words_on_a_run_follow_its_errors() -> None:
    words = prolonged.order_in_words(students({KD: [30, 30], KD_CROP: [240, 240]}))
    assert f"At 30 epochs, from the lowest test error: {KD} 10.0 %; {KD_CROP} 220.0 %" in words
    assert f"At 240 epochs, from the lowest test error: {KD_CROP} 10.0 %; {KD} 220.0 %" in words
    assert "In 1 of 2 lines the largest budget" in words
    assert prolonged.falls(students({KD: [240, 120]}), KD).tolist() == [210.0, -30.0]
    assert prolonged.falls(students({KD: [240]}), KD_CROP).empty


def students(optima: dict[str, list[int]], budgets: tuple[int, ...] = BUDGETS) -> pd.DataFrame:
    """Runs whose test loss is a parabola in the logarithm of the budget, lowest at the given one for each seed."""
    rows = [
        (line, seed, epochs, 1 + np.log2(epochs / best) ** 2 + 0.001 * seed, 10 + abs(epochs - best))
        for line, bests in optima.items()
        for seed, best in enumerate(bests)
        for epochs in budgets
    ]
    return pd.DataFrame(rows, columns=["line", "seed", "epochs", "test_loss", "test_error"])


def test_recorded_students_are_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    assert prolonged.recorded_students().empty
    row = {"method": "ce", "standard": "flip", "scheme": "none", "epochs": 10, "seed": 0}
    runs = pd.DataFrame([{**row, "test_loss": 2.0, "test_accuracy": 40.0}])
    report.write_recorded("few_prolonged", runs, {"runs": 1, "planned_runs": 86})
    assert prolonged.recorded_students()[["line", "test_error"]].to_numpy().tolist() == [["CE, Flip", 60.0]]
