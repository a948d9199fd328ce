"""The ranking against its plain twin, closed forms, repetitions with other seeds, and people's mistakes."""

import math
import pickle
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd
import plain_ranking
import pytest
import torch
from torch import nn

from kdutils import augment, data, metrics, models, stats, theory
from kdutils.augment import SCHEMES, Scheme
from kdutils.data import MemorySplit
from kdutils.errors import UserError

STEPS, K = 13, 256  # at 64 images a batch: 6 windows, and a step that fills none
CLASSES, SIZE = 10, 8


@pytest.fixture(scope="module")
def student():
    """An untrained network: what it finds surprising is not what the teacher does."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return models.build("tiny", 10, 16)


@pytest.fixture(scope="module")
def ranked(teacher, digits, student):
    """All nine schemes at both granularities."""
    return {
        granularity: metrics.rank_schemes(
            teacher, digits, steps=STEPS, k=K, granularity=granularity, seed=5, student=student
        )
        for granularity in ("batch", "sample")
    }


# --- Many independent images and teachers whose T. stddev is known ------------------------------------------------


@pytest.fixture(scope="module")
def patches(digits):
    """20,000 images of one grey value, which crop and flip leave at the centre: class c is 25 c + 10 plus noise."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(20_000) % CLASSES
    grey = 25 * labels + torch.randint(21, (20_000,), generator=generator)
    images = grey.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, SIZE, SIZE).contiguous()
    split = MemorySplit(images, labels)
    return replace(digits, name="patches", train=split, test=split, image_size=SIZE)


class OneHot(nn.Module):
    """A teacher that reads the class off the centre pixel, and is always right and sure."""

    def __init__(self, dataset):
        super().__init__()
        self.mean, self.std = dataset.mean[0] * 255, dataset.std[0] * 255

    def forward(self, x):
        grey = x[:, 0, SIZE // 2, SIZE // 2] * self.std + self.mean
        return 1000 * nn.functional.one_hot((grey / 25).clamp(0, CLASSES - 1).long(), CLASSES).float()


class Linear(nn.Module):
    """A teacher with answers of every confidence, cheap enough to ask thousands of times."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(0.15 * torch.randn(3 * SIZE * SIZE, CLASSES, generator=generator))

    def forward(self, x):
        return x.flatten(1) @ self.weight


@pytest.fixture(scope="module")
def noise(digits):
    """20,000 images of noise: as good as independent draws."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (20_000, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator)
    split = MemorySplit(images, torch.randint(CLASSES, (20_000,), generator=generator))
    return replace(digits, name="noise", train=split, test=split, image_size=SIZE)


def constant(x, draws, generator, settings):
    """The "bad" augmentation, read literally: the same image for every x."""
    return torch.full_like(x, 77)


def first_image(x, draws, generator, settings):
    """The "bad" augmentation of the released code: the batch's first image for every x."""
    return x[:1].expand_as(x)


CONSTANT, FIRST_IMAGE = Scheme("constant", "Constant", constant), Scheme("first", "First image", first_image)


# --- The twin -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("granularity", ["batch", "sample"])
@pytest.mark.parametrize("name", list(SCHEMES))
def test_every_number_is_the_plain_twins(name, granularity, ranked, teacher, digits, student):
    row = ranked[granularity].set_index("scheme").loc[name]
    twin = plain_ranking.rank_one(name, teacher, digits, STEPS, 64, K, granularity, 5, student)
    assert set(twin) == set(row.index)
    for column, value in twin.items():
        assert row[column] == pytest.approx(value, rel=2e-4, abs=1e-9), column


def test_at_another_temperature_only_the_answers_change_not_what_is_picked(teacher, digits):
    settings = dict(steps=6, batch_size=64, k=K, granularity="batch", seed=5)
    row = metrics.rank_schemes(teacher, digits, "cutmixpick_t", **settings, temperature=4.0).iloc[0]
    twin = plain_ranking.rank_one("cutmixpick_t", teacher, digits, **settings, temperature=4.0)
    for column, value in twin.items():
        assert row[column] == pytest.approx(value, rel=2e-4, abs=1e-9), column


def test_the_formulas_are_numpys(ranked):
    p = torch.softmax(3 * torch.randn(20, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64), 1)
    assert float(metrics.mean_covariance(p)) == pytest.approx(np.cov(p).mean())
    assert float(metrics.mean_correlation(p)) == pytest.approx(np.corrcoef(p).mean())
    assert metrics.t_stddev(p) == pytest.approx(np.std(p.numpy(), axis=0, ddof=1).mean())


# --- What it costs, and what the rows depend on -------------------------------------------------------------------


class Counting(Linear):
    """A teacher that notes how many images each forward pass brings."""

    calls: ClassVar[list[int]] = []

    def forward(self, x):
        self.calls.append(len(x))
        return super().forward(x)


def test_nine_schemes_cost_eight_forwards_of_a_batch_a_step(noise):
    Counting.calls.clear()
    metrics.rank_schemes(Counting(), noise, steps=15, student=Linear())
    assert sum(Counting.calls) <= 8 * 64 * 15
    Counting.calls.clear()
    metrics.rank_schemes(Linear(), noise, steps=15, student=Counting())
    assert sum(Counting.calls) == 2 * 64 * 15  # the student reads the pool it picks from


def test_identity_costs_nothing_beside_x(noise):
    Counting.calls.clear()
    metrics.rank_schemes(Counting(), noise, "identity", steps=15)
    assert sum(Counting.calls) == 64 * 15


def test_a_mini_batch_that_a_scheme_leaves_alone_is_not_read_again(noise):
    Counting.calls.clear()
    metrics.rank_schemes(Counting(), noise, "flip", steps=40)
    again = sum(Counting.calls) / 64 - 40  # one flip or none for the whole mini-batch
    assert 8 <= again <= 32  # binomial: outside with a probability of 1e-4
    Counting.calls.clear()
    copied = Scheme("copied", "Copied", lambda x, draws, generator, settings: x.clone())
    metrics.rank_schemes(Counting(), noise, [copied], steps=15)
    assert sum(Counting.calls) == 64 * 15


@pytest.mark.parametrize("name", list(SCHEMES))
def test_a_row_does_not_depend_on_what_is_ranked_beside_it(name, ranked, teacher, digits, student):
    alone = metrics.rank_schemes(teacher, digits, name, steps=STEPS, k=K, seed=5, student=student)
    beside = ranked["batch"][ranked["batch"].scheme == name].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, beside, rtol=1e-6)


