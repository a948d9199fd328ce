"""What cannot be ranked is refused, before the teacher is asked if that can be known."""

import math
from dataclasses import replace

import pytest
import torch

from kdutils import metrics
from kdutils.errors import UserError
from tests.metrics.teachers import Counting, Linear


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schemes": "cutmx"}, r"unknown scheme 'cutmx'\. Did you mean 'cutmix'"),
        ({"schemes": ["flip", "cutmx"]}, r"unknown scheme 'cutmx'"),
        ({"schemes": []}, "no scheme to rank; choose from: identity, flip"),
        ({"schemes": ["flip", "flip"]}, "'flip' is named 2 times"),
        ({"k": 600}, r"k=600 must be a multiple of 2 x batch_size = 128"),
        ({"k": 0}, "k=0 must be a multiple"),
        ({"batch_size": 512}, "k=640 must be a multiple of 2 x batch_size = 1024"),
        ({"batch_size": 1}, "at least 2 images, not 1"),
        ({"batch_size": 0}, "at least 2 images, not 0"),
        ({"batch_size": 2000, "k": 4000}, "1000 images, fewer than one mini-batch of 2000"),
        ({"steps": 14}, "14 steps are too few: take at least 15"),
        ({"steps": 0}, "0 steps are too few"),
        ({"epochs": 0, "steps": None}, "0 steps are too few"),
        ({"temperature": 0.0}, "temperature must be from 0.001 to 1000, not 0.0"),
        ({"temperature": math.inf}, "temperature must be from 0.001 to 1000, not inf"),
        ({"temperature": 1e-300}, "not 1e-300"),
        ({"temperature": math.nan}, "not nan"),
        ({"granularity": "pixel"}, r"unknown granularity 'pixel'.*batch, sample"),
        ({"schemes": {"half": lambda x: x[::2]}}, "'half' must keep the shape of x"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_the_teacher_is_asked(options, message, digits):
    Counting.calls.clear()
    with pytest.raises(UserError, match=message):
        metrics.rank_schemes(Counting(), digits, **{"steps": 15, **options})
    assert Counting.calls == []


@pytest.mark.parametrize("images", ["my_images", torch.utils.data.TensorDataset(torch.zeros(4, 3, 8, 8))])
def test_images_of_another_kind_are_refused(images):
    with pytest.raises(UserError, match=r"made by kd\.data\.load, or by kd\.data\.from_torch\(train, test\); got a"):
        metrics.rank_schemes(Linear(), images)


class Broken(Linear):
    def forward(self, x):
        return super().forward(x) * float("nan")


def test_answers_that_are_not_finite_are_refused(noise):
    with pytest.raises(UserError, match="the teacher gives values that are not finite"):
        metrics.rank_schemes(Broken(), noise, "flip", steps=15)
    with pytest.raises(UserError, match="the student gives values that are not finite"):
        metrics.rank_schemes(Linear(), noise, "cutmixpick_s", steps=15, student=Broken())


def test_a_teacher_for_another_number_of_classes_is_refused(noise):
    other = replace(noise, classes=tuple("abcdefghijklm"))
    with pytest.raises(UserError, match=r"the teacher gives \(64, 10\) for 64 images; expected logits \(64, 13\)"):
        metrics.rank_schemes(Linear(), other, "flip", steps=15)


class Indifferent(Linear):
    """A teacher that predicts the same for every image."""

    def forward(self, x):
        return super().forward(0 * x) + torch.arange(10.0)


def test_a_ranking_of_zeros_is_refused(noise):
    with (
        pytest.warns(UserWarning, match="near chance|agrees with"),
        pytest.raises(
            UserError, match=r"T\. stddev of 'flip' is .*the teacher's predictions hardly depend on the images"
        ),
    ):
        metrics.rank_schemes(Indifferent(), noise, "flip", steps=15)
