"""A worker process: `python -m kdutils.sweep.worker` makes runs, one by one, as its standard input asks for them.

One JSON line in is a task, `{"values": {...}, "store": folder, "seconds": time left or null, "given": when}`; one JSON
line out an event. Results go through the store only. When its input ends or its reader is gone, so is the worker.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import pandas as pd
import torch

from kdutils import runs
from kdutils._files import write_text
from kdutils.errors import UserError
from kdutils.runs import RunSpec, Store
from kdutils.runs.store import TRACEBACK, Busy

ONE_AT_A_TIME = (
    threading.Lock()
)  # runs seed torch's global generator: two threads of a process would disturb each other


class Event(NamedTuple):
    """What happened to a run: an epoch ended, or the whole of it, for one reason or another."""

    key: str
    kind: Literal["epoch", "done", "failed", "stopped", "busy", "died", "warning"]
    epochs: int = 0
    seconds: float = 0.0  # that the last epoch took
    text: str = ""


class SchedulerLost(UserError):
    """The connection to the scheduler of the workers broke in the middle of a sweep; `table` is how far it was."""

    table: pd.DataFrame


class Watch:
    """Reports every epoch, and says when to stop: when asked to, or when the next epoch would end too late."""

    def __init__(self, report: Callable[[int, float], None], seconds: float | None, asked: Callable[[], bool]) -> None:
        self.report, self.asked = report, asked
        self.last = time.monotonic()
        self.deadline = float("inf") if seconds is None else self.last + seconds
        self.longest = 0.0

    def __call__(self, epochs_done: int) -> bool:
        now = time.monotonic()
        took, self.last = now - self.last, now
        self.longest = max(self.longest, took)
        self.report(epochs_done, took)
        return self.asked() or now + self.longest > self.deadline


def perform(
    values: dict[str, Any],
    store: str,
    seconds: float | None = None,
    report: Callable[[Event], None] = lambda event: None,
    asked: Callable[[], bool] = lambda: False,
    wait: float = 0,
) -> Event:
    """Make the run with these fields and say how it ended; epochs and warnings are reported on the way.

    Only Ctrl-C, a kill and an error of the GPU itself get out of here as anything else than an event. After the last
    nothing works on that GPU in this process any more: it has to end, and another one to go on.
    """
    key = ""
    with ONE_AT_A_TIME, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            spec = RunSpec(**values)
            key = spec.key()
            watch = Watch(lambda epochs, took: report(Event(key, "epoch", epochs, took)), seconds, asked)
            runs.run(spec, store, watch, wait, weights=True)
            end = Event(key, "done")
        except Busy as error:
            end = Event(key, "busy", text=str(error))
        except runs.Stopped as error:
            end = Event(key, "stopped", text=str(error))
        except UserError as error:
            end = Event(key, "failed", text=str(error))
        except torch.AcceleratorError:
            raise
        except Exception as error:  # whatever it is, it must not take the other runs with it
            end = Event(key, "failed", text=_keep_traceback(error, store, key))
    for warning in caught:
        report(Event(key, "warning", text=str(warning.message)))
    return end


def _keep_traceback(error: Exception, store: str, key: str) -> str:
    """Leave the traceback beside the run, and say in one line what happened and where to read more."""
    path = Store(store).path(key, TRACEBACK)
    said = f"{type(error).__name__}: {error}".splitlines()[0]
    try:
        write_text(path, "".join(traceback.format_exception(error)))
    except UserError:
        return said
    return f"{said} (traceback in {path})"


def main() -> None:
    """Read tasks, write events, until the input ends."""
    torch.set_num_threads(1)
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what else is printed must not end up among the events
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C goes to the whole group; the sweep then asks us to stop

    def report(event: Event) -> None:
        lines.write(json.dumps(event) + "\n")

    try:
        for line in sys.stdin:
            task = json.loads(line)
            given = task.pop("given", time.monotonic())
            if task.get("seconds") is not None:  # this process may have taken a while to start
                task["seconds"] -= time.monotonic() - given
            if stopping.is_set():  # told to end between two runs: this one goes to another worker
                break
            report(perform(**task, report=report, asked=stopping.is_set))
    except BrokenPipeError:  # the sweep is gone; every finished epoch of the last minute is in a checkpoint
        os._exit(1)


if __name__ == "__main__":
    main()
