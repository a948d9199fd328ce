"""What can be asked for, as values: `RunSpec` (a student's training) and `RankSpec` (a teacher's ranking).

Frozen, validated by name before any work, and hashed by content, so that the same question is never answered twice.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from kdutils import augment, data, losses, metrics, models, training
from kdutils.errors import UserError, choose
from kdutils.inference import PRECISIONS, devices
from kdutils.models import weights_sha256
from kdutils.runs.identities import digest, of_code

NO_SCHEME = "none"
WHERE = {"data_dir", "device"}  # fields that say where to find or to compute something, and change no result


class Spec(BaseModel):
    """What RunSpec and RankSpec share: frozen, validated by name, hashed by content."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    dataset: str = Field("digits", description="name of the dataset")
    data_dir: str = Field("", description="folder of the dataset; empty: KDUTILS_DATA or the user's cache")
    images_per_class: int = Field(0, ge=0, description="few-shot transfer set: first n images per class; 0: all")
    image_size: int = Field(0, ge=0, description="pixels along a side of a folder's images; 0: what they suggest")
    mean: str = Field("", description="per channel, of images in 0..1; empty: a timm teacher's or the dataset's own")
    std: str = Field("", description="the same of the standard deviation")
    teacher: str = Field("", description="the teacher's network; empty for training on labels alone")
    teacher_weights: str = Field(
        "",
        description="the teacher's weights: a file, or its publisher (crd, chenyaofo, torchvision); empty: train it",
    )
    teacher_classes: str = Field(
        "",
        description="numbers of the dataset's classes among those of the weights, with spaces; empty: the same ones",
    )
    teacher_epochs: int = Field(60, ge=1, description="epochs of the teacher's own training, if it is trained")
    granularity: Literal["batch", "sample"] = Field("batch", description="one transform per mini-batch, or per image")
    batch_size: int = Field(64, ge=2, description="images per mini-batch")
    seed: int = Field(0, description="seed of all randomness")
    precision: str = Field("float32", description="of a network that only predicts: float32, or the faster bfloat16")
    device: str = Field(devices.AUTO, description="where to compute: auto (a GPU, if any), cpu, cuda, cuda:1, mps, xpu")

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

    @model_validator(mode="before")
    @classmethod
    def _normalised_as_timm_says(cls, values: dict) -> dict:
        """Of a folder for a teacher of timm's with weights; its ImageNet normalisation is a folder's own."""
        unsaid = values.get("dataset") == "folder" and not (values.get("mean") or values.get("std"))
        stated = models.normalisation(str(values.get("teacher")) if unsaid and values.get("teacher_weights") else "")
        return values if stated in (None, data.IMAGENET) else values | dict(zip(("mean", "std"), stated, strict=True))

    @field_validator("*", mode="before")
    @classmethod
    def _number(cls, value: object, info: ValidationInfo) -> object:
        """Pydantic reads the text 0-2, which somebody may mean as a range, as -2, and true as 1."""
        whole = cls.model_fields[info.field_name].annotation is int
        if isinstance(value, bool):
            raise ValueError(f"{info.field_name}: Input should be a number or a text (got {value})")
        if whole and isinstance(value, str | int) and not re.fullmatch(r"\s*[+-]?\d{1,18}\s*", str(value)):
            raise ValueError(f"{info.field_name}: Input should be a valid integer (got {value!r:.60})")
        return value

    @field_validator("mean", "std", "teacher_classes", mode="before")
    @classmethod
    def _numbers(cls, value: object, info: ValidationInfo) -> str:
        """Numbers, in a sequence or a text, as the one text that stands for them in keys, tables and flags."""
        kind = int if info.field_name == "teacher_classes" else float
        try:
            return " ".join(str(kind(part)) for part in (value.split() if isinstance(value, str) else value))
        except (TypeError, ValueError):
            raise ValueError(f"{info.field_name}: expected numbers with spaces between them (got {value!r})") from None

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, name: str) -> str:
        return data.known(name)

    @field_validator("teacher", "student", check_fields=False)
    @classmethod
    def _known_network(cls, name: str) -> str:
        if name:
            models.constructor(name)
        return name

    @field_validator("precision", "student_precision", check_fields=False)
    @classmethod
    def _known_precision(cls, name: str) -> str:
        return choose("precision", name, PRECISIONS)

    @field_validator("device")
    @classmethod
    def _known_device(cls, name: str) -> str:
        return devices.check(name)

    @model_validator(mode="after")
    def _images_fit(self) -> "Spec":
        data.check_size(self.dataset, self.image_size)
        mean, std = _values(self.mean), _values(self.std)
        data.check_normalisation(mean or (0, 0, 0), std or (1, 1, 1))
        if self.teacher_classes and not self.teacher_weights:
            raise UserError("teacher_classes chooses among the classes of teacher_weights: name the file of these")
        return self

    def identity(self) -> dict:
        """What the result depends on: values that are not the default, and what files hold instead of their names.

        Leaving defaults out keeps old results valid when a field is added.
        """
        content = self.model_dump(exclude=WHERE, exclude_defaults=True)
        content |= {role: models.portable(content[role]) for role in ("teacher", "student") if role in content}
        if self.teacher_weights:
            content["teacher_weights"] = weights_sha256(self.teacher, self.teacher_weights)
            content.pop("teacher_epochs", None)
        if found := data.fingerprint(self.dataset, self.data_dir):
            content[self.dataset] = found
            if data.resized_crops(self.dataset, self.data_dir, self.image_size, found):
                content["crop"] = "resized"  # before it was, x was another
        if own := self.own_code() | self.code_in_files():
            content["code"] = own  # the same name may come to mean another thing
        return content

    def own_code(self) -> dict[str, str]:
        """Kind and name of what the user has registered, such as "scheme mine", and a hash of what it does."""
        code = {f"{kind} {name}": of_code(thing) for kind, name, thing in self.registered()}
        return {name: found for name, found in code.items() if found}

    def code_in_files(self) -> dict[str, str]:
        """The same of networks that a function in a file builds, which any process can read there."""
        names = filter(models.in_file, (self.teacher, getattr(self, "student", "")))
        return {f"network {models.portable(name)}": of_code(models.constructor(name)) for name in names}

    def registered(self) -> Iterator[tuple[str, str, Any]]:
        """What the names stand for: (kind, name, the function or class in the registry)."""
        yield "dataset", self.dataset, data.DATASETS[self.dataset]
        for name in filter(models.NETWORKS.__contains__, (self.teacher, getattr(self, "student", ""))):
            yield "network", name, models.NETWORKS[name]

    def fetch(self) -> None:
        """Fetch what publishers give of its weights, where they are not here yet: without them there is no key."""
        if self.teacher_weights:
            models.find_weights(self.teacher, self.teacher_weights)

    def key(self) -> str:
        """The canonical hash of the specification, 16 hexadecimal digits; reads files, and fetches none."""
        return digest({type(self).__name__: self.identity()})[:16]

    def check_unchanged(self, key: str) -> None:
        """Refuse to keep what was made of files that have changed since they had this key."""
        if self.key() != key:
            raise UserError(
                f"the files of {self.dataset!r}, or the weights, changed on disk meanwhile: the result would be of "
                "neither, and is not kept. Start it again"
            )

    def load_whole(self) -> data.Dataset:
        """The dataset with all its images, read once per process, and again if it changed on disk."""
        found = data.fingerprint(self.dataset, self.data_dir or None)
        return _load(self.dataset, self.data_dir, self.image_size, self.mean, self.std, found)

    def load_data(self) -> data.Dataset:
        """The dataset, cut to the transfer set if `images_per_class` asks for it."""
        whole = self.load_whole()
        return data.first_per_class(whole, self.images_per_class) if self.images_per_class else whole


