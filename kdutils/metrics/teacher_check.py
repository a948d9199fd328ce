"""Whether the teacher fits the images at all, before anything is concluded from what it predicts."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from kdutils import seeds
from kdutils.data import Dataset, batches

IMAGES = 1000  # of the test set: the accuracy is then known to 1.5 points
FACTS = ("teacher_test_accuracy", "teacher_test_images", "teacher_chance")
NEAR = 0.1  # of the way from chance to perfection


class Agreement(NamedTuple):
    """The share of test labels that the teacher predicts, and that of guessing among the classes; both in per cent."""

    accuracy: float
    images: int
    chance: float

    def __str__(self) -> str:
        share, chance = f"{self.accuracy:.1f} %", f"{self.chance:.3g} %"
        return f"agrees with {share} of the labels of {self.images:,} test images (chance {chance})"

    def facts(self) -> dict[str, float]:
        """The numbers as a ranking's frame has them in its `attrs`."""
        return dict(zip(FACTS, self, strict=True))

    def near_chance(self) -> bool:
        """Whether less than a tenth of what guessing misses is right."""
        return self.accuracy - self.chance < NEAR * (100 - self.chance)


def agreement(logits: Callable[[Tensor], Tensor], dataset: Dataset, batch_size: int) -> Agreement:
    """How well `logits(images)` predicts the test labels, on at most IMAGES of them, always the same random ones."""
    order = torch.randperm(len(dataset.test), generator=seeds.generator(0, "teacher check"))
    index = order[:IMAGES].sort().values
    parts = batches(dataset.test, index.split(batch_size))
    right = sum((logits(x).argmax(1).cpu() == y.cpu()).sum() for x, y, _ in parts)
    return Agreement(100 * float(right) / len(index), len(index), 100 / len(dataset.classes))


def from_facts(facts: dict) -> Agreement | None:
    """The agreement in the `attrs` of a ranking's frame; None in a ranking from before it was measured."""
    return Agreement(*(facts[name] for name in FACTS)) if FACTS[0] in facts else None


def warn_near_chance(found: Agreement, classes: tuple[str, ...] = ()) -> None:
    """Warn of a teacher that is hardly better than guessing, with the usual causes."""
    if not found.near_chance():
        return
    warnings.warn(
        f"the teacher {found}: does it have the same classes in the same order{_order(classes)}, and was it "
        "trained with this normalisation (mean, std), image size and channel order (RGB)?",
        stacklevel=4,
    )


def _order(classes: tuple[str, ...]) -> str:
    if classes and all(name.isdecimal() for name in classes) and sorted(classes, key=int) != list(classes):
        return f" (here numbers are sorted as text: {', '.join(classes[:4])}, ...)"
    return ""
