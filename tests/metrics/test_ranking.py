"""What is made of the sums: errors against repetitions with other seeds, the anatomy, and closed forms."""

import math

import numpy as np
import pytest
import torch

from kdutils import augment, metrics, stats, theory
from kdutils.augment import Scheme
from kdutils.errors import UserError
from tests.metrics import plain_ranking
from tests.metrics.teachers import CLASSES, Linear, OneHot

STEPS, K = 13, 256  # at 64 images per batch: 6 windows, and a step that fills none


# --- Errors of the metric -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def repeated(noise):
    """The same small measurement with many seeds."""
    schemes = ["identity", "flip", "cutmix"]
    return [metrics.measure(Linear(), noise, schemes, steps=20, batch_size=16, k=32, seed=seed) for seed in range(60)]


@pytest.mark.parametrize("name", ["identity", "flip", "cutmix"])
def test_the_standard_error_is_the_spread_over_seeds(name, repeated):
    rows = [ranking.rows[name].u for ranking in repeated]
    spread = np.std([u.stddev() for u in rows], ddof=1)
    claimed = math.sqrt(np.mean([u.standard_error() ** 2 for u in rows]))
    assert claimed == pytest.approx(spread, rel=0.3)  # the spread itself is known to 1 / sqrt(2 x 59) = 9 %


def test_the_error_of_a_difference_is_its_spread_and_far_below_that_of_separate_runs(repeated):
    found = [ranking.difference("flip", "identity") for ranking in repeated]
    spread = np.std([value for value, _ in found], ddof=1)
    assert math.sqrt(np.mean([error**2 for _, error in found])) == pytest.approx(spread, rel=0.3)
    apart = math.sqrt(2) * np.std([ranking.rows["flip"].u.stddev() for ranking in repeated], ddof=1)
    assert spread < 0.8 * apart


def test_a_difference_is_that_of_the_rows_and_its_error_leaves_windows_out_of_both(repeated):
    ranking = repeated[0]
    value, error = ranking.difference("cutmix", "identity")
    table = ranking.frame().set_index("scheme").t_stddev
    assert value == pytest.approx(table["cutmix"] - table["identity"])
    cutmix, identity = (ranking.rows[name].u.without_each_group().numpy() for name in ("cutmix", "identity"))
    assert error == pytest.approx(math.sqrt(19 * np.var(cutmix - identity)))
    assert ranking.difference("flip", "flip") == (0, 0)


def test_the_standard_error_is_the_statistics_modules(noise):
    """Twenty windows of one batch each, recomputed from the teacher's answers alone."""
    table = metrics.rank_schemes(Linear(), noise, "identity", steps=20, batch_size=64, k=128, seed=3)
    settings, teacher, u = augment.settings(noise), Linear(), []
    for step, index in enumerate(plain_ranking.order(20_000, 64, 20, seed=3)):
        x = augment.standard(noise.train.images[index], plain_ranking.seeds.generator(3, "x", step), settings)
        u.append(torch.softmax(teacher(noise.normalise(x)), 1).mean(0).detach().numpy())
    assert table.t_stddev_se[0] == pytest.approx(stats.stddev_standard_error(u), rel=1e-4)


def test_only_what_was_measured_can_be_compared(noise):
    ranking = metrics.measure(Linear(), noise, ["flip", "cutmixpick_s"], steps=15)
    with pytest.raises(UserError, match=r"unknown measured scheme 'cutmixpick_s'.*Choose one of: flip"):
        ranking.difference("flip", "cutmixpick_s")


# --- The anatomy --------------------------------------------------------------------------------------------------


def test_the_three_parts_add_up_to_the_variance(teacher, digits, student):
    ranking = metrics.measure(teacher, digits, steps=STEPS, k=K, seed=5, student=student)
    for row in ranking.frame().itertuples():
        total = float(ranking.rows[row.scheme].u.variance().mean())
        assert row.var_confidence + row.var_coupling + row.var_batch == pytest.approx(total, rel=1e-9)


