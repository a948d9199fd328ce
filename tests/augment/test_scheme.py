"""A scheme of one's own: its contract, what is refused, and that nothing it does reaches its neighbours."""

import pytest
import torch
from torchvision.transforms import v2

from kdutils import augment
from kdutils.augment import SCHEMES, Augmented, Scheme
from kdutils.errors import UserError
from kdutils.inference.devices import Findings
from tests.augment.images import SIZE, N, noise, stream


def scheme(fn, **options):
    return Scheme("mine", "Mine", fn, **options)


def test_settings_are_the_datasets(digits):
    settings = augment.settings(digits)
    assert (settings.crop_padding, settings.cutout_size, settings.policy) == (2, 4, "cifar10")
    assert settings.fill == tuple(255 * m for m in digits.mean)
    assert (settings.draws(64), augment.settings(digits, "sample").draws(64)) == (1, 64)


def test_an_unknown_granularity_is_refused(digits):
    with pytest.raises(UserError, match=r"unknown granularity 'image'.*batch, sample"):
        augment.settings(digits, "image")


# --- The contract -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fn", [lambda x: 255 - x, lambda x, draw: 255 - x, lambda x, strength=1: 255 - strength * x])
def test_a_function_of_x_or_of_x_and_draw_is_a_scheme(fn, settings):
    made = scheme(fn)(noise(), stream(), settings)
    assert isinstance(made, Augmented)
    assert torch.equal(made.x, 255 - noise())
    assert made.own.tolist() == made.partner.tolist() == list(range(N))
    assert made.lam.tolist() == [1.0] * N


def test_draw_has_the_generator_the_count_and_the_settings(settings):
    seen = []

    def look(x, draw):
        seen.append((draw.count, draw.settings, draw.seed()))
        return x

    scheme(look)(noise(), stream(), settings)
    expected = int(torch.randint(2**62, (), generator=stream()))
    assert seen == [(settings.draws(N), settings, expected)]


def test_the_four_arguments_of_before_are_refused_with_their_new_places():
    with pytest.raises(UserError, match=r"f\(x\) or f\(x, draw\), not f\(x, draws, generator, settings\).*draw.count"):
        scheme(lambda x, draws, generator, settings: x)


@pytest.mark.parametrize("thing", [None, 3, "flip"])
def test_what_cannot_be_called_is_no_scheme(thing):
    with pytest.raises(UserError, match="a transform is called with images"):
        scheme(thing)


def test_a_class_is_no_scheme_and_what_it_makes_is_one(settings):
    with pytest.raises(UserError, match=r"'mine' is a class: give what it makes, such as RandAugment\(\)$"):
        scheme(v2.RandAugment)


