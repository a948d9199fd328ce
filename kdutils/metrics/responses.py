"""Mini-batches of x and x' with the teacher's probabilities for every image, and its predictions for mixed ones.

`views(teacher, dataset, scheme, ...)` yields the images that `metrics.rank_schemes` measures for the same seed, batch
size and granularity, so that its numbers can be taken apart image by image, and looked at.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from kdutils import augment
from kdutils.augment import Scheme
from kdutils.data import Dataset
from kdutils.errors import UserError
from kdutils.inference import device_of, reader
from kdutils.inference.devices import double
from kdutils.metrics import ranking
from kdutils.metrics.stream import MiniBatch, Readers, logits_of, stream
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
        """Total variation between the teacher's answers to x' and to x, [N]: 0 if they are the same, at most 1."""
        return (self.p_prime - self.p).abs().sum(1) / 2

    def entropy(self) -> Tensor:
        """Entropy of the teacher's answers to x', in nats, [N] (Eq. 11)."""
        return torch.special.entr(self.p_prime).sum(1)


def views(teacher: nn.Module, dataset: Dataset, scheme: str | Scheme, steps: int, **options) -> Iterator[Views]:
    """Yield the views of `steps` mini-batches, on the CPU.

    `options`, with the defaults of `rank_schemes`: batch_size, granularity, seed, student (picks for "cutmixpick_s").
    UserError for an unknown scheme, a batch larger than the dataset, and a scheme that needs a student without one.
    """
    for batch in _mini_batches(teacher, dataset, scheme, steps, **options):
        (made,), (logits,) = batch.made.values(), batch.made_logits.values()
        p, own, partner = batch.x_logits.softmax(1), made.own, made.partner
        labels = batch.labels[own], batch.labels[partner]
        parts = batch.x[own], made.x, p[own], logits.softmax(1), own, *labels, made.lam
        yield Views(*(part.cpu() for part in parts))


def mean_probabilities(teacher: nn.Module, dataset: Dataset, scheme: str | Scheme, steps: int, **options) -> Tensor:
    """The teacher's mean probability of each mini-batch, x and x' together, [steps, C]: Eq. 9 with K = 2 batch_size.

    Options and errors as for `views`. Means of consecutive rows are the u of larger windows (`windows`).
    """
    parts = _mini_batches(teacher, dataset, scheme, steps, **options)
    both = (torch.cat([batch.x_logits, *batch.made_logits.values()]) for batch in parts)
    return torch.stack([double(logits.softmax(1)).mean(0) for logits in both]).cpu()


def windows(means: Tensor, batches: int) -> Tensor:
    """u of each window of `batches` mini-batches, [n_u, C], from `mean_probabilities`; what is left over is dropped."""
    whole = len(means) // batches
    return means[: whole * batches].unflatten(0, (whole, batches)).mean(1)


def growing(means: Tensor, batches: int, counts: Sequence[int]) -> pd.DataFrame:
    """T. stddev of the first `counts` windows of `batches` mini-batches: columns n_u, steps, t_stddev, t_stddev_se."""
    u = windows(means, batches)
    rows = [(n, n * batches, ranking.t_stddev(u[:n]), stddev_standard_error(u[:n])) for n in counts]
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
) -> Iterator[MiniBatch]:
    scheme = augment.find(scheme)
    if scheme.asks_student and student is None:
        raise UserError(f"the scheme {scheme.name!r} picks by what a student says: give a student")
    if steps < 1:
        raise UserError(f"steps counts mini-batches: at least 1 is needed, got {steps}")
    readers = Readers(reader(teacher), reader(student) if student else None, dataset)
    yield from stream(readers, [scheme], steps, batch_size, augment.settings(dataset, granularity), seed)


def collect(parts: Iterable[Views]) -> Views:
    """The rows of several mini-batches in one; keeps all their images."""
    return Views(*(torch.cat(column) for column in zip(*parts, strict=True)))


def read_logits(network: nn.Module, dataset: Dataset, images: Tensor) -> Tensor:
    """Logits [N, C], on the CPU, that a `reader` gives for unnormalised images."""
    return logits_of("network", network, dataset, images.to(device_of(network))).cpu()


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
    from statsmodels.stats.proportion import proportion_confint  # statsmodels takes a second to load

    edges = np.linspace(0, 1, bins + 1)
    where = np.clip(np.digitize(frame["lam"], edges) - 1, 0, bins - 1)  # lam = 1 belongs to the last interval
    rows = []
    for index, group in frame.groupby(where):
        wrong = int(group["disagrees"].sum())
        low, high = proportion_confint(wrong, len(group), method="wilson")
        shares = {name: (group["answer"] == name).mean() for name in ANSWERS}
        rows.append((edges[index], edges[index + 1], len(group), *shares.values(), wrong / len(group), low, high))
    return pd.DataFrame(rows, columns=["lam_low", "lam_high", "n", *ANSWERS, "disagreement", "low", "high"])
