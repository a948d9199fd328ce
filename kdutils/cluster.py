"""Runs on the workers of a Dask scheduler. The engine is Dask's; results go through the store, which all must share."""

import os
import queue
import time
import uuid
import warnings
from pathlib import Path
from typing import Any

import torch

from kdutils.errors import UserError
from kdutils.pool import GRACE
from kdutils.worker import Event, perform

try:
    import distributed
except ImportError:
    distributed = None

CONNECT_SECONDS = 10
PLACES = ("data_dir", "teacher_weights")  # fields of a run that name files


class Cluster:
    """An engine (see `pool.Engine`) for the scheduler at an address such as tcp://host:8786, or in a scheduler file."""

    def __init__(self, scheduler: str) -> None:
        if distributed is None:
            raise UserError("a scheduler needs Dask: install kdutils with its extra, kdutils[cluster]")
        self.client = _connect(scheduler)
        if not self.client.nthreads():
            warnings.warn(f"the Dask scheduler at {scheduler} has no workers yet; waiting for some", stacklevel=4)
        self.topic = f"kdutils-{uuid.uuid4().hex}"  # of this sweep's events, and of its wish to stop
        self.happened: queue.Queue[Event] = queue.Queue()
        self.running: dict[str, distributed.Future] = {}
        self.client.subscribe_topic(self.topic, lambda event: self.happened.put(Event(*event[1])))

    def free(self) -> bool:
        """Whether fewer runs are under way than there are workers; workers may come and go."""
        return len(self.running) < len(self.client.nthreads())

    def start(self, key: str, task: dict[str, Any]) -> None:
        """Hand a run to the scheduler, whose own retries cover a worker that dies."""
        values = {name: _absolute(value) if name in PLACES else value for name, value in task["values"].items()}
        task = {**task, "values": values, "store": _absolute(task["store"])}
        future = self.client.submit(perform_on_worker, task, self.topic, key=f"{self.topic}-{key}", pure=False)
        self.running[key] = future
        future.add_done_callback(lambda done: self.happened.put(_end(key, done)))

    def wait(self, seconds: float) -> list[Event]:
        """What has happened; see `pool.Engine`."""
        try:
            happened = [self.happened.get(timeout=seconds)]
        except queue.Empty:
            return []
        while not self.happened.empty():
            happened.append(self.happened.get())
        for event in happened:
            if event.kind not in ("epoch", "warning"):
                self.running.pop(event.key, None)
        return happened

    def close(self) -> list[Event]:
        """Ask what still runs to stop after its epoch; what has not by then is left to finish on its worker."""
        happened, last = [], time.monotonic() + GRACE
        if self.running:
            distributed.Event(self.topic, client=self.client).set()
        while self.running and time.monotonic() < last:
            happened += self.wait(0.1)
        self.client.cancel(list(self.running.values()))
        self.client.unsubscribe_topic(self.topic)
        self.client.close()
        return happened


def perform_on_worker(task: dict[str, Any], topic: str) -> Event:
    """`worker.perform` on a Dask worker: epochs are told through the scheduler, which also knows when to stop."""
    worker, stop = distributed.get_worker(), distributed.Event(topic)
    try:
        return perform(**task, report=lambda event: worker.log_event(topic, list(event)), asked=stop.is_set)
    except torch.AcceleratorError:  # this process is lost to the GPU: let Dask start another, and the run anew there
        os._exit(1)


def _connect(scheduler: str) -> "distributed.Client":
    try:
        if "://" in scheduler:
            return distributed.Client(scheduler, timeout=CONNECT_SECONDS)
        if not Path(scheduler).is_file():
            raise UserError(f"{scheduler} is neither an address, such as tcp://host:8786, nor a scheduler file")
        return distributed.Client(scheduler_file=scheduler, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"no Dask scheduler answers at {scheduler}: start one with `dask scheduler`") from error


def _end(key: str, future: "distributed.Future") -> Event:
    """How a task ended, by itself or with its workers."""
    if future.status == "finished":
        return Event(*future.result())._replace(key=key)
    if future.status == "cancelled":
        return Event(key, "stopped", text="cancelled")
    error = future.exception()
    if isinstance(error, distributed.KilledWorker):
        return Event(key, "died", text="as Dask says")
    return Event(key, "failed", text=f"on its Dask worker: {type(error).__name__}: {error}")


def _absolute(place: str) -> str:
    """The whole path of what lies on this machine, which workers look for from another folder; other names stay."""
    return str(Path(place).resolve()) if place and Path(place).exists() else place
