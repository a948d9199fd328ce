"""`kdutils costs`: what all of the paper's student trainings would take here."""

from typing import Annotated

import typer

from kdutils import costs as measuring
from kdutils import report
from kdutils.commands import output


def costs(
    record: Annotated[bool, typer.Option("--record", help="Record the table for the book's chapter on cost.")] = False,
) -> None:
    """Measure a step of every kind of training in the paper's tables, and add up what all of them would take here."""
    table = measuring.full_grid()
    expected, took = measuring.check(table)
    typer.echo(output.printed(table))
    typer.echo(measuring.total(table))
    typer.echo(f"check: {measuring.CHECK_STEPS} steps estimated at {expected:.3g} s took {took:.3g} s")
    if record:
        facts = report.provenance(
            command="kdutils costs --record",
            data="noise, as large as CIFAR-100",
            check_steps=measuring.CHECK_STEPS,
            check_estimated_seconds=expected,
            check_measured_seconds=took,
        )
        report.write_recorded("costs", table, facts)
