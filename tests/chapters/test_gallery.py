"""The pictures show what they say they show."""

import numpy as np
import pandas as pd
import pytest
import torch

from kdutils import views
from kdutils.chapters import gallery
from kdutils.errors import UserError


def view(own, value):
    """A mini-batch's views in which x' number i of image `own[i]` is grey of brightness value + i."""
    n = len(own)
    brightness = torch.arange(value, value + n).float().view(n, 1, 1, 1)
    p = torch.tensor([[0.75, 0.25]]).repeat(n, 1)
    zeros = torch.zeros(n)
    return views.Views(zeros, brightness.expand(n, 3, 4, 4), p, p, torch.tensor(own), zeros, zeros, zeros)


def test_captions_stand_under_their_images():
    chart = gallery.captioned(torch.zeros(3, 3, 4, 4), ["one", "two", "three"], columns=2, row_labels=["a", "b"])
    assert [(ax.get_xlabel(), ax.get_title()) for ax in chart.axes[:3]] == [("one", ""), ("two", ""), ("three", "")]
    assert [chart.axes[i].get_ylabel() for i in (0, 2)] == ["a", "b"]


def test_each_row_shows_the_same_images_and_only_those_that_all_schemes_keep():
    seen = {"cutmix": view([0, 1, 2, 3], 10), "cutmixpick_t": view([3, 1, 1, 0], 100)}
    chart = gallery.scheme_rows(seen, ("cat", "dog"), columns=3)
    shown = [ax.get_images()[0].get_array()[0, 0, 0] for ax in chart.axes]
    assert shown == [10, 11, 13, 103, 102, 100]  # of image 1's two x' the later one
    assert chart.axes[0].get_xlabel() == "cat 75%\ndog 25%\n0.56 nats"
    with pytest.raises(UserError, match="only 3 images"):
        gallery.scheme_rows(seen, ("cat", "dog"), columns=4)


def test_convergence_draws_each_measurement_and_the_square_root():
    by_k = pd.DataFrame({"scheme": "flip", "k": [128, 512], "t_stddev": [2e-3, 1.1e-3], "t_stddev_se": [1e-4, 1e-4]})
    chart = gallery.convergence(by_k.rename(columns={"k": "steps"}), by_k)
    left, right = chart.axes
    measured, expected = right.get_lines()[0], right.get_lines()[-1]
    assert measured.get_ydata() == pytest.approx([2, 1.1])
    assert expected.get_ydata() == pytest.approx([2, 1])
    assert left.get_lines()[0].get_xdata() == pytest.approx([128, 512])


def test_answer_shares_stack_to_one():
    table = pd.DataFrame(
        {"lam_low": [0.0, 0.5], "lam_high": [0.5, 1.0], "own": [0.1, 0.7], "partner": [0.6, 0.1], "neither": [0.3, 0.2]}
    ).assign(disagreement=[0.4, 0.3], low=[0.3, 0.2], high=[0.5, 0.4])
    (ax,) = gallery.answer_shares(table).axes
    tops = np.array([[bar.get_y() + bar.get_height() for bar in container] for container in ax.containers[:3]])
    assert tops == pytest.approx(np.array([[0.1, 0.7], [0.4, 0.9], [1.0, 1.0]]))


def test_the_fading_line_leaves_warned_points_hollow():
    ranked = pd.DataFrame({"t_stddev": [4e-3, 3e-3, 2e-3], "t_stddev_se": 1e-4, "warning": [False, False, True]})
    (ax,) = gallery.fade_line([0, 0.5, 1], ranked, {"cutmix": 0.9}).axes
    (points,) = [each for each in ax.collections if len(each.get_offsets()) == 3]
    assert points.get_offsets()[:, 1].tolist() == pytest.approx([1, 0.75, 0.5])
    first, second, hollow = points.get_facecolors()[:, :3].tolist()
    assert first == second != hollow
