"""Where and when something was computed, for people who read a result later. No host name, no path."""

import functools
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

PACKAGES = ("kdutils", "torch", "torchvision", "numpy", "scipy", "pandas")


def made(device: torch.device | None = None) -> dict[str, str]:
    """The `date` (UTC), the `machine`, the `versions` and, in a clone, the `commit` of this very computation.

    Also the kind of `device` that it was made on, if that is said.
    """
    named = [f"{name} {version(name)}" for name in PACKAGES]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": ", ".join(["Python " + platform.python_version(), *named]),
        **({"device": device.type} if device else {}),
        **commit(),
    }


@functools.cache
def commit() -> dict[str, str]:
    """The commit of the clone that this package lies in, `+` if its files changed since; else nothing."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        said = subprocess.run(
            [*git, "rev-parse", "--show-prefix", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        )
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "."], check=False).returncode
    except (OSError, subprocess.CalledProcessError):
        return {}
    folder, found = said.stdout.split()
    if folder != "kdutils/":  # installed within somebody else's repository
        return {}
    return {"commit": found + ("+" if changed else "")}


def machine() -> str:
    """The processor, its vector instructions as PyTorch uses them, its cores and the GPU, if any."""
    names = re.findall(r"^model name\s*:\s*(.+)$", _cpu_information(), re.MULTILINE)
    cpu = names[0] if names else platform.processor() or platform.machine()
    gpu = f", {name}" if (name := _accelerator()) else ""
    return f"{cpu}, {torch.backends.cpu.get_cpu_capability()}, {os.cpu_count()} cores{gpu}, {platform.system()}"


def _accelerator() -> str:
    """The model of this machine's accelerator, or its kind, as of Apple's; "" where there is none."""
    found = torch.accelerator.current_accelerator(check_available=True)
    if found is None:
        return ""
    tell = getattr(torch.get_device_module(found), "get_device_name", None)
    return tell(0) if tell else found.type


def _cpu_information() -> str:
    """What Linux says of its processor, else nothing."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
