"""Fixtures shared by all tests; those that need real data skip, with the reason, where it is missing."""

import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cifar100_dir() -> Path:
    """The folder that holds real CIFAR-100 (named by KDUTILS_DATA), or a skip."""
    folder = os.environ.get("KDUTILS_DATA")
    if not folder or not (Path(folder) / "cifar100.npz").is_file():
        pytest.skip("real CIFAR-100 not found: set KDUTILS_DATA to a folder with cifar100.npz")
    return Path(folder)


@pytest.fixture(scope="session")
def resnet56_weights(cifar100_dir: Path) -> Path:
    """Weights of a trained CIFAR-100 resnet56 beside the data, or a skip."""
    path = cifar100_dir / "cifar100_resnet56.pth"
    if not path.is_file():
        pytest.skip(f"no teacher weights at {path.name} beside the data")
    return path
