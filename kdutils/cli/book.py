"""`kdutils book`, `serve`, `pdf` and `linkcheck`: build the book and look at it."""

from typing import Annotated

import typer

from kdutils.book import build
from kdutils.book import pdf as printing
from kdutils.book import serve as serving
from kdutils.book.notebooks import ROOT


def book() -> None:
    """Build the book into _build/html."""
    typer.echo(f"The book is ready: {build.build()}")


def serve(port: Annotated[int, typer.Option(min=1, max=65535, help="The port on localhost.")] = 8000) -> None:
    """Show the book on localhost and build it again when a source changes."""
    serving.serve(port=port)


def pdf() -> None:
    """Print the whole book to _build/book.pdf, with Chromium."""
    typer.echo(f"The book is printed: {printing.pdf()}")


def linkcheck() -> None:
    """Try the book's links to other sites; one that is broken is an error."""
    build.other_format(ROOT, "linkcheck")
    typer.echo("All links lead somewhere.")
