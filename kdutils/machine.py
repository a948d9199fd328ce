"""Where and when something was computed, for people who read a result later. No host name, no path."""

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

PACKAGES = ("kdutils", "torch", "torchvision", "numpy", "scipy", "pandas")


def made() -> dict[str, str]:
    """The `date` (UTC), the `machine` and the `versions` of this very computation."""
    named = [f"{name} {version(name)}" for name in PACKAGES]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": ", ".join(["Python " + platform.python_version(), *named]),
    }


def machine() -> str:
    """The processor, its cores and the GPU, if any."""
    names = re.findall(r"^model name\s*:\s*(.+)$", _cpu_information(), re.MULTILINE)
    cpu = names[0] if names else platform.processor() or platform.machine()
    gpu = f", {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else ""
    return f"{cpu}, {os.cpu_count()} cores{gpu}, {platform.system()}"


def _cpu_information() -> str:
    """What Linux says of its processor, else nothing."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
