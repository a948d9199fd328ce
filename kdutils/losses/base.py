"""The one interface of all distillation losses."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdutils.errors import choose

XPrime = Literal["kl", "all"]


class Targets(NamedTuple):
    """What the data say of a batch: labels int64 [N] of x (or of the image's own part), and of what was mixed in.

    `partner` holds the other image's labels and `lam` the share of the own one; `index` is the position of each image
    in the training set (methods with a memory need it). `generator` is the step's stream of randomness, for methods
    that draw.
    """

    labels: Tensor
    partner: Tensor
    lam: Tensor
    index: Tensor
    generator: torch.Generator | None = None


class Outputs(Protocol):
    """What a network says of a batch (`models.Features`): feature maps, pooled feature, logits [N, C]."""

    maps: tuple[Tensor, ...]
    pooled: Tensor
    logits: Tensor


class Shapes(Protocol):
    """The shapes of a network's outputs without the batch dimension (`models.feature_shapes`)."""

    maps: tuple[tuple[int, int, int], ...]
    pooled: tuple[int]


class Facts(NamedTuple):
    """What a method may need to know before training: the outputs' shapes of both networks, all training labels [N]."""

    student: Shapes
    teacher: Shapes
    labels: Tensor


@dataclass(frozen=True)
class Terms:
    """Which terms the loss has, and their weights; each method says which of these it reads.

    `x_prime`: "kl" gives x' the teacher's KL term alone (Sec. 4.1 of the paper), "all" every term that x has, the label
    term with the labels mixed as the scheme mixed the images.
    """

    tau: float = 4.0
    alpha: float = 0.9
    kl_on_x: float = 0.0
    x_prime: XPrime = "kl"

    def __post_init__(self) -> None:
        choose("x_prime", self.x_prime, ("kl", "all"))


class Method(nn.Module):
    """A distillation loss: one term for x, one for x'. Subclasses say what they need and what they add.

    Class attributes: `needs_teacher`; `needs_maps` (feature maps of both networks); `needs_facts` (cannot be built
    without `Facts`).
    """

    needs_teacher = True
    needs_maps = False
    needs_facts = False

    def __init__(self, terms: Terms | None = None, facts: Facts | None = None) -> None:
        super().__init__()
        self.terms = terms or Terms()

    def on_x(self, student: Outputs, teacher: Outputs | None, targets: Targets) -> Tensor:
        """The loss of the standard-augmented x: a scalar."""
        raise NotImplementedError

    def on_x_prime(self, student: Outputs, teacher: Outputs | None, targets: Targets) -> Tensor:
        """The loss of x': a scalar. The paper uses the teacher's KL term alone, never a label."""
        raise NotImplementedError


def mixed_cross_entropy(logits: Tensor, targets: Targets) -> Tensor:
    """Cross-entropy with labels mixed as the scheme mixed the images, the batch mean in nats: a scalar."""
    own = F.cross_entropy(logits, targets.labels, reduction="none")
    other = F.cross_entropy(logits, targets.partner, reduction="none")
    return (targets.lam * own + (1 - targets.lam) * other).mean()
