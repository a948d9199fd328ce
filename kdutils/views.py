"""Mini-batches of x and x' with what the teacher says of every single image, and what it calls a mixed one.

`views(teacher, dataset, scheme, ...)` yields the images that `metrics.rank_schemes` measures for the same seed, batch
size and granularity, so that its numbers can be taken apart image by image, and looked at.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from statsmodels.stats.proportion import proportion_confint
from torch import Tensor, nn

from kdutils import augment, metrics, seeds
from kdutils.augment import SCHEMES, Augmented, Scheme
from kdutils.data import Dataset, shuffled
from kdutils.errors import UserError, choose
from kdutils.models.inference import read, reader
from kdutils.stats import stddev_standard_error

ANSWERS = ("own", "partner", "neither")
"""What a network may call a mixed image: the class of x, that of the image mixed into it, or a third one."""


class Views(NamedTuple):
    """Some x' and the x that each was made of, row by row, with the teacher's probabilities of both.

    x, x_prime: unnormalised, [N, 3, H, W]. p, p_prime: [N, C]. own: the position of x in its mini-batch, [N].
    label, partner_label: the class of x, which shows with weight `lam`, and of its partner (1 - lam); all [N].
    """

    x: Tensor
    x_prime: Tensor
    p: Tensor
    p_prime: Tensor
    own: Tensor
    label: Tensor
    partner_label: Tensor
    lam: Tensor

    def take(self, index: Tensor | Sequence[int]) -> "Views":
        """The rows at the positions `index`."""
        return Views(*(part[index] for part in self))

    def distance(self) -> Tensor:
        """Total variation between the teacher's answers to x' and to x, [N]: 0 where they are the same, at most 1."""
        return (self.p_prime - self.p).abs().sum(1) / 2

    def entropy(self) -> Tensor:
        """Entropy of the teacher's answers to x', in nats, [N] (Eq. 11)."""
        return torch.special.entr(self.p_prime).sum(1)


class _MiniBatch(NamedTuple):
    """One mini-batch: x and its labels, the x' made of it, and the teacher's probabilities of each."""

    x: Tensor
    labels: Tensor
    made: Augmented
    p: Tensor
    p_prime: Tensor


def views(teacher: nn.Module, dataset: Dataset, scheme: str | Scheme, steps: int, **options) -> Iterator[Views]:
    """Yield the views of `steps` mini-batches, on the CPU.

    `options`, with the defaults of `rank_schemes`: batch_size, granularity, seed, student (picks for "cutmixpick_s").
    UserError for an unknown scheme, a batch larger than the data set, and a scheme that needs a student without one.
    """
    for x, labels, made, p, p_prime in _mini_batches(teacher, dataset, scheme, steps, **options):
        own, partner = made.own, made.partner
        yield Views(x[own], made.x, p[own], p_prime, own, labels[own], labels[partner], made.lam)


def mean_probabilities(teacher: nn.Module, dataset: Dataset, scheme: str | Scheme, steps: int, **options) -> Tensor:
    """The teacher's mean probability of each mini-batch, x and x' together, [steps, C]: Eq. 9 with K = 2 batch_size.

    Options and errors as for `views`. Means of consecutive rows are the u of larger windows (`windows`).
    """
    parts = _mini_batches(teacher, dataset, scheme, steps, **options)
    return torch.stack([torch.cat([part.p, part.p_prime]).double().mean(0) for part in parts])


def windows(means: Tensor, batches: int) -> Tensor:
    """u of each window of `batches` mini-batches, [n_u, C], from `mean_probabilities`; what is left over is dropped."""
    whole = len(means) // batches
    return means[: whole * batches].unflatten(0, (whole, batches)).mean(1)


def growing(means: Tensor, batches: int, counts: Sequence[int]) -> pd.DataFrame:
    """T. stddev of the first `counts` windows of `batches` mini-batches: columns n_u, steps, t_stddev, t_stddev_se."""
    u = windows(means, batches)
    rows = [(n, n * batches, metrics.t_stddev(u[:n]), stddev_standard_error(u[:n])) for n in counts]
    return pd.DataFrame(rows, columns=["n_u", "steps", "t_stddev", "t_stddev_se"])


def _mini_batches(
    teacher: nn.Module,
    dataset: Dataset,
    scheme: str | Scheme,
    steps: int,
    batch_size: int = 64,
    granularity: augment.Granularity = "batch",
    seed: int = 0,
    student: nn.Module | None = None,
) -> Iterator[_MiniBatch]:
    scheme = scheme if isinstance(scheme, Scheme) else SCHEMES[choose("scheme", scheme, SCHEMES)]
    if scheme.pick == "student" and student is None:
        raise UserError(f"the scheme {scheme.name!r} picks by a student's entropy: give a student")
    if steps < 1:
        raise UserError(f"steps counts mini-batches: at least 1 is needed, got {steps}")
    read, settings = reader(teacher), augment.settings(dataset, granularity)
    picker = {"": None, "teacher": read, "student": reader(student or teacher)}[scheme.pick]
    runs = augment.pool_runs(metrics.PICK_RATIO) if picker else 1
    for step, (stored, labels) in enumerate(_stored_images(dataset, steps, batch_size, seed)):
        x = augment.standard(stored, seeds.generator(seed, "x", step), settings)
        made = scheme(x, seeds.generator(seed, "x'", step), settings, runs)
        if picker:
            made = made.take(augment.pick(read_logits(picker, dataset, made.x), batch_size))
        p = read_logits(read, dataset, x).softmax(1)
        p_prime = p if made.x is x else read_logits(read, dataset, made.x).softmax(1)  # Identity's x' is x
        yield _MiniBatch(x, labels, made, p, p_prime)


def collect(parts: Iterable[Views]) -> Views:
    """The rows of several mini-batches in one; keeps all their images."""
    return Views(*(torch.cat(column) for column in zip(*parts, strict=True)))


def read_logits(network: nn.Module, dataset: Dataset, images: Tensor) -> Tensor:
    """Logits [N, C], on the CPU, that a `reader` gives for unnormalised images."""
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    return read(network, dataset.normalise(images).to(device)).cpu()


def _stored_images(dataset: Dataset, steps: int, batch_size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """`steps` full mini-batches of stored images and labels, epoch after epoch in a new random order."""
    per_epoch = len(dataset.train) // batch_size
    if not per_epoch:
        raise UserError(f"{dataset.name} has {len(dataset.train)} images, fewer than one mini-batch of {batch_size}")
    for step in range(steps):
        epoch, position = divmod(step, per_epoch)
        if position == 0:
            order = shuffled(len(dataset.train), batch_size, seeds.generator(seed, "order", epoch), drop_last=True)
        yield dataset.train.batch(order[position])


def top_answers(p: Tensor, classes: Sequence[str], top: int = 3) -> list[str]:
    """A caption for each row of probabilities `p` [N, C]: at most `top` classes of 1 % or more, a line each."""
    best = p.topk(min(top, p.shape[1]), dim=1)
    rows = zip(best.values.tolist(), best.indices.tolist(), strict=True)
    return [
        "\n".join(f"{classes[c]} {value:.0%}" for value, c in zip(*row, strict=True) if value >= 0.01) for row in rows
    ]


def answers(seen: Views, p: Tensor | None = None) -> pd.DataFrame:
    """What a network calls each mixed image, one row an x' of `seen`; `p` [N, C] are its answers, else the teacher's.

    Columns: lam; own, partner (class numbers); mixed_label, the one of the two that shows more (the label that CutMix's
    or Mixup's lambda prefers); said, the network's first class; answer, one of ANSWERS; disagrees, whether said is not
    mixed_label, as `rank_schemes` counts it; confidence, the probability of said.
    """
    best = (seen.p_prime if p is None else p).max(1)
    own, partner, said = (part.numpy() for part in (seen.label, seen.partner_label, best.indices))
    lam = seen.lam.numpy()
    mixed_label = np.where(lam >= 0.5, own, partner)
    return pd.DataFrame(
        {
            "lam": lam,
            "own": own,
            "partner": partner,
            "mixed_label": mixed_label,
            "said": said,
            "answer": np.select([said == own, said == partner], ANSWERS[:2], ANSWERS[2]),
            "disagrees": said != mixed_label,
            "confidence": best.values.numpy(),
        }
    )


def by_lambda(frame: pd.DataFrame, bins: int = 10) -> pd.DataFrame:
    """`answers` in `bins` equal intervals of lambda: how often each answer is given, and how often it disagrees.

    Columns: lam_low, lam_high, n (images), the shares own, partner and neither, and disagreement with its 95 % Wilson
    interval low, high. Empty intervals are left out.
    """
    edges = np.linspace(0, 1, bins + 1)
    where = np.clip(np.digitize(frame["lam"], edges) - 1, 0, bins - 1)  # lam = 1 belongs to the last interval
    rows = []
    for index, group in frame.groupby(where):
        wrong = int(group["disagrees"].sum())
        low, high = proportion_confint(wrong, len(group), method="wilson")
        shares = {name: (group["answer"] == name).mean() for name in ANSWERS}
        rows.append((edges[index], edges[index + 1], len(group), *shares.values(), wrong / len(group), low, high))
    return pd.DataFrame(rows, columns=["lam_low", "lam_high", "n", *ANSWERS, "disagreement", "low", "high"])
