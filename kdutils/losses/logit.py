"""What the newer methods that compare logits share: the label's term, and what x' gets."""

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from kdutils.losses.base import Method, Outputs, Targets, mixed_cross_entropy


class LogitMethod(Method):
    """a CE(y, p_s(x)) + b term(x) for x; b term(x') for x', which no label reaches (Sec. 4.1 of the paper).

    A subclass defines `term`, a and b, which are its authors'. Where a term asks for the label, x' has the teacher's
    most likely class instead. `x_prime="all"` adds a CE of x' with the mixed label.
    """

    label_weight: ClassVar[float]  # a
    weight: ClassVar[float]  # b

    def term(self, student: Outputs, teacher: Outputs, targets: Targets) -> Tensor:
        """What the teacher says of the images, without its weight: a scalar."""
        raise NotImplementedError

    def on_x(self, student: Outputs, teacher: Outputs | None, targets: Targets) -> Tensor:
        hard = F.cross_entropy(student.logits, targets.labels)
        return self.label_weight * hard + self.weight * self.term(student, teacher, targets)

    def on_x_prime(self, student: Outputs, teacher: Outputs | None, targets: Targets) -> Tensor:
        told = targets._replace(labels=teacher.logits.argmax(1))
        loss = self.weight * self.term(student, teacher, told)
        if self.terms.x_prime == "all":
            loss = loss + self.label_weight * mixed_cross_entropy(student.logits, targets)
        return loss
