"""Knowledge distillation (Hinton et al., 2014): the loss of Eq. 1."""

import torch.nn.functional as F
from torch import Tensor

from kdutils.losses.base import Facts, Method, Outputs, Targets, Terms, mixed_cross_entropy


def kd_divergence(student_logits: Tensor, teacher_logits: Tensor, tau: float) -> Tensor:
    """tau^2 KL(p_t / tau || p_s / tau), the batch mean in nats: a scalar (Eq. 1). Logits [N, C]."""
    log_p_s = F.log_softmax(student_logits / tau, dim=1)
    log_p_t = F.log_softmax(teacher_logits / tau, dim=1)
    return tau**2 * F.kl_div(log_p_s, log_p_t, reduction="batchmean", log_target=True)


class KnowledgeDistillation(Method):
    """(1 - alpha) CE(y, p_s(x)) + alpha [KL(x) + KL(x')] (Eq. 1, Sec. 4.1); x' never sees a label.

    `x_prime="all"` adds (1 - alpha) CE of x' with the mixed label, which the paper warns of (A.4).
    """

    def __init__(self, terms: Terms, facts: Facts | None = None) -> None:
        super().__init__(terms, facts)
        self.tau, self.alpha = terms.tau, terms.alpha

    def on_x(self, student: Outputs, teacher: Outputs | None, targets: Targets) -> Tensor:
        hard = F.cross_entropy(student.logits, targets.labels)
        return (1 - self.alpha) * hard + self._divergence(student, teacher)

    def on_x_prime(self, student: Outputs, teacher: Outputs | None, targets: Targets) -> Tensor:
        if self.terms.x_prime == "kl":
            return self._divergence(student, teacher)
        return (1 - self.alpha) * mixed_cross_entropy(student.logits, targets) + self._divergence(student, teacher)

    def _divergence(self, student: Outputs, teacher: Outputs) -> Tensor:
        return self.alpha * kd_divergence(student.logits, teacher.logits, self.tau)
