"""DIST (Huang et al., 2022): the student's probabilities should correlate with the teacher's, not equal them."""

import torch.nn.functional as F
from torch import Tensor

from kdutils.losses.base import Outputs, Targets
from kdutils.losses.logit import LogitMethod


def correlation_distance(p_s: Tensor, p_t: Tensor, dim: int) -> Tensor:
    """1 - Pearson's correlation along `dim`, the mean over the other dimension of probabilities [N, C]: a scalar."""
    centred = (p - p.mean(dim, keepdim=True) for p in (p_s, p_t))
    return 1 - F.cosine_similarity(*centred, dim=dim).mean()


class StrongerTeacher(LogitMethod):
    """CE + the correlation distance between classes, image by image, + that between images, class by class.

    See `LogitMethod`. Weights and temperature are 1, as in the authors' released code.
    """

    label_weight, weight = 1.0, 1.0

    def term(self, student: Outputs, teacher: Outputs, targets: Targets) -> Tensor:
        p_s, p_t = student.logits.softmax(1), teacher.logits.softmax(1)
        return correlation_distance(p_s, p_t, dim=1) + correlation_distance(p_s, p_t, dim=0)
