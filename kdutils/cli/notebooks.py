"""`kdutils notebooks` and `kdutils run-notebook`: re-run a chapter with parameters of one's own."""

import os
from pathlib import Path
from typing import Annotated

import typer

from kdutils.book import notebooks as nb
from kdutils.errors import UserError


def notebooks() -> None:
    """List the chapters with their parameters and defaults."""
    for path in nb.chapters():
        typer.secho(f"{path.stem}  {nb.title(path)}", bold=True)
        for parameter in nb.parameters(path).values():
            typer.echo(f"    --{parameter.name} {parameter.default!r}  {parameter.help}")


def run_notebook(
    context: typer.Context,
    chapter: Annotated[str, typer.Argument(help="A chapter's number or name, or the path of a notebook.")],
    output: Annotated[Path | None, typer.Option(help="The executed notebook; else CHAPTER-run.ipynb here.")] = None,
    device: Annotated[
        str, typer.Option(help="Where to compute: auto (a GPU if there is one), cpu, cuda, cuda:1, mps, xpu.")
    ] = "auto",
) -> None:
    """Run a chapter with parameters of your own.

    Write --NAME VALUE or -p NAME VALUE for each parameter; `kdutils notebooks` lists them.
    """
    if device != "auto":
        from kdutils.inference import devices  # PyTorch takes seconds to load

        os.environ["KDUTILS_DEVICE"] = str(devices.find(device))  # the notebook's own process reads it
    path = nb.run_notebook(chapter, read_parameters(context.args), output)
    typer.echo(f"executed notebook: {path}")


def read_parameters(words: list[str]) -> dict[str, str]:
    """Names and values from `--name value`, `--name=value` (a dash in a name reads as `_`) and `-p name value`."""
    given: dict[str, str] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word in ("-p", "--parameters"):
            name = queue.pop(0) if queue else ""
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            name = name.replace("-", "_")
            if equals:
                queue.insert(0, value)
        else:
            raise UserError(f"{word!r} belongs to no parameter; write --NAME VALUE or -p NAME VALUE")
        if not name or not queue:
            raise UserError(f"{word} {name if word.startswith('-p') else ''}".rstrip() + " needs a value")
        if name in given:
            raise UserError(f"parameter {name!r} is given twice")
        given[name] = queue.pop(0)
    return given
