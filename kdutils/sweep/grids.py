"""Many specifications from lists of values."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from kdutils.errors import UserError
from kdutils.runs import RunSpec

LARGEST = 100_000  # runs of one grid; more is a typing mistake


def grid(**lists: Any) -> list[RunSpec]:
    """All combinations of the fields of RunSpec that are given, as values or as lists of values; the last varies first.

    `pair="resnet56/resnet20"` (or a list of such) names teacher and student together. `{teacher}` in
    `teacher_weights` stands for the teacher's name; a run without a teacher then has no such weights.
    """
    axes = {name: _axis(name, values) for name, values in lists.items()}
    if (runs := math.prod(len(values) for values in axes.values())) > LARGEST:
        raise UserError(f"a grid of {runs:,} runs; at most {LARGEST:,} can be asked for at once")
    return [_spec(dict(zip(axes, values, strict=True))) for values in itertools.product(*axes.values())]


def _axis(name: str, values: Any) -> Sequence[Any]:
    """The values of a field; a single one is a list of one."""
    if isinstance(values, Mapping | Set | bytes | bytearray):
        raise UserError(f"{name}: write a value or a list of values (got {values!r:.100})")
    if isinstance(values, str) or not isinstance(values, Iterable):
        return [values]
    values = values if isinstance(values, Sequence) else list(values)
    if not len(values):
        raise UserError(f"the grid is empty: no value for {name}")
    return values


def _spec(values: dict[str, Any]) -> RunSpec:
    if "pair" in values:
        pair = values.pop("pair")
        if not isinstance(pair, str) or "/" not in pair:
            raise UserError(f"a pair is written teacher/student, such as resnet56/resnet20, not {pair!r:.100}")
        if twice := {"teacher", "student"} & values.keys():
            raise UserError(f"a pair names teacher and student; leave out the pair, or {' and '.join(sorted(twice))}")
        values["teacher"], _, values["student"] = pair.partition("/")
    if "student" not in values:
        raise UserError("name at least one student, or a pair teacher/student")
    weights, teacher = values.get("teacher_weights"), values.get("teacher")
    if isinstance(weights, str | Path) and "{teacher}" in str(weights):
        values["teacher_weights"] = str(weights).replace("{teacher}", str(teacher)) if teacher else ""
    return RunSpec(**values)
