"""Random resized crops (Szegedy et al., 2015): how photographs are cropped for training, as their files are read."""

import math

import torch
from torch import Tensor

AREA, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)  # shares of the image, width over height: those of ImageNet's usual training
TRIES = 10


def draw(n: int, generator: torch.Generator) -> Tensor:
    """The random numbers of `n` crops, uniform in 0..1, [n, 10, 4]: area, ratio and place of each try."""
    return torch.rand(n, TRIES, 4, generator=generator)


def random_box(width: int, height: int, draws: Tensor) -> tuple[float, float, float, float]:
    """Left, upper, right, lower of the crop that `draws` [10, 4] make of an image.

    As torchvision's RandomResizedCrop, but for its rounding to whole pixels: the first try that lies inside the image,
    else the largest central box with an allowed ratio.
    """
    area, ratio, x, y = draws.double().unbind(1)
    area = width * height * (AREA[0] + (AREA[1] - AREA[0]) * area)
    ratio = (math.log(RATIO[0]) + (math.log(RATIO[1]) - math.log(RATIO[0])) * ratio).exp()
    wide, high = (area * ratio).sqrt(), (area / ratio).sqrt()
    inside = (wide <= width) & (high <= height)
    if inside.any():
        k = int(inside.int().argmax())
        w, h, left, upper = float(wide[k]), float(high[k]), float(x[k]), float(y[k])
    else:
        w, h = min(width, height * RATIO[1]), min(height, width / RATIO[0])
        left = upper = 0.5
    return left * (width - w), upper * (height - h), left * (width - w) + w, upper * (height - h) + h
