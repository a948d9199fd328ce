"""The ranking against its plain twin, what it costs, and what its rows depend on."""

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torchvision.transforms import v2

from kdutils import augment, data, metrics
from kdutils.augment import NINE, SCHEMES, Scheme
from kdutils.metrics import teacher_check
from tests.metrics import plain_ranking
from tests.metrics.teachers import CLASSES, SIZE, Counting, Linear

STEPS, K = 13, 256  # at 64 images per batch: 6 windows, and a step that fills none
CHECKED = teacher_check.IMAGES  # of the test set, to see whether the teacher fits


@pytest.fixture(scope="module")
def ranked(teacher, digits, student):
    """All nine schemes at both granularities."""
    return {
        granularity: metrics.rank_schemes(
            teacher, digits, steps=STEPS, k=K, granularity=granularity, seed=5, student=student
        )
        for granularity in ("batch", "sample")
    }


# --- The twin -----------------------------------------------------------------------------------------------------


def same(row, twin, images):
    """Every column agrees; a share of images but for one, whose two likeliest classes may be equal before rounding."""
    for column, value in twin.items():
        one = 1.01 / images if column == "label_disagreement" else 1e-9
        assert row[column] == pytest.approx(value, rel=2e-4, abs=one), column


@pytest.mark.parametrize("granularity", ["batch", "sample"])
@pytest.mark.parametrize("name", NINE)
def test_every_number_is_the_plain_twins(name, granularity, ranked, teacher, digits, student):
    row = ranked[granularity].set_index("scheme").loc[name]
    twin = plain_ranking.rank_one(name, teacher, digits, STEPS, 64, K, granularity, 5, student)
    assert set(twin) == set(row.index)
    same(row, twin, STEPS * 64)


def test_at_another_temperature_only_the_answers_change_not_what_is_picked(teacher, digits):
    settings = dict(steps=6, batch_size=64, k=K, granularity="batch", seed=5)
    row = metrics.rank_schemes(teacher, digits, "cutmixpick_t", **settings, temperature=4.0).iloc[0]
    twin = plain_ranking.rank_one("cutmixpick_t", teacher, digits, **settings, temperature=4.0)
    same(row, twin, settings["steps"] * 64)


def test_the_formulas_are_numpys(ranked):
    p = torch.softmax(3 * torch.randn(20, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64), 1)
    assert float(metrics.mean_covariance(p)) == pytest.approx(np.cov(p).mean())
    assert float(metrics.mean_correlation(p)) == pytest.approx(np.corrcoef(p).mean())
    assert metrics.t_stddev(p) == pytest.approx(np.std(p.numpy(), axis=0, ddof=1).mean())


# --- What it costs, and what the rows depend on -------------------------------------------------------------------


def test_nine_schemes_cost_eight_forwards_of_a_batch_a_step(noise):
    Counting.calls.clear()
    metrics.rank_schemes(Counting(), noise, steps=15, student=Linear())
    assert sum(Counting.calls) <= 8 * 64 * 15 + CHECKED
    Counting.calls.clear()
    metrics.rank_schemes(Linear(), noise, steps=15, student=Counting())
    assert sum(Counting.calls) == 2 * 64 * 15  # the student reads the pool it picks from


def test_identity_costs_nothing_beside_x(noise):
    Counting.calls.clear()
    metrics.rank_schemes(Counting(), noise, "identity", steps=15)
    assert sum(Counting.calls) == 64 * 15 + CHECKED


def test_a_mini_batch_that_a_scheme_leaves_alone_is_not_read_again(noise):
    Counting.calls.clear()
    metrics.rank_schemes(Counting(), noise, "flip", steps=40)
    again = (sum(Counting.calls) - CHECKED) / 64 - 40  # one flip or none for the whole mini-batch
    assert 8 <= again <= 32  # binomial: outside with a probability of 1e-4
    Counting.calls.clear()
    copied = Scheme("copied", "Copied", lambda x: x.clone())
    metrics.rank_schemes(Counting(), noise, [copied], steps=15)
    assert sum(Counting.calls) == 64 * 15 + CHECKED


@pytest.mark.parametrize("name", NINE)
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


def test_no_scheme_of_the_paper_is_warned_about(ranked):
    """Warnings are errors in these tests, so that `ranked` exists at all is the test."""
    assert len(ranked["batch"]) == 9


