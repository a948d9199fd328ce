"""Teachers that cost little or whose T. stddev is known."""

from typing import ClassVar

import torch
from torch import nn

CLASSES, SIZE = 10, 8


class OneHot(nn.Module):
    """A teacher that reads the class off the centre pixel, and is always right and certain."""

    def __init__(self, dataset):
        super().__init__()
        self.mean, self.std = dataset.mean[0] * 255, dataset.std[0] * 255

    def forward(self, x):
        grey = x[:, 0, SIZE // 2, SIZE // 2] * self.std + self.mean
        return 1000 * nn.functional.one_hot((grey / 25).clamp(0, CLASSES - 1).long(), CLASSES).float()


class Linear(nn.Module):
    """A teacher with answers of every confidence, cheap enough to ask thousands of times."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(0.15 * torch.randn(3 * SIZE * SIZE, CLASSES, generator=generator))

    def forward(self, x):
        return x.flatten(1) @ self.weight


class Counting(Linear):
    """A teacher that notes how many images each forward pass brings."""

    calls: ClassVar[list[int]] = []

    def forward(self, x):
        self.calls.append(len(x))
        return super().forward(x)
