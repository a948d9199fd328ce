"""Attention transfer (Zagoruyko and Komodakis, 2017): where a network looks, layer by layer."""

import torch.nn.functional as F
from torch import Tensor

from kdutils.losses.base import Outputs, Targets
from kdutils.losses.feature import MapMethod, same_size


def attention_transfer(f_s: Tensor, f_t: Tensor) -> Tensor:
    """Mean squared difference of the two attention maps: a scalar. Features [N, C, H, W]; C, H and W may differ.

    An attention map is the mean over channels of f^2, flattened and scaled to unit length.
    """
    f_s, f_t = same_size(f_s, f_t)
    q_s, q_t = (F.normalize(f.square().mean(1).flatten(1)) for f in (f_s, f_t))
    return (q_s - q_t).square().mean()


class AttentionTransfer(MapMethod):
    """CE + 1000 times `attention_transfer`, summed over all maps but the first (see `FeatureMethod`)."""

    name, weight, maps = "at", 1000.0, slice(1, None)

    def term(self, student: Outputs, teacher: Outputs, targets: Targets) -> Tensor:
        return sum(attention_transfer(f_s, f_t) for f_s, f_t in self.pairs(student, teacher))
