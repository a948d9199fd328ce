"""What the teacher alone says of a scheme: T. stddev (Eq. 9-10), its anatomy, and the metrics it is compared with.

`rank_schemes` measures all schemes in one pass: they share x, and CutMix and both CutMixPick rows share one pool, so
nine schemes cost at most 8 teacher forwards of one mini-batch a step; a batch that a scheme left as it was is not read
again. Sharing also makes the differences between schemes far more precise than separate runs would (common random
numbers).
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from kdutils import augment, seeds
from kdutils.augment import SCHEMES, Augmented, Scheme, entropy
from kdutils.data import Dataset, batches, shuffled
from kdutils.errors import UserError, choose
from kdutils.models.inference import read, reader
from kdutils.ranking import Ranking, Row, mean_correlation, mean_covariance, t_stddev

PICK_RATIO = 0.5  # CutMixPick keeps this share of its pool (Sec. 4.2)

__all__ = ["Ranking", "entropy", "mean_correlation", "mean_covariance", "measure", "rank_schemes", "t_stddev"]


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
    precision: str = "float32",
) -> pd.DataFrame:
    """Rank schemes by T. stddev: the lower, the better for distillation (Eq. 9-10, Sec. 5.1). No student is trained.

    `teacher` maps normalised images to logits [N, C], and is put into eval mode. `steps` counts mini-batches and stands
    in for `epochs`. K counts images, half of them x and half x'. `student` picks for "cutmixpick_s" (without one that
    row stays empty). `precision` "bfloat16" reads in 16 bits, about twice as fast where the processor knows them.

    Returns one row a scheme: `scheme`; `t_stddev` and its standard error `t_stddev_se`, over `n_u` windows; `entropy`
    of x' in nats; `mean_covariance`, `mean_correlation` (Eq. 12-13) with `_se`; `label_disagreement`, the share of x'
    that the teacher calls other than the scheme's own label; and the anatomy of T. stddev (`ranking.Row.anatomy`).
    Raises UserError for unknown schemes and for sizes that do not fit, before anything is measured.
    """
    return measure(
        teacher, dataset, schemes, epochs, steps, batch_size, k, granularity, seed, student, temperature, precision
    ).frame()


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
    precision: str = "float32",
) -> Ranking:
    """As `rank_schemes`, but return the `Ranking`, which can also compare two schemes with an error."""
    wanted = _wanted(schemes)
    total, window = count_steps(dataset, epochs, steps, batch_size, k), k // (2 * batch_size)
    if len(dataset.train) < k:
        warnings.warn(
            f"a window of K={k} is larger than the {len(dataset.train)} images of {dataset.name}: windows then repeat "
            "images, and T. stddev says little",
            stacklevel=3,
        )
    if not temperature > 0:
        raise UserError(f"the teacher's temperature must be above 0, not {temperature}")
    settings = augment.settings(dataset, granularity)
    ranking = Ranking({scheme.name: Row(scheme) for scheme in wanted}, k)
    device = next((p.device for p in teacher.parameters()), torch.device("cpu"))
    picker = reader(student, precision) if student else None
    readers = _Readers(reader(teacher, precision), picker, dataset, device, temperature)
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
    wanted = [s if isinstance(s, Scheme) else SCHEMES[choose("scheme", s, SCHEMES)] for s in names]
    for name, times in Counter(scheme.name for scheme in wanted).items():
        if times > 1:
            raise UserError(f"the scheme {name!r} is named {times} times; each gives one row")
    return wanted


def count_steps(dataset: Dataset, epochs: int, steps: int | None, batch_size: int, k: int) -> int:
    """How many mini-batches a ranking takes; UserError for sizes of which no T. stddev with an error can come."""
    if batch_size < 2:
        raise UserError(f"a mini-batch needs at least 2 images, not {batch_size}")
    if k < 2 * batch_size or k % (2 * batch_size):
        raise UserError(f"k={k} must be a multiple of 2 x batch_size = {2 * batch_size} (x and x' together)")
    if len(dataset.train) < batch_size:
        raise UserError(f"{dataset.name} has {len(dataset.train)} images, fewer than one mini-batch of {batch_size}")
    total = epochs * (len(dataset.train) // batch_size) if steps is None else steps
    least = 3 * k // (2 * batch_size)
    if total < least:
        raise UserError(f"{total} steps are too few: take at least {least}, three windows of K={k} images")
    return total


@dataclass(frozen=True)
class _Readers:
    """The networks that read images, and what they need for it."""

    teacher: nn.Module
    student: nn.Module | None
    dataset: Dataset
    device: torch.device
    temperature: float

    def logits(self, model: nn.Module, images: Sequence[Tensor]) -> Tensor:
        """Logits [sum of N, C] of batches of unnormalised images; UserError where they cannot be what they should."""
        x = torch.cat([self.dataset.normalise(part) for part in images])
        logits = read(model, x)
        who, expected = "teacher" if model is self.teacher else "student", (len(x), len(self.dataset.classes))
        if logits.shape != expected:
            raise UserError(f"the {who} gives {tuple(logits.shape)} for {len(x)} images; expected logits {expected}")
        if not torch.isfinite(logits).all():
            raise UserError(f"the {who} gives values that are not finite; are its weights and the normalisation right?")
        return logits


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
    new = [function for function, m in made.items() if not _same(m.x, x)]  # the others have been read with x
    logits = readers.logits(readers.teacher, [x, *(made[function].x for function in new)]) / readers.temperature
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


def _same(made: Tensor, x: Tensor) -> bool:
    """Whether a scheme left the mini-batch as it was: Identity always, Flip each second time."""
    return made is x or (made.dtype == x.dtype and torch.equal(made, x))


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
