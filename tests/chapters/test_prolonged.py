"""The optimum over budgets and what moves it, on curves whose answers are known."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from kdutils import paper
from kdutils.chapters import prolonged

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


def test_summary_is_over_seeds() -> None:
    runs = pd.DataFrame(
        {"method": "kd", "standard": "flip", "scheme": "none", "epochs": [30, 30, 60], "seed": [0, 1, 0]}
    )
    table = prolonged.summary(runs.assign(test_loss=[1.0, 2.0, 0.5], test_accuracy=[80.0, 90.0, 95.0]))
    assert table.loc[(KD, 30), ("test_loss", "mean")] == 1.5
    assert table.loc[(KD, 30), ("test_error", "std")] == pytest.approx(50**0.5)
    assert table.loc[(KD, 60), ("test_error", "mean")] == 5.0


def test_optimum_is_the_lowest_loss_and_an_optimum_at_the_last_budget_is_marked() -> None:
    best = prolonged.optima(students({KD: [30, 60], KD_CROP: [240, 120]})).set_index(["line", "seed"])
    assert best["at_start"].tolist() == [True, False, False, False]
    assert best["epochs"].to_dict() == {(KD, 0): 30, (KD, 1): 60, (KD_CROP, 0): 240, (KD_CROP, 1): 120}
    assert best["at_edge"].tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("weaker", "stronger", "holds"),
    [
        ([30, 60], [60, 120], "holds"),
        ([30, 60], [60, 60], "cannot tell"),
        ([60, 60], [60, 30], "fails"),
        ([240, 240], [240, 240], "cannot tell"),  # both may lie beyond
        ([30, 30], [30, 30], "cannot tell"),  # both may lie before
        ([240, 240], [120, 120], "fails"),  # wherever the weaker one's is, it is later
        ([60, 240], [30, 240], "cannot tell"),
    ],
)
def test_later(weaker: list[int], stronger: list[int], holds: str) -> None:
    best = prolonged.optima(students({KD: weaker, KD_CROP: stronger}))
    assert prolonged.later(best, KD, KD_CROP).holds == holds


def test_shift_counts_doublings() -> None:
    best = prolonged.optima(students({KD: [30, 60], KD_CROP: [120, 30]}))
    assert prolonged.shift(best, KD, KD_CROP).tolist() == [2.0, -1.0]


@pytest.mark.parametrize(
    ("kd_crop", "holds"),
    [([240, 240], "holds"), ([120, 120], "fails"), ([240, 120], "cannot tell")],
)
def test_later_for_kd_compares_the_two_shifts(kd_crop: list[int], holds: str) -> None:
    budgets = (30, 60, 120, 240, 480)
    optima = {CE: [60, 60], CE_CROP: [120, 120], KD: [60, 60], KD_CROP: kd_crop}
    best = prolonged.optima(students(optima, budgets))
    assert prolonged.later_for_kd(best, (CE, KD), (CE_CROP, KD_CROP)).holds == holds


def test_a_shift_from_or_to_an_end_of_the_budgets_is_unknown() -> None:
    inside = {CE: [60], CE_CROP: [120], KD: [60], KD_CROP: [240]}
    for line, end in ((CE, 30), (CE_CROP, 480), (KD, 30), (KD_CROP, 480)):
        best = prolonged.optima(students({**inside, line: [end]}, (30, 60, 120, 240, 480)))
        assert prolonged.later_for_kd(best, (CE, KD), (CE_CROP, KD_CROP)).holds == "cannot tell"


def test_without_a_common_seed_nothing_is_told() -> None:
    best = prolonged.optima(students({KD: [60, 60], KD_CROP: [120, 120]}))
    apart = best[(best["line"] == KD) == (best["seed"] == 0)]
    assert prolonged.later(apart, KD, KD_CROP).holds == "cannot tell"


@pytest.mark.parametrize(
    ("offsets", "holds"),
    [([-0.2, -0.21, -0.19], "holds"), ([0.2, 0.21, 0.19], "fails"), ([-0.2, 0.2, 0], "cannot tell")],
)
def test_lower_asks_whether_the_difference_is_beyond_its_interval(offsets: list[float], holds: str) -> None:
    frame = students({KD: [60, 60, 60], KD_CROP: [60, 60, 60]})
    shift = frame["seed"].map(dict(enumerate(offsets))).where(frame["line"] == KD_CROP, 0)
    best = prolonged.optima(frame.assign(test_loss=frame["test_loss"] + shift))
    assert prolonged.lower(best, KD, KD_CROP).holds == holds


def test_one_seed_cannot_tell() -> None:
    best = prolonged.optima(students({KD: [60], KD_CROP: [60]}))
    assert prolonged.lower(best, KD, KD_CROP).holds == "cannot tell"


@pytest.mark.parametrize(
    ("words", "whole"),
    [
        (["holds", "holds"], "holds"),
        (["fails", "fails"], "fails"),
        (["holds", "fails"], "partly"),
        (["holds", "cannot tell"], "cannot tell"),
        (["holds", "fails", "cannot tell"], "partly"),
    ],
)
def test_steps_make_one_answer(words: list[str], whole: str) -> None:
    assert prolonged.combine([prolonged.Answer(word, word) for word in words]) == (whole, "; ".join(words))


def test_published_gains_and_their_test() -> None:
    gains = prolonged.published()
    cifar = paper.gains(1, ("KD+CutMixPick", 960), ("KD+CutMixPick", 240))
    assert gains.query("dataset == 'cifar100'")["picked"].tolist() == cifar["gain"].tolist()
    tiny = paper.gains(2, ("KD", 480), ("KD", 240))
    assert gains.query("dataset == 'tinyimagenet'")["alone"].tolist() == tiny["gain"].tolist()
    significant = [ttest_rel(g["picked"], g["alone"]).pvalue < 0.05 for _, g in gains.groupby("dataset")]
    assert significant == [False, True]
    assert prolonged.admits_longer(gains).holds == "partly"
    assert prolonged.admits_longer(gains.assign(alone=gains["picked"], picked=gains["alone"])).holds == "fails"


def test_curves_mark_the_budgets_and_every_optimum() -> None:
    frame = students({KD: [30, 60], KD_CROP: [120, 120]})
    (ax,) = prolonged.curves(frame, "test_loss").axes
    assert ax.get_xticks().tolist() == list(BUDGETS)
    rings = [float(line.get_xdata()[0]) for line in ax.lines if line.get_label() == "_minimum"]
    assert rings == [30, 120]


def test_every_claim_of_the_chapter_gets_a_verdict() -> None:
    found = {v.claim_ids[0]: v.holds for v in prolonged.verdicts(all_lines(), "cutmix", "quick")}
    claims = paper.claims()
    assert set(found) == set(claims[claims["chapter"] == "06_prolonged"]["id"])
    assert found["stronger-needs-longer"] == found["later-for-kd-than-ce"] == "holds"


def test_recorded_runs_decide_where_they_hold_every_line() -> None:
    flat = students({line: [60, 60] for line in (CE, CE_CROP, KD, KD_CROP, KD_MIX)})
    alone, decided, partial = (
        {v.claim_ids[0]: v for v in prolonged.verdicts(flat, "cutmix", "quick", recorded)}
        for recorded in (None, all_lines(), all_lines()[lambda frame: frame["line"] != CE])
    )
    claim = "stronger-needs-longer"
    assert [found[claim].holds for found in (alone, decided, partial)] == ["fails", "holds", "fails"]
    assert [bool(found[claim].recorded) for found in (alone, decided, partial)] == [False, True, False]
    assert decided[claim].this_run == alone[claim].this_run


def all_lines() -> pd.DataFrame:
    optima = {CE: [60, 60], CE_CROP: [120, 120], KD: [60, 60], KD_CROP: [240, 240], KD_MIX: [480, 480]}
    return students(optima, (30, 60, 120, 240, 480))


def students(optima: dict[str, list[int]], budgets: tuple[int, ...] = BUDGETS) -> pd.DataFrame:
    """Runs whose test loss is a parabola in the logarithm of the budget, lowest at the given one for each seed."""
    rows = [
        (line, seed, epochs, 1 + np.log2(epochs / best) ** 2 + 0.001 * seed, 10 + abs(epochs - best))
        for line, bests in optima.items()
        for seed, best in enumerate(bests)
        for epochs in budgets
    ]
    return pd.DataFrame(rows, columns=["line", "seed", "epochs", "test_loss", "test_error"])
