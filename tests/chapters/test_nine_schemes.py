"""The pictures show what they say they show."""

import numpy as np
import pandas as pd
import pytest
import torch

from kdutils import report
from kdutils.chapters import mixed_labels, nine_schemes, t_stddev
from kdutils.errors import UserError
from kdutils.metrics import responses


def view(own, value):
    """A mini-batch's views in which x' number i of image `own[i]` is grey of brightness value + i."""
    n = len(own)
    brightness = torch.arange(value, value + n).float().view(n, 1, 1, 1)
    p = torch.tensor([[0.75, 0.25]]).repeat(n, 1)
    zeros = torch.zeros(n)
    return responses.Views(zeros, brightness.expand(n, 3, 4, 4), p, p, torch.tensor(own), zeros, zeros, zeros)


def test_captions_stand_under_their_images():
    chart = nine_schemes.captioned(torch.zeros(3, 3, 4, 4), ["one", "two", "three"], columns=2, row_labels=["a", "b"])
    assert [(ax.get_xlabel(), ax.get_title()) for ax in chart.axes[:3]] == [("one", ""), ("two", ""), ("three", "")]
    assert [chart.axes[i].get_ylabel() for i in (0, 2)] == ["a", "b"]


def test_each_row_shows_the_same_images_and_only_those_that_all_schemes_keep():
    seen = {"cutmix": view([0, 1, 2, 3], 10), "cutmixpick_t": view([3, 1, 1, 0], 100)}
    chart = nine_schemes.scheme_rows(seen, ("cat", "dog"), columns=3)
    shown = [ax.get_images()[0].get_array()[0, 0, 0] for ax in chart.axes]
    assert shown == [10, 11, 13, 103, 102, 100]  # of image 1's two x' the later one
    assert chart.axes[0].get_xlabel() == "cat 75%\ndog 25%\n0.56 nats"
    with pytest.raises(UserError, match="only 3 images"):
        nine_schemes.scheme_rows(seen, ("cat", "dog"), columns=4)


def test_convergence_draws_each_measurement_and_the_square_root():
    by_k = pd.DataFrame({"scheme": "flip", "k": [128, 512], "t_stddev": [2e-3, 1.1e-3], "t_stddev_se": [1e-4, 1e-4]})
    chart = t_stddev.convergence(by_k.rename(columns={"k": "steps"}), by_k)
    left, right = chart.axes
    measured, expected = right.get_lines()[0], right.get_lines()[-1]
    assert measured.get_ydata() == pytest.approx([2, 1.1])
    assert expected.get_ydata() == pytest.approx([2, 1])
    assert left.get_lines()[0].get_xdata() == pytest.approx([128, 512])


def test_answer_shares_stack_to_one():
    table = pd.DataFrame(
        {"lam_low": [0.0, 0.5], "lam_high": [0.5, 1.0], "own": [0.1, 0.7], "partner": [0.6, 0.1], "neither": [0.3, 0.2]}
    ).assign(disagreement=[0.4, 0.3], low=[0.3, 0.2], high=[0.5, 0.4])
    (ax,) = mixed_labels.answer_shares(table).axes
    tops = np.array([[bar.get_y() + bar.get_height() for bar in container] for container in ax.containers[:3]])
    assert tops == pytest.approx(np.array([[0.1, 0.7], [0.4, 0.9], [1.0, 1.0]]))


def moved(shifts: list[float], lam: float = 1.0) -> responses.Views:
    """Views of black images, of which a shift above zero makes x' white and moves so much probability."""
    n, shift = len(shifts), torch.tensor(shifts, dtype=torch.float64)
    p = torch.tensor([[0.75, 0.25]], dtype=torch.float64).repeat(n, 1)
    other = p + torch.stack([-shift, shift], 1)
    x = torch.zeros(n, 3, 2, 2)
    white = x + (shift > 0).view(n, 1, 1, 1)
    label = torch.zeros(n)
    return responses.Views(x, white, p, other, torch.arange(n), label, label + 1, torch.full((n,), lam))


def test_targets_count_only_views_that_differ_from_x():
    row = nine_schemes.targets({"flip": moved([0.0, 0.1, 0.1, 1e-9])}).iloc[0]
    assert row[["views", "changed", "own_target", "two_labels"]].tolist() == [4, 3, 2, 0]
    assert row["distance"] == pytest.approx(0.05)
    assert row["same_first_class"] == 1
    assert nine_schemes.targets({"cutmix": moved([0.1, 0.6], lam=0.5)}).iloc[0]["two_labels"] == 2


@pytest.mark.parametrize(
    ("shifts", "lam", "word"), [([0.1] * 20, 1.0, "holds"), ([0.1] * 20, 0.5, "partly"), ([1e-9] * 20, 0.5, "fails")]
)
def test_the_claim_has_two_halves(shifts, lam, word):
    table = nine_schemes.targets({"identity": moved([0.0] * 20), "mixup": moved(shifts, lam)})
    found = nine_schemes.own_targets(table, by="photographs")
    assert found.says == word
    assert "under 1 of 1 schemes" in found.numbers or word == "fails"


def test_digits_demonstrate_and_the_recorded_run_decides(monkeypatch):
    table = nine_schemes.targets({name: moved([0.1] * 20) for name in ("flip", "cutout")})
    monkeypatch.setattr(nine_schemes.report, "recorded_names", list)
    (alone,) = nine_schemes.verdicts(table, "digits", "quick")
    assert alone.holds == "not tested"
    monkeypatch.setattr(nine_schemes.report, "recorded_names", lambda: [nine_schemes.RECORDED])
    monkeypatch.setattr(nine_schemes.report, "recorded", lambda _: table.assign(two_labels=5))
    (decided,) = nine_schemes.verdicts(table, "digits", "quick")
    assert (decided.holds, decided.decided_by) == ("partly", "photographs")


def test_the_table_and_the_sentence_show_the_numbers():
    names = ("identity", "flip", "cutout", "cutmix", "cutmixpick_t")
    table = nine_schemes.targets({name: moved([0.0, 0.6]) for name in names})
    shown = nine_schemes.targets_table(table)
    assert shown.loc["Flip", "changed views with a target of their own"] == "1 of 1"
    assert "Cutout 30%" in nine_schemes.in_words(table, "digits")
    assert "Of the CutMix images 50% keep the first class" in nine_schemes.in_words(table, "digits")


def test_the_recorded_run_passes_one_half_and_not_the_other():
    found = nine_schemes.own_targets(report.recorded(nine_schemes.RECORDED), by="photographs")
    assert found.says == "partly"
    assert "under 7 of 7 schemes" in found.numbers
    assert "labels give all views one under 4 of 7" in found.numbers
    distance = report.recorded(nine_schemes.RECORDED).set_index("scheme")["distance"].drop("identity")
    assert distance.idxmin() == "flip", "the chapter says so"
