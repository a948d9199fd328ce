"""Processes that the tests of sweeps start and watch."""

import os
import subprocess
import threading
from collections.abc import Callable

import pytest
from tqdm import tqdm

from kdutils.sweep import local


def in_child(work: Callable[[], object]) -> int:
    """Start `work` in a forked child; returns its process id."""
    child = os.fork()
    if child == 0:
        tqdm.set_lock(threading.RLock())  # all share this process's: killed while it holds that, a child would stop us
        try:
            work()
        finally:
            os._exit(0)
    return child


def told_by_child(work: Callable[[], str]) -> str:
    """What `work` returns, or the error that it ends in, in a forked child."""

    def tell() -> None:
        try:
            said = work()
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())

    reading, writing = os.pipe()
    child = in_child(tell)
    os.close(writing)
    with open(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


class Workers:
    """The worker processes that sweeps start."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started: list[subprocess.Popen] = []
        start = local.subprocess.Popen

        def remember(*words: object, **options: object) -> subprocess.Popen:
            self.started.append(start(*words, **options))
            return self.started[-1]

        monkeypatch.setattr(local.subprocess, "Popen", remember)
