"""Bias and variance of the empirical distilled risk (Eq. 4) under each scheme, with real networks on real images.

Proposition 3.1 takes every element of a sequence from the same distribution D, so that E[(R_S - R_D)^2] is a variance.
Here D is the uniform distribution over a finite pool of images x, which makes R_D exact, and S is made as training
makes it: random batches of x, and x' = scheme(x) beside each. x' does not have the distribution of x, so there is a
bias as well: E[(R_S - R_D)^2] = variance + bias^2, and both are measured.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from kdutils import augment, seeds, stats
from kdutils.augment import NINE, Scheme
from kdutils.data import Dataset
from kdutils.errors import UserError, choose
from kdutils.inference import for_inference
from kdutils.metrics.stream import families, pool
from kdutils.models import Features, Network
from kdutils.theory.proposition import distilled_loss

FORWARD_BATCH = 64  # larger ones fall out of a CPU's cache


@dataclass(frozen=True)
class Measured:
    """q of one predictor, in nats: on every image of the pool [M], on the images x of random batches [batches, b], and
    on their x' under each scheme [batches, schemes, b]; u: the teacher's mean probability of each batch, x and x'
    together [batches, schemes, C] (Eq. 9 with K = 2 b)."""

    schemes: tuple[str, ...]
    pool: np.ndarray
    x: np.ndarray
    x_prime: np.ndarray
    u: np.ndarray


class Blind(Network):
    """A predictor that does not look at the image: the same answer every time, from random logits.

    Its R_S is a fixed weighting of u, so that Proposition 3.1 for it speaks of T. stddev itself.
    """

    def __init__(self, num_classes: int, seed: int = 0) -> None:
        super().__init__()
        self.register_buffer("answer", torch.randn(num_classes, generator=seeds.generator(seed, "blind")))

    def features(self, x: Tensor) -> Features:
        nothing = 0 * x.flatten(1)[:, :1]
        return Features((), nothing, nothing + self.answer)


def draw_pool(dataset: Dataset, size: int, split: Literal["train", "test"] = "train", seed: int = 0) -> Tensor:
    """The pool that D is uniform over: `size` images of a split, each after one draw of the standard augmentation.

    uint8 [size, 3, H, W]. Drawing the augmentation once keeps the pool finite, and R_D exact.
    """
    source = {"train": dataset.train, "test": dataset.test}[choose("split", split, ("train", "test"))]
    if not 2 <= size <= len(source):
        raise UserError(
            f"a pool of {size} images cannot be drawn: the {split} split of {dataset.name} has {len(source)}."
        )
    generator = seeds.generator(seed, "pool")
    images = dataset.for_standard(source, torch.randperm(len(source), generator=generator)[:size], generator)
    return augment.standard(images, generator, augment.settings(dataset))


def measure(
    teacher: Network,
    predictors: Mapping[str, Network],
    dataset: Dataset,
    images: Tensor,
    schemes: Sequence[str] = NINE,
    batches: int = 300,
    batch_size: int = 64,
    granularity: augment.Granularity = "batch",
    seed: int = 0,
) -> dict[str, Measured]:
    """q of each predictor on the pool `images`, and on `batches` random batches of x and of x' under each scheme.

    A batch is drawn from the pool with replacement, so that x has distribution D and batches are independent. All
    schemes see the same x, and all predictors the same x' (but CutMixPick (S. ent.) picks by each predictor's own
    entropy). A predictor "teacher" is always added: the teacher as its own student, the assumption of Eq. 8.
    """
    shared = families(map(augment.find, schemes))
    if batches < 3:
        raise UserError(f"a variance with a standard error needs at least 3 batches, not {batches}.")
    device = next(teacher.parameters()).device
    models = {**predictors, "teacher": teacher}
    networks = {name: for_inference(model, device=device) for name, model in models.items()}
    settings = augment.settings(dataset, granularity)
    p, q = _answers(_logits(networks, dataset, images))
    drawn = torch.randint(len(images), (batches, batch_size), generator=seeds.generator(seed, "batches")).numpy()
    measured = {name: _empty(schemes, q[name], drawn, p.shape[1]) for name in networks}
    for step, index in enumerate(tqdm(drawn, "batches", leave=False, disable=None)):
        for fn, family in shared.items():
            generator = seeds.generator(seed, getattr(fn, "__name__", family[0].name), step)
            made = pool(family, images[index], generator, settings)
            for name, scheme, p_prime, q_prime in _kept(family, _logits(networks, dataset, made.x), len(index)):
                row = step, schemes.index(scheme)
                measured[name].x_prime[row] = q_prime
                measured[name].u[row] = (p[index].mean(axis=0) + p_prime.mean(axis=0)) / 2
    for family in shared.values():
        family[0].settle()
    return measured


def _empty(schemes: Sequence[str], q: np.ndarray, drawn: np.ndarray, classes: int) -> Measured:
    """What is measured of one predictor, given its q on the pool, before the first x' is made."""
    batches, batch_size = drawn.shape
    x_prime, u = (np.empty((batches, len(schemes), size)) for size in (batch_size, classes))
    return Measured(tuple(schemes), q, q[drawn], x_prime, u)


