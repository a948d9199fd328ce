"""`kdutils bench`: how fast the fast paths are, beside the plain ones."""

import json
import os
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from kdutils import bench as measuring
from kdutils import files, report
from kdutils.commands import output


def bench(
    threads: Annotated[str, typer.Option(help="Threads to measure with; several with commas.")] = "1",
    rounds: Annotated[int, typer.Option(min=1, help="How often; the shortest times count.")] = 3,
    out: Annotated[Path | None, typer.Option(help="JSON file for the ratios, with the machine.")] = None,
    record: Annotated[bool, typer.Option("--record", help="Also record them for the book's page.")] = False,
) -> None:
    """Measure ranking and training against plain ways and bare forwards, side by side, and print the ratios."""
    load = os.getloadavg()[0]  # what else kept the machine busy
    table = pd.concat([measuring.bench(n, rounds) for n in output.read_numbers(threads)], ignore_index=True)
    before, after = measuring.memory()
    typer.echo(output.printed(table[["name", "threads", "ratio", "least", "most", "met"]]))
    typer.echo(f"running statistics of a ranking: {before:,} bytes after 60 windows, {after:,} after 120")
    command = f"kdutils bench --threads {threads} --rounds {rounds}"
    facts = report.provenance(command=command, load_before=round(load, 1), statistics_bytes=[before, after])
    if out:
        ratios = json.loads(table.to_json(orient="records"))  # no bound: null
        files.write_text(out, json.dumps({**facts, "ratios": ratios}, indent=1) + "\n")
    if record:
        report.write_recorded("bench", table, facts)
