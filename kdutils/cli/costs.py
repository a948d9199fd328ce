"""`kdutils costs`: what all of the paper's student trainings would take here."""

from typing import Annotated

import typer

from kdutils import report
from kdutils.bench import paper_costs
from kdutils.cli import output


def costs(
    record: Annotated[bool, typer.Option("--record", help="Record the table for the book's chapter on cost.")] = False,
) -> None:
    """Measure a step of every kind of training in the paper's tables, and add up what all of them would take here."""
    output.check_record("costs" if record else "")
    table = paper_costs.full_grid()
    expected, took = paper_costs.check(table)
    typer.echo(output.printed(table))
    typer.echo(paper_costs.total(table))
    typer.echo(f"check: {paper_costs.CHECK_STEPS} steps estimated at {expected:.3g} s took {took:.3g} s")
    if record:
        facts = report.provenance(
            command="kdutils costs --record",
            data="noise, as large as CIFAR-100",
            check_steps=paper_costs.CHECK_STEPS,
            check_estimated_seconds=expected,
            check_measured_seconds=took,
        )
        report.write_recorded("costs", table, facts)
