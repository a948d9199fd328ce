"""The paper's nine schemes: what holds for all, and those of one image against plain twins."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms import v2

from kdutils import augment
from kdutils.augment import SCHEMES
from tests.augment.images import GRANULARITIES, SIZE, N, box, draw, noise, spread, stream

NINE = ["identity", "flip", "crop_flip", "cutout", "autoaugment", "mixup", "cutmix", "cutmixpick_s", "cutmixpick_t"]
ONE_IMAGE = ["identity", "flip", "crop_flip", "cutout", "autoaugment"]


def padded(image, padding):
    return np.pad(image.numpy(), ((0, 0), (padding, padding), (padding, padding)))


# --- All schemes --------------------------------------------------------------------------------------------------


def test_the_registry_holds_the_papers_nine_in_its_order():
    assert list(SCHEMES)[:9] == NINE
    assert [name for name in NINE if SCHEMES[name].pick] == ["cutmixpick_s", "cutmixpick_t"]
    assert [SCHEMES[name].pick for name in NINE[-2:]] == ["student", "teacher"]


@pytest.mark.parametrize("name", NINE)
def test_a_scheme_is_fixed_by_its_generator_and_touches_no_other(name, settings):
    x, before = noise(), torch.get_rng_state()
    kept = x.clone()
    first, again, other = (SCHEMES[name](x, stream(seed), settings) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(x, kept)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert name == "identity" or not torch.equal(first.x, other.x)


@pytest.mark.parametrize("name", NINE)
def test_x_prime_has_the_shape_of_x_and_its_range(name, settings):
    made = SCHEMES[name](noise(), stream(), settings)
    assert made.x.shape == (N, 3, SIZE, SIZE)
    assert made.x.dtype in (torch.uint8, torch.float32)
    assert float(made.x.min()) >= 0
    assert float(made.x.max()) <= 255
    assert [tuple(part.shape) for part in made[1:]] == [(N,)] * 3


@pytest.mark.parametrize("name", ONE_IMAGE)
def test_what_mixes_nothing_shows_each_image_itself(name, settings):
    made = SCHEMES[name](noise(), stream(), settings)
    assert made.own.tolist() == made.partner.tolist() == list(range(N))
    assert made.lam.tolist() == [1.0] * N


@pytest.mark.parametrize("name", [name for name in ONE_IMAGE if name != "identity"])
def test_granularity_is_one_transform_a_batch_or_one_an_image(name, digits):
    x = noise(1).expand(32, -1, -1, -1)
    batch, sample = (SCHEMES[name](x, stream(), augment.settings(digits, g)).x for g in GRANULARITIES)
    assert (batch == batch[:1]).all()
    assert not (sample == sample[:1]).all()


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_granularity_of_mixing_is_one_lambda_a_batch_or_one_an_image(name, digits):
    x = noise(32)
    batch, sample = (SCHEMES[name](x, stream(), augment.settings(digits, g)).lam for g in GRANULARITIES)
    assert len(set(batch.tolist())) == 1
    assert len(set(sample.tolist())) > 10


def test_a_pool_is_the_scheme_run_again_and_its_first_run_is_the_scheme(settings):
    once, pool = (SCHEMES["cutmix"](noise(), stream(), settings, runs) for runs in (1, 3))
    assert pool.x.shape == (3 * N, 3, SIZE, SIZE)
    assert all(torch.equal(a, b[:N]) for a, b in zip(once, pool, strict=True))
    assert not torch.equal(pool.x[:N], pool.x[N : 2 * N])
    assert pool.own.tolist() == 3 * list(range(N))


def test_taking_some_takes_what_they_were_made_of(settings):
    made = SCHEMES["cutmix"](noise(), stream(), settings)
    index = torch.tensor([5, 0, 7])
    assert all(torch.equal(part, whole[index]) for part, whole in zip(made.take(index), made, strict=True))


# --- One by one ---------------------------------------------------------------------------------------------------


def test_identity_gives_x_itself(settings):
    x = noise()
    assert SCHEMES["identity"](x, stream(), settings).x is x


def test_flip_mirrors_left_and_right_or_nothing_and_undoes_itself(settings):
    x = noise()
    flipped = augment.flip(x, draw(settings))
    for image, made in zip(x.numpy(), flipped.numpy(), strict=True):
        assert np.array_equal(made, image) or np.array_equal(made, image[:, :, ::-1])
    assert torch.equal(augment.flip(flipped, draw(settings)), x)


def test_a_batch_that_is_not_flipped_is_the_same_object(settings):
    """So that no comparison is needed to know that x' is x."""
    x = noise()
    made = [augment.flip(x, augment.Draw(stream(seed), 1, settings)) for seed in range(20)]
    assert all((one is x) == torch.equal(one, x) for one in made)
    assert {one is x for one in made} == {True, False}


def test_flip_mirrors_one_image_in_two(per_image):
    x = noise(1).expand(4000, -1, -1, -1)
    flipped = augment.flip(x, draw(per_image, 4000))
    share = float((flipped != x).flatten(1).any(1).float().mean())
    assert abs(share - 0.5) < 4 * math.sqrt(0.25 / 4000)


