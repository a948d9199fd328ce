"""Fixtures shared by all tests; those that need real data skip, with the reason, where it is missing."""

import gc
import multiprocessing
import os
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import torch

import kdutils  # before any test module imports torchvision: see kdutils/_torchvision.py
from tests.faults import case

torch.set_num_threads(1)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: tests of limits of time, and of processes that end, mostly wait."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of modules are loaded and stay: they are no garbage, and need not be looked through for it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files marked as long come first, so that no process is left alone with one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session", autouse=True)
def _one_server_of_forks() -> None:
    """Python has one server of forks per process: whichever test starts it, it imports what the others need too."""
    multiprocessing.set_forkserver_preload(case.PRELOAD)


@pytest.fixture(scope="module", autouse=True)
def _no_thread_stays_busy() -> Iterator[None]:
    """A file of tests leaves no thread behind that takes a core from all tests after it."""
    yield
    assert any(_idle() for _ in range(100)), "a thread that a test started, here or in a file before, goes on and on"


def _idle() -> bool:
    """Whether this process computes nothing while its main thread sleeps."""
    before = time.process_time()
    time.sleep(0.03)
    return time.process_time() - before < 0.01


@pytest.fixture(autouse=True)
def _nothing_read_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test starts as a notebook does: no recorded run has been read in its process."""
    monkeypatch.setattr(kdutils.report.recorded_runs, "_used", {})


@pytest.fixture(scope="session")
def digits() -> "kdutils.data.Dataset":
    """1,000 training and 797 test images."""
    return kdutils.data.load("digits")


@pytest.fixture(scope="session")
def teacher(digits) -> "kdutils.models.Network":
    """A tiny network briefly trained on digits, in eval mode: about 85 % right, not confident. Not to be changed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = kdutils.models.build("tiny", len(digits.classes), digits.image_size)
    progress = kdutils.training.Training(network, kdutils.losses.build("ce"), digits, kdutils.training.Schedule(8))
    for _ in range(8):
        progress.epoch()
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def teacher_file(teacher, tmp_path_factory) -> Path:
    """The weights of `teacher`."""
    path = tmp_path_factory.mktemp("teacher") / "tiny.safetensors"
    kdutils.models.save_weights(teacher, path)
    return path


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


@pytest.fixture(scope="session")
def tinyimagenet_dir() -> Path:
    """The folder that holds real Tiny ImageNet or a cut of it (named by KDUTILS_DATA), or a skip."""
    folder = os.environ.get("KDUTILS_DATA")
    if not folder or not [*Path(folder).glob("tiny-imagenet-200*")]:
        pytest.skip("real Tiny ImageNet not found: set KDUTILS_DATA to a folder with tiny-imagenet-200*.zip")
    return Path(folder)
