"""Transforms as schemes: torchvision's, and anything that draws from the global generators."""

import random

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from kdutils import augment
from kdutils.augment import SCHEMES, Scheme, from_transform
from kdutils.errors import UserError
from tests.augment.images import N, draw, noise, numbered, stream

TORCHVISIONS = {
    "randaugment": v2.RandAugment,
    "trivialaugment": v2.TrivialAugmentWide,
    "augmix": v2.AugMix,
    "random_erasing": v2.RandomErasing,
}


def drawing(x):
    """A transform that draws from all three global generators."""
    return x // 4 + int(torch.randint(60, ())) + np.random.randint(60) + random.randrange(60)  # noqa: NPY002


def global_states():
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002


# --- Randomness ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", [drawing, v2.RandAugment(), v2.ColorJitter(0.5), v2.RandomErasing(p=1)])
def test_a_transform_is_fixed_by_the_generator_and_touches_no_global_one(transform, settings):
    before, function = global_states(), from_transform(transform)
    first, again, other = (function(noise(), draw(settings, generator=stream(seed))) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert global_states() == before


def test_the_global_generators_are_restored_after_a_failure(settings):
    before = global_states()
    with pytest.raises(UserError, match="ZeroDivisionError"):
        Scheme("mine", "Mine", lambda x: drawing(x) // int(1 / random.randrange(1)))(noise(), stream(), settings)
    assert global_states() == before


@pytest.mark.parametrize(
    ("per", "granularity", "draws"),
    [(None, "batch", 1), (None, "sample", N), ("batch", "sample", 1), ("sample", "batch", N)],
)
def test_granularity_decides_on_the_number_of_draws_unless_per_does(per, granularity, draws, digits):
    sizes = []

    def count(x):
        sizes.append(len(x))
        return x

    from_transform(count, per)(noise(), draw(augment.settings(digits, granularity)))
    assert sizes == [N // draws] * draws


def test_each_image_has_numbers_of_its_own_per_sample(digits):
    made = from_transform(drawing, "sample")(0 * noise(), draw(augment.settings(digits)))
    assert len({int(image.max()) for image in made}) > N // 2


def test_a_function_of_x_sees_the_mini_batch_and_is_seeded(settings):
    mine = Scheme("mine", "Mine", drawing)
    first, again = (mine(numbered(), stream(), settings).x for _ in range(2))
    assert torch.equal(first, again)
    assert len((first - numbered() // 4).unique()) == 1
    rolled = Scheme("rolled", "Rolled", lambda x: x.roll(1, 0))
    assert torch.equal(rolled(noise(), stream(), settings).x, noise().roll(1, 0))


# --- torchvision's ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TORCHVISIONS)
def test_the_ones_that_come_along_are_torchvisions_under_the_same_seed(name, settings):
    options = {"value": settings.fill} if name == "random_erasing" else {}
    transform, parts = TORCHVISIONS[name](**options), noise().split(N // settings.draws(N))
    changed = 0
    for seed in range(6):
        made = SCHEMES[name](noise(), stream(seed), settings).x
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**62, (), generator=stream(seed))))
            assert torch.equal(made, torch.cat([transform(part) for part in parts]))
        changed += not torch.equal(made, noise())
    assert changed >= 2


def test_greyscale_is_the_luma_of_television_in_all_channels(settings):
    x = noise()
    made = augment.greyscale(x, draw(settings)).double()
    luma = x.double().mul(torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64).view(3, 1, 1)).sum(1, keepdim=True)
    assert float((made - luma).abs().max()) < 1.05  # torchvision cuts fractions off
    assert torch.equal(made[:, 0], made[:, 2])


def test_gaussian_noise_has_a_tenth_of_the_range_on_every_value(settings):
    grey = torch.full((N, 3, 16, 16), 128, dtype=torch.uint8)
    change = augment.gaussian_noise(grey, draw(settings)).double() - 128
    values = change.numel()
    sd = 25.5 * (1 / 12 / 25.5**2 + 1) ** 0.5  # of noise that is rounded to whole numbers
    assert abs(float(change.mean()) + 0.5) < 0.5 + 4 * sd / values**0.5  # rounded to nearest or down
    assert abs(float(change.std()) - sd) < 4 * sd / (2 * values) ** 0.5
    assert abs(float((change[:, 0] * change[:, 1]).mean())) < 1 + 4 * sd**2 / (values / 3) ** 0.5


def test_blank_images_normalise_to_zero_and_own_their_pixels(digits, settings):
    made = augment.blank(noise(), draw(settings))
    assert float(digits.normalise(made).abs().max()) < 1e-6
    made[0] = 0
    assert float(made[1].min()) > 0


def test_random_erasing_erases_to_what_normalises_to_zero(digits):
    settings = augment.settings(digits, "sample")
    white = torch.full((200, 3, 16, 16), 255, dtype=torch.uint8)
    made = augment.random_erasing(white, draw(settings, 200))
    erased = (made != 255).flatten(1).any(1).float().mean()
    assert 0.35 < float(erased) < 0.65
    assert float(digits.normalise(made[made != 255].view(-1, 3, 1, 1)).abs().max()) < 1 / 255 / min(digits.std) + 1e-6


@pytest.mark.parametrize(
    "transform",
    [
        v2.RandAugment(),
        v2.TrivialAugmentWide(),
        v2.AugMix(),
        v2.RandomErasing(),
        v2.Compose([v2.RandomHorizontalFlip(), v2.RandAugment(), v2.RandomErasing()]),
        v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4)]),
    ],
)
def test_a_transform_stands_for_its_function_and_takes_floats_as_it_takes_uint8(transform, settings):
    mine = Scheme("mine", "Mine", transform)
    made = mine(noise(), stream(), settings).x
    assert made.dtype == torch.uint8
    assert torch.equal(mine(noise().float(), stream(), settings).x, made)


