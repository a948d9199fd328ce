"""Logit standardisation (Sun et al., 2024): compare the order and the shape of logits, not their size."""

from torch import Tensor

from kdutils.losses.base import Outputs, Targets
from kdutils.losses.kd import kd_divergence
from kdutils.losses.logit import LogitMethod

BASE_TEMPERATURE = 2.0
EPSILON = 1e-7  # for logits that are all alike


def standardise(logits: Tensor) -> Tensor:
    """Logits [N, C], each row with mean 0 and standard deviation 1 (that of a sample, C - 1)."""
    return (logits - logits.mean(1, keepdim=True)) / (logits.std(1, keepdim=True) + EPSILON)


class LogitStandardisation(LogitMethod):
    """0.1 CE + 9 times `kd_divergence` of the standardised logits at temperature 2 (see `LogitMethod`).

    The weights and the temperature are those of the command that the authors' release gives for CIFAR-100.
    """

    label_weight, weight = 0.1, 9.0

    def term(self, student: Outputs, teacher: Outputs, targets: Targets) -> Tensor:
        return kd_divergence(standardise(student.logits), standardise(teacher.logits), BASE_TEMPERATURE)
