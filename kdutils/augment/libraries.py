"""Transforms of kornia and albumentations, called as these libraries want it. Neither is imported here."""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from kdutils.errors import UserError

MIXERS = ("RandomMixUpV2", "RandomCutMixV2", "RandomMosaic")  # kornia's, which do not say what they mixed


def origin(transform: object) -> str:
    """The library that made `transform`: "kornia", "albumentations" or another."""
    if type(transform) is nn.Sequential and len(transform):
        found = {origin(part) for part in transform}
        return found.pop() if len(found) == 1 else ""
    names = {kind.__module__.partition(".")[0] for kind in type(transform).__mro__}
    return next((name for name in ("kornia", "albumentations") if name in names), "")


def prepared(transform: Callable) -> Callable:
    """`transform` so that a call draws once for all images that it is given: kornia's would draw for each."""
    if origin(transform) != "kornia":
        return transform
    transform = copy.deepcopy(transform)
    for part in transform.modules():
        if type(part).__name__ in MIXERS:
            raise UserError(f"{type(part).__name__} mixes images and does not say which: use v2.CutMix or v2.MixUp")
        if hasattr(part, "same_on_batch"):
            part.same_on_batch = True
    return transform


def on_bytes(transform: Callable) -> Callable[[Tensor], Tensor]:
    """`transform` as a function of uint8 images [n, 3, H, W]; its random numbers come from PyTorch's generator."""
    match origin(transform):
        case "kornia":  # takes floats in 0..1
            return lambda x: 255 * transform(x.float() / 255)
        case "albumentations":
            return lambda x: _by_albumentations(transform, x)
    return transform


def _by_albumentations(transform: Callable, x: Tensor) -> Tensor:
    """`transform` drawn once for arrays [n, H, W, 3], from the generator that it has of its own."""
    transform.set_random_seed(int(torch.randint(2**32, ())))
    made = transform(images=x.permute(0, 2, 3, 1).contiguous().cpu().numpy())["images"]
    if not isinstance(made, Tensor):  # as it is after ToTensorV2
        made = torch.from_numpy(np.ascontiguousarray(made)).permute(0, 3, 1, 2)
    return made.to(x.device)
