"""Many runs at once: `sweep(grid(...))` makes what the store does not hold yet, and returns all of it as one table.

Killed, interrupted or out of time, a sweep is started again by the same line and goes on where it stopped.
"""

import itertools
import math
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kdutils import augment, data, losses, models
from kdutils.board import PATIENCE, Board, Job
from kdutils.errors import UserError
from kdutils.pool import Engine, InProcess, Pool, default_workers
from kdutils.runs import RunSpec, distrust, has_student, teacher_spec, title
from kdutils.specs import NO_SCHEME
from kdutils.store import Store

SHOWN = 3  # failures that the warning spells out


def grid(**lists: Any) -> list[RunSpec]:
    """All combinations of the fields of RunSpec that are given, as values or as lists of values; the last varies first.

    `pair="resnet56/resnet20"` (or a list of such) names teacher and student together. `{teacher}` in
    `teacher_weights` stands for the teacher's name.
    """
    axes = {name: list(v) if isinstance(v, Iterable) and not isinstance(v, str) else [v] for name, v in lists.items()}
    empty = [name for name, values in axes.items() if not values]
    if empty:
        raise UserError(f"the grid is empty: no value for {', '.join(empty)}")
    return [_spec(dict(zip(axes, values, strict=True))) for values in itertools.product(*axes.values())]


def _spec(values: dict[str, Any]) -> RunSpec:
    if "pair" in values:
        teacher, slash, student = values.pop("pair").partition("/")
        if not slash:
            raise UserError(f"a pair is written teacher/student, such as resnet56/resnet20, not {teacher!r}")
        if twice := {"teacher", "student"} & values.keys():
            raise UserError(f"a pair names teacher and student; leave out the pair, or {' and '.join(sorted(twice))}")
        values |= {"teacher": teacher, "student": student}
    if "student" not in values:
        raise UserError("name at least one student, or a pair teacher/student")
    if "teacher_weights" in values:
        values["teacher_weights"] = str(values["teacher_weights"]).replace("{teacher}", values.get("teacher", ""))
    return RunSpec(**values)


def sweep(
    specs: Sequence[RunSpec],
    store: str | Path | None = None,
    workers: int | None = None,
    budget: float | None = None,
    scheduler: str | None = None,
) -> pd.DataFrame:
    """Make all runs that the store does not hold; return one row a specification, in their order.

    Columns: the fields of RunSpec, `test_loss` (nats), `test_accuracy` (per cent), `key`, `status` (done, failed,
    stopped or waiting) and `error`. A run that fails is warned of and does not stop the others. `workers` processes
    of one thread each; None: see `pool.default_workers`; 0: in this process, one after another. After `budget`
    seconds nothing runs any more: what does not fit is stopped, with a checkpoint, or not started. `scheduler`: a Dask
    scheduler's address or file, whose workers then make the runs (see `cluster`).
    """
    specs, shelf = list(specs), Store(store)
    if not specs:
        raise UserError("nothing to run: the sweep is empty")
    jobs = plan(specs, shelf)
    if jobs:
        shelf.check()
        for key in jobs:
            distrust(shelf, key)
        engine = _engine(jobs, default_workers() if workers is None else workers, scheduler)
        _drive(jobs, engine, shelf, budget)
        _warn(jobs)
    return _table(specs, shelf, jobs)


def plan(specs: Iterable[RunSpec], shelf: Store) -> dict[str, Job]:
    """What is to be made, by key, in the order asked for; nothing twice, nothing that the store holds.

    A teacher comes right before the first of its students, so that a sweep cut short by its budget has finished what
    was asked for first. One whose weights are not in the store (any more) is to be made, whatever its result says.
    """
    jobs: dict[str, Job] = {}
    for spec in specs:
        needs = ""
        if spec.teacher and not spec.teacher_weights:
            teacher = teacher_spec(spec)
            needs = teacher.key()
            if needs not in jobs and not has_student(shelf, needs):
                jobs[needs] = Job(teacher)
        key = spec.key()
        if key not in jobs and shelf.read(key) is None:
            jobs[key] = Job(spec, needs if needs in jobs else "")
    return jobs


def _engine(jobs: dict[str, Job], workers: int, scheduler: str | None) -> Engine:
    """Where the runs are made; workers must be able to find every name in kdutils itself."""
    if workers < 0:
        raise UserError(f"workers={workers}: a number of processes, or 0 to run in this one")
    if workers == 0 and not scheduler:
        return InProcess()
    for job in jobs.values():
        for kind, name, made in _registered(job.spec):
            made = getattr(made, "func", made)  # of a functools.partial
            if made.__module__.partition(".")[0] != "kdutils":
                raise UserError(
                    f"the {kind} {name!r} was registered in this process, and worker processes do not know it: "
                    "use workers=0 to run here"
                )
    if scheduler:
        from kdutils.cluster import Cluster  # needs an optional dependency

        return Cluster(scheduler)
    return Pool(min(workers, len(jobs)))


def _registered(spec: RunSpec) -> Iterable[tuple[str, str, Any]]:
    """What the names of a specification stand for."""
    yield "dataset", spec.dataset, data.DATASETS[spec.dataset]
    yield "method", spec.method, losses.METHODS[spec.method]
    for name in filter(None, (spec.teacher, spec.student)):
        yield "network", name, models.NETWORKS[name]
    if spec.scheme != NO_SCHEME:
        yield "scheme", spec.scheme, augment.SCHEMES[spec.scheme].fn


def _drive(jobs: dict[str, Job], engine: Engine, shelf: Store, budget: float | None) -> None:
    """Start what can be started and take in what happens, until nothing is left that could be."""
    board = Board(jobs, shelf, budget)
    try:
        with board.bar:
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
