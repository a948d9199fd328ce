"""What runs will cost: floating-point operations and seconds, measured on a few steps of each kind of run."""

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from kdutils import models, runs
from kdutils.board import Job
from kdutils.specs import RunSpec, load_cached

STEPS = 3  # training steps that are timed, after one that warms up


class Cost(NamedTuple):
    """What a training step of some kind of run takes on this machine; steps an epoch."""

    step_seconds: float
    step_flops: float
    steps: int


def cost(spec: RunSpec, timed_steps: int = STEPS) -> Cost:
    """Train `spec` for a few steps, with a teacher of random weights: they cost what trained ones do.

    FLOPs as torch counts them: two for a multiply-add of convolutions and matrix products, forward and backward.
    """
    dataset = spec.load_data()
    whole = load_cached(spec.dataset, spec.data_dir)
    steps = -(-len(dataset.train) // spec.batch_size)

    def few(n: int) -> float:
        """Seconds that `n` steps take, as an epoch of a data set cut to them."""
        index = torch.arange(min(n * spec.batch_size, len(dataset.train)))
        cut.dataset = replace(dataset, train=dataset.train.subset(index)).resident(cut.device)
        begin = time.perf_counter()
        cut.epoch()  # reads the loss, so a GPU has finished by then
        return (time.perf_counter() - begin) / -(-len(index) // spec.batch_size)

    with torch.random.fork_rng(devices=[]):
        teacher = models.build(spec.teacher, len(whole.classes), whole.image_size) if spec.teacher else None
        cut = runs.assemble(spec, dataset, teacher)
        with FlopCounterMode(display=False) as counter:
            few(1)
        return Cost(few(timed_steps), float(counter.get_total_flops()), steps)


def estimate(jobs: Iterable[Job]) -> pd.DataFrame:
    """One row a kind of run: how many, their epochs and steps, seconds and GFLOPs a step, hours and PFLOPs in all."""
    kinds: dict[tuple, list[RunSpec]] = {}
    for job in jobs:
        kinds.setdefault(job.cost_alike(), []).append(job.spec)
    return pd.DataFrame([_row(specs, cost(specs[0])) for specs in kinds.values()])


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
