"""The precisions that networks compute in: float32, or bfloat16 by a processor's instructions or by rounding."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
LAYERS = (F.conv2d, F.linear)  # which hold nearly all the work of a network


def layers_in(precision: torch.dtype, device: torch.device) -> AbstractContextManager:
    """Where a network's layers are computed in `precision` as fast as `device` can, for the thread that enters."""
    slow = precision == torch.bfloat16 and device.type == "cpu" and not has_bfloat16()
    return RoundedLayers() if slow else nullcontext()


def has_bfloat16() -> bool:
    """Whether PyTorch uses this CPU's vector instructions for a convolution in bfloat16."""
    return torch.backends.cpu.get_cpu_capability() == "AVX512"


class RoundedLayers(TorchFunctionMode):
    """Convolutions and linear layers in bfloat16 by float32: inputs, weights, results and gradients are rounded.

    The same arithmetic as the instructions', which multiply in 16 bits and add up in 32. Without them PyTorch's
    own convolution in bfloat16 takes many times as long as in float32; this one takes about as long.
    """

    def __torch_function__(
        self, function: Callable, types: tuple[type, ...], args: tuple = (), kwargs: dict | None = None
    ) -> object:
        kwargs = kwargs or {}
        if function not in LAYERS:
            return function(*args, **kwargs)
        with torch.autocast("cpu", enabled=False):
            rounded = {name: _rounded(value) for name, value in kwargs.items()}
            return function(*map(_rounded, args), **rounded).bfloat16()


def _rounded(value: object) -> object:
    return value.bfloat16().float() if isinstance(value, Tensor) else value
