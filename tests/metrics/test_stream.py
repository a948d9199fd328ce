"""One stream of mini-batches: what it costs the networks, and that schemes of one function share their pool."""

from typing import ClassVar

import pytest
import torch
from torch import nn

from kdutils import augment
from kdutils.errors import UserError
from kdutils.metrics import responses
from kdutils.metrics.stream import Readers, stream

BATCH, STEPS = 16, 3


class Counting(nn.Module):
    """Logits from the mean of each third of an image; notes how many images each forward pass brings."""

    calls: ClassVar[list[int]] = []

    def forward(self, x):
        self.calls.append(len(x))
        return torch.cat([part.flatten(1)[:, :5] for part in x.chunk(2, dim=2)], dim=1)


def batches(digits, schemes, teacher=None, student=None, seed=0):
    """The mini-batches of `schemes`, by name, one transform per mini-batch."""
    readers = Readers(teacher or Counting(), student, digits)
    return list(stream(readers, [*map(augment.find, schemes)], STEPS, BATCH, augment.settings(digits), seed))


@pytest.mark.parametrize(("scheme", "images"), [("identity", 1), ("cutmix", 2), ("cutmixpick_t", 3)])
def test_the_teacher_reads_each_image_once_in_one_pass(scheme, images, digits):
    Counting.calls.clear()
    batches(digits, [scheme])
    assert Counting.calls == STEPS * [images * BATCH]
    Counting.calls.clear()
    list(responses.views(Counting(), digits, scheme, STEPS, batch_size=BATCH))
    assert sum(Counting.calls) == STEPS * images * BATCH


def test_a_student_reads_only_the_pool_that_it_picks_from(digits):
    class Student(Counting):
        calls: ClassVar[list[int]] = []

    batches(digits, ["cutmix", "cutmixpick_t"], student=Student())
    assert Student.calls == []
    batches(digits, ["cutmix", "cutmixpick_s"], student=Student())
    assert Student.calls == STEPS * [2 * BATCH]


def test_cutmix_and_its_picks_come_from_one_pool(digits):
    for batch in batches(digits, ["cutmix", "cutmixpick_t"]):
        rows = {tuple(image.flatten().tolist()) for image in batch.made["cutmix"].x}
        picked = [tuple(image.flatten().tolist()) in rows for image in batch.made["cutmixpick_t"].x]
        assert 0 < sum(picked) < BATCH  # some of the first run of CutMix, some of the second
        assert (
            augment.entropy(batch.made_logits["cutmixpick_t"]).mean()
            > augment.entropy(batch.made_logits["cutmix"]).mean()
        )


def test_the_logits_are_those_of_the_images_beside_them(digits, teacher):
    for batch in batches(digits, ["flip", "mixup", "cutmixpick_t"], teacher):
        for name, made in batch.made.items():
            assert torch.allclose(batch.made_logits[name], teacher(digits.normalise(made.x)), atol=1e-4)
        assert torch.allclose(batch.x_logits, teacher(digits.normalise(batch.x)), atol=1e-4)


def test_without_a_student_its_picks_are_missing(digits):
    assert [*batches(digits, ["flip", "cutmixpick_s", "cutmixpick_gap"])[0].made] == ["flip"]


def test_the_schemes_beside_it_do_not_change_a_scheme(digits):
    alone, beside = batches(digits, ["cutmix"]), batches(digits, ["flip", "cutmixpick_t", "cutmix"])
    assert all(torch.equal(a.x, b.x) for a, b in zip(alone, beside, strict=True))
    assert all(torch.equal(a.made["cutmix"].x, b.made["cutmix"].x) for a, b in zip(alone, beside, strict=True))


def test_an_epoch_without_a_full_mini_batch_is_refused(digits):
    few = augment.settings(digits)
    with pytest.raises(UserError, match="has 1000 images, fewer than one mini-batch of 1001"):
        next(stream(Readers(Counting(), None, digits), [augment.find("flip")], 1, 1001, few, 0))
