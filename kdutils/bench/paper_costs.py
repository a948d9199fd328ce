"""What the paper's student trainings would cost on the machine at hand: its tables, times a measured step of each kind.

Timed on images of CIFAR-100's size. For Tiny ImageNet's FLOPs are counted, and the time is taken to grow as they do.
"""

import time
from collections.abc import Callable

import pandas as pd
import torch

from kdutils import augment, paper
from kdutils.data import Dataset, MemorySplit
from kdutils.runs import NO_SCHEME, RunSpec
from kdutils.sweep.estimate import Cost, measure

EPOCHS = 240  # where a table names none (Sec. 5)
REPEATS = 3  # "at least three random runs" (the checklist)
BATCH, FEW = 64, 2  # images per step; to count FLOPs, which are proportional, few suffice
IMAGES = {"cifar100": 50_000, "tinyimagenet": 100_000}
EXAMPLE = {"x": NO_SCHEME, "x, x'": "cutmix", "x, pool": "cutmixpick_t"}  # a scheme that makes the student see this
CHECK_STEPS = 20
KIND = ["teacher", "student", "method", "views"]


def trainings() -> pd.DataFrame:
    """The different student trainings in Tables 1 to 6, by kind: `dataset`, teacher, student, method, `views`, and
    how many `runs` and `epochs` they are, repetitions included."""
    cells = pd.concat([paper.table(number) for number in range(1, 7)])
    cells = cells[cells["metric"].isin(["test_accuracy", "test_loss"])].copy()
    cells["epochs"] = cells["epochs"].fillna(EPOCHS).astype(int)
    alone = cells["method"] == "ce"
    cells.loc[alone, "teacher"] = ""  # a student alone is trained once, whatever teachers it is set beside
    cells["views"] = cells["scheme"].map(views)
    different = cells.drop_duplicates(["dataset", "teacher", "student", "method", "scheme", "epochs"])
    kinds = different.groupby(["dataset", *KIND], sort=False)["epochs"].agg(["size", "sum"]).reset_index()
    kinds["runs"], kinds["epochs"] = REPEATS * kinds["size"], REPEATS * kinds["sum"]
    return kinds.drop(columns=["size", "sum"])


def views(scheme: str) -> str:
    """What a step looks at: x alone; x and x'; or x and the whole pool that CutMixPick picks from."""
    if not scheme:
        return "x"
    return "x, pool" if augment.find(scheme).pick else "x, x'"


def full_grid(timed_steps: int = 2) -> pd.DataFrame:
    """`trainings()` with `step_seconds`, `step_gflops`, and all their `hours` and `pflops` on one worker here."""
    kinds = trainings()
    prices = pd.concat([_prices(kind, timed_steps) for kind in kinds[KIND].drop_duplicates().to_dict("records")])
    table = kinds.merge(prices, on=["dataset", *KIND])
    steps = table["epochs"] * (table["dataset"].map(IMAGES) / BATCH)
    table["hours"] = steps * table["step_seconds"] / 3600
    table["pflops"] = steps * table["step_gflops"] / 1e6
    return table.sort_values("dataset", kind="stable", ignore_index=True)


def step(kind: dict[str, str], timed_steps: int) -> Cost:
    """What a training step of this `KIND` takes here, on images of CIFAR-100's size."""
    return measure(_spec(kind), noise(32, 100), 100, timed_steps, clock())


def _prices(kind: dict[str, str], timed_steps: int) -> pd.DataFrame:
    """A row per dataset: seconds and GFLOPs of a step of this kind."""
    small = step(kind, timed_steps)
    large_flops = measure(_spec(kind, FEW), noise(64, 200), 200, 1).step_flops * BATCH / FEW
    rows = [
        {"dataset": "cifar100", "step_seconds": small.step_seconds, "step_gflops": small.step_flops / 1e9},
        {
            "dataset": "tinyimagenet",
            "step_seconds": small.step_seconds * large_flops / small.step_flops,
            "step_gflops": large_flops / 1e9,
        },
    ]
    return pd.DataFrame(rows).assign(**kind)


def total(table: pd.DataFrame) -> str:
    """The sum of a grid in a sentence."""
    return (
        f"{table.runs.sum():,} trainings of {table.epochs.sum():,} epochs together: {table.hours.sum():,.0f} hours of "
        f"one worker, {table.pflops.sum():,.0f} PFLOPs"
    )


def check(table: pd.DataFrame) -> tuple[float, float]:
    """Seconds that a run of `CHECK_STEPS` steps was estimated at, and took: resnet56/resnet20, KD+CutMix."""
    kind = {"teacher": "resnet56", "student": "resnet20", "method": "kd", "views": "x, x'"}
    row = table[(table[KIND] == pd.Series(kind)).all(axis=1) & (table["dataset"] == "cifar100")].iloc[0]
    return CHECK_STEPS * row["step_seconds"], CHECK_STEPS * step(kind, CHECK_STEPS).step_seconds


def noise(size: int, classes: int) -> Dataset:
    """As many images as CIFAR-100 has, which are all one: enough to time with, and they take no room."""
    n = IMAGES["cifar100"]
    image = torch.randint(256, (1, 3, size, size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    split = MemorySplit(image.expand(n, -1, -1, -1), torch.arange(n) % classes)
    names = tuple(str(c) for c in range(classes))
    return Dataset("noise", split, split, names, size, (0.5,) * 3, (0.29,) * 3, size // 8, size // 4, "cifar10")


def clock() -> Callable[[], float]:
    """The process's own clock on a CPU, where one thread works, so that other processes disturb less."""
    return time.perf_counter if torch.cuda.is_available() else time.process_time


def _spec(kind: dict[str, str], batch_size: int = BATCH) -> RunSpec:
    named = {name: kind[name] for name in ("teacher", "student", "method")}
    return RunSpec(dataset="cifar100", scheme=EXAMPLE[kind["views"]], batch_size=batch_size, **named)
