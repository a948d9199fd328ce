"""Variational information distillation (Ahn et al., 2019): predict the teacher's features from the student's."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdutils.losses.base import Facts, Outputs, Targets, Terms
from kdutils.losses.feature import MapMethod, same_size

FIRST_VARIANCE, SMALLEST_VARIANCE = 5.0, 1e-5


class Prediction(nn.Module):
    """q(f_t | f_s): a normal distribution whose mean a small network finds, with one learned variance a channel."""

    def __init__(self, channels_s: int, channels_t: int) -> None:
        super().__init__()
        widths = (channels_s, channels_t, channels_t, channels_t)
        convolutions = [nn.Conv2d(widths[i], widths[i + 1], 1, bias=False) for i in range(3)]
        self.mean = nn.Sequential(convolutions[0], nn.ReLU(), convolutions[1], nn.ReLU(), convolutions[2])
        scale = math.log(math.expm1(FIRST_VARIANCE - SMALLEST_VARIANCE))  # softplus gives it back
        self.log_scale = nn.Parameter(torch.full((channels_t,), scale))

    def forward(self, f_s: Tensor, f_t: Tensor) -> Tensor:
        """-log q(f_t | f_s) without its constant, the mean over all elements in nats: a scalar. Maps [N, C, H, W]."""
        f_s, f_t = same_size(f_s, f_t)
        variance = (F.softplus(self.log_scale) + SMALLEST_VARIANCE).view(1, -1, 1, 1)
        return ((self.mean(f_s) - f_t).square() / variance + variance.log()).mean() / 2


class VariationalInformation(MapMethod):
    """CE + 1 times -log q(f_t | f_s), summed over all maps but the first (see `FeatureMethod`).

    The predictions are trained with the student.
    """

    name, weight, maps = "vid", 1.0, slice(1, None)

    def __init__(self, terms: Terms, facts: Facts) -> None:
        super().__init__(terms, facts)
        channels = zip(self._chosen(facts.student), self._chosen(facts.teacher), strict=True)
        self.predictions = nn.ModuleList(Prediction(s[0], t[0]) for s, t in channels)

    def term(self, student: Outputs, teacher: Outputs, targets: Targets) -> Tensor:
        maps = self.pairs(student, teacher)
        return sum(predict(f_s, f_t) for predict, (f_s, f_t) in zip(self.predictions, maps, strict=True))
