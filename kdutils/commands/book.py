"""`kdutils book`, `serve`, `pdf` and `linkcheck`: build the book and look at it."""

import typer

from kdutils import book as building


def book() -> None:
    """Build the book into _build/html."""
    index = building.build()
    typer.echo(f"The book is ready: {index}")
