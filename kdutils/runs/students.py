"""Run what a specification asks for: `run(spec)` trains a student, `rank(spec)` ranks schemes; both through the store.

Killed anywhere and started again, a run ends in the result of an undisturbed one, bit for bit on one CPU.
"""

import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor
from tqdm import tqdm

from kdutils import augment, losses, models, seeds, training
from kdutils._files import sha256
from kdutils._provenance import made
from kdutils.data import Dataset
from kdutils.errors import UserError
from kdutils.inference import devices, for_inference, read
from kdutils.metrics import teacher_check
from kdutils.models import Network
from kdutils.runs.schema import RunResult
from kdutils.runs.specs import NO_SCHEME, RunSpec, Spec
from kdutils.runs.store import CHECKPOINT, MADE, WEIGHTS, Store

CHECKPOINT_EPOCHS, CHECKPOINT_SECONDS = 5, 60  # a checkpoint after so many, whichever comes first
SAME_LOSS = 1e-3  # by which share the test loss of one student differs at most, from machine to machine


class Stopped(UserError):
    """A run was asked to stop before its end; it left a checkpoint to go on from."""


def run(
    spec: RunSpec,
    store: str | Path | None = None,
    watch: Callable[[int], bool] = lambda epochs_done: False,
    wait: float = -1,
    weights: bool = False,
) -> RunResult:
    """The result of `spec`: from the store, else trained (on from the last checkpoint) and put there.

    With `weights`, a result that the store has without its weights is trained again.

    `watch(epochs_done)` is called before the first epoch and after each; where it is true, the run leaves a checkpoint
    and raises Stopped. While another process makes the same run, wait for it, at most `wait` seconds (then
    `store.Busy`). Everything that can be wrong with the specification, the data and the teacher's weights is a
    UserError before training starts. The last epoch is reported, not the best.
    """
    spec.fetch()
    shelf, key = Store(store), spec.key()
    known = shelf.read(key, weights)
    if known is None:
        with shelf.lock(key, wait):
            known = shelf.read(key, weights) or _train(spec, shelf, key, watch)
    return RunResult(**known["result"])


def teacher_spec(spec: Spec) -> RunSpec:
    """The training of the teacher that `spec` names, on all images, where it comes without weights."""
    return RunSpec(
        dataset=spec.dataset,
        data_dir=spec.data_dir,
        device=spec.device,
        image_size=spec.image_size,
        mean=spec.mean,
        std=spec.std,
        student=spec.teacher,
        method="ce",
        epochs=spec.teacher_epochs,
        batch_size=spec.batch_size,
    )


def load_teacher(spec: Spec, store: str | Path | None = None) -> Network:
    """The trained teacher of `spec` on its device: from its weights file, else trained through the store."""
    if not spec.teacher_weights:
        return load_student(teacher_spec(spec), store)
    classes = [int(number) for number in spec.teacher_classes.split()]
    teacher = models.load_pretrained(untrained(spec, spec.teacher), spec.teacher_weights, classes=classes)
    return teacher.eval().to(devices.find(spec.device))


def load_student(spec: RunSpec, store: str | Path | None = None) -> Network:
    """The trained student of `spec` on its device, trained first if the store does not have its weights."""
    run(spec, store, weights=True)
    student = models.load_weights(untrained(spec, spec.student), Store(store).path(spec.key(), WEIGHTS))
    return student.eval().to(devices.find(spec.device))


def untrained(spec: Spec, network: str) -> Network:
    """`network` for the images and classes of `spec`, before it has any weights."""
    whole = spec.load_whole()
    return models.build(network, len(whole.classes), whole.image_size)


def check(spec: RunSpec) -> Dataset:
    """The dataset of `spec`, once its parts and the images fit together; UserError if not. No teacher needed."""
    dataset = spec.load_data()
    if spec.scheme != NO_SCHEME:
        augment.rehearse([augment.find(spec.scheme)], dataset, spec.granularity, spec.batch_size)
    with torch.device("meta"):  # which costs nothing
        _build(spec, dataset)
    return dataset


def start(spec: RunSpec, store: str | Path | None = None) -> training.Training:
    """The training of `spec` before its first epoch, all its parts loaded and checked, before a teacher is trained."""
    devices.find(spec.device)  # refused now, not after a teacher was trained
    dataset = check(spec)
    progress = assemble(spec, dataset, load_teacher(spec, store) if spec.teacher else None)
    if spec.teacher_weights:  # a teacher from elsewhere may not fit these images
        _check_teacher(progress)
    return progress


