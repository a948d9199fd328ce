"""The one interface of all distillation losses."""

from typing import NamedTuple, Protocol

from torch import Tensor, nn


class Targets(NamedTuple):
    """What the data say of a batch: labels int64 [N] of x (or of the image's own part), and of what was mixed in.

    `partner` holds the other image's labels and `lam` the share of the own one; `index` is the position of each image
    in the training set (methods with a memory need it).
    """

    labels: Tensor
    partner: Tensor
    lam: Tensor
    index: Tensor


class Outputs(Protocol):
    """What a network says of a batch (`models.Features`): feature maps, pooled feature, logits [N, C]."""

    maps: tuple[Tensor, ...]
    pooled: Tensor
    logits: Tensor


class Method(nn.Module):
    """A distillation loss: one term for x, one for x'. Subclasses say what they need and what they add.

    Class attributes: `needs_teacher`; `needs_maps` (feature maps of both networks).
    """

    needs_teacher = True
    needs_maps = False

    def on_x(self, student: Outputs, teacher: Outputs | None, targets: Targets) -> Tensor:
        """The loss of the standard-augmented x: a scalar."""
        raise NotImplementedError

    def on_x_prime(self, student: Outputs, teacher: Outputs | None, targets: Targets) -> Tensor:
        """The loss of x': a scalar. The paper uses the teacher's KL term alone, never a label."""
        raise NotImplementedError
