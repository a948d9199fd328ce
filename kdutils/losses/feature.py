"""What the methods that compare features share: the other terms of their loss, and how feature maps are paired."""

from collections.abc import Iterator
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from kdutils.errors import UserError
from kdutils.losses.base import Facts, Method, Outputs, Shapes, Targets, Terms, mixed_cross_entropy
from kdutils.losses.kd import kd_divergence

DIMENSIONS = 128  # of the embeddings of CC and CRD


class FeatureMethod(Method):
    """CE(y, p_s(x)) + a KL(x) + b term(x) for x; KL(x') for x', as in the paper. A subclass defines `term` and b.

    a is `Terms.kl_on_x`: 0 is the method by itself. Table 1 of the paper needs a = 1: its row "CRD" repeats the
    accuracies that Tian et al. (2020) published as CRD+KD, and the released code adds KL(x') to KL(x) under one weight,
    so "CRD+CutMixPick" is CE + KL(x) + 0.8 CRD(x) + KL(x'). Temperature tau; all b are those of Tian et al.'s release.

    `x_prime="all"` gives x' b term(x') and CE with the mixed label as well.
    """

    name: ClassVar[str]
    weight: ClassVar[float]  # b

    def term(self, student: Outputs, teacher: Outputs, targets: Targets) -> Tensor:
        """What the method itself adds, without its weight: a scalar."""
        raise NotImplementedError

    def on_x(self, student: Outputs, teacher: Outputs | None, targets: Targets) -> Tensor:
        loss = F.cross_entropy(student.logits, targets.labels) + self.weight * self.term(student, teacher, targets)
        if self.terms.kl_on_x:
            loss = loss + self.terms.kl_on_x * kd_divergence(student.logits, teacher.logits, self.terms.tau)
        return loss

    def on_x_prime(self, student: Outputs, teacher: Outputs | None, targets: Targets) -> Tensor:
        loss = kd_divergence(student.logits, teacher.logits, self.terms.tau)
        if self.terms.x_prime == "all":
            loss = loss + mixed_cross_entropy(student.logits, targets)
            loss = loss + self.weight * self.term(student, teacher, targets)
        return loss


class MapMethod(FeatureMethod):
    """A method that compares the networks' feature maps one by one: those of `maps`, first with first."""

    needs_maps = True
    needs_facts = True
    maps: ClassVar[slice]

    def __init__(self, terms: Terms, facts: Facts) -> None:
        super().__init__(terms, facts)
        ours, theirs = self._chosen(facts.student), self._chosen(facts.teacher)
        if len(ours) != len(theirs) or not ours:
            raise UserError(
                f"the method {self.name!r} compares feature maps one by one, but the student has {len(ours)} and the "
                f"teacher {len(theirs)} to compare ({_listed(ours)}; {_listed(theirs)}). Choose networks with equally "
                "many, or a method on the pooled feature: cc, pkt or crd"
            )

    def _chosen(self, outputs: Outputs | Shapes) -> tuple:
        return tuple(outputs.maps[self.maps])

    def pairs(self, student: Outputs, teacher: Outputs) -> Iterator[tuple[Tensor, Tensor]]:
        """The maps to compare, (student's, teacher's)."""
        return zip(self._chosen(student), self._chosen(teacher), strict=True)


def same_size(f_s: Tensor, f_t: Tensor) -> tuple[Tensor, Tensor]:
    """Two feature maps [N, C, H, W] at the smaller one's height and width, by mean pooling of the larger."""
    size = (min(f_s.shape[2], f_t.shape[2]), min(f_s.shape[3], f_t.shape[3]))
    return tuple(f if f.shape[2:] == size else F.adaptive_avg_pool2d(f, size) for f in (f_s, f_t))


def _listed(shapes: tuple) -> str:
    return ", ".join(" x ".join(map(str, shape)) for shape in shapes) or "none"