class RunSpec(Spec):
    """A student's training. The defaults are the paper's (Sec. 5) but for the number of epochs."""

    student: str = Field(description="the student's network")
    method: str = Field("kd", description="the distillation loss")
    scheme: str = Field(NO_SCHEME, description="what makes x'; none: the student sees x alone")
    standard: str = Field("crop_flip", description="what makes x from the stored image: crop_flip, flip or none")
    pick_ratio: float = Field(augment.PICK_RATIO, description="share r of the pool that CutMixPick keeps")
    epochs: int = Field(240, ge=1, description="epochs of the student's training")
    lr: float = Field(0.05, gt=0, description="initial learning rate (the paper: 0.01 for MobileNetV2, ShuffleV2)")
    tau: float = Field(4.0, gt=0, description="temperature of the distillation loss")
    alpha: float = Field(0.9, ge=0, le=1, description="weight of the teacher's term (Eq. 1)")
    kl_on_x: float = Field(0, ge=0, description="weight of KL(x) beside a feature method's term (Table 1's CRD: 1)")
    student_precision: str = Field("float32", description="of the training student: float32, or bfloat16 autocast")
    x_prime: losses.XPrime = Field("kl", description="the loss of x': kl alone (the paper), or all terms of x")

    @model_validator(mode="after")
    def _names_and_fit(self) -> "RunSpec":
        if not self.student:
            raise UserError(f"name the student's network, one of: {', '.join(models.NETWORKS)}")
        choose("method", self.method, losses.METHODS)
        if "+" not in self.scheme:
            choose("scheme", self.scheme, [NO_SCHEME, *augment.SCHEMES])
        asks = self.scheme != NO_SCHEME and augment.find(self.scheme).asks_teacher
        choose("standard augmentation", self.standard, training.STANDARD)
        if losses.METHODS[self.method].needs_teacher and not self.teacher:
            raise UserError(f"the method {self.method!r} needs a teacher: name its network")
        if asks and not self.teacher:
            raise UserError(f"the scheme {self.scheme!r} picks by what the teacher says: name a teacher")
        augment.pool_runs(self.pick_ratio)
        return self

    def registered(self) -> Iterator[tuple[str, str, Any]]:
        yield from super().registered()
        yield "method", self.method, losses.METHODS[self.method]
        if self.scheme != NO_SCHEME:
            yield from _schemes(self.scheme)

    def identity(self) -> dict:
        content = super().identity()
        picks = self.scheme != NO_SCHEME and augment.find(self.scheme).pick
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

    schemes: tuple[str, ...] = Field(augment.NINE, min_length=1, description="the schemes, in order")
    steps: int = Field(0, ge=0, description="mini-batches to measure on; 0: as many as `epochs` hold")
    epochs: int = Field(10, ge=1, description="epochs to measure on, where steps is 0")
    k: int = Field(640, description="images per window, half x and half x'; a multiple of 2 x batch_size")
    temperature: float = Field(
        1.0,
        ge=metrics.LEAST_TEMPERATURE,
        le=metrics.LARGEST_TEMPERATURE,
        description="the teacher's temperature (the paper: 1)",
    )
    student: str = Field("", description="network of the student that picks for cutmixpick_s; empty: none")
    student_weights: str = Field("", description="file of that student's weights")

    @model_validator(mode="after")
    def _names_and_fit(self) -> "RankSpec":
        augment.wanted(self.schemes)
        metrics.check_sizes(self.batch_size, self.k, self.steps or None)
        if not self.teacher:
            raise UserError("a ranking needs a teacher: name its network")
        if bool(self.student) != bool(self.student_weights):
            raise UserError("student and student_weights go together: name the network and the file of its weights")
        return self

    def fetch(self) -> None:
        super().fetch()
        if self.student_weights:
            models.find_weights(self.student, self.student_weights)

    def registered(self) -> Iterator[tuple[str, str, Any]]:
        yield from super().registered()
        for name in self.schemes:
            yield from _schemes(name)

    def identity(self) -> dict:
        content = super().identity()
        if self.student_weights:
            content["student_weights"] = weights_sha256(self.student, self.student_weights)
        if self.steps:
            content.pop("epochs", None)
        return content


def _schemes(name: str) -> Iterator[tuple[str, str, Any]]:
    """A scheme, or each in a chain, as `Spec.registered` lists it, told from one that picks otherwise."""
    for scheme in map(augment.find, name.split("+")):
        yield f"scheme {scheme.pick}".rstrip(), scheme.name, scheme.own


def _values(text: str) -> tuple[float, ...]:
    """The numbers in a field such as `mean`."""
    return tuple(map(float, text.split()))


@lru_cache(maxsize=4)
def _load(dataset: str, data_dir: str, size: int, mean: str, std: str, fingerprint: str) -> data.Dataset:
    return data.load(dataset, data_dir or None, size, _values(mean) or None, _values(std) or None)
