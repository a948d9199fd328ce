"""What can be asked for, as values: `RunSpec` (a student's training) and `RankSpec` (a teacher's ranking).

Frozen, validated by name before any work, and hashed by content, so that the same question is never answered twice.
"""

import re
from functools import lru_cache
from typing import Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from kdutils import augment, data, losses, models, training
from kdutils.errors import UserError, choose
from kdutils.files import sha256
from kdutils.models.inference import PRECISIONS
from kdutils.store import digest

NO_SCHEME = "none"


class Spec(BaseModel):
    """What RunSpec and RankSpec share: frozen, validated by name, hashed by content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = Field("digits", description="name of the data set")
    data_dir: str = Field("", description="folder of the data set; empty: KDUTILS_DATA or the user's cache")
    images_per_class: int = Field(0, ge=0, description="few-shot transfer set: first n images a class; 0: all")
    teacher: str = Field("", description="the teacher's network; empty for training on labels alone")
    teacher_weights: str = Field(
        "",
        description="the teacher's weights: a file, or its publisher (crd, chenyaofo, torchvision); empty: train it",
    )
    teacher_epochs: int = Field(60, ge=1, description="epochs of the teacher's own training, where it is trained")
    granularity: Literal["batch", "sample"] = Field("batch", description="one transform a mini-batch, or an image")
    batch_size: int = Field(64, ge=2, description="images a mini-batch")
    seed: int = Field(0, description="seed of all randomness")
    precision: str = Field("float32", description="of a network that only answers: float32, or the faster bfloat16")

    def __init__(self, **values: object) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or type(self).__name__
            if first["type"] == "extra_forbidden":
                choose("parameter", name, type(self).model_fields)
            if first["type"] == "missing":
                raise UserError(
                    f"{type(self).__name__} needs {name}: {type(self).model_fields[name].description}"
                ) from None
            said = first["msg"].removeprefix("Value error, ")
            raise UserError(
                said if first["type"] == "value_error" else f"{name}: {said} (got {first['input']!r})"
            ) from None

    @field_validator("*", mode="before")
    @classmethod
    def _whole_number(cls, value: object, info: ValidationInfo) -> object:
        """Pydantic reads the text 0-2, which somebody may mean as a range, as -2."""
        whole = cls.model_fields[info.field_name].annotation is int
        if whole and isinstance(value, str) and not re.fullmatch(r"\s*[+-]?\d+\s*", value):
            raise ValueError(f"{info.field_name}: Input should be a valid integer (got {value!r})")
        return value

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, name: str) -> str:
        return choose("dataset", name, data.DATASETS)

    @field_validator("teacher", "student", check_fields=False)
    @classmethod
    def _known_network(cls, name: str) -> str:
        return choose("network", name, models.NETWORKS) if name else name

    @field_validator("precision", "student_precision", check_fields=False)
    @classmethod
    def _known_precision(cls, name: str) -> str:
        return choose("precision", name, PRECISIONS)

    def identity(self) -> dict:
        """What the result depends on: values that are not the default, and what files hold instead of their names.

        Leaving defaults out keeps old results valid when a field is added.
        """
        content = self.model_dump(exclude={"data_dir"}, exclude_defaults=True)
        if self.teacher_weights:
            content["teacher_weights"] = weights_sha256(self.teacher, self.teacher_weights)
            content.pop("teacher_epochs", None)
        if found := data.fingerprint(self.dataset, self.data_dir):
            content[self.dataset] = found
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
    kl_on_x: float = Field(0, ge=0, description="weight of KL(x) beside a feature method's term (Table 1's CRD: 1)")
    student_precision: str = Field("float32", description="of the training student: float32, or bfloat16 autocast")
    x_prime: losses.XPrime = Field("kl", description="the loss of x': kl alone (the paper), or all terms of x")

    @model_validator(mode="after")
    def _names_and_fit(self) -> "RunSpec":
        choose("method", self.method, losses.METHODS)
        choose("scheme", self.scheme, [NO_SCHEME, *augment.SCHEMES])
        choose("standard augmentation", self.standard, training.STANDARD)
        if losses.METHODS[self.method].needs_teacher and not self.teacher:
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
        if self.scheme == NO_SCHEME or self.method == "ce":
            content.pop("x_prime", None)
        if not self.teacher:
            content.pop("precision", None)
        if not issubclass(losses.METHODS[self.method], losses.FeatureMethod):
            content.pop("kl_on_x", None)
        return content


class RankSpec(Spec):
    """A teacher's ranking of schemes (Eq. 9-10). `steps` mini-batches; 0: the paper's 10 epochs."""

    schemes: tuple[str, ...] = Field(tuple(augment.SCHEMES), min_length=1, description="the schemes, in order")
    steps: int = Field(0, ge=0, description="mini-batches to measure on; 0: as many as `epochs` hold")
    epochs: int = Field(10, ge=1, description="epochs to measure on, where steps is 0")
    k: int = Field(640, ge=4, description="images a window, half x and half x'")
    temperature: float = Field(1.0, gt=0, description="the teacher's temperature (the paper: 1)")
    student: str = Field("", description="network of the student that picks for cutmixpick_s; empty: none")
    student_weights: str = Field("", description="file of that student's weights")

    @model_validator(mode="after")
    def _names_and_fit(self) -> "RankSpec":
        for scheme in self.schemes:
            choose("scheme", scheme, augment.SCHEMES)
        if not self.teacher:
            raise UserError("a ranking needs a teacher: name its network")
        if bool(self.student) != bool(self.student_weights):
            raise UserError("student and student_weights go together: name the network and the file of its weights")
        return self

    def identity(self) -> dict:
        content = super().identity()
        if self.student_weights:
            content["student_weights"] = weights_sha256(self.student, self.student_weights)
        if self.steps:
            content.pop("epochs", None)
        return content


@lru_cache(maxsize=4)
def load_cached(dataset: str, data_dir: str) -> data.Dataset:
    """A data set, read once a process."""
    return data.load(dataset, data_dir or None)


def weights_sha256(network: str, source: str) -> str:
    """The hash of a weights file (`models.find_weights`), which stands for it in a specification.

    UserError where it cannot be found, fetched or read.
    """
    path = models.find_weights(network, source)
    try:
        return sha256(path)
    except OSError as error:
        raise UserError(f"cannot read the weights {path}: {error.strerror}") from error