def _check_teacher(progress: training.Training) -> None:
    """Warn of a teacher that is hardly better than guessing on the test images."""

    def logits(x: Tensor) -> Tensor:
        return read(progress.teacher, progress.dataset.normalise(x.to(progress.device)))

    found = teacher_check.agreement(logits, progress.dataset, training.EVALUATION_BATCH)
    teacher_check.warn_near_chance(found, progress.dataset.classes)


def assemble(spec: RunSpec, dataset: Dataset, teacher: Network | None) -> training.Training:
    """The training of `spec` with these images and this teacher, on its device."""
    device = devices.find(spec.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.generator(spec.seed, "weights").initial_seed())
        student, method = _build(spec, dataset)
    return training.Training(
        student=student.to(device),
        method=method.to(device),
        dataset=dataset.resident(device),
        schedule=training.Schedule(spec.epochs, spec.lr, spec.batch_size),
        teacher=teacher.to(device) if teacher else None,
        scheme=None if spec.scheme == NO_SCHEME else augment.find(spec.scheme),
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


def _begun(spec: RunSpec, shelf: Store, key: str) -> training.Training:
    """The training of `spec`, as far as its checkpoint is, if there is one that fits it."""
    progress, saved = start(spec, shelf.folder), shelf.read_checkpoint(key)
    if saved is None:
        return progress
    try:
        progress.restore(saved)
    except ValueError as error:
        shelf.distrust(key, CHECKPOINT, str(error))
        return start(spec, shelf.folder)
    return progress


def _train(spec: RunSpec, shelf: Store, key: str, watch: Callable[[int], bool]) -> dict:
    if shelf.read(key) is not None:
        warnings.warn(f"{shelf.path(key, WEIGHTS)} is not what this run wrote; it is trained again", stacklevel=3)
    progress = _begun(spec, shelf, key)
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
                spec.check_unchanged(key)
                shelf.write_checkpoint(key, progress.state())
                last = time.monotonic()
    return _finish(spec, progress, shelf, key)


def _finish(spec: RunSpec, progress: training.Training, shelf: Store, key: str) -> dict:
    """Evaluate the student, and put it and its result into the store."""
    found = measured(progress.student, progress.teacher, progress.dataset)
    models.save_weights(progress.student, shelf.path(key, WEIGHTS))
    try:
        weights = sha256(shelf.path(key, WEIGHTS))
        result = RunResult(**found, train_losses=tuple(progress.losses), weights_sha256=weights)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"the trained student's {first['loc'][0]} is {first['input']}; try a lower learning rate"
        ) from error
    spec.check_unchanged(key)
    content = {"spec": spec.identity(), "result": result.model_dump(mode="json"), MADE: made(progress.device)}
    shelf.write(key, content)
    return content


def measured(student: Network, teacher: Network | None, dataset: Dataset) -> dict[str, float]:
    """What a student gives on the test images: the fields of RunResult that need no training to be known."""
    test = training.evaluate(student, dataset, dataset.test)
    followed = training.fidelity(student, teacher, dataset, dataset.test)._asdict() if teacher else {}
    return {"test_loss": test.loss, "test_accuracy": test.accuracy, "ece": test.ece, "ace": test.ace, **followed}


def evaluate_again(spec: RunSpec, store: str | Path | None = None) -> RunResult:
    """The result of `spec`, with what older versions did not measure added to it in the store; nothing is trained.

    What was measured stays as it is. UserError if the student's weights are not in the store, and if they do not give
    the test loss of the result now.
    """
    shelf, key = Store(store), spec.key()
    known = shelf.read(key, weights=True)
    if known is None:
        raise UserError(f"{title(spec)}: its weights are not in {shelf.folder}, so that it cannot be evaluated again")
    student = models.load_weights(untrained(spec, spec.student), shelf.path(key, WEIGHTS))
    student = student.eval().to(devices.find(spec.device))
    teacher = for_inference(load_teacher(spec, store), spec.precision) if spec.teacher else None
    found = measured(student, teacher, spec.load_data())
    was, now = known["result"]["test_loss"], found["test_loss"]
    if abs(now - was) > SAME_LOSS * was:
        raise UserError(f"{title(spec)}: its test loss was {was:.6g} and is {now:.6g} now, as if of other images")
    result = found | {name: value for name, value in known["result"].items() if value is not None}
    if result != known["result"]:
        with shelf.lock(key):
            shelf.write(key, {**known, "result": result})
    return RunResult(**result)


def title(spec: RunSpec) -> str:
    """A run in a few words, for people."""
    taught = f"{spec.teacher}/" if spec.teacher else ""
    return f"{taught}{spec.student} {spec.method}+{spec.scheme} seed {spec.seed}"
