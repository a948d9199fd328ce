"""Similarity-preserving distillation (Tung and Mori, 2019): which images of a batch a network finds alike."""

import torch.nn.functional as F
from torch import Tensor

from kdutils.losses.base import Outputs, Targets
from kdutils.losses.feature import MapMethod


def similarity_preserving(f_s: Tensor, f_t: Tensor) -> Tensor:
    """|G_s - G_t|^2 / N^2, where G holds the N x N inner products, its rows of unit length: a scalar.

    Features [N, ...], of any shape beyond the first dimension.
    """
    g_s, g_t = (F.normalize(f.flatten(1) @ f.flatten(1).T) for f in (f_s, f_t))
    return (g_s - g_t).square().mean()


class SimilarityPreserving(MapMethod):
    """CE + 3000 times `similarity_preserving` on the last map before pooling (see `FeatureMethod`)."""

    name, weight, maps = "sp", 3000.0, slice(-1, None)

    def term(self, student: Outputs, teacher: Outputs, targets: Targets) -> Tensor:
        return sum(similarity_preserving(f_s, f_t) for f_s, f_t in self.pairs(student, teacher))
