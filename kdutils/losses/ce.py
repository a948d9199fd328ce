"""Cross-entropy with the labels: training without a teacher."""

import torch.nn.functional as F
from torch import Tensor

from kdutils.losses.base import Method, Outputs, Targets, mixed_cross_entropy


class CrossEntropy(Method):
    """CE(y, p(x)); x', if there is one, gets the labels mixed as the scheme mixed the images."""

    needs_teacher = False

    def on_x(self, student: Outputs, teacher: Outputs | None, targets: Targets) -> Tensor:
        return F.cross_entropy(student.logits, targets.labels)

    def on_x_prime(self, student: Outputs, teacher: Outputs | None, targets: Targets) -> Tensor:
        return mixed_cross_entropy(student.logits, targets)
