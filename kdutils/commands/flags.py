"""Command-line flags made from a specification's own fields, so that no flag can be missing or say something else."""

import inspect
import shlex
from collections.abc import Callable
from typing import Annotated, Any

import typer

from kdutils import augment
from kdutils.errors import UserError
from kdutils.specs import Spec

SHORTER = {"teacher_weights": "--weights"}  # next to the flag of the field's own name
ALL = "all"
METAVARS = {int: "INTEGER", float: "NUMBER", str: "TEXT"}  # else names, with commas between several


def flags_of(kind: type[Spec]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Turn `work(spec, ...)` into a command that takes one flag a field of `kind`, and then the options of `work`."""

    def decorate(work: Callable[..., None]) -> Callable[..., None]:
        def command(**given: Any) -> None:
            texts = {name: given.pop(name) for name in kind.model_fields}
            work(read(kind, {name: text for name, text in texts.items() if text is not None}), **given)

        own = [p.replace(kind=p.KEYWORD_ONLY) for p in list(inspect.signature(work).parameters.values())[1:]]
        command.__signature__ = inspect.Signature([*(_parameter(name, kind) for name in kind.model_fields), *own])
        command.__annotations__ = {}  # the signature says all
        command.__name__, command.__doc__ = work.__name__, work.__doc__
        return command

    return decorate


def read(kind: type[Spec], texts: dict[str, str]) -> Spec:
    """The specification that these texts of fields describe; UserError where one is wrong."""
    values: dict[str, Any] = dict(texts)
    if "schemes" in values:
        names = tuple(name.strip() for name in values["schemes"].split(",") if name.strip())
        values["schemes"] = tuple(augment.SCHEMES) if names == (ALL,) else names
    for name, field in kind.model_fields.items():
        if field.is_required() and name not in values:
            raise UserError(f"{flag(name)} is missing: {field.description}")
    return kind(**values)


def flag(name: str) -> str:
    """The flag of the field `name`."""
    return "--" + name.replace("_", "-")


def line(command: str, spec: Spec) -> str:
    """The shell line that asks for `spec`: `kdutils command` with a flag for each field that is not the default."""
    words = ["kdutils", command]
    for name, value in spec.model_dump(exclude_defaults=True).items():
        words += [flag(name), _text(value)]
    return shlex.join(words)


def _parameter(name: str, kind: type[Spec]) -> inspect.Parameter:
    field = kind.model_fields[name]
    default = ALL if field.default == tuple(augment.SCHEMES) else _text(field.default)
    shown = field.description + (f" (default {default})" if default and not field.is_required() else "")
    names = [flag(name), SHORTER[name]] if name in SHORTER else [flag(name)]
    option = typer.Option(*names, help=shown, show_default=False, metavar=METAVARS.get(field.annotation, "NAME"))
    annotation = Annotated[str | None, option]  # the specification itself reads the text, with its own messages
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
