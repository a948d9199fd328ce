"""Schemes of one's own are tried before the long work: what they return, and whether the seed governs it."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from kdutils import augment
from kdutils.augment import SCHEMES, Scheme
from kdutils.errors import UserError


def rehearse(digits, *functions, granularity="batch"):
    augment.rehearse([Scheme("mine", "Mine", fn) for fn in functions], digits, granularity, 12)


@pytest.mark.parametrize("granularity", ["batch", "sample"])
@pytest.mark.filterwarnings("error")
def test_what_the_seed_governs_is_not_warned_of(granularity, digits):
    def shift(x, draw):
        return x.roll(int(torch.randint(8, (), generator=draw.generator)), 3)

    def dark(x):
        return (x * np.random.rand()).to(torch.uint8)  # noqa: NPY002

    rehearse(digits, v2.RandAugment(), v2.CutMix(), shift, dark, lambda x: 255 - x, granularity=granularity)


def test_a_generator_of_its_own_is_warned_of(digits):
    own = np.random.default_rng(0)
    with pytest.warns(UserWarning, match="'mine' makes another x' of the same images.*draw.generator"):
        rehearse(digits, lambda x: x.float() * own.random())


def test_what_cannot_be_x_prime_is_refused(digits):
    with pytest.raises(UserError, match=r"'mine' must keep the shape of x, \(12, 3, 16, 16\)"):
        rehearse(digits, v2.Resize(8))


def test_what_comes_with_the_package_is_not_tried():
    augment.rehearse(SCHEMES.values(), None, "batch", 12)
