"""The `kdutils` command. Each command is a function in a module beside this one, and one line here adds it.

A module is imported when its command is called; the list of commands only reads the docstrings.
"""

import ast
import functools
import importlib
import os
import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand, TyperGroup

from kdutils.cli import faults
from kdutils.errors import UserError

COMMANDS = {  # name -> module and function; a module with an `app` is a group of commands
    "rank": "rank.rank",
    "train": "train.train",
    "sweep": "sweep.sweep",
    "results": "results.results",
    "bench": "bench.bench",
    "costs": "costs.costs",
    "book": "book.book",
    "serve": "book.serve",
    "pdf": "book.pdf",
    "linkcheck": "book.linkcheck",
    "notebooks": "notebooks.notebooks",
    "run-notebook": "notebooks.run_notebook",
    "photographs": "courses.photographs",
    "assignments": "courses.assignments",
    "grade": "courses.grade",
}
EXTRAS = {"book": "book", "notebooks": "book", "courses": "book,course"}  # module -> what it needs besides
WITH_PARAMETERS = ("run-notebook", "assignments", "grade")  # flags that are a notebook's parameters are read later
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


class Commands(TyperGroup):
    """Lists the commands by name, loads the one that is called, and ends as a person expects: see `faults`."""

    def __init__(self, **attributes: object) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, help=docstring(name)) for name in COMMANDS}

    def resolve_command(self, context: typer.Context, words: list[str]) -> tuple:
        """The command that the first word names, with what it takes; UsageError with the nearest name if none is."""
        name, known, rest = super().resolve_command(context, words)
        return name, load(name) if known else None, rest

    def invoke(self, context: typer.Context) -> object:
        """Run the command; exit 130 on Ctrl-C."""
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            typer.echo("\ninterrupted; what is finished is kept, and the same command goes on from there", err=True)
            raise typer.Exit(130) from None

    def main(self, *words: object, **options: object) -> None:
        """Run what the words ask for and exit: 0, or with a message of one to three lines."""
        try:
            status = super().main(*words, **{**options, "standalone_mode": False})
            sys.stdout.flush()
        except Exception as error:
            status = faults.tell(error)
        sys.exit(status)


@functools.cache
def docstring(name: str) -> str:
    """The docstring of a command, without importing it."""
    module, function = COMMANDS[name].split(".")
    tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8"))
    return next(
        ast.get_docstring(node) for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function
    )


def load(name: str) -> TyperCommand | TyperGroup:
    """The command itself, or the group of commands; a UserError names the extra that it needs."""
    place, function = COMMANDS[name].split(".")
    try:
        module = importlib.import_module(f"kdutils.cli.{place}")
    except ModuleNotFoundError as error:
        if place not in EXTRAS:
            raise
        raise UserError(
            f"kdutils {name} needs {error.name}, which is not installed: pip install 'kdutils[{EXTRAS[place]}]'"
        ) from error
    if hasattr(module, "app"):
        return typer.main.get_command(module.app)
    alone = typer.Typer(add_completion=False)
    alone.command(name, context_settings=PASS_ON if name in WITH_PARAMETERS else {})(getattr(module, function))
    return typer.main.get_command(alone)


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)


def show_version(wanted: bool) -> None:
    """Print the version and exit, if it is asked for."""
    if wanted:
        typer.echo(installed("kdutils"))
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Rank data augmentations for a teacher, re-run the book's chapters, build the book."""


def main() -> None:
    """The entry point of the `kdutils` script."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller: what is printed goes nowhere
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  (open to the end)
        getattr(sys, name).reconfigure(errors="backslashreplace")  # a terminal in Latin-1 cannot show an x′
    try:
        app()
    except Exception as error:  # before `Commands.main` could tell it
        sys.exit(faults.tell(error))
