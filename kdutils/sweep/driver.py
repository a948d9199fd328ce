"""Many runs at once: `sweep(grid(...))` makes what the store does not hold yet, and returns all of it as one table.

Killed, interrupted or out of time, a sweep is started again by the same line and goes on where it stopped.
"""

import math
import signal
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from kdutils.errors import UserError
from kdutils.inference import devices
from kdutils.runs import RunSpec, Store, students, teacher_spec, title
from kdutils.sweep.jobs import PATIENCE, Board, Job
from kdutils.sweep.local import Engine, InProcess, Pool, default_workers
from kdutils.sweep.worker import SchedulerLost

SHOWN = 3  # failures that the warning spells out


def sweep(
    specs: Sequence[RunSpec],
    store: str | Path | None = None,
    workers: int | None = None,
    budget: float | None = None,
    scheduler: str | None = None,
) -> pd.DataFrame:
    """Make all runs that the store does not hold; return one row per specification, in their order.

    Columns: the fields of RunSpec, `test_loss` (nats), `test_accuracy` (per cent), `key`, `status` (done, failed,
    stopped or waiting) and `error`. A run that fails is warned of and does not stop the others. `workers` processes
    of one thread each; None: see `local.default_workers`; 0: in this process, one after another. After `budget`
    seconds nothing runs any more: what does not fit is stopped, with a checkpoint, or not started. `scheduler`: a Dask
    scheduler's address or file, whose workers then make the runs (see `on_dask`).
    """
    specs, shelf = list(specs), Store(store)
    if not specs:
        raise UserError("nothing to run: the sweep is empty")
    for spec in specs:
        spec.fetch()
    device = _one_device(specs, scheduler)
    jobs = plan(specs, shelf)
    if not scheduler:  # whose workers have the images, while this machine may not
        refuse_misfits(jobs, {spec.key() for spec in specs})
    if jobs:
        shelf.check()
        engine = _engine(jobs, default_workers(device) if workers is None else workers, scheduler, device)
        board = Board(jobs, shelf, budget)
        try:
            _drive(board, engine)
        except SchedulerLost as lost:
            board.close(str(lost))
            lost.table = _table(specs, shelf, jobs)
            raise
        _warn(jobs)
    return _table(specs, shelf, jobs)


def plan(specs: Iterable[RunSpec], shelf: Store) -> dict[str, Job]:
    """What is to be made, by key, in the order asked for; nothing twice, nothing that the store holds.

    A teacher comes right before the first of its students, so that a sweep cut short by its budget has finished what
    was asked for first. One whose weights are not in the store (any more) is to be made, whatever its result says.
    """
    jobs: dict[str, Job] = {}
    for spec in specs:
        key, needs = spec.key(), ""
        if key in jobs or shelf.read(key) is not None:
            continue
        if spec.teacher and not spec.teacher_weights:
            teacher = teacher_spec(spec)
            needs = teacher.key()
            if needs not in jobs and shelf.read(needs, weights=True) is None:
                jobs[needs] = Job(teacher)
        jobs[key] = Job(spec, needs if needs in jobs else "")
    return jobs


def refuse_misfits(jobs: dict[str, Job], asked: set[str]) -> None:
    """Fail runs that cannot be before a teacher is trained for them; drop teachers that nobody needs then."""
    for job in jobs.values():
        if job.needs:
            try:
                students.check(job.spec)
            except UserError as error:
                job.status, job.error, job.needs = "failed", str(error), ""
    needed = asked | {job.needs for job in jobs.values()}
    for key in jobs.keys() - needed:
        del jobs[key]


def _one_device(specs: Sequence[RunSpec], scheduler: str | None) -> str:
    """The device that all runs ask for, which a scheduler's workers have and this machine may not; UserError if not."""
    asked = {spec.device for spec in specs}
    if len(asked) > 1:
        raise UserError(f"a sweep has one device, not {', '.join(sorted(asked))}: cuda and xpu use all of their kind")
    (device,) = asked
    if not scheduler:
        devices.find(device)
    return device


def _engine(jobs: dict[str, Job], workers: int, scheduler: str | None, device: str) -> Engine:
    """Where the runs are made; workers must be able to find every name in kdutils itself."""
    if workers < 0:
        raise UserError(f"workers={workers}: a number of processes, or 0 to run in this one")
    if workers == 0 and not scheduler:
        return InProcess()
    for job in jobs.values():
        if own := job.spec.own_code():
            raise UserError(
                f"registered in this process, and unknown to worker processes: {', '.join(own)}. "
                "Use workers=0 to run here"
            )
    if scheduler:
        from kdutils.sweep.on_dask import Cluster  # needs an optional dependency

        return Cluster(scheduler)
    return Pool(min(workers, len(jobs)), device)


def _drive(board: Board, engine: Engine) -> None:
    """Start what can be started and take in what happens, until nothing is left that could be."""
    with board.bar, _terminated_as_interrupted():
        try:
            while not board.finished():
                while engine.free() and (key := board.next()):
                    engine.start(key, board.task(key))
                for event in engine.wait(PATIENCE):
                    board.take(event)
        finally:
            last = engine.close()
    for event in last:  # what the budget has stopped
        board.take(event)
    board.close()


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM, by which Slurm and `docker stop` end a program, do what Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():  # only that one may say what a signal does
        yield
        return

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it often comes twice, as from `timeout`: to process and group
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _warn(jobs: dict[str, Job]) -> None:
    """One warning for all runs that failed."""
    failed = [f"{title(job.spec)}: {job.error}" for job in jobs.values() if job.status == "failed"]
    if failed:
        more = f"\n(and {len(failed) - SHOWN} more; see the column error)" if len(failed) > SHOWN else ""
        said = "\n".join(failed[:SHOWN])
        warnings.warn(f"{len(failed)} of {len(jobs)} runs failed:\n{said}{more}", stacklevel=3)


def _table(specs: list[RunSpec], shelf: Store, jobs: dict[str, Job]) -> pd.DataFrame:
    rows = []
    for spec in specs:
        key = spec.key()
        known, job = shelf.read(key), jobs.get(key)
        result = known["result"] if known else {}
        rows.append(
            {
                **spec.model_dump(),
                "test_loss": result.get("test_loss", math.nan),
                "test_accuracy": result.get("test_accuracy", math.nan),
                "key": key,
                "status": "done" if known else job.status,
                "error": "" if known else job.error,
            }
        )
    return pd.DataFrame(rows)
