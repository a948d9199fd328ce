"""Transforms of kornia and albumentations are schemes as they are, under the ranking's seed and granularity."""

import pytest
import torch
from torch import nn
from torchvision.transforms import v2

from kdutils import augment
from kdutils.augment import Scheme
from kdutils.augment.libraries import origin
from kdutils.errors import UserError
from kdutils.runs.identities import of_code
from tests.augment.images import N, noise, stream


@pytest.fixture
def kornia():
    return pytest.importorskip("kornia.augmentation", reason="kornia is not installed")


@pytest.fixture
def albumentations(monkeypatch):
    monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for its newest version
    return pytest.importorskip("albumentations", reason="albumentations is not installed")


def of_kornia(library):
    return [
        library.ColorJiggle(0.3, 0.3, 0.3, 0.1, p=1.0),
        library.AugmentationSequential(library.RandomErasing(p=1.0)),
        nn.Sequential(library.RandomAffine(30.0, p=1.0), library.RandomGrayscale(p=0.5)),
    ]


def of_albumentations(library):
    return [
        library.RandomBrightnessContrast(p=1.0),
        library.Compose([library.Affine(rotate=(-30, 30), p=1.0), library.ToTensorV2()]),
        library.OneOf([library.GaussNoise(p=1.0), library.CoarseDropout(p=1.0)], p=1.0),
    ]


def check_draws(transform, digits):
    """Equal images tell whether they had one draw or one each; two streams, whether the seed governs it."""
    alike = noise(1).expand(N, -1, -1, -1)
    for granularity, kinds in (("batch", 1), ("sample", N)):
        mine, settings = Scheme("mine", "Mine", transform), augment.settings(digits, granularity)
        first, again, other = (mine(alike, stream(seed), settings).x for seed in (0, 0, 1))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        assert len(first.unique(dim=0)) == kinds


@pytest.mark.parametrize("number", range(3))
def test_a_transform_of_kornia_is_governed_by_seed_and_granularity(number, kornia, digits):
    check_draws(of_kornia(kornia)[number], digits)


@pytest.mark.parametrize("number", range(3))
def test_a_transform_of_albumentations_is_governed_by_seed_and_granularity(number, albumentations, digits):
    check_draws(of_albumentations(albumentations)[number], digits)


def test_kornia_gets_floats_in_zero_to_one_and_its_images_come_back_as_they_were(kornia, settings):
    flip = Scheme("flip", "Flip", kornia.RandomHorizontalFlip(p=1.0))
    torch.testing.assert_close(flip(noise(), stream(), settings).x, noise().flip(3).float())


def test_albumentations_gets_bytes_with_channels_last(albumentations, settings):
    for transform in (albumentations.HorizontalFlip(p=1.0), albumentations.ToGray(p=1.0)):
        (expected,) = (transform(image=noise(1)[0].permute(1, 2, 0).numpy())["image"],)
        made = Scheme("mine", "Mine", transform)(noise(), stream(), settings).x[0]
        assert torch.equal(made, torch.from_numpy(expected.copy()).permute(2, 0, 1))


def test_the_users_own_transform_is_left_as_it_was(kornia):
    jiggle = kornia.ColorJiggle(0.3, p=1.0)
    Scheme("mine", "Mine", jiggle)
    assert not jiggle.same_on_batch


def test_what_mixes_and_does_not_say_so_is_refused(kornia):
    with pytest.raises(UserError, match=r"RandomMixUpV2 mixes images and does not say which: use v2\.CutMix"):
        Scheme("mine", "Mine", kornia.AugmentationSequential(kornia.RandomMixUpV2()))


def test_a_key_holds_what_the_transform_does(kornia, albumentations):
    def key(transform):
        return of_code(Scheme("mine", "Mine", transform).own)

    for strength in (lambda a: kornia.ColorJiggle(a), lambda a: albumentations.RandomGamma((a * 100, 150))):
        assert key(strength(0.2)) == key(strength(0.2)) != key(strength(0.3))


def test_of_other_makes_nothing_is_changed():
    for other in (v2.RandAugment(), nn.Sequential(), nn.Sequential(v2.RandAugment()), lambda x: x, max):
        assert origin(other) == ""