def test_transforms_of_their_own_leave_nothing_to_the_batch_and_shared_ones_do(noise):
    """With independent images Var(u) is confidence plus coupling: what is left is within the metric's own error."""
    names = ["identity", "flip", "cutout"]
    options = dict(steps=500, batch_size=16, k=32)
    own = metrics.rank_schemes(Linear(), noise, names, granularity="sample", **options).set_index("scheme")
    error = 2 * own.t_stddev * own.t_stddev_se  # of the variance
    assert (own.var_batch.abs() < 3 * error).all()
    shared = metrics.rank_schemes(Linear(), noise, [SHARED], **options).iloc[0]
    assert shared.var_batch > 5 * 2 * shared.t_stddev * shared.t_stddev_se
    assert (own.t_stddev_pairs - own.t_stddev).abs().max() < 3 * own.t_stddev_se.max()


def invert_all_or_none(x, draw):
    """A transform that moves a whole mini-batch one way."""
    swap = torch.rand(draw.count, generator=draw.generator).lt(0.5).view(-1, 1, 1, 1)
    return torch.where(swap, 255 - x // 4, x // 4)


SHARED = Scheme("shared", "Shared", invert_all_or_none)


def test_coupling_is_full_for_identity_and_none_for_unrelated_images(noise):
    table = metrics.rank_schemes(Linear(), noise, ["identity", UNRELATED], steps=60).set_index("scheme")
    identity, unrelated = table.loc["identity"], table.loc["unrelated"]
    assert identity.var_coupling == pytest.approx(identity.var_confidence, rel=1e-3)
    assert abs(unrelated.var_coupling) < 0.05 * unrelated.var_confidence


UNRELATED = Scheme(
    "unrelated", "Unrelated", lambda x, draw: torch.randint(256, x.shape, dtype=torch.uint8, generator=draw.generator)
)


# --- Closed forms -------------------------------------------------------------------------------------------------


def constant(x):
    """The "bad" augmentation, read literally: the same image for every x."""
    return torch.full_like(x, 77)


def first_image(x):
    """The "bad" augmentation of the released code: the batch's first image for every x."""
    return x[:1].expand_as(x)


CONSTANT, FIRST_IMAGE = Scheme("constant", "Constant", constant), Scheme("first", "First image", first_image)


@pytest.fixture(scope="module")
def closed(patches):
    """A sure teacher under Identity and under both readings of the "bad" augmentation."""
    schemes = ["identity", CONSTANT, FIRST_IMAGE]
    with pytest.warns(UserWarning, match="collapse"):
        return metrics.rank_schemes(OneHot(patches), patches, schemes, steps=600, batch_size=16, k=64)


def test_a_sure_teacher_under_identity_gives_the_binomial_stddev(closed):
    identity = closed.iloc[0]
    expected = theory.one_hot_identity_stddev(CLASSES, 64)
    assert expected == pytest.approx(math.sqrt(0.1 * 0.9 / 32))
    assert identity.t_stddev_se < 0.03 * expected
    assert abs(identity.t_stddev - expected) < 3 * identity.t_stddev_se
    assert identity.entropy == 0
    assert identity.label_disagreement == 0


def test_a_constant_image_halves_it_exactly(closed):
    assert closed.t_stddev[1] == pytest.approx(closed.t_stddev[0] / 2, rel=1e-5)
    assert closed.label_disagreement[1] == pytest.approx(0.9, abs=0.02)


def test_the_first_image_for_all_multiplies_it(closed):
    factor = theory.first_image_factor(16)
    error = math.hypot(closed.t_stddev_se[2], factor * closed.t_stddev_se[0])
    assert abs(closed.t_stddev[2] - factor * closed.t_stddev[0]) < 3 * error
    assert error < 0.05 * closed.t_stddev[2]


@pytest.mark.parametrize(("scheme", "warned"), [(CONSTANT, True), (FIRST_IMAGE, True), ("identity", False)])
def test_outputs_that_collapse_within_a_batch_are_warned_about(scheme, warned, patches, recwarn):
    metrics.rank_schemes(OneHot(patches), patches, [scheme], steps=15)
    messages = [str(warning.message) for warning in recwarn]
    assert len(messages) == warned
    assert not warned or messages[0].startswith(f"the outputs for {scheme.name!r} collapse")