def test_rows_come_in_the_order_asked_for(noise):
    names = ["mixup", "identity", "flip"]
    assert metrics.rank_schemes(Linear(), noise, names, steps=15).scheme.tolist() == names


def test_the_same_seed_gives_the_same_table_and_touches_no_other_randomness(noise):
    before = torch.get_rng_state()
    first, again, other = (
        metrics.rank_schemes(Linear(), noise, ["flip", "cutmix"], steps=15, seed=s) for s in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert (first.t_stddev != other.t_stddev).all()
    assert torch.equal(torch.get_rng_state(), before)


def test_ten_epochs_are_the_default_and_steps_stand_in_for_them(digits, teacher):
    few = data.first_per_class(digits, 40)  # 400 images: 6 full batches of 64 an epoch
    with pytest.warns(UserWarning, match="windows then repeat"):
        assert metrics.rank_schemes(teacher, few, "identity").n_u[0] == 10 * 6 // 5
    with pytest.warns(UserWarning, match="windows then repeat"):
        assert metrics.rank_schemes(teacher, few, "identity", steps=15).n_u[0] == 3


def test_memory_does_not_grow_with_the_steps(noise):
    short, long = (metrics.measure(Linear(), noise, ["identity", "cutmix"], steps=s, k=128) for s in (60, 120))
    assert abs(len(pickle.dumps(long)) - len(pickle.dumps(short))) < 100


def test_a_pool_smaller_than_a_window_is_warned_about(teacher, digits):
    few = data.first_per_class(digits, 20)
    with pytest.warns(UserWarning, match="K=640 is larger than the 200 images of digits"):
        metrics.rank_schemes(teacher, few, "identity", steps=15)


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


# --- The anatomy --------------------------------------------------------------------------------------------------


def test_the_three_parts_add_up_to_the_variance(ranked, teacher, digits, student):
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


def invert_all_or_none(x, draws, generator, settings):
    """A transform that moves a whole mini-batch one way."""
    swap = torch.rand(draws, generator=generator).lt(0.5).view(-1, 1, 1, 1)
    return torch.where(swap, 255 - x // 4, x // 4)


SHARED = Scheme("shared", "Shared", invert_all_or_none)


def test_coupling_is_full_for_identity_and_none_for_unrelated_images(noise):
    table = metrics.rank_schemes(Linear(), noise, ["identity", UNRELATED], steps=60).set_index("scheme")
    identity, unrelated = table.loc["identity"], table.loc["unrelated"]
    assert identity.var_coupling == pytest.approx(identity.var_confidence, rel=1e-3)
    assert abs(unrelated.var_coupling) < 0.05 * unrelated.var_confidence


UNRELATED = Scheme(
    "unrelated", "Unrelated", lambda x, draws, g, settings: torch.randint(256, x.shape, dtype=torch.uint8, generator=g)
)


# --- Closed forms -------------------------------------------------------------------------------------------------


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


def test_no_scheme_of_the_paper_is_warned_about(ranked):
    """Warnings are errors in these tests, so that `ranked` exists at all is the test."""
    assert len(ranked["batch"]) == 9


# --- Teachers and schemes of one's own ----------------------------------------------------------------------------


def test_any_module_can_be_the_teacher_and_is_read_in_eval_mode(noise):
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(3 * SIZE * SIZE, CLASSES)).train()
    first, again = (metrics.rank_schemes(network, noise, "flip", steps=15) for _ in range(2))
    pd.testing.assert_frame_equal(first, again, check_exact=True)


def test_a_network_of_the_zoo_is_left_as_it_was(digits, student):
    before = {name: value.clone() for name, value in student.state_dict().items()}
    student.train()
    metrics.rank_schemes(student, digits, "flip", steps=15)
    assert student.training
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())


