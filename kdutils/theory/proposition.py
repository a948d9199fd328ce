"""What Proposition 3.1 says, exact (Eq. 7) and by simulation, and the closed forms of T. stddev that go with it.

The setting: D is the uniform distribution over a finite pool of M images, `losses` [M] holds q(x) of each image for a
fixed teacher and predictor, and a sequence S is a row of N indices into the pool. Every structure below draws each
index uniformly, so each element has distribution D; what differs is how the elements hang together.

The structures *copy* indices with a fixed probability. That makes Corr[q(x_j), q(x_k)] the same known number for every
loss q, so Eq. 7 predicts the simulation exactly; a Gaussian copula would only do so up to the shape of q.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdutils.errors import UserError, choose


def distilled_loss(teacher: np.ndarray, predictor: np.ndarray, floor: float = 1e-6) -> np.ndarray:
    """q(x) = -p_t(x)' log f(x), the addend of Eq. 4, made bounded as Proposition 3.1 asks: 0 <= q <= -log(floor).

    `teacher`, `predictor`: probabilities [M, C]; returns [M], in nats. Probabilities of the predictor below `floor`
    count as `floor`.
    """
    return -(teacher * np.log(np.clip(predictor, floor, 1.0))).sum(axis=1)


# --- Sequences with one marginal and a chosen correlation ---------------------------------------------------------


def equicorrelated(n: int, rho: float) -> np.ndarray:
    """The correlation matrix [n, n] in which every two elements have correlation `rho`."""
    return np.full((n, n), rho) + (1 - rho) * np.eye(n)


def ar1(n: int, rho: float) -> np.ndarray:
    """The correlation matrix [n, n] with entry rho^|j - k|: neighbours resemble each other most."""
    position = np.arange(n)
    return float(rho) ** np.abs(position[:, None] - position)


def pairs(n: int, rho: float) -> np.ndarray:
    """The correlation matrix [n, n] of n/2 independent pairs (x, x'); at `rho` 1 it is what Identity makes."""
    return np.kron(np.eye(n // 2), equicorrelated(2, rho))


def sample_equicorrelated(n: int, rho: float, pool: int, repetitions: int, rng: np.random.Generator) -> np.ndarray:
    """Indices [repetitions, n]: each element is its row's shared index with probability sqrt(rho), else its own."""
    shared = rng.integers(pool, size=(repetitions, 1))
    own = rng.integers(pool, size=(repetitions, n))
    return np.where(rng.random((repetitions, n)) < np.sqrt(rho), shared, own)


def sample_ar1(n: int, rho: float, pool: int, repetitions: int, rng: np.random.Generator) -> np.ndarray:
    """Indices [repetitions, n]: each element repeats the one before it with probability `rho`."""
    fresh = rng.integers(pool, size=(repetitions, n))
    repeats = rng.random((repetitions, n)) < rho
    source = np.maximum.accumulate(np.where(repeats, 0, np.arange(n)), axis=1)  # where the current run of copies began
    return np.take_along_axis(fresh, source, axis=1)


def sample_pairs(n: int, rho: float, pool: int, repetitions: int, rng: np.random.Generator) -> np.ndarray:
    """Indices [repetitions, n]: x first, then x' in the same order, each x' a copy of its x with probability `rho`."""
    x = rng.integers(pool, size=(repetitions, n // 2))
    other = rng.integers(pool, size=(repetitions, n // 2))
    return np.hstack([x, np.where(rng.random(x.shape) < rho, x, other)])


@dataclass(frozen=True)
class Structure:
    """One way in which the elements of a sequence hang together: its correlation matrix and its sampler."""

    label: str
    correlation: Callable[[int, float], np.ndarray]
    sample: Callable[[int, float, int, int, np.random.Generator], np.ndarray]


STRUCTURES = {
    "equicorrelated": Structure("every two elements", equicorrelated, sample_equicorrelated),
    "ar1": Structure("neighbours, AR(1)", ar1, sample_ar1),
    "pairs": Structure("pairs, as Identity makes them", pairs, sample_pairs),
}


# --- Proposition 3.1, exact and simulated -------------------------------------------------------------------------


def variance_of_mean(variance: float, correlation: np.ndarray) -> float:
    """Eq. 7, last line: Var of the mean of N elements of one `variance`, given their `correlation` matrix [N, N]."""
    n = len(correlation)
    return variance / n + variance * (correlation.sum() - np.trace(correlation)) / n**2


@dataclass(frozen=True)
class Estimate:
    """A Monte-Carlo estimate and its standard error."""

    value: float
    se: float


def simulate_gap(losses: np.ndarray, sequences: np.ndarray) -> Estimate:
    """E[(R_S - R_D)^2] of Eq. 5 over `sequences` of indices [repetitions, N] into `losses` [M], where R_D is exact."""
    squared = (losses[sequences].mean(axis=1) - losses.mean()) ** 2
    return Estimate(squared.mean(), squared.std(ddof=1) / np.sqrt(len(squared)))


def gap_curves(
    losses: np.ndarray,
    n: int,
    rhos: Sequence[float],
    repetitions: int,
    seed: int,
    structures: Sequence[str] = tuple(STRUCTURES),
) -> pd.DataFrame:
    """Both sides of Proposition 3.1 for each structure and each `rho`: Eq. 7's line and the simulated gap.

    `losses`: q of every image of the pool [M]; sequences have `n` elements, `repetitions` of them a point. Columns:
    structure, rho, mean_correlation (over the pairs j < k), exact, simulated, se, z = (simulated - exact) / se.
    """
    structures = [choose("structure", name, STRUCTURES) for name in structures]
    if n < 2 or n % 2 or not all(0 <= rho <= 1 for rho in rhos):
        raise UserError(
            f"a sequence needs an even n >= 2 and correlations in [0, 1]; got n = {n}, rhos = {list(rhos)}."
        )
    rng = np.random.default_rng(seed)
    rows = []
    for name in structures:
        for rho in rhos:
            correlation = STRUCTURES[name].correlation(n, rho)
            exact = variance_of_mean(losses.var(), correlation)
            gap = simulate_gap(losses, STRUCTURES[name].sample(n, rho, len(losses), repetitions, rng))
            mean_correlation = (correlation.sum() - n) / (n * (n - 1))
            rows.append((name, rho, mean_correlation, exact, gap.value, gap.se, (gap.value - exact) / gap.se))
    return pd.DataFrame(rows, columns=["structure", "rho", "mean_correlation", "exact", "simulated", "se", "z"])


# --- T. stddev in closed form (Eq. 9-10) --------------------------------------------------------------------------


# T. stddev under "every x' is one constant image", as a multiple of Identity's: u = (mean of p(x) + constant) / 2,
# and a constant has no variance. The metric calls this scheme the best of all.
CONSTANT_IMAGE_FACTOR = 0.5


def one_hot_identity_stddev(num_classes: int, k: int) -> float:
    """T. stddev of a teacher whose every answer is one-hot and right, under Identity: sqrt(p (1 - p) / n).

    p = 1 / num_classes (classes of equal size), and n = k / 2, because each of the K elements of Eq. 9 stands there
    twice. 5.56e-3 for CIFAR-100 and K = 640: no teacher with balanced answers can read more under Identity.
    """
    p = 1 / num_classes
    return float(np.sqrt(p * (1 - p) / (k / 2)))


def first_image_factor(batch_size: int) -> float:
    """T. stddev under "every x' is its batch's first image", as a multiple of Identity's: sqrt(b + 3) / 2.

    A window of n images x in n / b batches has u = (mean of n p(x) + mean of n / b p(first)) / 2. With v = Var p(x) its
    variance is (v / n + v b / n + 2 v / n) / 4, the last term because the first images are among the x; Identity's is
    v / n. True of any teacher, whatever its confidence, as long as images are drawn independently.
    """
    return float(np.sqrt(batch_size + 3) / 2)


def first_image_factor_measured(
    batch_size: int, k: int, windows: int, num_classes: int, repetitions: int = 200, seed: int = 0
) -> tuple[float, float]:
    """Mean and standard deviation of what `first_image_factor` comes out as from few windows, for one-hot answers.

    It comes out too small. A class that is first in no mini-batch has next to no spread there, and a mean of standard
    deviations of such rare counts lies below the standard deviation that they estimate.
    """
    rng = np.random.default_rng(seed)
    shape = (windows, k // (2 * batch_size), batch_size)
    ratios = []
    for _ in range(repetitions):
        answers = rng.integers(num_classes, size=shape)
        x = _shares(answers.reshape(windows, -1), num_classes)
        first = _shares(answers[:, :, 0], num_classes)
        ratios.append(((x + first) / 2).std(0, ddof=1).mean() / x.std(0, ddof=1).mean())
    return float(np.mean(ratios)), float(np.std(ratios, ddof=1))


def _shares(answers: NDArray[np.int64], num_classes: int) -> NDArray[np.float64]:
    """The share of each class among the answers of each row: [rows, classes]."""
    rows = len(answers)
    cells = answers + num_classes * np.arange(rows)[:, None]
    return np.bincount(cells.ravel(), minlength=rows * num_classes).reshape(rows, num_classes) / answers.shape[1]
