"""Proposition 3.1: Eq. 7 against simulation, and T. stddev's closed forms against brute force."""

import numpy as np
import pytest
from scipy import stats

from kdutils import theory
from kdutils.errors import UserError


@pytest.fixture(scope="module")
def losses() -> np.ndarray:
    """q of 500 images: a confident teacher and a vaguer predictor over 10 classes, skewed as real losses are."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(500, 10))
    teacher, predictor = (np.exp(scale * logits + rng.normal(size=logits.shape)) for scale in (4.0, 1.5))
    return theory.distilled_loss(teacher / teacher.sum(1, keepdims=True), predictor / predictor.sum(1, keepdims=True))


def test_distilled_loss_is_the_cross_entropy_and_is_bounded():
    teacher = np.array([[0.7, 0.3], [1.0, 0.0], [0.0, 1.0]])
    predictor = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]])
    assert theory.distilled_loss(teacher, predictor, floor=1e-3) == pytest.approx([np.log(2), np.log(4), -np.log(1e-3)])


@pytest.mark.parametrize("name", theory.STRUCTURES)
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8, 1.0])
def test_every_element_has_the_marginal_d_and_the_stated_correlations(name, rho, losses):
    n, repetitions = 6, 40_000
    structure = theory.STRUCTURES[name]
    sequences = structure.sample(n, rho, len(losses), repetitions, np.random.default_rng(1))
    assert sequences.shape == (repetitions, n)
    for element in sequences.T:  # uniform over the pool, whatever the structure
        assert stats.chisquare(np.bincount(element, minlength=len(losses))).pvalue > 1e-4
    correlation = structure.correlation(n, rho)
    if name == "pairs":  # the sampler puts all x first: bring each x beside its x'
        sequences = sequences.reshape(repetitions, 2, n // 2).swapaxes(1, 2).reshape(repetitions, n)
    for q in (losses, losses > np.median(losses)):  # for any bounded q, a step function too
        assert np.corrcoef(q[sequences].T) == pytest.approx(correlation, abs=5 / np.sqrt(repetitions))


def test_eq_7_is_the_double_sum_over_all_covariances():
    rng = np.random.default_rng(2)
    correlation = np.corrcoef(rng.normal(size=(5, 9)))
    covariance = 1.7 * correlation
    weights = np.full(5, 1 / 5)
    assert theory.variance_of_mean(1.7, correlation) == pytest.approx(weights @ covariance @ weights)


def test_eq_7_in_the_cases_that_have_a_closed_form():
    n, rho = 12, 0.4
    assert theory.variance_of_mean(1, theory.equicorrelated(n, rho)) == pytest.approx((1 + (n - 1) * rho) / n)
    assert theory.variance_of_mean(1, theory.pairs(n, rho)) == pytest.approx((1 + rho) / n)
    ar1 = (1 + rho) / (1 - rho) / n - 2 * rho * (1 - rho**n) / (1 - rho) ** 2 / n**2
    assert theory.variance_of_mean(1, theory.ar1(n, rho)) == pytest.approx(ar1)
    assert theory.variance_of_mean(3, theory.ar1(n, 0)) == pytest.approx(3 / n)


def test_the_simulated_gap_lies_on_the_formula_and_grows_with_the_correlation(losses):
    curves = theory.gap_curves(losses, n=20, rhos=[0, 0.25, 0.5, 0.75, 1], repetitions=20_000, seed=3)
    assert stats.chi2.sf((curves.z**2).sum(), len(curves)) > 1e-3
    assert (curves.se / curves.exact).max() < 0.03  # tight enough to see the effect: the next line needs it
    for _, curve in curves.groupby("structure"):
        assert (np.diff(curve.simulated) > 0).all()
        assert (np.diff(curve.exact) > 0).all()


def test_the_same_seed_gives_the_same_curves(losses):
    first, again, other = (theory.gap_curves(losses, 4, [0.5], 100, seed) for seed in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"n": 5}, "even n"), ({"rhos": [1.2]}, "1.2"), ({"structures": ["ar2"]}, "Did you mean 'ar1'")],
)
def test_a_bad_request_is_named(losses, changed, message):
    with pytest.raises(UserError, match=message):
        theory.gap_curves(losses, **({"n": 4, "rhos": [0.5], "repetitions": 10, "seed": 0} | changed))


def t_stddev(u: np.ndarray) -> float:
    """Eq. 10 for windows `u` [windows, C]."""
    return u.std(axis=0, ddof=1).mean()


@pytest.mark.parametrize(("num_classes", "k"), [(100, 640), (10, 128)])
def test_a_one_hot_teacher_under_identity(num_classes, k):
    rng = np.random.default_rng(4)
    u = rng.multinomial(k // 2, np.full(num_classes, 1 / num_classes), size=20_000) / (k // 2)
    assert t_stddev(u) == pytest.approx(theory.one_hot_identity_stddev(num_classes, k), rel=0.01)


def test_the_published_numbers_of_the_one_hot_teacher():
    assert theory.one_hot_identity_stddev(100, 640) == pytest.approx(5.56e-3, abs=0.005e-3)


@pytest.mark.parametrize("confidence", [0.5, 5.0])
def test_the_two_bad_augmentations_for_a_teacher_of_any_confidence(confidence):
    """Without its covariance term the second factor would be 10 % lower: the tolerance sees that."""
    batch_size, batches, windows, num_classes = 8, 5, 20_000, 10
    rng = np.random.default_rng(5)
    p = np.exp(confidence * rng.normal(size=(windows, batches, batch_size, num_classes)))
    p /= p.sum(axis=-1, keepdims=True)
    identity = t_stddev(p.mean(axis=(1, 2)))
    constant = t_stddev((p.mean(axis=(1, 2)) + p[0, 0, 0]) / 2)
    first = t_stddev((p.mean(axis=(1, 2)) + p[:, :, 0].mean(axis=1)) / 2)
    assert constant / identity == pytest.approx(theory.CONSTANT_IMAGE_FACTOR, rel=1e-9)
    assert first / identity == pytest.approx(theory.first_image_factor(batch_size), rel=0.01)


def test_few_windows_make_the_first_images_factor_too_small_and_many_do_not() -> None:
    few, spread = theory.first_image_factor_measured(64, 640, windows=30, num_classes=100, repetitions=50)
    many, _ = theory.first_image_factor_measured(64, 640, windows=3000, num_classes=100, repetitions=2)
    assert many == pytest.approx(theory.first_image_factor(64), rel=0.01)
    assert few < many - 3 * spread
