"""How times grow: a ranking's with steps, classes, schemes and images; a store's with results; a sweep's with runs."""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time

import pandas as pd

from kdutils import metrics, sweep
from kdutils.augment import NINE
from kdutils.bench import ratios
from kdutils.runs import RunSpec, Store, run, transfer
from kdutils.sweep.driver import plan

NETWORK = "tiny"  # so that what is ours weighs more than the network
STEPS = (15, 60, 240)
CLASSES = (10, 100, 1000)
SCHEMES = (1, 3, 9)
IMAGES = (1_000, 10_000, 50_000)
RESULTS = (100, 1_000, 10_000)
RUNS = (5, 20, 80)
SWEPT, ALONE = "runs of a sweep: time per run", "the same runs without a sweep: time per run"
RUN = {"method": "ce", "dataset": "digits", "student": NETWORK, "images_per_class": 1, "epochs": 1}


def bench() -> pd.DataFrame:
    """One row per quantity and its number: `what`, `n`, `seconds` of this process per one of them, and `ratio`.

    `ratio` is that time beside that of the smallest n: one if the whole grows as n does, less if something is shared.
    """
    frame = pd.DataFrame(_measured(), columns=["what", "n", "seconds"])
    first = frame.groupby("what", sort=False)["seconds"].transform("first")
    return frame.assign(ratio=frame["seconds"] / first)


def _measured() -> Iterator[tuple[str, int, float]]:
    """What, how many, seconds per one."""
    for n in STEPS:
        yield "mini-batches of a ranking: time per mini-batch", n, _rank(steps=n)
    for n in CLASSES:
        yield "classes: time per mini-batch of a ranking", n, _rank(classes=n)
    for n in SCHEMES:
        yield "schemes: time per mini-batch and scheme of a ranking", n, _rank(schemes=NINE[-n:]) / n
    for n in IMAGES:
        yield "images to draw from: time per mini-batch of a ranking", n, _rank(images=n)
    with tempfile.TemporaryDirectory() as folder:
        yield from _store(Path(folder))
    for n in RUNS:
        yield SWEPT, n, _seconds(lambda n=n: _students(n, swept=True)) / n
    yield ALONE, RUNS[0], _seconds(lambda: _students(RUNS[0], swept=False)) / RUNS[0]


def _rank(
    steps: int = 30, classes: int = 100, schemes: tuple[str, ...] = ("identity", "cutmix"), images: int = 640
) -> float:
    """Seconds per mini-batch of a ranking of noise."""
    teacher, dataset = ratios.network(NETWORK, 0, classes), ratios.noise(images, classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # random weights are right by chance only
        return _seconds(lambda: metrics.rank_schemes(teacher, dataset, schemes, steps=steps)) / steps


def _store(folder: Path) -> Iterator[tuple[str, int, float]]:
    """Times per result of a store: to plan a sweep of which all is there, to list it, to pack it."""
    shelf, done = Store(folder / "store"), 0
    spec = RunSpec(**RUN)
    run(spec, shelf.folder)
    content = shelf.read(spec.key())
    specs = [RunSpec(**RUN, seed=seed) for seed in range(max(RESULTS))]
    for n in RESULTS:
        for each in specs[done:n]:
            shelf.write(each.key(), {**content, "spec": each.identity()})
        done = n
        ways = {
            "plan a sweep that is done": lambda n=n: plan(specs[:n], shelf),
            "list": lambda: transfer.table(shelf),
            "export": lambda: transfer.pack(shelf, folder / "packed.zip"),
        }
        for name, way in ways.items():
            yield f"results in a store, {name}: time per result", n, _seconds(way) / n


def _students(n: int, swept: bool) -> None:
    """Train `n` students of a few images each, by a sweep or one by one."""
    specs = [RunSpec(**RUN, seed=seed) for seed in range(n)]
    with tempfile.TemporaryDirectory() as folder:
        if swept:
            sweep.sweep(specs, folder, workers=0)
        else:
            for spec in specs:
                run(spec, folder)


def _seconds(work: Callable[[], object]) -> float:
    """This process's own time, the shorter of two: other processes disturb it less."""
    times = []
    for _ in range(2):
        begin = process_time()
        work()
        times.append(process_time() - begin)
    return min(times)