def test_a_registered_scheme_is_ranked_by_name_with_the_others(noise):
    augment.register("darker", "Darker", lambda x, draws, generator, settings: x // 2)
    try:
        table = metrics.rank_schemes(Linear(), noise, ["identity", "darker"], steps=15)
        assert table.scheme.tolist() == ["identity", "darker"]
        assert "darker" in metrics.rank_schemes(Linear(), noise, steps=15, student=Linear()).scheme.tolist()
    finally:
        del SCHEMES["darker"]
    assert table.t_stddev[1] != table.t_stddev[0]


def test_without_a_student_its_row_is_empty_and_the_others_are_not(noise):
    table = metrics.rank_schemes(Linear(), noise, ["cutmixpick_s", "cutmixpick_t"], steps=15)
    assert table.columns[1] == "t_stddev"
    assert table.iloc[0].drop(["scheme", "n_u"]).isna().all()
    assert table.n_u.tolist() == [0, 3]
    assert table.iloc[1].notna().all()


# --- Mistakes -----------------------------------------------------------------------------------------------------


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
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"granularity": "pixel"}, r"unknown granularity 'pixel'.*batch, sample"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_the_teacher_is_asked(options, message, digits):
    Counting.calls.clear()
    with pytest.raises(UserError, match=message):
        metrics.rank_schemes(Counting(), digits, **{"steps": 15, **options})
    assert Counting.calls == []


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
    with pytest.raises(UserError, match=r"the teacher gives \(128, 10\) for 128 images; expected logits \(128, 13\)"):
        metrics.rank_schemes(Linear(), other, "flip", steps=15)


def test_only_what_was_measured_can_be_compared(noise):
    ranking = metrics.measure(Linear(), noise, ["flip", "cutmixpick_s"], steps=15)
    with pytest.raises(UserError, match=r"unknown measured scheme 'cutmixpick_s'.*Choose one of: flip"):
        ranking.difference("flip", "cutmixpick_s")
