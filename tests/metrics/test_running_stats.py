"""Running statistics against numpy and against jackknives that leave the vectors out one after another."""

import numpy as np
import pytest
import torch

from kdutils import stats
from kdutils.errors import UserError
from kdutils.metrics.running_stats import GROUPS, GroupedMoments, Tally


def vectors(n, classes=10, seed=0):
    """n probability vectors [n, classes] of uneven spread, as float32 like a network's."""
    return np.random.default_rng(seed).dirichlet(np.linspace(0.5, 5, classes), size=n).astype(np.float32)


def grouped(u):
    moments = GroupedMoments()
    for one in torch.from_numpy(u):
        moments.add(one)
    return moments


def plain_stddev(u):
    return u.astype(np.float64).std(axis=0, ddof=1).mean()


def test_tally_is_numpys_mean_and_standard_error():
    values = np.random.default_rng(0).normal(5, 2, size=(37, 3, 4)).astype(np.float32)
    tally = Tally()
    for value in torch.from_numpy(values):
        tally.add(value)
    values = values.astype(np.float64)
    np.testing.assert_allclose(tally.mean, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(tally.standard_error, values.std(0, ddof=1) / np.sqrt(37), rtol=1e-10)
    assert tally.n == 37


def test_constants_have_no_error_not_nan():
    constants = torch.linspace(0.001, 0.999, 100).double() ** 3  # rounding makes the variance of some of them negative
    tally, moments = Tally(), GroupedMoments()
    for _ in range(7):
        tally.add(constants)
        moments.add(constants)
    np.testing.assert_allclose(tally.standard_error, 0, atol=1e-7)
    assert moments.stddev() == pytest.approx(0, abs=1e-7)
    assert moments.standard_error() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("n", [3, 20, GROUPS, GROUPS + 1, 240])
def test_stddev_is_the_mean_over_classes_of_the_unbiased_one(n):
    u = vectors(n)
    moments = grouped(u)
    np.testing.assert_allclose(moments.variance(), u.astype(np.float64).var(axis=0, ddof=1), rtol=1e-9)
    assert moments.stddev() == pytest.approx(plain_stddev(u), rel=1e-10)


@pytest.mark.parametrize("n", [3, 20, GROUPS])
def test_up_to_fifty_windows_it_is_the_delete_one_jackknife(n):
    u = vectors(n)
    assert grouped(u).standard_error() == pytest.approx(stats.stddev_standard_error(u), rel=1e-9)


@pytest.mark.parametrize("n", [GROUPS + 1, 75, 240])
def test_beyond_fifty_it_leaves_out_every_fiftieth_window_at_once(n):
    u = vectors(n)
    group = np.arange(n) % GROUPS
    left_out = [plain_stddev(u[group != g]) for g in range(GROUPS)]
    np.testing.assert_allclose(grouped(u).without_each_group(), left_out, rtol=1e-9)
    expected = np.sqrt((GROUPS - 1) / GROUPS * np.square(left_out - np.mean(left_out)).sum())
    assert grouped(u).standard_error() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [30, 75, 400])
def test_the_error_is_the_spread_over_repetitions(n):
    many = [grouped(vectors(n, seed=seed)) for seed in range(150)]
    spread = np.std([m.stddev() for m in many], ddof=1)
    claimed = np.sqrt(np.mean([m.standard_error() ** 2 for m in many]))
    assert claimed == pytest.approx(spread, rel=0.2)  # the spread itself is known to 1 / sqrt(2 x 149) = 6 %


def test_memory_does_not_grow_beyond_the_groups():
    moments = grouped(vectors(333))
    assert len(moments.totals) == len(moments.squares) == GROUPS
    assert moments.n == 333


def test_two_windows_have_no_standard_error():
    with pytest.raises(UserError, match="at least 3 windows of K images, not 2"):
        grouped(vectors(2)).standard_error()
