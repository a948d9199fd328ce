"""What the teacher alone says of a scheme: T. stddev (Eq. 9-10), its anatomy, and the metrics it is compared with.

`rank_schemes` measures all schemes in one pass: they share x, and CutMix and both CutMixPick rows share one pool, so
nine schemes cost 8 teacher forwards of one mini-batch a step. Sharing also makes the differences between schemes far
more precise than separate runs would (common random numbers).
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from kdutils import augment, seeds
from kdutils.augment import SCHEMES, Augmented, Scheme, entropy
from kdutils.data import Dataset, batches, shuffled
from kdutils.errors import UserError, choose
from kdutils.models import Network
from kdutils.models.inference import for_inference
from kdutils.moments import GroupedMoments, Tally, jackknife_error

CPU_CHUNK = 64  # images a forward: more at once fall out of a CPU's cache and take longer each
PICK_RATIO = 0.5  # CutMixPick keeps this share of its pool (Sec. 4.2)
COLLAPSE = 0.05  # a scheme is warned about if its outputs vary within a batch by less than this share of x's

__all__ = ["Ranking", "entropy", "mean_correlation", "mean_covariance", "measure", "rank_schemes", "t_stddev"]


def t_stddev(u: Tensor) -> float:
    """T. stddev of windows `u` [n_u, C]: the unbiased standard deviation over windows, mean over classes (Eq. 10)."""
    return float(u.std(0, unbiased=True).mean())


def mean_covariance(p: Tensor) -> Tensor:
    """Mean over the N x N matrix Cov(P, P) of one batch of probabilities `p` [N, C], rows as variables (Eq. 12).

    The mean over all pairs of rows is the variance, over classes, of the mean row: no N x N matrix is needed.
    """
    return p.mean(0).var(unbiased=True)


def mean_correlation(p: Tensor) -> Tensor:
    """Mean over the N x N matrix Cor(P, P) of one batch of probabilities `p` [N, C], rows as variables (Eq. 12)."""
    return mean_covariance(p / p.std(1, unbiased=True, keepdim=True))


@dataclass
class Row:
    """The running statistics of one scheme; their memory does not grow with the number of steps."""

    scheme: Scheme
    u: GroupedMoments = field(default_factory=GroupedMoments)  # mean probabilities of the windows, [C]
    scalars: Tally = field(default_factory=Tally)  # per batch: covariance, correlation, within, entropy, disagreement
    classes: Tally = field(default_factory=Tally)  # per batch [4, C]: what the anatomy needs, see `anatomy`
    window: Tensor | float = 0.0

    def add(self, p: Tensor, made: Augmented, p_prime: Tensor, labels: Tensor) -> None:
        """Take in one mini-batch: the teacher's probabilities of x and x' [N, C], and what x' was made of."""
        both = torch.cat([p_prime, p])
        dominant = torch.where(made.lam >= 0.5, labels[made.own], labels[made.partner])
        surprise = torch.special.entr(p_prime).sum(1)
        disagreement = (p_prime.argmax(1) != dominant).float().mean()
        within = p_prime.var(0).mean()
        self.scalars.add(
            torch.stack([mean_covariance(both), mean_correlation(both), within, surprise.mean(), disagreement])
        )
        mixed = (made.partner != made.own).to(p).unsqueeze(1)
        sources = p[made.own] + mixed * p[made.partner]
        parts = [p_prime, p_prime.square(), sources * p_prime, (1 + mixed) * p_prime]
        self.classes.add(torch.stack([part.mean(0) for part in parts]))
        self.window = self.window + both.double().mean(0)

    def close_window(self, steps: int) -> None:
        """End a window of K images: its mean probability is one u (Eq. 9)."""
        self.u.add(self.window / steps)
        self.window = 0.0

    def anatomy(self, mean_p: Tensor, var_p: Tensor, k: int) -> dict[str, float]:
        """The three parts of Var(u), each the mean over classes; they add up to the measured variance.

        With n = K/2 pairs a window: confidence [Var p(x) + Var p(x')] / 4n; coupling 2 Cov(p(x), p(x')) / 4n over each
        x' and the images it was made of; batch: the rest, which is what a mini-batch has in common.
        `t_stddev_pairs` is what T. stddev would be without that rest.
        """
        mean, square, product, sources = self.classes.mean
        confidence = (var_p + square - mean.square()) / (2 * k)
        coupling = 2 * (product - mean_p * sources) / (2 * k)
        pairs = confidence + coupling
        return {
            "var_confidence": float(confidence.mean()),
            "var_coupling": float(coupling.mean()),
            "var_batch": float((self.u.variance() - pairs).mean()),
            "t_stddev_pairs": float(pairs.clamp(min=0).sqrt().mean()),
        }


