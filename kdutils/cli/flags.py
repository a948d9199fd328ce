"""Command-line flags made from a specification's own fields, so that no flag can be missing or say something else."""

import inspect
import shlex
from collections.abc import Callable
from typing import Annotated, Any

import typer

from kdutils import augment
from kdutils.errors import UserError
from kdutils.runs import Spec

SHORTER = {"teacher_weights": "--weights"}  # next to the flag of the field's own name
ALL = "all"
METAVARS = {int: "INTEGER", float: "NUMBER", str: "TEXT"}  # else names, with commas between several


def flags_of(kind: type[Spec]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Turn `work(spec, ...)` into a command that takes one flag a field of `kind`, and then the options of `work`."""

    def decorate(work: Callable[..., None]) -> Callable[..., None]:
        def command(**given: Any) -> None:
            texts = {name: given.pop(name) for name in kind.model_fields}
            work(read(kind, {name: text for name, text in texts.items() if text is not None}), **given)

        return _command(command, work, [_parameter(name, kind) for name in kind.model_fields])

    return decorate


def lists_of(kind: type[Spec], also: dict[str, str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Turn `work(lists, ...)` into a command whose flags take lists: those of `kind` and `also` (name -> help)."""

    def decorate(work: Callable[..., None]) -> Callable[..., None]:
        def command(**given: Any) -> None:
            texts = {name: given.pop(name) for name in (*also, *kind.model_fields)}
            work({name: _several(text) for name, text in texts.items() if text is not None}, **given)

        extra = [_text_parameter(name, [flag(name)], shown) for name, shown in also.items()]
        return _command(command, work, [*extra, *(_parameter(name, kind) for name in kind.model_fields)])

    return decorate


def read(kind: type[Spec], texts: dict[str, str]) -> Spec:
    """The specification that these texts of fields describe; UserError where one is wrong."""
    values: dict[str, Any] = dict(texts)
    if "schemes" in values:
        names = _several(values["schemes"])
        values["schemes"] = augment.NINE if names == [ALL] else tuple(names)
    if "data_dir" in texts and "dataset" not in texts:
        typer.echo("--data-dir is not read: without --dataset (such as folder) the images are the digits", err=True)
    for name, field in kind.model_fields.items():
        if field.is_required() and name not in values:
            raise UserError(f"{flag(name)} is missing: {field.description}")
    return kind(**values)


def flag(name: str) -> str:
    """The flag of the field `name`."""
    return "--" + name.replace("_", "-")


def line(command: str, spec: Spec, more: list[str] | None = None) -> str:
    """The shell line that asks for `spec`: `kdutils command` with a flag for each field that is not the default."""
    values = spec.model_dump(exclude_defaults=True)
    return words(command, {name: _list(value) for name, value in values.items()}, more)


def words(command: str, lists: dict[str, list], more: list[str] | None = None) -> str:
    """The shell line of `command` with these flags, several values with commas."""
    flags = [word for name, values in lists.items() for word in (flag(name), ",".join(map(str, values)))]
    return shlex.join(["kdutils", command, *flags, *(more or [])])


def _command(command: Callable[..., None], work: Callable[..., None], first: list[inspect.Parameter]) -> Callable:
    """`command` dressed for typer: the flags `first`, then the options of `work` after its own first parameter."""
    own = [p.replace(kind=p.KEYWORD_ONLY) for p in list(inspect.signature(work).parameters.values())[1:]]
    command.__signature__ = inspect.Signature([*first, *own])
    command.__annotations__ = {}  # the signature says all
    command.__name__, command.__doc__ = work.__name__, work.__doc__
    return command


def _parameter(name: str, kind: type[Spec]) -> inspect.Parameter:
    field = kind.model_fields[name]
    default = ALL if field.default == augment.NINE else ",".join(map(str, _list(field.default)))
    shown = field.description + (f" (default {default})" if default and not field.is_required() else "")
    names = [flag(name), SHORTER[name]] if name in SHORTER else [flag(name)]
    return _text_parameter(name, names, shown, METAVARS.get(field.annotation, "NAME"))


def _text_parameter(name: str, names: list[str], shown: str, metavar: str = "TEXT") -> inspect.Parameter:
    """A parameter whose text the specification reads itself, with its own messages."""
    annotation = Annotated[str | None, typer.Option(*names, help=shown, show_default=False, metavar=metavar)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _several(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _list(value: Any) -> list:
    return list(value) if isinstance(value, tuple) else [value]
