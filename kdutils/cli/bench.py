"""`kdutils bench`: how fast the fast paths are, beside the plain ones."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from kdutils import _files, report
from kdutils.bench import growth, processors, ratios
from kdutils.cli import output


def bench(
    threads: Annotated[str, typer.Option(help="Threads to measure with; several with commas.")] = "1",
    rounds: Annotated[int, typer.Option(min=1, help="How often; the shortest times count.")] = 3,
    out: Annotated[Path | None, typer.Option(help="JSON file for the ratios, with the machine.")] = None,
    record: Annotated[bool, typer.Option("--record", help="Also record them for the book's page.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if a fast path is slower than its twin.")] = False,
) -> None:
    """Measure ranking and training against plain ways and bare forward passes, side by side, and how times grow."""
    output.check_json(out)
    output.check_record("bench" if record else "")
    load = os.getloadavg()[0]  # what else kept the machine busy
    table = processors.bench(output.read_numbers(threads), rounds)
    before, after = ratios.memory()
    grown = growth.bench()
    typer.echo(output.printed(table[["name", "isa", "threads", "ratio", "least", "most", "met", "slower"]]))
    typer.echo(output.printed(grown[["what", "n", "ratio"]]))
    typer.echo(f"running statistics of a ranking: {before:,} bytes after 60 windows, {after:,} after 120")
    command = f"kdutils bench --threads {threads} --rounds {rounds}"
    facts = report.provenance(command=command, load_before=round(load, 1), statistics_bytes=[before, after])
    if out:
        rows = {"ratios": table, "growth": grown}
        rows = {name: json.loads(each.to_json(orient="records")) for name, each in rows.items()}  # no bound: null
        _files.write_text(out, json.dumps({**facts, **rows}, indent=1) + "\n")
    if record:
        report.write_recorded("bench", table, facts)
        report.write_recorded("growth", grown, report.provenance(command=command))
    if check and table.slower.any():
        raise typer.Exit(1)
