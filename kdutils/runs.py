"""Run what a specification asks for: `run(spec)` trains a student, `rank(spec)` ranks schemes; both through the store.

Killed anywhere and started again, a run ends in the result of an undisturbed one, bit for bit on one CPU.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict
from tqdm import tqdm

from kdutils import augment, losses, metrics, models, seeds, training
from kdutils.data import Dataset
from kdutils.errors import UserError
from kdutils.files import sha256
from kdutils.machine import made
from kdutils.models import Network
from kdutils.specs import NO_SCHEME, RankSpec, RunSpec, Spec, load_cached
from kdutils.store import MADE, RESULT, WEIGHTS, Store, default_store, set_aside

CHECKPOINT_EPOCHS, CHECKPOINT_SECONDS = 5, 60  # a checkpoint after so many, whichever comes first

__all__ = [
    "RankSpec",
    "RunResult",
    "RunSpec",
    "Stopped",
    "assemble",
    "default_store",
    "load_student",
    "load_teacher",
    "rank",
    "run",
    "start",
    "teacher_spec",
    "title",
]


class RunResult(BaseModel):
    """What a run ended in: test loss in nats, test accuracy in per cent, the training loss of every epoch."""

    model_config = ConfigDict(frozen=True)

    test_loss: float
    test_accuracy: float
    train_losses: tuple[float, ...]
    weights_sha256: str


class Stopped(UserError):
    """A run was asked to stop before its end; it left a checkpoint to go on from."""


def run(
    spec: RunSpec,
    store: str | Path | None = None,
    watch: Callable[[int], bool] = lambda epochs_done: False,
    wait: float = -1,
) -> RunResult:
    """The result of `spec`: from the store, else trained (on from the last checkpoint) and put there.

    `watch(epochs_done)` is called before the first epoch and after each; where it is true, the run leaves a checkpoint
    and raises Stopped. While another process makes the same run, wait for it, at most `wait` seconds (then
    `store.Busy`). Everything that can be wrong with the specification, the data and the teacher's weights is a
    UserError before training starts. The last epoch is reported, not the best.
    """
    shelf, key = Store(store), spec.key()
    known = shelf.read(key)
    if known is None:
        with shelf.lock(key, wait):
            known = shelf.read(key) or _train(spec, shelf, key, watch)
    return RunResult(**known["result"])


def teacher_spec(spec: Spec) -> RunSpec:
    """The training of the teacher that `spec` names, on all images, where it comes without weights."""
    return RunSpec(
        dataset=spec.dataset,
        data_dir=spec.data_dir,
        student=spec.teacher,
        method="ce",
        epochs=spec.teacher_epochs,
        batch_size=spec.batch_size,
    )


def load_teacher(spec: Spec, store: str | Path | None = None) -> Network:
    """The trained teacher of `spec`: from its weights file, else trained through the store."""
    whole = load_cached(spec.dataset, spec.data_dir)
    if not spec.teacher_weights:
        return load_student(teacher_spec(spec), store)
    model = models.build(spec.teacher, len(whole.classes), whole.image_size)
    models.load_pretrained(model, spec.teacher_weights)
    return model.eval()


def load_student(spec: RunSpec, store: str | Path | None = None) -> Network:
    """The trained student of `spec`, training it first if need be, and anew where its weights are not what it left."""
    shelf, key = Store(store), spec.key()
    weights = shelf.path(key, WEIGHTS)
    run(spec, store)
    if not has_student(shelf, key):
        distrust(shelf, key)
        run(spec, store)
    dataset = load_cached(spec.dataset, spec.data_dir)
    model = models.build(spec.student, len(dataset.classes), dataset.image_size)
    models.load_weights(model, weights)
    return model.eval()


def has_student(shelf: Store, key: str) -> bool:
    """Whether the store has the run `key` with the weights that it ended in; results may travel without them."""
    known, weights = shelf.read(key), shelf.path(key, WEIGHTS)
    return known is not None and weights.is_file() and sha256(weights) == known["result"]["weights_sha256"]


def distrust(shelf: Store, key: str) -> None:
    """Set aside a result whose weights are not there, so that the run is made anew; with a warning."""
    if shelf.read(key) is None or has_student(shelf, key):
        return
    with shelf.lock(key):  # another process may have done so meanwhile, and even made it anew
        if shelf.read(key) is not None and not has_student(shelf, key):
            set_aside(shelf.path(key, RESULT), f"{WEIGHTS} is not what this run wrote")


def start(spec: RunSpec, store: str | Path | None = None) -> training.Training:
    """The training of `spec` before its first epoch, all its parts loaded and checked."""
    dataset = spec.load_data()
    with torch.device("meta"):  # refuse networks that do not fit before a teacher is trained, at no cost
        _build(spec, dataset)
    return assemble(spec, dataset, load_teacher(spec, store) if spec.teacher else None)


def assemble(spec: RunSpec, dataset: Dataset, teacher: Network | None) -> training.Training:
    """The training of `spec` with these images and this teacher, on the GPU if there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.generator(spec.seed, "weights").initial_seed())
        student, method = _build(spec, dataset)
    return training.Training(
        student=student.to(device),
        method=method.to(device),
        dataset=dataset.resident(device),
        schedule=training.Schedule(spec.epochs, spec.lr, spec.batch_size),
        teacher=teacher.to(device) if teacher else None,
        scheme=None if spec.scheme == NO_SCHEME else augment.SCHEMES[spec.scheme],
        granularity=spec.granularity,
        standard=spec.standard,
        pick_ratio=spec.pick_ratio,
        seed=spec.seed,
        teacher_precision=spec.precision,
        student_precision=spec.student_precision,
    )