def test_the_recipe_that_ends_in_zero_to_one_is_told_so(settings):
    recipe = v2.Compose([v2.RandAugment(), v2.ToDtype(torch.float32, scale=True), v2.RandomErasing()])
    with pytest.raises(UserError, match=r"x' lies in 0\.\.1"):
        Scheme("mine", "Mine", recipe)(noise(), stream(), settings)


def test_a_transform_that_resizes_is_told_so(settings):
    with pytest.raises(UserError, match=r"keep the shape of x, \(12, 3, 16, 16\); it returned \(12, 3, 8, 8\)"):
        Scheme("mine", "Mine", v2.Resize(8))(noise(), stream(), settings)


# --- CutMix and MixUp of torchvision ------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", [v2.CutMix(), v2.CutMix(num_classes=10), v2.MixUp(alpha=0.4)])
def test_a_mixing_transform_says_what_x_prime_was_made_of(transform, settings):
    made = Scheme("mine", "Mine", transform)(numbered(), stream(), settings)
    assert made.own.tolist() == list(range(N))
    assert made.partner.tolist() == [N - 1, *range(N - 1)]
    assert len(made.lam.unique()) == 1
    expected = made.lam * made.own + (1 - made.lam) * made.partner
    shown = made.x.float().mean((1, 2, 3))
    torch.testing.assert_close(shown, expected, atol=0.5, rtol=0)


def test_a_mixing_transform_may_stand_among_others(settings):
    either = v2.RandomChoice([v2.CutMix(), v2.MixUp()])
    whole = Scheme("mine", "Mine", v2.Compose([v2.RandAugment(), either, v2.RandomErasing(p=0.0)]))
    lams = [float(whole(noise(), stream(seed), settings).lam[0]) for seed in range(8)]
    assert len(set(lams)) > 4
    first, again = (whole(noise(), stream(3), settings) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_the_users_own_transform_is_left_as_it_was():
    transform = v2.CutMix(num_classes=10)
    from_transform(transform)
    assert transform.num_classes == 10
    assert not transform._forward_pre_hooks


def test_mixing_more_than_two_images_is_refused(settings):
    with pytest.raises(UserError, match="mix each image with one other"):
        Scheme("mine", "Mine", v2.Compose([v2.MixUp(), v2.MixUp()]))(noise(), stream(), settings)


def test_mixing_one_image_at_a_time_is_refused():
    with pytest.raises(UserError, match="they cannot work per sample"):
        from_transform(v2.CutMix(), per="sample")


def test_an_unknown_per_is_refused():
    with pytest.raises(UserError, match=r"unknown per 'image'.*batch, sample"):
        from_transform(v2.RandAugment(), per="image")