# --- Teachers and schemes of one's own ----------------------------------------------------------------------------


def test_any_module_can_be_the_teacher_and_is_read_in_eval_mode(noise):
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(3 * SIZE * SIZE, CLASSES)).train()
    with pytest.warns(UserWarning, match="the teacher agrees with"):
        first, again = (metrics.rank_schemes(network, noise, "flip", steps=15) for _ in range(2))
    pd.testing.assert_frame_equal(first, again, check_exact=True)


def test_a_network_of_the_zoo_is_left_as_it_was(digits, student):
    before = {name: value.clone() for name, value in student.state_dict().items()}
    student.train()
    with pytest.warns(UserWarning, match="the teacher agrees with"):
        metrics.rank_schemes(student, digits, "flip", steps=15)
    assert student.training
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())


def test_a_registered_scheme_is_ranked_by_name_with_the_others(noise):
    augment.register("darker", "Darker", lambda x: x // 2)
    try:
        table = metrics.rank_schemes(Linear(), noise, ["identity", "darker"], steps=15)
        assert table.scheme.tolist() == ["identity", "darker"]
        assert metrics.rank_schemes(Linear(), noise, steps=15, student=Linear()).scheme.tolist() == list(NINE)
    finally:
        del SCHEMES["darker"]
    assert table.t_stddev[1] != table.t_stddev[0]


def test_without_a_student_its_row_is_empty_and_the_others_are_not(noise):
    table = metrics.rank_schemes(Linear(), noise, ["cutmixpick_s", "cutmixpick_t"], steps=15)
    assert table.columns[1] == "t_stddev"
    assert table.iloc[0].drop(["scheme", "n_u"]).isna().all()
    assert table.n_u.tolist() == [0, 3]
    assert table.iloc[1].notna().all()


def cut_in_place(x):
    x[:, :, 2:6, 2:6] = 0
    return x


def test_a_scheme_that_writes_into_its_x_changes_no_other_row(teacher, digits):
    alone = metrics.rank_schemes(teacher, digits, ["identity", "flip", "cutmix"], steps=15)
    schemes = {"identity": "identity", "flip": "flip", "cut": cut_in_place, "cutmix": "cutmix"}
    beside = metrics.rank_schemes(teacher, digits, schemes, steps=15)
    assert beside.scheme.tolist() == list(schemes)
    pd.testing.assert_frame_equal(beside[beside.scheme != "cut"].reset_index(drop=True), alone, check_exact=True)


def test_seed_and_granularity_govern_a_transform(noise):
    def ranked(seed, granularity):
        schemes = {"randaugment": v2.RandAugment()}
        return metrics.rank_schemes(Linear(), noise, schemes, steps=15, seed=seed, granularity=granularity).t_stddev[0]

    first, again, other, own = ranked(0, "batch"), ranked(0, "batch"), ranked(1, "batch"), ranked(0, "sample")
    assert first == again
    assert len({first, other, own}) == 3


BEYOND = ["randaugment", "trivialaugment", "augmix", "random_erasing", "greyscale", "gaussian_noise"]


@pytest.mark.parametrize("name", [*BEYOND, "autoaugment+cutout", "autoaugment+cutmix"])
def test_what_is_registered_beyond_the_nine_is_the_plain_twins_too(name, teacher, digits):
    settings = dict(steps=6, batch_size=64, k=K, granularity="batch", seed=5)
    row = metrics.rank_schemes(teacher, digits, name, **settings).iloc[0]
    twin = plain_ranking.rank_one(name, teacher, digits, **settings)
    same(row, twin, settings["steps"] * 64)


def test_blank_images_halve_the_t_stddev_of_identity(teacher, digits):
    """Half of each window then varies as it does for Identity, and the other half does not vary at all."""
    with pytest.warns(UserWarning, match="the outputs for 'blank' collapse"):
        found = metrics.rank_schemes(teacher, digits, ["identity", "blank"], steps=15).set_index("scheme")["t_stddev"]
    assert found["blank"] == pytest.approx(found["identity"] / 2, rel=1e-4)


def test_help_shows_the_options_of_a_ranking():
    shown, real = (inspect.signature(function) for function in (metrics.rank_schemes, metrics.measure))
    assert shown.parameters == real.parameters
    assert (shown.return_annotation, real.return_annotation) == (pd.DataFrame, metrics.Ranking)