def _build(spec: RunSpec, dataset: Dataset) -> tuple[Network, losses.Method]:
    """The untrained student and the method, told of both networks; UserError for what does not fit together."""
    student = models.build(spec.student, len(dataset.classes), dataset.image_size)
    facts = None
    if losses.METHODS[spec.method].needs_facts:
        with torch.device("meta"):
            teacher = models.build(spec.teacher, len(dataset.classes), dataset.image_size)
        shapes = [models.feature_shapes(network, dataset.image_size) for network in (student, teacher)]
        facts = losses.Facts(*shapes, dataset.train.labels)
    return student, losses.build(spec.method, spec.tau, spec.alpha, spec.kl_on_x, spec.x_prime, facts)


def _train(spec: RunSpec, shelf: Store, key: str, watch: Callable[[int], bool]) -> dict:
    progress = start(spec, shelf.folder)
    saved = shelf.read_checkpoint(key)
    if saved is not None:
        progress.restore(saved)
    bar = tqdm(total=spec.epochs, initial=progress.epochs_done, desc=title(spec), unit="epoch", disable=None)
    last, stop = time.monotonic(), watch(progress.epochs_done)
    with bar:
        while progress.epochs_done < spec.epochs:
            if stop:
                raise Stopped(f"stopped after {progress.epochs_done} of {spec.epochs} epochs; a checkpoint is kept")
            bar.set_postfix(loss=f"{progress.epoch():.3f}")
            bar.update()
            stop = watch(progress.epochs_done)
            late = time.monotonic() - last > CHECKPOINT_SECONDS
            if stop or late or progress.epochs_done % CHECKPOINT_EPOCHS == 0:
                shelf.write_checkpoint(key, progress.state())
                last = time.monotonic()
    return _finish(spec, progress, shelf, key)


def _finish(spec: RunSpec, progress: training.Training, shelf: Store, key: str) -> dict:
    """Evaluate the student, and put it and its result into the store."""
    test = training.evaluate(progress.student, progress.dataset, progress.dataset.test)
    models.save_weights(progress.student, shelf.path(key, WEIGHTS))
    result = RunResult(
        test_loss=test.loss,
        test_accuracy=test.accuracy,
        train_losses=tuple(progress.losses),
        weights_sha256=sha256(shelf.path(key, WEIGHTS)),
    )
    content = {"spec": spec.identity(), "result": result.model_dump(mode="json"), MADE: made()}
    shelf.write(key, content)
    return content


def rank(spec: RankSpec, store: str | Path | None = None) -> pd.DataFrame:
    """The ranking of `spec` (see `metrics.rank_schemes`): from the store, else measured and put there."""
    shelf, key = Store(store), spec.key()
    known = shelf.read(key)
    if known is None:
        with shelf.lock(key):
            known = shelf.read(key)
            if known is None:
                rows = _measure(spec, shelf.folder).to_dict("records")
                known = {"spec": spec.identity(), "rows": rows, MADE: made()}
                shelf.write(key, known)
    return pd.DataFrame(known["rows"])


def _measure(spec: RankSpec, store: Path) -> pd.DataFrame:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dataset, student = spec.load_data(), None
    steps = spec.steps or None
    metrics.count_steps(dataset, spec.epochs, steps, spec.batch_size, spec.k)  # refuse before a teacher is trained
    if spec.student:
        whole = load_cached(spec.dataset, spec.data_dir)
        student = models.build(spec.student, len(whole.classes), whole.image_size)
        models.load_pretrained(student, spec.student_weights)
    return metrics.rank_schemes(
        load_teacher(spec, store).to(device),
        dataset.resident(device),
        spec.schemes,
        epochs=spec.epochs,
        steps=steps,
        batch_size=spec.batch_size,
        k=spec.k,
        granularity=spec.granularity,
        seed=spec.seed,
        student=student.to(device) if student else None,
        temperature=spec.temperature,
        precision=spec.precision,
    )


def title(spec: RunSpec) -> str:
    """A run in a few words, for people."""
    taught = f"{spec.teacher}/" if spec.teacher else ""
    return f"{taught}{spec.student} {spec.method}+{spec.scheme} seed {spec.seed}"
