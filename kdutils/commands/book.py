"""`kdutils book`, `serve`, `pdf` and `linkcheck`: build the book and look at it."""

from typing import Annotated

import typer

from kdutils import book as building
from kdutils import printing, serving
from kdutils.notebooks import ROOT


def book() -> None:
    """Build the book into _build/html."""
    typer.echo(f"The book is ready: {building.build()}")


def serve(port: Annotated[int, typer.Option(help="The port on localhost.")] = 8000) -> None:
    """Show the book on localhost and build it again when a source changes."""
    serving.serve(port=port)


def pdf() -> None:
    """Print the whole book to _build/book.pdf, with Chromium."""
    typer.echo(f"The book is printed: {printing.pdf()}")


def linkcheck() -> None:
    """Try the book's links to other sites; one that is broken is an error."""
    building.other_format(ROOT, "linkcheck")
    typer.echo("All links lead somewhere.")
