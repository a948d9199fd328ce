"""Chapter 3: its words follow the rankings that they are given, and the recorded ones say what the chapter says."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from kdutils import augment, paper, report
from kdutils.chapters import t_stddev, t_stddev_verdicts
from kdutils.chapters.t_stddev_verdicts import ORDER
from tests.chapters.test_prose import text_of

OURS = {"by": "photographs"}


def teachers(*orders: list[int]) -> pd.DataFrame:
    """Teachers whose T. stddev falls by one from place to place of an order of the seven schemes."""
    rows = {f"t{i}": {ORDER[place]: 9.0 - rank for rank, place in enumerate(order)} for i, order in enumerate(orders)}
    return pd.DataFrame(rows).T


def test_the_order_holds_for_teachers_that_have_it_and_fails_for_its_opposite() -> None:
    right, wrong = list(range(7)), list(range(6, -1, -1))
    assert t_stddev_verdicts.in_order(teachers(right, right), **OURS).says == "holds"
    assert t_stddev_verdicts.in_order(teachers(wrong), **OURS).says == "fails"
    found = t_stddev_verdicts.in_order(teachers(right, wrong), **OURS)
    assert found.says == "cannot tell"
    assert found.numbers.endswith("1 of 2 teachers significant alone; lowest -1.00 (t1)")


def test_teachers_that_share_their_order_are_no_independent_evidence() -> None:
    """Five copies of one order have the p-value of one."""
    order = [1, 0, 2, 4, 3, 6, 5]
    one, five = (t_stddev_verdicts.in_order(teachers(*[order] * n), **OURS).numbers for n in (1, 5))
    assert one.split(";")[0] == five.split(";")[0]


@pytest.mark.parametrize(("lower", "of", "word"), [(4, 5, "cannot tell"), (10, 10, "holds"), (0, 10, "fails")])
def test_autoaugment_needs_surely_most_teachers(lower: int, of: int, word: str) -> None:
    frame = pd.DataFrame({"cutout": 1.0, "autoaugment": [0.9] * lower + [1.1] * (of - lower)})
    assert t_stddev_verdicts.beats(frame, **OURS).says == word


def test_the_verdicts_and_who_decides_them() -> None:
    live = pd.DataFrame({"scheme": list(augment.NINE), "t_stddev": np.linspace(1, 2, 9)})
    found = t_stddev_verdicts.verdicts(live, "0 of 8", "digits", "quick")
    assert [(verdict.claim_ids[0], verdict.holds, verdict.decided_by) for verdict in found] == [
        ("order-of-schemes", "holds", "photographs"),
        ("autoaugment-beats-cutout", "holds", "published"),
        ("ten-epochs-enough", "partly", "published"),
        ("window-count", "fails", "arithmetic"),
        ("window-size", "holds", "arithmetic"),
    ]
    assert found[0].found("digits")[0].says == "fails", "the opposite order on digits turns nothing"
    assert "4 of 5 teachers" in found[0].decided.numbers


def test_windows_are_counted_as_the_paper_describes_them() -> None:
    per_epoch = len(range(0, 50_000, 64))
    assert t_stddev.windows() == 10 * per_epoch // 5 == 1564
    assert "1564" in t_stddev.worked_example()
    assert "1654" in t_stddev.worked_example()


def test_printed_spreads_tell_far_values_apart_and_not_near_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"mean": np.arange(9.0), "std": np.full(9, 0.1)}
    monkeypatch.setattr(
        t_stddev,
        "published_teachers",
        lambda part="mean": pd.DataFrame([values[part]], columns=list(paper.SCHEME_LABELS)),
    )
    assert t_stddev_verdicts.printed_spread().numbers.startswith("8 of 8 neighbours")
    values["mean"] = 0.01 * np.arange(9.0)
    assert t_stddev_verdicts.printed_spread().says == "fails"


def test_our_teachers_are_those_of_the_recorded_rankings() -> None:
    ours = t_stddev.our_teachers()
    assert len(ours) == len(t_stddev.TEACHERS)
    first = report.recorded("rank_resnet20").set_index("scheme")["t_stddev"]
    assert ours.loc["resnet20", "cutmix"] == first["cutmix"]
    assert len(t_stddev.published_teachers()) == 10
    shown = t_stddev.others()
    assert shown.columns[-1] == "resnet20, Tiny ImageNet (13.4 % right, 40 windows)"
    assert shown.loc["Identity"].iloc[0] == "4.848 ± 0.044"


def test_the_chapter_says_what_the_recorded_rankings_show() -> None:
    text, ours = text_of("03_t_stddev"), t_stddev.our_teachers()[list(ORDER)]
    assert "The four of CIFAR-100 agree with the paper's order but for neighbours within their errors." in text
    errors = {name: frame.set_index("scheme")["t_stddev_se"] for name, frame in t_stddev.recorded_teachers().items()}
    steps, allowed = ours.diff(axis=1).iloc[:4, 1:], pd.DataFrame(errors).T[list(ORDER)].iloc[:4, 1:]
    assert (steps < allowed).all(axis=None)
    assert "it puts AutoAugment last, behind Identity" in text
    assert ours.iloc[-1].idxmax() == "autoaugment"


def test_a_reading_above_the_ceiling_has_its_p_and_one_below_has_none() -> None:
    finite = math.sqrt(0.1 * 0.9 / 320) * math.sqrt(680 / 999)
    above, far = (t_stddev.ceiling_in_words(1000, 10, 640, finite + z * 1e-3, 1e-3) for z in (1.5, 2.7))
    assert f"1.5 standard errors above that (p = {2 * norm.sf(1.5):.2f}; chance can make that)." in above
    assert f"2.7 standard errors above that (p = {2 * norm.sf(2.7):.3f})." in far
    assert "3.0 standard errors below that." in t_stddev.ceiling_in_words(1000, 10, 640, finite - 3e-3, 1e-3)


def test_growth_measures_the_first_windows_and_all_of_them_at_each_k() -> None:
    means = torch.rand(60, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    by_steps, by_k = t_stddev.growth({"flip": means}, 640)
    assert by_steps["steps"].tolist() == [15, 30, 50]
    assert by_k["k"].tolist() == [128, 384, 640, 1280]
    assert by_k["t_stddev"].iloc[0] == pytest.approx(float(means.std(0).mean()))


def test_neighbours_are_shown_with_units_and_without_infinite_steps() -> None:
    ladder = pd.DataFrame({"better": ["cutmix", "mine"], "worse": ["mine", "flip"], "difference": 1e-4, "se": 5e-5})
    ladder = ladder.assign(apart=[True, False], p_holm=[1e-5, 0.4], more_steps=[0.0, math.inf])
    shown = t_stddev.differences_table(ladder)
    assert shown.index.tolist() == ["CutMix", "mine"]
    assert shown.iloc[0].tolist() == ["mine", "0.100", "0.050", "yes", "< 0.001", "0"]
    assert shown.iloc[1].tolist() == ["Flip", "0.100", "0.050", "no", "0.400", "–"]


def test_ratios_are_to_identity_of_the_same_source() -> None:
    live = pd.DataFrame({"scheme": ["identity", "flip"], "t_stddev": [2.0, 3.0]})
    found = t_stddev.relative(live, "digits")
    assert found[found["source"] == "this run (digits)"]["ratio"].tolist() == [1, 1.5]
    assert found.groupby("source")["ratio"].first().eq(1).all()
