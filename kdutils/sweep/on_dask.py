"""Runs on the workers of a Dask scheduler. The engine is Dask's; results go through the store, which all must share."""

import itertools
import json
import os
import queue
import time
import uuid
import warnings
from pathlib import Path
from typing import Any

import torch

from kdutils.errors import UserError
from kdutils.models import in_file
from kdutils.sweep.local import GRACE
from kdutils.sweep.worker import Event, SchedulerLost, perform

try:
    import distributed
except ImportError:
    distributed = None

CONNECT_SECONDS = 10
PLACES = ("data_dir", "teacher_weights")  # fields of a run that name files
NETWORKS = ("teacher", "student")  # these may be a function in a file


class Cluster:
    """An engine (see `local.Engine`) for the scheduler at an address like tcp://host:8786, or in a scheduler file."""

    def __init__(self, scheduler: str) -> None:
        if distributed is None:
            raise UserError("a scheduler needs Dask: install kdutils with its extra, kdutils[cluster]")
        self.client = _connect(scheduler)
        if not self.client.nthreads():
            warnings.warn(f"the Dask scheduler at {scheduler} has no workers yet; waiting for some", stacklevel=4)
        self.address = self.client.scheduler.address
        self.topic = f"kdutils-{uuid.uuid4().hex}"  # of this sweep's events, and of its wish to stop
        self.happened: queue.Queue[Event] = queue.Queue()
        self.tries = itertools.count()  # Dask must not take a second try for the first
        self.running: dict[str, distributed.Future] = {}
        self.client.subscribe_topic(self.topic, lambda event: self.happened.put(Event(*event[1])))

    def free(self) -> bool:
        """Whether fewer runs are under way than there are workers; workers may come and go."""
        self._check()
        try:
            return len(self.running) < len(self.client.nthreads())
        except OSError:
            raise self._lost() from None

    def start(self, key: str, task: dict[str, Any]) -> None:
        """Hand a run to the scheduler, whose own retries cover a worker that dies."""
        task = {**task, "values": _from_anywhere(task["values"]), "store": _absolute(task["store"])}
        name = f"{self.topic}-{key}-{next(self.tries)}"
        future = self.client.submit(perform_on_worker, task, self.topic, key=name, pure=False)
        self.running[key] = future
        future.add_done_callback(lambda done: self.happened.put(_end(key, done)))

    def wait(self, seconds: float) -> list[Event]:
        """What has happened; see `local.Engine`."""
        try:
            happened = [self.happened.get(timeout=seconds)]
        except queue.Empty:
            happened = []
        self._check()
        while not self.happened.empty():
            happened.append(self.happened.get())
        for event in happened:
            if event.kind not in ("epoch", "warning"):
                self.running.pop(event.key, None)
        return happened

    def close(self) -> list[Event]:
        """Ask what still runs to stop after its epoch; what has not by then is left to finish on its worker."""
        happened, last = [], time.monotonic() + GRACE
        try:
            if self.running:
                distributed.Event(self.topic, client=self.client).set()
            while self.running and time.monotonic() < last:
                happened += self.wait(0.1)
            self.client.cancel(list(self.running.values()))
            self.client.unsubscribe_topic(self.topic)
        except (OSError, SchedulerLost):
            pass
        self.client.close()
        return happened

    def _check(self) -> None:
        if self.client.status != "running":  # it may find the scheduler again, but not what it had asked for
            raise self._lost()

    def _lost(self) -> SchedulerLost:
        return SchedulerLost(
            f"the Dask scheduler at {self.address} is gone; what is finished is kept, checkpoints too: "
            "start it and run the same again"
        )


def perform_on_worker(task: dict[str, Any], topic: str) -> Event:
    """`worker.perform` on a Dask worker: epochs are told through the scheduler, which also knows when to stop."""
    worker, stop = distributed.get_worker(), distributed.Event(topic)

    def asked() -> bool:
        try:
            return worker.status != distributed.Status.running or stop.is_set()
        except Exception:  # of many kinds; nobody is left to work for
            return True

    try:
        return perform(**task, report=lambda event: worker.log_event(topic, list(event)), asked=asked)
    except torch.AcceleratorError:  # this process is lost to the GPU: let Dask start another, and the run again there
        os._exit(1)


def _connect(scheduler: str) -> "distributed.Client":
    address = _address(scheduler)
    client = distributed.Client.__new__(distributed.Client)
    try:
        client.__init__(address, timeout=CONNECT_SECONDS)
        return client
    except (OSError, ValueError, TypeError, ImportError) as error:
        client.__del__()  # now: collected while another client starts, it would wait for a lock of that one for ever
        raise UserError(f"no Dask scheduler answers at {scheduler}: start one with `dask scheduler`") from error


def _address(scheduler: str) -> str:
    """The address itself, or the one that a scheduler file holds."""
    if "://" in scheduler:
        return scheduler
    path = Path(scheduler)
    if not path.is_file():
        raise UserError(f"{scheduler} is neither an address, such as tcp://host:8786, nor a scheduler file")
    try:
        address = json.loads(path.read_text(encoding="utf-8"))["address"]
        if not isinstance(address, str):
            raise TypeError
        return address
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no scheduler file: `dask scheduler --scheduler-file` writes one") from error


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


def _from_anywhere(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a run with whole paths in place of those from this folder."""
    whole = dict(values)
    for name in values.keys() & set(PLACES):
        whole[name] = _absolute(values[name])
    for name in values.keys() & set(NETWORKS):
        if in_file(values[name]):
            file, _, function = values[name].rpartition(":")
            whole[name] = f"{_absolute(file)}:{function}"
    return whole


def _absolute(place: str) -> str:
    """The whole path of what lies on this machine, which workers look for from another folder; other names stay."""
    return str(Path(place).resolve()) if place and Path(place).exists() else place