@dataclass
class Ranking:
    """All schemes measured on the same mini-batches. `frame()` is the table, `difference` compares two of its rows."""

    rows: dict[str, Row]
    k: int
    x: Tally = field(default_factory=Tally)  # per batch [2, C]: p(x) and p(x)^2
    x_within: Tally = field(default_factory=Tally)

    def frame(self) -> pd.DataFrame:
        """One row a scheme, in the order asked for; see `rank_schemes`."""
        mean_p, square_p = self.x.mean
        return pd.DataFrame([self._line(name, row, mean_p, square_p) for name, row in self.rows.items()])

    def _line(self, name: str, row: Row, mean_p: Tensor, square_p: Tensor) -> dict[str, object]:
        if row.u.n == 0:  # S. ent. without a student: nothing was measured
            return {"scheme": name, "n_u": 0}
        covariance, correlation, _, surprise, disagreement = row.scalars.mean.tolist()
        covariance_se, correlation_se, *_ = row.scalars.standard_error.tolist()
        return {
            "scheme": name,
            "t_stddev": row.u.stddev(),
            "t_stddev_se": row.u.standard_error(),
            "n_u": row.u.n,
            "entropy": surprise,
            "mean_covariance": covariance,
            "mean_correlation": correlation,
            "label_disagreement": disagreement,
            "mean_covariance_se": covariance_se,
            "mean_correlation_se": correlation_se,
            **row.anatomy(mean_p, square_p - mean_p.square(), self.k),
        }

    def difference(self, first: str, second: str) -> tuple[float, float]:
        """T. stddev of `first` minus that of `second`, and its standard error; both saw the same mini-batches."""
        a, b = self.rows[choose("scheme", first, self.rows)].u, self.rows[choose("scheme", second, self.rows)].u
        return a.stddev() - b.stddev(), jackknife_error(a.without_each_group() - b.without_each_group())

    def warn_of_collapse(self) -> None:
        """Warn of schemes whose outputs hardly vary within a batch: a low T. stddev is then no sign of a good one."""
        for name, row in self.rows.items():
            share = float(row.scalars.mean[2] / self.x_within.mean) if row.u.n else 1.0
            if share < COLLAPSE:
                warnings.warn(
                    f"the outputs for {name!r} collapse: within a mini-batch they vary {share:.1%} as much as those of "
                    "x. T. stddev assumes that x' is distributed as x (Prop. 3.1); do not rank this scheme by it",
                    stacklevel=3,
                )


def rank_schemes(
    teacher: nn.Module,
    dataset: Dataset,
    schemes: str | Sequence[str | Scheme] = "all",
    epochs: int = 10,
    steps: int | None = None,
    batch_size: int = 64,
    k: int = 640,
    granularity: augment.Granularity = "batch",
    seed: int = 0,
    student: nn.Module | None = None,
    temperature: float = 1.0,
) -> pd.DataFrame:
    """Rank schemes by T. stddev: the lower, the better for distillation (Eq. 9-10, Sec. 5.1). No student is trained.

    `teacher` maps normalised images to logits [N, C]. `steps` counts mini-batches and stands in for `epochs`. K counts
    images, half of them x and half x'. `student` picks for "cutmixpick_s" (without one that row stays empty).

    Returns one row a scheme: `scheme`; `t_stddev` and its standard error `t_stddev_se`, over `n_u` windows; `entropy`
    of x' in nats; `mean_covariance`, `mean_correlation` (Eq. 12-13) with `_se`; `label_disagreement`, the share of x'
    that the teacher calls other than the scheme's own label; and the anatomy of T. stddev (`Row.anatomy`).
    Raises UserError for unknown schemes and for sizes that do not fit, before anything is measured.
    """
    ranking = measure(teacher, dataset, schemes, epochs, steps, batch_size, k, granularity, seed, student, temperature)
    return ranking.frame()


