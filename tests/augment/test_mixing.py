"""Mixup and CutMix, each against a plain twin that goes pixel by pixel, and their distributions."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from kdutils.augment import SCHEMES
from kdutils.errors import UserError
from tests.augment.images import SIZE, N, box, noise, numbered, spread, stream


def test_mixup_is_the_weighted_mean_of_own_and_partner(settings):
    x = noise()
    made = SCHEMES["mixup"](x, stream(), settings)
    assert made.own.tolist() == list(range(N))
    assert sorted(made.partner.tolist()) == list(range(N))
    for image, own, partner, lam in zip(made.x, made.own, made.partner, made.lam, strict=True):
        expected = float(lam) * x[own].double() + (1 - float(lam)) * x[partner].double()
        torch.testing.assert_close(image.double(), expected, atol=1e-4, rtol=0)


def test_mixup_lambda_is_uniform_and_an_image_may_be_its_own_partner(per_image):
    made = [SCHEMES["mixup"](numbered(64), stream(seed), per_image) for seed in range(40)]
    lam = torch.cat([m.lam for m in made])
    assert stats.kstest(lam.numpy(), "uniform").pvalue > 1e-3
    assert abs(float(lam.mean()) - 0.5) < 4 * math.sqrt(1 / 12 / len(lam))
    fixed = sum(int((m.partner == m.own).sum()) for m in made)
    assert 40 - 4 * math.sqrt(40) < fixed < 40 + 4 * math.sqrt(40)  # one per batch, on average


def test_cutmix_pastes_a_clipped_box_of_the_partner(settings):
    x, draws = numbered(), settings.draws(N)
    made = SCHEMES["cutmix"](x, stream(), settings)
    generator = stream()
    sides = [math.sqrt(1 - lam) for lam in torch.rand(draws, generator=generator).tolist()]
    rows, columns = (torch.randint(SIZE, (draws,), generator=generator).tolist() for _ in range(2))
    drawn = zip(*(spread(values, N) for values in (sides, rows, columns)), strict=True)
    for image, own, partner, lam, (side, y, column) in zip(
        made.x.numpy(), made.own, made.partner, made.lam, drawn, strict=True
    ):
        inside = box(int(SIZE * side), int(SIZE * side), y, column, SIZE)
        assert (image[:, inside] == int(partner)).all()
        assert (image[:, ~inside] == int(own)).all()
        assert float(lam) == pytest.approx(1 - inside.mean(), abs=1e-6)


@pytest.mark.parametrize("n", [2, 3, 64])
def test_nobody_is_their_own_partner_in_cutmix(n, settings):
    for seed in range(50):
        partner = SCHEMES["cutmix"](numbered(n), stream(seed), settings).partner
        assert sorted(partner.tolist()) == list(range(n))
        assert (partner != torch.arange(n)).all()


def test_all_others_are_equally_likely_partners_in_cutmix(per_image):
    partners = torch.cat([SCHEMES["cutmix"](numbered(6), stream(seed), per_image).partner[:1] for seed in range(1500)])
    assert stats.chisquare(np.bincount(partners, minlength=6)[1:]).pvalue > 1e-3


def test_the_visible_share_in_cutmix_is_distributed_as_the_algorithm_says(per_image):
    """Yun et al.'s algorithm written with numpy and its own randomness: lambda, side, centre, clipping."""
    n, size = 4000, 32
    lam = SCHEMES["cutmix"](numbered(2, size).repeat(n // 2, 1, 1, 1), stream(), per_image).lam.numpy()
    rng = np.random.default_rng(0)
    half = (size * np.sqrt(1 - rng.beta(1, 1, size=n))).astype(int) // 2
    centre = rng.integers(size, size=(2, n))
    height, width = np.clip(centre + half, 0, size) - np.clip(centre - half, 0, size)
    assert stats.ks_2samp(lam, 1 - height * width / size**2).pvalue > 1e-3


def test_cutmix_of_one_image_is_refused(settings):
    with pytest.raises(UserError, match="at least two images"):
        SCHEMES["cutmix"](noise(1), stream(), settings)
