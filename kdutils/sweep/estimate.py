"""What runs will cost: floating-point operations and seconds, measured on a few steps of each kind of run."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from kdutils import models, runs
from kdutils.data import Dataset
from kdutils.runs import RunSpec
from kdutils.sweep.jobs import Job
from kdutils.training import Training

STEPS = 3  # training steps that are timed, after one that warms up


class Cost(NamedTuple):
    """What a training step of some kind of run takes on this machine; steps per epoch."""

    step_seconds: float
    step_flops: float
    steps: int


def cost(spec: RunSpec) -> Cost:
    """What a training step of `spec` takes, on its own images; see `measure`."""
    dataset, whole = spec.load_data(), spec.load_whole()
    return measure(spec, dataset, len(whole.classes))


def measure(
    spec: RunSpec,
    dataset: Dataset,
    num_classes: int,
    timed_steps: int = STEPS,
    clock: Callable[[], float] = time.perf_counter,
) -> Cost:
    """Train for a few steps with networks of random weights, which cost what trained ones do, and with one thread.

    FLOPs as torch counts them: two for a multiply-add of convolutions and matrix products, forward and backward.
    """
    with torch.random.fork_rng(devices=[]), threads(1):
        teacher = models.build(spec.teacher, num_classes, dataset.image_size) if spec.teacher else None
        training = runs.assemble(spec, dataset, teacher)
        with FlopCounterMode(display=False) as counter:
            _seconds(training, dataset, 1, clock)  # which also warms up
        seconds = _seconds(training, dataset, timed_steps, clock)
    return Cost(seconds, float(counter.get_total_flops()), -(-len(dataset.train) // spec.batch_size))


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Calculate with `n` threads; a worker of a sweep does with one."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _seconds(training: Training, dataset: Dataset, steps: int, clock: Callable[[], float]) -> float:
    """Seconds a step, over an epoch of so few images that it has `steps` of them."""
    index = torch.arange(min(steps * training.schedule.batch_size, len(dataset.train)))
    training.dataset = replace(dataset, train=dataset.train.subset(index)).resident(training.device)
    begin = clock()
    training.epoch()  # it reads the loss, so a GPU has finished by then
    return (clock() - begin) / -(-len(index) // training.schedule.batch_size)


def estimate(jobs: Iterable[Job]) -> pd.DataFrame:
    """One row a kind of run: how many, their epochs and steps, seconds and GFLOPs a step, hours and PFLOPs in all."""
    kinds: dict[tuple, list[RunSpec]] = {}
    for job in jobs:
        kinds.setdefault(job.cost_alike(), []).append(job.spec)
    bar = tqdm(kinds.values(), "measuring", unit="kind", leave=False, disable=None)
    return pd.DataFrame([_row(specs, cost(specs[0])) for specs in bar])


def _row(specs: list[RunSpec], price: Cost) -> dict[str, object]:
    first, epochs = specs[0], sum(spec.epochs for spec in specs)
    steps = epochs * price.steps
    return {
        "pair": f"{first.teacher}/{first.student}" if first.teacher else first.student,
        "method": first.method,
        "schemes": " ".join(dict.fromkeys(spec.scheme for spec in specs)),
        "runs": len(specs),
        "epochs": epochs,
        "steps": steps,
        "step_seconds": price.step_seconds,
        "step_gflops": price.step_flops / 1e9,
        "hours": steps * price.step_seconds / 3600,
        "pflops": steps * price.step_flops / 1e15,
    }
