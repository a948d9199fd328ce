"""The nine schemes, each against a plain twin that goes image by image and pixel by pixel, and their distributions."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms import v2

from kdutils import augment, seeds
from kdutils.augment import SCHEMES, Augmented
from kdutils.errors import UserError

N, SIZE = 12, 16
NINE = ["identity", "flip", "crop_flip", "cutout", "autoaugment", "mixup", "cutmix", "cutmixpick_s", "cutmixpick_t"]
ONE_IMAGE = ["identity", "flip", "crop_flip", "cutout", "autoaugment"]
GRANULARITIES = ["batch", "sample"]


@pytest.fixture(params=GRANULARITIES)
def settings(request, digits):
    return augment.settings(digits, request.param)


@pytest.fixture(scope="module")
def per_image(digits):
    return augment.settings(digits, "sample")


def noise(n=N, size=SIZE, seed=0):
    """Images without two equal windows."""
    return torch.randint(256, (n, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def numbered(n=N, size=SIZE):
    """Image i is i everywhere, so that a pixel tells where it came from."""
    return torch.arange(n, dtype=torch.uint8).view(-1, 1, 1, 1).expand(n, 3, size, size).contiguous()


def stream(seed=0):
    return seeds.generator(seed, "test")


def padded(image, padding):
    return np.pad(image.numpy(), ((0, 0), (padding, padding), (padding, padding)))


def spread(values, n):
    """What was drawn, for each of n images: one draw for all, or one each."""
    return (values * n)[:n] if len(values) == 1 else values


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
    flipped = augment.flip(x, settings.draws(N), stream(), settings)
    for image, made in zip(x.numpy(), flipped.numpy(), strict=True):
        assert np.array_equal(made, image) or np.array_equal(made, image[:, :, ::-1])
    assert torch.equal(augment.flip(flipped, settings.draws(N), stream(), settings), x)


def test_flip_mirrors_one_image_in_two(per_image):
    x = noise(1).expand(4000, -1, -1, -1)
    flipped = augment.flip(x, 4000, stream(), per_image)
    share = float((flipped != x).flatten(1).any(1).float().mean())
    assert abs(share - 0.5) < 4 * math.sqrt(0.25 / 4000)


def test_crop_is_a_window_of_the_padded_image(settings):
    x, padding = noise(), settings.crop_padding
    generator = stream()
    made = augment.crop(x, settings.draws(N), generator, settings)
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
    windows = augment.crop(image.expand(n, -1, -1, -1), n, stream(), per_image)
    found = offsets(image, windows, padding)
    counts = np.bincount([t * (2 * padding + 1) + left for t, left in found], minlength=(2 * padding + 1) ** 2)
    assert counts.shape == ((2 * padding + 1) ** 2,)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_crop_flip_is_a_crop_that_is_then_flipped(settings):
    x, draws = noise(), settings.draws(N)
    made = augment.crop_flip(x, draws, stream(), settings)
    generator = stream()
    assert torch.equal(made, augment.flip(augment.crop(x, draws, generator, settings), draws, generator, settings))


def test_the_standard_augmentation_is_crop_and_flip_drawn_per_image_at_either_granularity(digits):
    batch, sample = (augment.settings(digits, g) for g in GRANULARITIES)
    x = noise(1).expand(32, -1, -1, -1)
    made = augment.standard(x, stream(), batch)
    assert torch.equal(made, augment.standard(x, stream(), sample))
    assert len({image.numpy().tobytes() for image in made}) > 20


def box(height, width, centre_y, centre_x, size):
    """The pixels inside a box that is clipped at the border, asked one by one."""
    return np.array(
        [
            [
                centre_y - height // 2 <= i < centre_y + height // 2
                and centre_x - width // 2 <= j < centre_x + width // 2
                for j in range(size)
            ]
            for i in range(size)
        ]
    )


def test_cutout_fills_exactly_the_clipped_square(settings):
    x, draws = noise(), settings.draws(N)
    made = augment.cutout(x, draws, stream(), settings).numpy()
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
    cut = augment.cutout(white, settings.draws(N), stream(), augment.settings(three, settings.granularity))
    normal = three.normalise(cut)
    assert float(normal[cut != 255].abs().max()) < 1e-6
    sizes = (cut[:, 0] != 255).sum((1, 2))
    assert int(sizes.min()) >= settings.cutout_size**2 // 4
    assert int(sizes.max()) <= settings.cutout_size**2


def test_cutout_centres_are_uniform_over_the_image(per_image):
    n = 4000
    white = torch.full((1, 3, SIZE, SIZE), 255, dtype=torch.uint8).expand(n, -1, -1, -1)
    cut = (augment.cutout(white, n, stream(), per_image)[:, 0] != 255).float()
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
            made = augment.autoaugment(x, settings.draws(N), stream(seed), settings)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(torch.randint(2**62, (), generator=stream(seed))))
                expected = torch.cat([transform(part) for part in parts])
            assert torch.equal(made, expected)


def test_autoaugment_draws_from_the_whole_policy(digits):
    settings = augment.settings(digits)
    made = {augment.autoaugment(noise(1), 1, stream(seed), settings).numpy().tobytes() for seed in range(60)}
    assert len(made) > 25


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
    assert 40 - 4 * math.sqrt(40) < fixed < 40 + 4 * math.sqrt(40)  # one a batch, on average


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


# --- CutMixPick ---------------------------------------------------------------------------------------------------


def random_logits(n=40, classes=10):
    scale = torch.linspace(0, 12, n).unsqueeze(1)
    return scale * torch.randn(n, classes, generator=torch.Generator().manual_seed(0))


def test_entropy_is_scipys_in_nats():
    logits = random_logits()
    p = torch.softmax(logits.double(), 1).numpy()
    np.testing.assert_allclose(augment.entropy(logits), stats.entropy(p, axis=1), atol=1e-5)
    assert float(augment.entropy(torch.zeros(1, 10))) == pytest.approx(math.log(10))
    assert float(augment.entropy(torch.tensor([[1e5, 0.0, -1e5]]))) == 0


def test_pick_keeps_the_highest_entropies_in_the_order_of_the_pool():
    logits = random_logits()[torch.randperm(40, generator=torch.Generator().manual_seed(1))]
    kept = augment.pick(logits, 20)
    entropies = stats.entropy(torch.softmax(logits.double(), 1).numpy(), axis=1)
    assert kept.tolist() == sorted(np.argsort(entropies)[-20:])


def test_pick_of_the_whole_pool_keeps_it():
    assert augment.pick(random_logits(), 40).tolist() == list(range(40))


@pytest.mark.parametrize(("ratio", "runs"), [(1.0, 1), (1, 1), (0.5, 2), (0.25, 4), (1 / 3, 3), (0.1, 10)])
def test_the_pool_is_as_large_as_the_share_that_is_kept_of_it_asks(ratio, runs):
    assert augment.pool_runs(ratio) == runs


@pytest.mark.parametrize("ratio", [0, -0.5, 0.4, 0.75, 2, float("nan"), float("inf")])
def test_a_share_that_leaves_no_whole_batch_is_refused(ratio):
    with pytest.raises(UserError, match="1 divided by a whole number"):
        augment.pool_runs(ratio)


# --- Settings and schemes of one's own ----------------------------------------------------------------------------


def test_settings_are_the_data_sets(digits):
    settings = augment.settings(digits)
    assert (settings.crop_padding, settings.cutout_size, settings.policy) == (2, 4, "cifar10")
    assert settings.fill == tuple(255 * m for m in digits.mean)
    assert (settings.draws(64), augment.settings(digits, "sample").draws(64)) == (1, 64)


def test_an_unknown_granularity_is_refused(digits):
    with pytest.raises(UserError, match=r"unknown granularity 'image'.*batch, sample"):
        augment.settings(digits, "image")


@pytest.fixture
def registered():
    """Take back what a test registers."""
    before = dict(SCHEMES)
    yield augment.register
    SCHEMES.clear()
    SCHEMES.update(before)


def invert(x, draws, generator, settings):
    return 255 - x


def test_a_scheme_of_ones_own_is_a_function_and_one_line(registered, settings):
    scheme = registered("invert", "Invert", invert)
    assert SCHEMES["invert"] is scheme
    made = scheme(noise(), stream(), settings)
    assert isinstance(made, Augmented)
    assert torch.equal(made.x, 255 - noise())
    assert made.lam.tolist() == [1.0] * N


def test_a_name_is_given_once(registered):
    with pytest.raises(UserError, match="'cutmix' exists already"):
        registered("cutmix", "Mine", invert)
    assert SCHEMES["cutmix"].fn is augment.cutmix


def test_a_scheme_that_changes_the_batchs_shape_is_told_so(registered, settings):
    scheme = registered("half", "Half", lambda x, *_: x[:, :, ::2])
    with pytest.raises(UserError, match=r"keep the batch's shape \(12, 3, 16, 16\), and returned \(12, 3, 8, 16\)"):
        scheme(noise(), stream(), settings)
