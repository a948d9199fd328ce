"""The precisions that networks compute in, and whether this processor is any faster in 16 bits."""

import functools
import time
import warnings

import torch
import torch.nn.functional as F
from torch import Tensor

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SLOW = "bfloat16 is slow here"  # what the warning begins with
NOISE = 1.2  # a time that is longer by less may be chance
CALLS = 20


def warn_if_slow(device: torch.device | str, *precisions: str) -> None:
    """Warn, once per process, if bfloat16 is among `precisions` and this CPU is slower in it than in float32."""
    if "bfloat16" in precisions and torch.device(device).type == "cpu":
        _measure_and_warn()


@functools.cache
def _measure_and_warn() -> None:
    ratio = bfloat16_time()
    if ratio > NOISE:
        warnings.warn(
            f"{SLOW}: a convolution takes {ratio:.2g} times as long as in float32, because this processor has no "
            "instructions for bfloat16. Leave the precision at float32.",
            stacklevel=4,
        )


def bfloat16_time() -> float:
    """How long a small convolution takes on this CPU in bfloat16, as a multiple of its time in float32."""
    shapes = (8, 16, 32, 32), (16, 16, 3, 3)
    x, weight = (torch.ones(shape).contiguous(memory_format=torch.channels_last) for shape in shapes)
    return _seconds(x.bfloat16(), weight.bfloat16()) / _seconds(x, weight)


@torch.inference_mode()
def _seconds(x: Tensor, weight: Tensor) -> float:
    """The process's own time for some convolutions, after one that warms up: other processes do not count."""
    for call in range(1 + CALLS):
        F.conv2d(x, weight, padding=1)
        if call == 0:
            begin = time.process_time()
    return time.process_time() - begin
