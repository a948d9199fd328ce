"""One student's training as a value: `RunSpec` -> hash -> result. `run(spec)` is idempotent and resumable.

Killed anywhere and started again, a run ends in the result of an undisturbed one, bit for bit on one CPU.
"""

from functools import lru_cache
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from tqdm import tqdm

from kdutils import augment, data, losses, models, seeds, training
from kdutils.data import folder as folder_data
from kdutils.errors import UserError, choose
from kdutils.files import sha256
from kdutils.models import Network
from kdutils.store import WEIGHTS, Store, digest

CHECKPOINT_EPOCHS = 5
NO_SCHEME = "none"


class Spec(BaseModel):
    """What RunSpec and RankSpec share: frozen, validated by name, hashed by content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = Field("digits", description="name of the data set")
    data_dir: str = Field("", description="folder of the data set; empty: KDUTILS_DATA or the user's cache")
    images_per_class: int = Field(0, ge=0, description="few-shot transfer set: first n images a class; 0: all")
    teacher: str = Field("", description="the teacher's network; empty for training on labels alone")
    teacher_weights: str = Field("", description="file of the teacher's weights; empty: the teacher is trained first")
    teacher_epochs: int = Field(60, ge=1, description="epochs of the teacher's own training, where it is trained")
    granularity: Literal["batch", "sample"] = Field("batch", description="one transform a mini-batch, or an image")
    batch_size: int = Field(64, ge=2, description="images a mini-batch")
    seed: int = Field(0, description="seed of all randomness")

    def __init__(self, **values: object) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or type(self).__name__
            if first["type"] == "extra_forbidden":
                choose("parameter", name, type(self).model_fields)
            said = first["msg"].removeprefix("Value error, ")
            raise UserError(
                said if first["type"] == "value_error" else f"{name}: {said} (got {first['input']!r})"
            ) from None

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, name: str) -> str:
        return choose("dataset", name, data.DATASETS)

    @field_validator("teacher", "student", check_fields=False)
    @classmethod
    def _known_network(cls, name: str) -> str:
        return choose("network", name, models.NETWORKS) if name else name

    def identity(self) -> dict:
        """What the result depends on: values that are not the default, and what files hold instead of their names.

        Leaving defaults out keeps old results valid when a field is added.
        """
        content = self.model_dump(exclude={"data_dir"}, exclude_defaults=True)
        if self.teacher_weights:
            content["teacher_weights"] = weights_sha256(self.teacher_weights)
            content.pop("teacher_epochs", None)
        if self.dataset == "folder":
            content["folder"] = folder_data.fingerprint(data.data_folder(self.data_dir))
        return content

    def key(self) -> str:
        """The canonical hash of the specification: 16 hexadecimal digits."""
        return digest({type(self).__name__: self.identity()})[:16]

    def load_data(self) -> data.Dataset:
        """The data set, cut to the transfer set where `images_per_class` asks for it."""
        whole = load_cached(self.dataset, self.data_dir)
        return data.first_per_class(whole, self.images_per_class) if self.images_per_class else whole


class RunSpec(Spec):
    """A student's training. The defaults are the paper's (Sec. 5) but for the number of epochs."""

    student: str = Field(description="the student's network")
    method: str = Field("kd", description="the distillation loss")
    scheme: str = Field(NO_SCHEME, description="what makes x'; none: the student sees x alone")
    standard: str = Field("crop_flip", description="what makes x from the stored image: crop_flip, flip or none")
    pick_ratio: float = Field(0.5, description="share r of the pool that CutMixPick keeps")
    epochs: int = Field(240, ge=1, description="epochs of the student's training")
    lr: float = Field(0.05, gt=0, description="initial learning rate (the paper: 0.01 for MobileNetV2, ShuffleV2)")
    tau: float = Field(4.0, gt=0, description="temperature of the distillation loss")
    alpha: float = Field(0.9, ge=0, le=1, description="weight of the teacher's term (Eq. 1)")

    @model_validator(mode="after")
    def _names_and_fit(self) -> "RunSpec":
        choose("method", self.method, losses.METHODS)
        choose("scheme", self.scheme, [NO_SCHEME, *augment.SCHEMES])
        choose("standard augmentation", self.standard, training.STANDARD)
        if losses.build(self.method).needs_teacher and not self.teacher:
            raise UserError(f"the method {self.method!r} needs a teacher: name its network")
        if self.scheme != NO_SCHEME and augment.SCHEMES[self.scheme].pick == "teacher" and not self.teacher:
            raise UserError(f"the scheme {self.scheme!r} picks by the teacher's entropy: name a teacher")
        augment.pool_runs(self.pick_ratio)
        return self

    def identity(self) -> dict:
        content = super().identity()
        picks = self.scheme != NO_SCHEME and augment.SCHEMES[self.scheme].pick
        if not picks:
            content.pop("pick_ratio", None)  # changes nothing, so the same run is not made twice
        return content


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


def _title(spec: RunSpec) -> str:
    taught = f"{spec.teacher}/" if spec.teacher else ""
    return f"{taught}{spec.student} {spec.method}+{spec.scheme} seed {spec.seed}"


@lru_cache(maxsize=4)
def load_cached(dataset: str, data_dir: str) -> data.Dataset:
    """A data set, read once a process."""
    return data.load(dataset, data_dir or None)


@lru_cache(maxsize=64)
def weights_sha256(path: str) -> str:
    """The hash of a weights file, which stands for it in a specification: UserError where it cannot be read."""
    try:
        return sha256(path)
    except OSError as error:
        raise UserError(f"cannot read the teacher's weights {path}: {error.strerror}") from error