def test_crop_is_a_window_of_the_padded_image(settings):
    x, padding = noise(), settings.crop_padding
    made = augment.crop(x, draw(settings))
    twin = stream()
    tops, lefts = (torch.randint(2 * padding + 1, (2, settings.draws(N)), generator=twin)).tolist()
    for image, window, top, left in zip(x, made, spread(tops, N), spread(lefts, N), strict=True):
        assert np.array_equal(window.numpy(), padded(image, padding)[:, top : top + SIZE, left : left + SIZE])


def offsets(image, windows, padding):
    """Where each window lies in the padded image: found by looking."""
    large, places = padded(image, padding), range(2 * padding + 1)
    shown = {large[:, t : t + SIZE, left : left + SIZE].tobytes(): (t, left) for t in places for left in places}
    return [shown[window.numpy().tobytes()] for window in windows]


def test_crop_offsets_are_uniform(per_image):
    n, padding = 5000, per_image.crop_padding
    (image,) = noise(1)
    windows = augment.crop(image.expand(n, -1, -1, -1), draw(per_image, n))
    found = offsets(image, windows, padding)
    counts = np.bincount([t * (2 * padding + 1) + left for t, left in found], minlength=(2 * padding + 1) ** 2)
    assert counts.shape == ((2 * padding + 1) ** 2,)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_crop_flip_is_a_crop_that_is_then_flipped(settings):
    x, twin = noise(), draw(settings)
    made = augment.crop_flip(x, draw(settings))
    assert torch.equal(made, augment.flip(augment.crop(x, twin), twin))


def test_the_standard_augmentation_is_crop_and_flip_drawn_per_image_at_either_granularity(digits):
    batch, sample = (augment.settings(digits, g) for g in GRANULARITIES)
    x = noise(1).expand(32, -1, -1, -1)
    made = augment.standard(x, stream(), batch)
    assert torch.equal(made, augment.standard(x, stream(), sample))
    assert len({image.numpy().tobytes() for image in made}) > 20


def test_cutout_fills_exactly_the_clipped_square(settings):
    x, draws = noise(), settings.draws(N)
    made = augment.cutout(x, draw(settings)).numpy()
    generator = stream()
    rows, columns = (torch.randint(SIZE, (draws,), generator=generator).tolist() for _ in range(2))
    for image, cut, y, column in zip(x.numpy(), made, spread(rows, N), spread(columns, N), strict=True):
        inside = box(settings.cutout_size, settings.cutout_size, y, column, SIZE)
        assert np.array_equal(cut[:, ~inside], image[:, ~inside])
        for channel, fill in zip(cut, settings.fill, strict=True):
            np.testing.assert_array_equal(channel[inside], np.float32(fill))


def test_cutout_is_filled_with_what_normalises_to_zero(digits, settings):
    three = replace(digits, mean=(0.1, 0.5, 0.8), std=(0.1, 0.2, 0.3))
    white = torch.full((N, 3, SIZE, SIZE), 255, dtype=torch.uint8)
    cut = augment.cutout(white, draw(augment.settings(three, settings.granularity)))
    normal = three.normalise(cut)
    assert float(normal[cut != 255].abs().max()) < 1e-6
    sizes = (cut[:, 0] != 255).sum((1, 2))
    assert int(sizes.min()) >= settings.cutout_size**2 // 4
    assert int(sizes.max()) <= settings.cutout_size**2


def test_cutout_centres_are_uniform_over_the_image(per_image):
    n = 4000
    white = torch.full((1, 3, SIZE, SIZE), 255, dtype=torch.uint8).expand(n, -1, -1, -1)
    cut = (augment.cutout(white, draw(per_image, n))[:, 0] != 255).float()
    half = per_image.cutout_size // 2
    for axis in (1, 2):
        covered = cut.any(axis)  # [n, SIZE]
        last = SIZE - 1 - covered.flip(1).int().argmax(1)
        centre = torch.where(covered[:, -1], -1, last + 1 - half)  # unknown where the square is clipped at the end
        counts = np.bincount(centre[centre >= 0], minlength=SIZE)[: SIZE - half]
        beyond = int((centre < 0).sum())
        expected = n / SIZE
        assert stats.chisquare([*counts, beyond], [expected] * len(counts) + [expected * half]).pvalue > 1e-3


@pytest.mark.parametrize(("policy", "torchvisions"), [("cifar10", "CIFAR10"), ("imagenet", "IMAGENET")])
def test_autoaugment_is_torchvisions_under_the_same_seed(policy, torchvisions, digits):
    x = noise()
    transform = v2.AutoAugment(v2.AutoAugmentPolicy[torchvisions])
    for granularity, parts in (("batch", [x]), ("sample", list(x.split(1)))):
        for seed in range(4):
            settings = replace(augment.settings(digits, granularity), policy=policy)
            made = augment.autoaugment(x, draw(settings, generator=stream(seed)))
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(torch.randint(2**62, (), generator=stream(seed))))
                expected = torch.cat([transform(part) for part in parts])
            assert torch.equal(made, expected)


def test_autoaugment_draws_from_the_whole_policy(digits):
    settings = augment.settings(digits)
    made = {
        augment.autoaugment(noise(1), draw(settings, generator=stream(seed))).numpy().tobytes() for seed in range(60)
    }
    assert len(made) > 25
