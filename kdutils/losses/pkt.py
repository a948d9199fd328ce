"""Probabilistic knowledge transfer (Passalis and Tefas, 2018): how likely images are to be neighbours."""

import torch.nn.functional as F
from torch import Tensor

from kdutils.losses.base import Outputs, Targets
from kdutils.losses.feature import FeatureMethod

EPSILON = 1e-7  # keeps the logarithm finite


def probabilistic_transfer(f_s: Tensor, f_t: Tensor) -> Tensor:
    """Mean over all N^2 pairs of p_t log(p_t / p_s), in nats: a scalar. Features [N, D_s] and [N, D_t].

    Row i of p is (1 + cosine similarity to image i) / 2, scaled to sum to one.
    """
    p_s, p_t = (_neighbours(f) for f in (f_s, f_t))
    return (p_t * ((p_t + EPSILON).log() - (p_s + EPSILON).log())).mean()


def _neighbours(f: Tensor) -> Tensor:
    unit = F.normalize(f)
    return F.normalize((1 + unit @ unit.T) / 2, p=1)


class ProbabilisticTransfer(FeatureMethod):
    """CE + 30000 times `probabilistic_transfer` on the pooled feature (see `FeatureMethod`)."""

    name, weight = "pkt", 30_000.0

    def term(self, student: Outputs, teacher: Outputs, targets: Targets) -> Tensor:
        return probabilistic_transfer(student.pooled, teacher.pooled)
