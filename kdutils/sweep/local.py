"""Runs on this machine: in worker processes of their own, or one after another in this one."""

import contextlib
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any, Protocol

import torch

from kdutils.errors import UserError
from kdutils.inference import devices
from kdutils.sweep.worker import Event, perform

WORKER = [sys.executable, "-m", "kdutils.sweep.worker"]
MASKS = {"cuda": "CUDA_VISIBLE_DEVICES", "xpu": "ZE_AFFINITY_MASK"}  # which of several a process sees
GRACE = 5.0  # seconds that a worker which was asked to stop has to leave a checkpoint


class Engine(Protocol):
    """Where runs are made. A task is the keyword arguments of `worker.perform`."""

    def free(self) -> bool:
        """Whether another run can be started now."""

    def start(self, key: str, task: dict[str, Any]) -> None:
        """Start a run."""

    def wait(self, seconds: float) -> list[Event]:
        """What has happened; as soon as something has, or after so many seconds."""

    def close(self) -> list[Event]:
        """Ask what still runs to stop, leaving a checkpoint, end it if it takes too long; what happened meanwhile."""


def default_workers(device: str = devices.AUTO) -> int:
    """How many runs at a time: the variable KDUTILS_WORKERS, else one per GPU of `device`, else one per core."""
    asked = os.environ.get("KDUTILS_WORKERS", "")
    if asked:
        if not re.fullmatch(r"[0-9]{1,4}", asked):
            raise UserError(f"KDUTILS_WORKERS={asked!r} must be a number of processes, 0 or more")
        return int(asked)
    if (found := devices.find(device)).type != "cpu":
        return 1 if found.index is not None else torch.accelerator.device_count()
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class InProcess:
    """No workers: each run is made here and now. Knows the schemes that the caller registered."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def free(self) -> bool:
        return not self.events

    def start(self, key: str, task: dict[str, Any]) -> None:
        self.events.append(perform(**task, report=self.events.append))

    def wait(self, seconds: float) -> list[Event]:
        if not self.events:
            time.sleep(seconds)
        happened, self.events = self.events, []
        return happened

    def close(self) -> list[Event]:
        return self.wait(0.0)


class Pool:
    """`workers` processes, one thread each; if `device` may be any of several GPUs, the workers take turns at them."""

    def __init__(self, workers: int, device: str = devices.AUTO) -> None:
        self.workers, self.device = workers, device
        self.happened: queue.Queue[tuple[_Process, Event | None]] = queue.Queue()
        self.processes: list[_Process] = []
        self.numbers = list(range(workers))

    def free(self) -> bool:
        return sum(process.key != "" for process in self.processes) < self.workers

    def start(self, key: str, task: dict[str, Any]) -> None:
        idle = [process for process in self.processes if not process.key]
        process = idle[0] if idle else self._hire()
        process.give(key, task)

    def _hire(self) -> "_Process":
        self.processes.append(_Process(self.numbers.pop(0), self.device, self.happened))
        return self.processes[-1]

    def wait(self, seconds: float) -> list[Event]:
        try:
            happened = [self.happened.get(timeout=seconds)]
        except queue.Empty:
            return []
        while not self.happened.empty():
            happened.append(self.happened.get())
        return [told for process, event in happened if (told := self._take(process, event))]

    def _take(self, process: "_Process", event: Event | None) -> Event | None:
        """Note that a worker has become idle, or is gone (no event)."""
        key = process.key
        if event is None:
            self.processes.remove(process)
            self.numbers.insert(0, process.number)
            how = process.bury()
            return Event(key, "died", text=how) if key else None
        if event.kind not in ("epoch", "warning"):
            process.key = ""
        return event._replace(key=key)

    def close(self) -> list[Event]:
        for process in self.processes:
            process.ask_to_stop()
        last = time.monotonic() + GRACE
        for process in self.processes:
            process.end(max(0.0, last - time.monotonic()))
        return [event for event in self.wait(0.0) if event.kind != "died"]


class _Process:
    """One worker process, and the thread that reads its events."""

    def __init__(self, number: int, device: str, happened: "queue.Queue[tuple[_Process, Event | None]]") -> None:
        self.number, self.key = number, ""
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the worker)
        self.process = subprocess.Popen(
            WORKER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=_environment(number, device),
            text=True,
        )
        self.reader = threading.Thread(target=self._read, args=(happened,), daemon=True)
        self.reader.start()

    def _read(self, happened: "queue.Queue[tuple[_Process, Event | None]]") -> None:
        for line in self.process.stdout:
            if line.startswith("[") and line.endswith("]\n"):  # a killed worker's last line may be cut
                happened.put((self, Event(*json.loads(line))))
        happened.put((self, None))

    def give(self, key: str, task: dict[str, Any]) -> None:
        """Hand over a run. A worker that died unseen takes nothing: its end is reported as any other's."""
        self.key = key
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps({**task, "given": time.monotonic()}) + "\n")
            self.process.stdin.flush()

    def bury(self) -> str:
        """How the process ended, and the last line that it wrote as an error."""
        code = self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").splitlines()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()
        how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
        return f"{how}{': ' + lines[-1] if lines else ''}"

    def ask_to_stop(self) -> None:
        """No more runs, and a checkpoint after the present epoch."""
        if self.key:
            self.process.terminate()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def end(self, grace: float) -> None:
        """Wait for the end; make it one after `grace` seconds."""
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join()


def _environment(number: int, device: str) -> dict[str, str]:
    """One thread per worker; of several GPUs, if `device` names no single one, one of them."""
    environment, found = {**os.environ, "OMP_NUM_THREADS": "1"}, devices.find(device)
    if found.type in MASKS and found.index is None:
        mask = MASKS[found.type]
        visible = [gpu for gpu in os.environ.get(mask, "").split(",") if gpu]
        gpus = visible or [str(gpu) for gpu in range(torch.accelerator.device_count())]
        environment[mask] = gpus[number % len(gpus)]
    return environment
