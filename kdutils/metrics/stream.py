"""One stream of mini-batches for all that is measured: x, the pools of x' that schemes share, and what is picked.

The ranking and the responses to single images read `stream`; the risk of Proposition 3.1, which draws its own x, makes
its pools here too. Training makes x' for one scheme, and picks by the same `augment.kept`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from kdutils import augment, seeds
from kdutils.augment import PICK_RATIO, Augmented, Function, Scheme, Settings
from kdutils.data import Dataset, batches, shuffled
from kdutils.errors import UserError
from kdutils.inference import check_logits, device_of, read, refuse_infinite
from kdutils.inference.devices import Findings


class MiniBatch(NamedTuple):
    """One mini-batch: x [N, 3, H, W] and its labels [N], the x' of each scheme, and the teacher's logits [N, C].

    `made` and `made_logits` are by the scheme's name; a scheme that picks by what a student says is missing if there
    is no student.
    """

    x: Tensor
    labels: Tensor
    x_logits: Tensor
    made: dict[str, Augmented]
    made_logits: dict[str, Tensor]


@dataclass(frozen=True)
class Readers:
    """Networks made ready (`inference.reader`) for images of `dataset`: the teacher, and the student that may pick."""

    teacher: nn.Module
    student: nn.Module | None
    dataset: Dataset
    found: dict[str, Findings] = field(default_factory=lambda: {"teacher": Findings(), "student": Findings()})

    def __post_init__(self) -> None:
        if self.student is not None and any(True for _ in self.student.parameters()):
            here, there = device_of(self.student), self.device
            if here != there:
                raise UserError(f"the student is on {here} and the teacher on {there}: use student.to({str(there)!r})")

    @property
    def device(self) -> torch.device:
        """Where the teacher is, and all images come to be."""
        return device_of(self.teacher)

    def logits(self, who: str, images: Tensor) -> Tensor:
        """Logits [N, C] that the "teacher" or the "student" gives for unnormalised images."""
        return logits_of(who, getattr(self, who), self.dataset, images, self.found[who])

    def settle(self) -> None:
        """Look at what a GPU was not yet asked of the logits; UserError if some were not finite."""
        for who, found in self.found.items():
            refuse_infinite(who, found.read())


def logits_of(who: str, network: nn.Module, dataset: Dataset, images: Tensor, found: Findings | None = None) -> Tensor:
    """Logits [N, C] of a `reader` for unnormalised images on its device; UserError, which names `who`, if bad.

    With `found`, values that are not finite are bad when it is time (`inference.check_logits`).
    """
    logits = read(network, dataset.normalise(images))
    return check_logits(who, logits, len(images), len(dataset.classes), found)


def stream(
    readers: Readers, schemes: Sequence[Scheme], steps: int, batch_size: int, settings: Settings, seed: int
) -> Iterator[MiniBatch]:
    """Yield `steps` mini-batches, all on the teacher's device; each function makes x' once, for all its schemes.

    One forward pass of the teacher per mini-batch serves all schemes. They share x, and draw x' from the same random
    numbers, so a scheme's numbers do not depend on which others are measured beside it.
    """
    shared, device = families(schemes), readers.device
    for step, (stored, labels) in enumerate(_stored_images(readers.dataset, steps, batch_size, seed)):
        x = augment.standard(stored.to(device), seeds.generator(seed, "x", step), settings)
        pools = {fn: pool(family, x, seeds.generator(seed, "x'", step), settings) for fn, family in shared.items()}
        yield _read(readers, schemes, x, labels.to(device), pools)
    for checked in (readers, *schemes):
        checked.settle()


def families(schemes: Iterable[Scheme]) -> dict[Function, list[Scheme]]:
    """The schemes by their function: CutMix and both CutMixPick share one pool of x'."""
    found = {}
    for scheme in schemes:
        found.setdefault(scheme.fn, []).append(scheme)
    return found


def pool(family: Sequence[Scheme], x: Tensor, generator: torch.Generator, settings: Settings) -> Augmented:
    """x' of one mini-batch for schemes of one function, as large a pool as the one that picks needs."""
    runs = augment.pool_runs(PICK_RATIO) if any(scheme.pick for scheme in family) else 1
    return family[0](x, generator, settings, runs)


def per_epoch(dataset: Dataset, batch_size: int) -> int:
    """How many full mini-batches an epoch has; UserError if there is none."""
    if len(dataset.train) < batch_size:
        raise UserError(f"{dataset.name} has {len(dataset.train)} images, fewer than one mini-batch of {batch_size}")
    return len(dataset.train) // batch_size


def _stored_images(dataset: Dataset, steps: int, batch_size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """`steps` full mini-batches of stored images and labels, epoch after epoch in a new random order."""
    size = per_epoch(dataset, batch_size)
    for epoch in range(-(-steps // size)):
        order = shuffled(len(dataset.train), batch_size, seeds.generator(seed, "order", epoch), drop_last=True)
        cropped_by = seeds.generator(seed, "crop", epoch) if dataset.resized_crops else None
        for x, y, _ in batches(dataset.train, order[: steps - epoch * size], cropped_by):
            yield x, y


def _read(
    readers: Readers, schemes: Sequence[Scheme], x: Tensor, labels: Tensor, pools: dict[Function, Augmented]
) -> MiniBatch:
    """The mini-batch of x and pools of x': one pass of the teacher reads x and what is new; then the picks."""
    new = [fn for fn, made in pools.items() if not _same(made.x, x)]  # the others are read with x
    logits = readers.logits("teacher", torch.cat([x, *(pools[fn].x for fn in new)]))
    x_logits, *parts = logits.split([len(x), *(len(pools[fn].x) for fn in new)])
    pool_logits = dict.fromkeys(pools, x_logits) | dict(zip(new, parts, strict=True))
    batch = MiniBatch(x, labels, x_logits, {}, {})
    for scheme in schemes:
        if scheme.asks_student and readers.student is None:
            continue
        made, made_logits = pools[scheme.fn], pool_logits[scheme.fn]
        kept = augment.kept(scheme, len(x), made_logits, lambda images=made.x: readers.logits("student", images))
        batch.made[scheme.name], batch.made_logits[scheme.name] = made.take(kept), made_logits[kept]
    return batch


def _same(made: Tensor, x: Tensor) -> bool:
    """Whether a scheme left the mini-batch as it was: Identity always, Flip each second time.

    Only on a CPU are the values compared: a GPU would have to wait, which costs more than to read some images twice.
    """
    return made is x or (x.device.type == "cpu" and made.dtype == x.dtype and torch.equal(made, x))
