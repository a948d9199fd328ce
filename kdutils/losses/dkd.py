"""Decoupled knowledge distillation (Zhao et al., 2022): how sure of the label's class, and what of the others."""

import torch
import torch.nn.functional as F
from torch import Tensor

from kdutils.losses.base import Outputs, Targets
from kdutils.losses.logit import LogitMethod

TARGET_WEIGHT, OTHERS_WEIGHT = 1.0, 2.0  # alpha and beta


def decoupled_divergence(student: Tensor, teacher: Tensor, target: Tensor, tau: float) -> tuple[Tensor, Tensor]:
    """tau^2 times two divergences, batch means in nats: scalars. Logits [N, C] with C > 2, `target` int64 [N].

    The first is of two probabilities, the target class against all others; the second is of the others among
    themselves. Weighted by 1 and by the teacher's probability of the others, they sum to KL (Zhao et al., Sec. 3).
    """
    ours, theirs = (_parts(logits / tau, target) for logits in (student, teacher))
    first, second = (
        tau**2 * F.kl_div(log_s, log_t, reduction="batchmean", log_target=True)
        for log_s, log_t in zip(ours, theirs, strict=True)
    )
    return first, second


def _parts(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities of the target class and of all others [N, 2], and of each of these others [N, C - 1]."""
    log_p = F.log_softmax(logits, dim=1)
    places = torch.arange(logits.shape[1] - 1, device=logits.device)
    own, others = target[:, None], places + (places >= target[:, None])  # a mask would make a GPU wait for its count
    rest = log_p.gather(1, others).logsumexp(1, keepdim=True)
    return torch.cat([log_p.gather(1, own), rest], dim=1), log_p.gather(1, others) - rest


class DecoupledDistillation(LogitMethod):
    """CE + 1 times the target's divergence + 2 times the others', at temperature tau (see `LogitMethod`).

    The weights are those of the authors' release for resnet56/resnet20 on CIFAR-100 (other pairs there have up to 8 for
    the others), as is tau 4. Their warm-up, which lets the teacher in over the first 20 epochs of 240, is left out: all
    methods here have the same schedule.
    """

    label_weight, weight = 1.0, 1.0

    def term(self, student: Outputs, teacher: Outputs, targets: Targets) -> Tensor:
        first, second = decoupled_divergence(student.logits, teacher.logits, targets.labels, self.terms.tau)
        return TARGET_WEIGHT * first + OTHERS_WEIGHT * second
