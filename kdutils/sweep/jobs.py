"""What a sweep has to do, is doing and has done: which run comes next, and what an event means for it."""

import time
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from kdutils import augment
from kdutils.runs import NO_SCHEME, RunSpec, Store, title
from kdutils.sweep.worker import Event

DEATHS = 3  # a run is given up when this many workers died on it and it got no further in between
PATIENCE = 1.0  # seconds between two looks at a run that another process is making


@dataclass
class Job:
    """A run to be made, and how far it is."""

    spec: RunSpec
    needs: str = ""  # key of the teacher's own training, if that is to be made first
    status: str = "waiting"  # then running, and done, failed or stopped
    error: str = ""
    epochs: int | None = None  # done, as last heard; None before the first word
    furthest: int = 0
    deaths: int = 0
    not_before: float = 0.0

    def cost_alike(self) -> tuple:
        """What an epoch's duration depends on."""
        spec = self.spec
        picks = spec.scheme != NO_SCHEME and augment.find(spec.scheme).pick
        fields = ["dataset", "images_per_class", "teacher", "student", "method", "x_prime", "batch_size", "granularity"]
        alike = [getattr(spec, name) for name in (*fields, "precision", "student_precision", "device")]
        return (*alike, spec.scheme == NO_SCHEME, picks, picks and spec.pick_ratio)

    def epochs_left(self) -> int:
        """Epochs still to be made, as far as is known."""
        return self.spec.epochs - (self.epochs or 0)


class Board:
    """All jobs of a sweep, how long their epochs take, the time left, and the progress bar."""

    def __init__(self, jobs: dict[str, Job], shelf: Store, budget: float | None = None) -> None:
        self.jobs, self.shelf = jobs, shelf
        self.deadline = float("inf") if budget is None else time.monotonic() + budget
        self.seconds: dict[tuple, float] = {}  # an epoch's, by Job.cost_alike
        epochs = sum(job.spec.epochs for job in jobs.values() if job.status == "waiting")
        self.bar = tqdm(total=epochs, unit="epoch", disable=None)

    def time_left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def finished(self) -> bool:
        """Whether the time is up, or nothing runs and nothing can be started any more."""
        if self.time_left() <= 0:
            return True
        return not any(job.status == "running" or self._startable(job) for job in self.jobs.values())

    def next(self) -> str | None:
        """The key of the job to start now: the first that fits the time left, else the first of which an epoch does."""
        now = time.monotonic()
        ready = {key: job for key, job in self.jobs.items() if self._startable(job) and job.not_before <= now}
        for key, job in ready.items():
            if self._epoch(job) * job.epochs_left() <= self.time_left():
                return key
        return next(iter(ready), None)

    def _startable(self, job: Job) -> bool:
        """Whether a job waits for nothing but a free worker, and gets at least to its next checkpoint."""
        taught = not job.needs or self.jobs[job.needs].status == "done"
        return job.status == "waiting" and taught and self._epoch(job) < self.time_left()

    def _epoch(self, job: Job) -> float:
        """Seconds per epoch, from what was seen in this sweep; 0 if nothing was."""
        return self.seconds.get(job.cost_alike(), 0.0)

    def task(self, key: str) -> dict[str, Any]:
        """Mark a job as running, and say what its worker is to do."""
        job = self.jobs[key]
        job.status, job.epochs = "running", None
        self._show()
        left = self.time_left()
        values = job.spec.model_dump(exclude_defaults=True)
        return {"values": values, "store": str(self.shelf.folder), "seconds": None if left == float("inf") else left}

    def take(self, event: Event) -> None:
        """Note what has happened to a job."""
        job = self.jobs[event.key]
        match event.kind:
            case "warning":
                warnings.warn(f"{title(job.spec)}: {event.text}", stacklevel=4)
            case "epoch" if job.status == "running":  # from a cluster, words may come late
                self._advance(job, event)
            case "done":
                self._end(event.key, job)
            case "stopped":
                job.status, job.error = "stopped", event.text
            case "failed":
                self._fail(event.key, job, event.text)
            case "busy":  # another process makes this run: look again later, and do something else meanwhile
                job.status, job.not_before = "waiting", time.monotonic() + PATIENCE
            case "died":
                self._mourn(event.key, job, event.text)
        self._show()

    def _advance(self, job: Job, event: Event) -> None:
        gained, first = max(0, event.epochs - job.furthest), job.epochs is None
        if first:  # only says from which checkpoint the run goes on
            self.bar.total -= gained
        else:
            self.seconds[job.cost_alike()] = event.seconds
            self.bar.update(gained)
        job.epochs = event.epochs
        if gained:
            job.furthest, job.deaths = event.epochs, 0

    def _end(self, key: str, job: Job) -> None:
        """A run is done when its result can be read here, whatever its worker says."""
        if self.shelf.read(key) is None:
            self._fail(key, job, f"it ended, but {self.shelf.folder} has no result: do all workers share that folder?")
            return
        job.status = "done"
        self.bar.update(job.spec.epochs - job.furthest)

    def _fail(self, key: str, job: Job, why: str) -> None:
        """Give up a run, and those that needed it."""
        job.status, job.error = "failed", why
        self.bar.total -= job.spec.epochs - job.furthest
        if not self.bar.disable:
            self.bar.write(f"failed: {title(job.spec)}: {why}", file=self.bar.fp)
        for other_key, other in self.jobs.items():
            if other.needs == key:
                self._fail(other_key, other, f"its teacher was not trained: {why}")

    def _mourn(self, key: str, job: Job, how: str) -> None:
        """A worker died: another one goes on from the last checkpoint, unless that seems to be in vain."""
        job.deaths += 1
        job.status = "waiting"
        if job.deaths == DEATHS:
            self._fail(key, job, f"its worker died {DEATHS} times in a row ({how}); is there too little memory?")

    def close(self, why: str = "the time was up; its last checkpoint is kept") -> None:
        """What still ran has been stopped."""
        for job in self.jobs.values():
            if job.status == "running":
                job.status, job.error = "stopped", why

    def _show(self) -> None:
        states = Counter(job.status for job in self.jobs.values())
        self.bar.set_postfix_str(", ".join(f"{states[state]} {state}" for state in ("done", "running", "failed")))
