"""The `kdutils` command. Each command lives in `kdutils.commands`, and one line here adds it."""

import sys

import typer
from typer.core import TyperGroup

from kdutils.commands import bench, book, costs, courses, notebooks, rank, results, sweep, train
from kdutils.errors import UserError


class Commands(TyperGroup):
    """Ends a command as a person expects: an error of theirs in a line or two, an interrupt without a traceback."""

    def invoke(self, context: typer.Context) -> object:
        """Run the command; exit 1 on a UserError, 130 on Ctrl-C."""
        try:
            return super().invoke(context)
        except UserError as error:
            typer.echo(f"kdutils: {error}", err=True)
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            typer.echo("\ninterrupted; what is finished is kept, and the same command goes on from there", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.callback()
def about() -> None:
    """Rank data augmentations for a teacher, re-run the book's chapters, build the book."""


app.command()(rank.rank)
app.command()(train.train)
app.command()(sweep.sweep)
app.add_typer(results.app)
app.command()(bench.bench)
app.command()(costs.costs)
app.command()(book.book)
app.command()(book.serve)
app.command()(book.pdf)
app.command()(book.linkcheck)
app.command()(notebooks.notebooks)
app.command(context_settings=PASS_ON)(notebooks.run_notebook)
app.command(context_settings=PASS_ON)(courses.assignments)
app.command(context_settings=PASS_ON)(courses.grade)


def main() -> None:
    """The entry point of the `kdutils` script."""
    sys.exit(app())