def measure(
    teacher: nn.Module,
    dataset: Dataset,
    schemes: str | Sequence[str | Scheme] = "all",
    epochs: int = 10,
    steps: int | None = None,
    batch_size: int = 64,
    k: int = 640,
    granularity: augment.Granularity = "batch",
    seed: int = 0,
    student: nn.Module | None = None,
    temperature: float = 1.0,
) -> Ranking:
    """As `rank_schemes`, but return the `Ranking`, which can also compare two schemes with an error."""
    wanted = _wanted(schemes)
    total = epochs * (len(dataset.train) // batch_size) if steps is None else steps
    window = _window(dataset, batch_size, k, total)
    settings = augment.settings(dataset, granularity)
    ranking = Ranking({scheme.name: Row(scheme) for scheme in wanted}, k)
    device = next((p.device for p in teacher.parameters()), torch.device("cpu"))
    readers = _Readers(_reader(teacher), _reader(student) if student else None, dataset, device, temperature)
    bar = tqdm(_stored_images(dataset, total, batch_size, seed), "ranking", total, unit="step", disable=None)
    for step, (stored, labels) in enumerate(bar):
        x = augment.standard(stored.to(device), seeds.generator(seed, "x", step), settings)
        _add_step(ranking, readers, x, labels.to(device), settings, seed, step)
        if (step + 1) % window == 0:
            for row in ranking.rows.values():
                if row.scalars.n:
                    row.close_window(window)
    ranking.warn_of_collapse()
    return ranking


def _wanted(schemes: str | Sequence[str | Scheme]) -> list[Scheme]:
    names = list(SCHEMES) if schemes == "all" else [schemes] if isinstance(schemes, str) else list(schemes)
    if not names:
        raise UserError(f"no scheme to rank; choose from: {', '.join(SCHEMES)}")
    return [s if isinstance(s, Scheme) else SCHEMES[choose("scheme", s, SCHEMES)] for s in names]


def _window(dataset: Dataset, batch_size: int, k: int, steps: int) -> int:
    """Mini-batches in a window of K images, with what cannot be measured refused."""
    if k < 2 * batch_size or k % (2 * batch_size):
        raise UserError(f"k={k} must be a multiple of 2 x batch_size = {2 * batch_size} (x and x' together)")
    if len(dataset.train) < batch_size:
        raise UserError(f"{dataset.name} has {len(dataset.train)} images, fewer than one mini-batch of {batch_size}")
    window = k // (2 * batch_size)
    if steps // window < 3:
        raise UserError(
            f"{steps} steps make {steps // window} windows of K={k} images; take at least {3 * window} steps"
        )
    if len(dataset.train) < k:
        warnings.warn(
            f"a window of K={k} is larger than the {len(dataset.train)} images of {dataset.name}: windows then repeat "
            "images, and T. stddev says little",
            stacklevel=4,
        )
    return window


@dataclass(frozen=True)
class _Readers:
    """The networks that read images, and how: in forwards of CPU_CHUNK images, without gradients."""

    teacher: nn.Module
    student: nn.Module | None
    dataset: Dataset
    device: torch.device
    temperature: float

    @torch.inference_mode()
    def logits(self, model: nn.Module, images: Sequence[Tensor]) -> Tensor:
        """Logits [sum of N, C] of batches of unnormalised images."""
        x = torch.cat([self.dataset.normalise(part) for part in images])
        x = x.contiguous(memory_format=torch.channels_last)
        return torch.cat([model(part) for part in x.split(len(x) if x.is_cuda else CPU_CHUNK)]).float()


def _reader(model: nn.Module) -> nn.Module:
    return for_inference(model) if isinstance(model, Network) else model.eval()


def _stored_images(dataset: Dataset, steps: int, batch_size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """`steps` full mini-batches of stored images and labels, epoch after epoch in a new random order."""
    per_epoch = len(dataset.train) // batch_size
    for epoch in range(-(-steps // per_epoch)):
        order = shuffled(len(dataset.train), batch_size, seeds.generator(seed, "order", epoch), drop_last=True)
        for x, y, _ in batches(dataset.train, order[: steps - epoch * per_epoch]):
            yield x, y


def _add_step(
    ranking: Ranking, readers: _Readers, x: Tensor, labels: Tensor, settings: augment.Settings, seed: int, step: int
) -> None:
    """One mini-batch for every scheme: each function makes x' once, and one reading of the teacher serves all."""
    n, made = len(x), _make(ranking, x, settings, seed, step)
    new = [function for function, m in made.items() if m.x is not x]  # Identity's x' is x: nothing to read
    logits = readers.logits(readers.teacher, [x, *(made[function].x for function in new)]) / readers.temperature
    if not torch.isfinite(logits).all():
        raise UserError("the teacher gives values that are not finite; are its weights and the normalisation right?")
    x_logits, *parts = logits.split([n, *(len(made[function].x) for function in new)])
    read = dict.fromkeys(made, x_logits) | dict(zip(new, parts, strict=True))
    p = x_logits.softmax(1)
    ranking.x.add(torch.stack([p.mean(0), p.square().mean(0)]))
    ranking.x_within.add(p.var(0).mean())
    for row in ranking.rows.values():
        pool, pool_logits = made[row.scheme.fn], read[row.scheme.fn]
        if row.scheme.pick == "student" and readers.student is None:
            continue
        kept = _kept(row.scheme, pool, pool_logits, readers, n)
        row.add(p, pool.take(kept), pool_logits[kept].softmax(1), labels)


def _make(ranking: Ranking, x: Tensor, settings: augment.Settings, seed: int, step: int) -> dict:
    """x' of every function among the schemes, as large a pool as the hungriest of them needs.

    All draw from the same stream, so a scheme's numbers do not depend on which others are ranked beside it.
    """
    runs: dict[augment.Function, int] = {}
    for row in ranking.rows.values():
        runs[row.scheme.fn] = max(runs.get(row.scheme.fn, 1), augment.pool_runs(PICK_RATIO) if row.scheme.pick else 1)
    schemes = {row.scheme.fn: row.scheme for row in ranking.rows.values()}
    return {fn: schemes[fn](x, seeds.generator(seed, "x'", step), settings, n) for fn, n in runs.items()}


def _kept(scheme: Scheme, pool: Augmented, teacher_logits: Tensor, readers: _Readers, n: int) -> Tensor:
    """Positions in the pool of this scheme's `n` x': the first, or those of highest entropy (Eq. 11)."""
    if scheme.pick == "teacher":
        return augment.pick(teacher_logits * readers.temperature, n)
    if scheme.pick == "student":
        return augment.pick(readers.logits(readers.student, [pool.x]), n)
    return torch.arange(n, device=pool.x.device)