def _kept(
    family: Sequence[Scheme], logits: Mapping[str, Tensor], n: int
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """(predictor, scheme, the teacher's p [n, C], q [n]) for the `n` x' that each scheme takes of one pool."""
    p, q = _answers(logits)
    for name, own in logits.items():
        for scheme in family:
            kept = augment.kept(scheme, n, logits["teacher"], lambda own=own: own)
            yield name, scheme.name, p[kept], q[name][kept]


@torch.inference_mode()
def _logits(networks: Mapping[str, Network], dataset: Dataset, images: Tensor) -> dict[str, Tensor]:
    """The logits [n, C] of every network on images in 0..255, read on the networks' device."""
    device = next(networks["teacher"].parameters()).device
    chunks = [
        dataset.normalise(part.to(device)).contiguous(memory_format=torch.channels_last)
        for part in images.split(FORWARD_BATCH)
    ]
    return {name: torch.cat([network(chunk) for chunk in chunks]).cpu() for name, network in networks.items()}


def _answers(logits: Mapping[str, Tensor]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The teacher's probabilities [n, C], and q [n] of every predictor."""
    p = {name: values.double().softmax(dim=1).numpy() for name, values in logits.items()}
    return p["teacher"], {name: distilled_loss(p["teacher"], p[name]) for name in p}


# --- What the batches say about a sequence ------------------------------------------------------------------------

COLUMNS = ("variance", "bias", "squared_bias", "gap", "independent", "covariance", "variance_ratio")


def bias_and_variance(measured: Measured, n: int = 640) -> pd.DataFrame:
    """E[(R_S - R_D)^2] and its parts, one row per scheme, for sequences S of `n` elements: x and x' together.

    Columns, each with its standard error `<column>_se` (jackknife over the batches); all but the last in nats^2 (the
    bias in nats):

    - variance: Var R_S, the right side of Eq. 7, = independent + covariance, its two terms;
    - bias: E R_S - R_D, which Eq. 6 takes as zero; squared_bias: its square, free of the noise's own square;
    - gap = variance + squared_bias, the left side of Eq. 5;
    - variance_ratio: the variance over that of the first scheme, on the same x.
    """
    r, d = _batch_risks(measured)
    q, q2 = measured.x_prime.mean(axis=2), (measured.x_prime**2).mean(axis=2)
    features = np.stack([r, r**2, d, d**2, q, q2], axis=1)
    batches, elements = len(d), 2 * measured.x.shape[1]

    def statistic(means: np.ndarray) -> np.ndarray:
        r, r2, d, d2, q, q2 = np.moveaxis(means, -2, 0)
        variance = (r2 - r**2) * batches / (batches - 1) * elements / n
        squared_bias = d**2 - (d2 - d**2) / (batches - 1)
        independent = (measured.pool.var() + q2 - q**2) / 2 / n
        gap, covariance, ratio = variance + squared_bias, variance - independent, variance / variance[..., :1]
        return np.stack([variance, d, squared_bias, gap, independent, covariance, ratio], axis=-1)

    value, se = jackknife(features, statistic)
    table = pd.DataFrame(value, columns=COLUMNS).join(pd.DataFrame(se, columns=[f"{name}_se" for name in COLUMNS]))
    table.insert(0, "scheme", measured.schemes)
    return table


def t_stddev(measured: Measured, k: int = 640) -> pd.DataFrame:
    """T. stddev (Eq. 10) of the same batches: columns scheme, t_stddev, t_stddev_se, for windows of `k` elements.

    The batches are independent, so a window's variance is that of one batch, 2 b / k times.
    """
    scale = np.sqrt(2 * measured.x.shape[1] / k)
    by_scheme = np.moveaxis(measured.u, 1, 0)
    return pd.DataFrame(
        {
            "scheme": measured.schemes,
            "t_stddev": [scale * u.std(axis=0, ddof=1).mean() for u in by_scheme],
            "t_stddev_se": [scale * stats.stddev_standard_error(u) for u in by_scheme],
        }
    )


def compare(measured: Mapping[str, Measured], n: int = 640) -> pd.DataFrame:
    """One row a predictor and scheme: predictor, R_D (in nats), the columns of `bias_and_variance` and `t_stddev`."""
    tables = [
        bias_and_variance(found, n)
        .merge(t_stddev(found, n), on="scheme")
        .assign(predictor=name, true_risk=found.pool.mean())
        for name, found in measured.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return table[["predictor", "true_risk", *table.columns.drop(["predictor", "true_risk"])]]


def _batch_risks(measured: Measured) -> tuple[np.ndarray, np.ndarray]:
    """Of every batch and scheme [batches, schemes]: R_S, and its part (mean q(x') - mean q(x)) / 2 that is bias.

    The mean of q(x) is R_D in expectation, so the second estimates E R_S - R_D; with x and x' paired it is far less
    noisy than R_S - R_D itself.
    """
    x, x_prime = measured.x.mean(axis=1, keepdims=True), measured.x_prime.mean(axis=2)
    return (x + x_prime) / 2, (x_prime - x) / 2


def jackknife(features: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A function of means, and its standard error (Efron & Stein, 1981).

    `features` [n, ...]: independent observations. `statistic` maps their means [..., *features.shape[1:]] to values.
    """
    n = len(features)
    left_out = statistic((features.sum(axis=0) - features) / (n - 1))
    return statistic(features.mean(axis=0)), np.sqrt((n - 1) * left_out.var(axis=0))
