"""Where a number comes from: the versions, the machine and the day."""

import datetime
import os
import platform
from importlib import metadata
from pathlib import Path

import torch

PACKAGES = ("kdutils", "torch", "torchvision", "numpy")


def provenance() -> dict[str, object]:
    """Versions of what the numbers depend on, the machine in words, and the date (UTC)."""
    return {
        "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES},
        "machine": machine(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def machine() -> str:
    """The processor, its cores, the threads in use and the GPU, if there is one, in words; no host name."""
    words = f"{_processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} thread(s) a process"
    if torch.cuda.is_available():
        words += f", {torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return words


def _processor() -> str:
    """The processor's name as Linux tells it, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
