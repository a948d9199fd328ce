"""Run what a specification asks for: `run(spec)` trains a student, `rank(spec)` ranks schemes; both through the store.

Killed anywhere and started again, a run ends in the result of an undisturbed one, bit for bit on one CPU.
"""

from pathlib import Path

import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict
from tqdm import tqdm

from kdutils import augment, losses, metrics, models, seeds, training
from kdutils.files import sha256
from kdutils.models import Network
from kdutils.specs import NO_SCHEME, RankSpec, RunSpec, Spec, load_cached
from kdutils.store import WEIGHTS, Store, default_store

CHECKPOINT_EPOCHS = 5

__all__ = [
    "RankSpec",
    "RunResult",
    "RunSpec",
    "default_store",
    "load_student",
    "load_teacher",
    "rank",
    "run",
    "start",
    "teacher_spec",
]


class RunResult(BaseModel):
    """What a run ended in: test loss in nats, test accuracy in per cent, the training loss of every epoch."""

    model_config = ConfigDict(frozen=True)

    test_loss: float
    test_accuracy: float
    train_losses: tuple[float, ...]
    weights_sha256: str


def run(spec: RunSpec, store: str | Path | None = None) -> RunResult:
    """The result of `spec`: from the store, else trained (on from the last checkpoint) and put there.

    Everything that can be wrong with the specification, the data and the teacher's weights is a UserError before
    training starts. The last epoch is reported, not the best.
    """
    shelf, key = Store(store), spec.key()
    known = shelf.read(key)
    if known is None:
        with shelf.lock(key):
            known = shelf.read(key) or _train(spec, shelf, key)
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
    models.load_weights(model, spec.teacher_weights)
    return model.eval()


def load_student(spec: RunSpec, store: str | Path | None = None) -> Network:
    """The trained student of `spec`, training it first if need be."""
    shelf, key = Store(store), spec.key()
    run(spec, store)
    dataset = load_cached(spec.dataset, spec.data_dir)
    model = models.build(spec.student, len(dataset.classes), dataset.image_size)
    models.load_weights(model, shelf.path(key, WEIGHTS))
    return model.eval()


def start(spec: RunSpec, store: str | Path | None = None) -> training.Training:
    """The training of `spec` before its first epoch, all its parts loaded and checked."""
    dataset = spec.load_data()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    teacher = load_teacher(spec, store).to(device) if spec.teacher else None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.generator(spec.seed, "weights").initial_seed())
        student = models.build(spec.student, len(dataset.classes), dataset.image_size)
        method = losses.build(spec.method, spec.tau, spec.alpha)
    return training.Training(
        student=student.to(device),
        method=method.to(device),
        dataset=dataset.resident(device),
        schedule=training.Schedule(spec.epochs, spec.lr, spec.batch_size),
        teacher=teacher,
        scheme=None if spec.scheme == NO_SCHEME else augment.SCHEMES[spec.scheme],
        granularity=spec.granularity,
        standard=spec.standard,
        pick_ratio=spec.pick_ratio,
        seed=spec.seed,
    )


def _train(spec: RunSpec, shelf: Store, key: str) -> dict:
    progress = start(spec, shelf.folder)
    saved = shelf.read_checkpoint(key)
    if saved is not None:
        progress.restore(saved)
    bar = tqdm(total=spec.epochs, initial=progress.epochs_done, desc=_title(spec), unit="epoch", disable=None)
    with bar:
        while progress.epochs_done < spec.epochs:
            bar.set_postfix(loss=f"{progress.epoch():.3f}")
            bar.update()
            if progress.epochs_done % CHECKPOINT_EPOCHS == 0 and progress.epochs_done < spec.epochs:
                shelf.write_checkpoint(key, progress.state())
    test = training.evaluate(progress.student, progress.dataset, progress.dataset.test)
    models.save_weights(progress.student, shelf.path(key, WEIGHTS))
    result = RunResult(
        test_loss=test.loss,
        test_accuracy=test.accuracy,
        train_losses=tuple(progress.losses),
        weights_sha256=sha256(shelf.path(key, WEIGHTS)),
    )
    content = {"spec": spec.identity(), "result": result.model_dump(mode="json")}
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
                known = {"spec": spec.identity(), "rows": _measure(spec, shelf.folder).to_dict("records")}
                shelf.write(key, known)
    return pd.DataFrame(known["rows"])


def _measure(spec: RankSpec, store: Path) -> pd.DataFrame:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    student = None
    if spec.student:
        whole = load_cached(spec.dataset, spec.data_dir)
        student = models.build(spec.student, len(whole.classes), whole.image_size)
        models.load_weights(student, spec.student_weights)
    return metrics.rank_schemes(
        load_teacher(spec, store).to(device),
        spec.load_data().resident(device),
        spec.schemes,
        epochs=spec.epochs,
        steps=spec.steps or None,
        batch_size=spec.batch_size,
        k=spec.k,
        granularity=spec.granularity,
        seed=spec.seed,
        student=student.to(device) if student else None,
        temperature=spec.temperature,
    )


def _title(spec: RunSpec) -> str:
    taught = f"{spec.teacher}/" if spec.teacher else ""
    return f"{taught}{spec.student} {spec.method}+{spec.scheme} seed {spec.seed}"
