"""Estimates and their errors against brute force, closed forms and simulation."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from kdutils import stats
from kdutils.errors import UserError


def test_line_and_band_are_the_closed_form():
    x = np.random.default_rng(0).normal(size=9)
    y = x + np.random.default_rng(1).normal(size=9)
    at = np.linspace(-2, 2, 5)
    found = stats.fit_line(x, y, at)
    line = scipy_stats.linregress(x, y)
    np.testing.assert_allclose(found["y"], line.intercept + line.slope * at)
    residual = np.sqrt(((y - line.intercept - line.slope * x) ** 2).sum() / 7)
    half = scipy_stats.t.ppf(0.975, 7) * residual * np.sqrt(1 / 9 + (at - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum())
    np.testing.assert_allclose(found["high"] - found["y"], half)
    np.testing.assert_allclose(found["y"] - found["low"], half)


def test_points_above_one_another_have_no_line():
    with pytest.raises(UserError, match="all x are 1"):
        stats.fit_line([1, 1, 1, 1], [1, 2, 3, 4], [1])


def t_stddev(u):
    """Eq. 10."""
    return u.std(axis=0, ddof=1).mean()


def windows(n, classes, seed):
    """n mean probabilities of 64 images each over `classes` classes of a confident, uneven teacher."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(64, rng.dirichlet(np.full(classes, 3.0)), size=n) / 64


def test_standard_error_is_the_brute_force_jackknife():
    u = windows(17, 10, seed=0)
    left_out = np.array([t_stddev(np.delete(u, i, axis=0)) for i in range(17)])
    expected = math.sqrt(16 / 17 * ((left_out - left_out.mean()) ** 2).sum())
    assert stats.stddev_standard_error(u) == pytest.approx(expected, rel=1e-10)


def test_standard_error_covers_the_expected_metric():
    probabilities = np.random.default_rng(5).dirichlet(np.full(20, 3.0))
    rng = np.random.default_rng(6)
    draws = rng.multinomial(64, probabilities, size=(600, 40)) / 64
    metrics = np.array([t_stddev(u) for u in draws])
    errors = np.array([stats.stddev_standard_error(u) for u in draws])
    assert np.mean(abs(metrics - metrics.mean()) < 1.96 * errors) == pytest.approx(0.95, abs=0.03)
    assert errors.mean() == pytest.approx(metrics.std(), rel=0.1)


def test_few_windows_read_low_by_a_quarter_of_one_over_n():
    draws = np.random.default_rng(7).normal(size=(4000, 20, 5))
    assert np.mean([t_stddev(u) for u in draws]) == pytest.approx(1 - 1 / (4 * 20), abs=0.003)


@pytest.mark.parametrize("shape", [(2, 10), (10,)])
def test_standard_error_needs_three_windows(shape):
    with pytest.raises(UserError, match="3 windows"):
        stats.stddev_standard_error(np.zeros(shape))


def test_standard_error_of_a_class_that_never_appears_is_zero():
    u = windows(10, 4, seed=2)
    with_empty = np.column_stack([u, np.zeros(10)])
    assert stats.stddev_standard_error(with_empty) == pytest.approx(stats.stddev_standard_error(u) * 4 / 5)


def test_the_calibration_error_is_the_mean_gap_of_the_bins():
    """Two bins: 3 images at 0.9 of which 2 are right, 1 at 0.3 which is wrong."""
    found = stats.calibration_error([0.9, 0.9, 0.9, 0.3], [True, True, False, False])
    assert found == pytest.approx((abs(2 - 2.7) + abs(0 - 0.3)) / 4)


def test_confidence_that_keeps_its_word_has_no_calibration_error():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1, 200_000)
    right = rng.uniform(size=200_000) < confidence
    assert stats.calibration_error(confidence, right) < 0.005
    assert stats.calibration_error(confidence, right ^ (rng.uniform(size=200_000) < 0.1)) > 0.02
    assert stats.calibration_error(np.ones(4), [True] * 4) == 0


def test_the_adaptive_calibration_error_is_its_definition_in_loops():
    rng = np.random.default_rng(3)
    p, labels = rng.dirichlet(np.full(4, 0.7), 90), rng.integers(4, size=90)
    gaps = []
    for k in range(4):
        images = sorted(range(90), key=lambda i, k=k: p[i, k])
        for r in range(15):
            part = images[6 * r : 6 * r + 6]
            gaps.append(abs(sum(labels[i] == k for i in part) / 6 - sum(p[i, k] for i in part) / 6))
    assert stats.adaptive_calibration_error(p, labels) == pytest.approx(sum(gaps) / 60, rel=1e-12)
    assert stats.adaptive_calibration_error(p, labels, ranges=1) == pytest.approx(
        np.mean([abs((labels == k).mean() - p[:, k].mean()) for k in range(4)]), rel=1e-12
    )


def test_the_adaptive_calibration_error_sees_what_the_best_class_hides():
    """The confidence of the predicted class is right; the two others are likely by the wrong one."""
    labels = np.repeat([0, 1], [700, 300])
    p = np.tile([0.7, 0.0, 0.3], (1000, 1))
    assert stats.calibration_error(p.max(1), p.argmax(1) == labels) < 1e-12
    shuffled = np.random.default_rng(0).permutation(1000)
    assert stats.adaptive_calibration_error(p[shuffled], labels[shuffled], ranges=5) == pytest.approx(0.2, abs=0.03)


def test_probabilities_that_keep_their_word_have_little_adaptive_calibration_error():
    rng = np.random.default_rng(4)
    p = rng.dirichlet(np.ones(5), 100_000)
    labels = (rng.uniform(size=(100_000, 1)) > p.cumsum(1)[:, :-1]).sum(1)
    assert stats.adaptive_calibration_error(p, labels) < 0.006
    assert stats.adaptive_calibration_error(p, (labels + 1) % 5) > 0.1
