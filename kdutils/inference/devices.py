"""Where to compute: a device by its name, and what a program must not ask of every device."""

import os

import torch
from torch import Tensor

from kdutils.errors import UserError

AUTO = "auto"
WITHOUT_FLOAT64 = ("mps",)  # Apple's
EVERY = 50  # steps between two looks at what is checked at each


def find(name: str = AUTO) -> torch.device:
    """The device `name`: cpu, or an accelerator's, such as cuda, cuda:1, mps or xpu.

    "auto" is the variable KDUTILS_DEVICE, else this machine's accelerator, else the CPU. UserError, with the devices
    that there are, for one that is not on this machine.
    """
    wanted = os.environ.get("KDUTILS_DEVICE") or AUTO if name == AUTO else name
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if wanted == AUTO:
        return accelerator or torch.device("cpu")
    there = ["cpu"]
    if accelerator:
        there += [accelerator.type, *(f"{accelerator.type}:{n}" for n in range(torch.accelerator.device_count()))]
    if wanted not in there:
        by = f" (KDUTILS_DEVICE={wanted})" if name == AUTO else ""
        raise UserError(f"no device {wanted!r} on this machine{by}; choose one of: {AUTO}, {', '.join(there)}")
    return torch.device(wanted)


def check(name: str) -> str:
    """Return `name` if it names a device that some machine may have; else a UserError."""
    try:
        torch.device("cpu" if name == AUTO else name)
    except RuntimeError:
        raise UserError(f"unknown device {name!r}; write one as: {AUTO}, cpu, cuda, cuda:1, mps, xpu") from None
    return name


def double(x: Tensor) -> Tensor:
    """`x` in float64, on the CPU if its own device has none."""
    return (x.cpu() if x.device.type in WITHOUT_FLOAT64 else x).double()


class Findings:
    """The worst of what is found at each step, read at once on a CPU and every 50 steps elsewhere.

    A GPU runs behind the program that feeds it; reading a number at each step would make one wait for the other.
    """

    def __init__(self, every: int = EVERY) -> None:
        self.every, self.steps = every, 0
        self.worst: Tensor | None = None

    def add(self, figures: Tensor) -> list[float]:
        """Take in the figures [n] of one step, the higher the worse; returns `read()` if it is time, else nothing."""
        self.worst = figures if self.worst is None else torch.maximum(self.worst, figures)
        self.steps += 1
        return self.read() if figures.device.type == "cpu" or self.steps % self.every == 0 else []

    def read(self) -> list[float]:
        """The worst figures since they were read last; empty if there were none."""
        worst, self.worst = self.worst, None
        return [] if worst is None else worst.tolist()
