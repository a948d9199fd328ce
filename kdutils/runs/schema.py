"""What a result in a store must be: of the right form, and the answer to the question whose key it bears."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model

from kdutils.runs.identities import canonical, digest
from kdutils.runs.specs import RankSpec, RunSpec, Spec


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("text with control characters")
    return text


Text = Annotated[str, AfterValidator(_printable)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[Finite, Field(ge=0)]
Percent = Annotated[Finite, Field(ge=0, le=100)]


class RunResult(BaseModel):
    """What a run ended in: test loss in nats, test accuracy in per cent, the training loss of every epoch.

    Also the expected and the adaptive calibration error in per cent and, for a student with a teacher, how closely it
    follows that teacher on the test images (`training.Fidelity`); None in results from before these were measured.
    """

    model_config = ConfigDict(frozen=True)

    test_loss: Positive
    test_accuracy: Percent
    ece: Percent | None = None
    ace: Percent | None = None
    agreement: Percent | None = None
    teacher_kl: Finite | None = None
    teacher_accuracy: Percent | None = None
    train_losses: tuple[Finite, ...]
    weights_sha256: str = Field(pattern="^[0-9a-f]{64}$")


class RankedScheme(BaseModel):
    """A row of a ranking (`metrics.rank_schemes`); what could not be measured is missing or NaN."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float]

    scheme: Text
    t_stddev: float | None = None


class Neighbours(BaseModel):
    """Two schemes next to each other in a ranking (`metrics.told_apart`)."""

    better: Text
    worse: Text
    apart: bool
    more_steps: float


class RankingFacts(BaseModel):
    """What a ranking says besides its rows: the images, how well the teacher fits, and which rows are told apart."""

    images: Text = ""
    teacher_test_accuracy: Percent
    teacher_test_images: int
    teacher_chance: Percent
    neighbours: tuple[Neighbours, ...]


def _recorded(kind: type[Spec]) -> type[BaseModel]:
    """The fields of `kind` as an identity holds them: typed, but no name looked up that this process may not know."""
    fields = {
        name: (Text if field.annotation is str else field.annotation, field)
        for name, field in kind.model_fields.items()
    }
    return create_model(f"Recorded{kind.__name__}", __config__=ConfigDict(extra="allow"), **fields)


_RECORDED = {kind: _recorded(kind) for kind in (RunSpec, RankSpec)}


class _Stored(BaseModel):
    made: dict[str, Text] = {}


class _StoredRun(_Stored):
    spec: _RECORDED[RunSpec]
    result: RunResult


class _StoredRanking(_Stored):
    spec: _RECORDED[RankSpec]
    rows: tuple[RankedScheme, ...]
    facts: RankingFacts | None = None


def check(key: str, content: Any) -> None:
    """ValueError, in one line, unless `content` is a whole run or ranking and `key` that of its specification."""
    ranked = isinstance(content, dict) and "rows" in content
    model, kind = (_StoredRanking, RankSpec) if ranked else (_StoredRun, RunSpec)
    try:
        stored = model.model_validate_json(canonical(content), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        said = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'it'}: {said}") from error
    if digest({kind.__name__: content["spec"]})[: len(key)] != key:
        raise ValueError("it answers another question than its key says")
    if ranked and tuple(row.scheme for row in stored.rows) != stored.spec.schemes:
        raise ValueError("its rows are not the schemes asked for")
    if not ranked and len(stored.result.train_losses) != stored.spec.epochs:
        raise ValueError(f"it has {len(stored.result.train_losses)} losses for {stored.spec.epochs} epochs")