def test_a_scheme_that_mixes_says_what_x_prime_was_made_of(settings):
    def halves(x, draw):
        own = torch.arange(len(x))
        return Augmented((x // 2 + x.roll(1, 0) // 2), own, own.roll(1), torch.full((len(x),), 0.5))

    made = scheme(halves)(noise(), stream(), settings)
    assert made.partner.tolist() == [N - 1, *range(N - 1)]


# --- A function that writes into its input ------------------------------------------------------------------------


def cut_in_place(x):
    x[:, :, 4:12, 4:12] = 0
    return x


def cut_through_numpy(x, draw):
    x.numpy()[:, :, 4:12, 4:12] = 0
    return x


@pytest.mark.parametrize("fn", [cut_in_place, cut_through_numpy])
def test_a_function_may_write_into_its_x_and_nobody_elses(fn, settings):
    x, pool = noise(), scheme(fn)(noise(), stream(), settings, runs=2)
    made = scheme(fn)(x, stream(), settings)
    assert torch.equal(x, noise())
    assert (made.x[:, :, 4:12, 4:12] == 0).all()
    assert torch.equal(made.x[:, :, :4], noise()[:, :, :4])
    assert torch.equal(pool.x, torch.cat([made.x, made.x]))


# --- What is refused ----------------------------------------------------------------------------------------------


def half_in_unit_range(x):
    return torch.cat([x[: N // 2].float() / 255, x[N // 2 :].float()])


def with_nan(x):
    x = x.float()
    x[:3, 0, 5, 5] = float("nan")
    return x


def with_infinity(x):
    return torch.where(torch.arange(N).view(-1, 1, 1, 1) < 2, float("inf"), x.float())


NO_IMAGES = [
    (lambda x: None, "returned nothing; expected x' as a tensor"),
    (lambda x: (x, x), r"returned a tuple; expected x' as a tensor, or kd\.augment\.Augmented"),
    (lambda x: x.numpy(), "returned a ndarray"),
    (lambda x: x[:, :, ::2], r"keep the shape of x, \(12, 3, 16, 16\); it returned \(12, 3, 8, 16\)"),
    (lambda x: x[:5], r"it returned \(5, 3, 16, 16\)"),
    (lambda x: x > 100, "returned torch.bool; expected uint8 or float32"),
    (lambda x: x.long(), "returned torch.int64; expected uint8 or float32"),
]
NO_VALUES = [
    (with_nan, "3 of 12 images of x' have values that are not finite"),
    (with_infinity, "2 of 12 images of x' have values that are not finite"),
    (lambda x: x.float() / 255, r"x' lies in 0\.\.1 in 12 of 12 images; images are 0\.\.255"),
    (lambda x: x.float() / 127.5 - 1, r"x' lies in -1\.\.1 in 12 of 12 images; images are 0\.\.255, before normal"),
    (half_in_unit_range, r"x' lies in 0\.\.1 in 6 of 12 images; images are 0\.\.255"),
    (lambda x: 4 * x.float() - 300, r"values from -300 to 720; images are 0\.\.255"),
    (lambda x: (x.float() / 255 - 0.5) / 0.2, r"values from -2\.5 to 2\.5; images are 0\.\.255"),
]


@pytest.mark.parametrize(("fn", "message"), NO_IMAGES + NO_VALUES)
def test_what_cannot_be_x_prime_is_refused_in_one_line(fn, message, settings):
    with pytest.raises(UserError, match=message) as refused:
        scheme(fn)(noise(), stream(), settings)
    assert str(refused.value).startswith("the scheme 'mine'")
    assert "\n" not in str(refused.value)


def test_a_black_image_and_noise_just_beyond_the_range_are_none_of_these(settings):
    scheme(lambda x: x.float() * 0)(noise(), stream(), settings)
    scheme(lambda x: x.float().clamp(0.4, 254.6) + 0.5)(noise(), stream(), settings)


def test_a_dark_image_whose_x_is_dark_too_is_left_alone(settings):
    dark = torch.ones(N, 3, SIZE, SIZE, dtype=torch.uint8)
    scheme(lambda x: x.float() / 2)(dark, stream(), settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lam": torch.full((N,), 1.5)}, "lam of Augmented is the share of x, from 0 to 1"),
        ({"lam": torch.full((N,), float("nan"))}, "lam of Augmented is the share of x"),
        ({"lam": torch.ones(1)}, r"are of shape \(12,\), not \(1,\)"),
        (
            {"own": torch.arange(N) + 1},
            "own and partner of Augmented are positions in the mini-batch, int64 from 0 to 11",
        ),
        ({"partner": torch.arange(N).float()}, "int64 from 0 to 11"),
    ],
)
def test_sources_that_cannot_be_are_refused(change, message, settings):
    own = torch.arange(N)
    right = Augmented(noise(), own, own, torch.ones(N))
    scheme(lambda x: right)(noise(), stream(), settings)
    with pytest.raises(UserError, match=message):
        scheme(lambda x: right._replace(**change))(noise(), stream(), settings)


def test_until_they_are_read_positions_outside_are_kept_within(settings, monkeypatch):
    """As on a GPU, whose process would end at an index outside before anybody looks at it."""
    monkeypatch.setattr(Findings, "add", lambda self, figures: setattr(self, "worst", figures) or [])
    wrong = torch.tensor([-1, *range(1, N - 1), N])
    mine = scheme(lambda x: Augmented(x, wrong, wrong, torch.ones(N)))
    made = mine(noise(), stream(), settings)
    assert made.own.tolist() == made.partner.tolist() == [0, *range(1, N - 1), N - 1]
    with pytest.raises(UserError, match="positions in the mini-batch, int64 from 0 to 11"):
        mine.settle()


def test_an_exception_within_becomes_one_line_that_names_the_scheme(settings):
    def broken(x, draw):
        return x @ draw.settings.matrix

    with pytest.raises(
        UserError, match=r"'mine' fails on torch.uint8 images \[12, 3, 16, 16\]: AttributeError"
    ) as found:
        scheme(broken)(noise(), stream(), settings)
    assert isinstance(found.value.__cause__, AttributeError)


def test_an_exception_that_shows_a_tensor_is_told_in_a_line(settings):
    def broken(x):
        raise ValueError(f"expected a number, but got {x} instead")

    with pytest.raises(UserError, match="ValueError: expected a number, but got tensor") as found:
        scheme(broken)(noise(), stream(), settings)
    assert "\n" not in str(found.value)


def test_what_comes_with_the_package_is_neither_copied_nor_checked(settings):
    x = noise()
    assert SCHEMES["identity"](x, stream(), settings).x is x


def test_a_scheme_knows_what_it_was_given():
    assert scheme(cut_in_place).own == {"transform": cut_in_place, "per": "batch"}
    assert scheme(cut_through_numpy).own is cut_through_numpy
