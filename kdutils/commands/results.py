"""`kdutils results`: look at a store, carry it to another machine, record it for the book."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from kdutils import exchange, report
from kdutils.commands import flags, output
from kdutils.errors import UserError, choose
from kdutils.store import Store

app = typer.Typer(name="results", help="List, export, import and record the results in a store.", no_args_is_help=True)


@app.command("list")
def list_(store: output.StoreOption = None) -> None:
    """List the trainings in a store, with the fields in which they differ."""
    table = exchange.table(Store(store))
    fields = [name for name in table if table[name].nunique() > 1 or name in ("dataset", "student", "key")]
    typer.echo(output.printed(table[fields]) if len(table) else f"no results in {Store(store).folder}")


@app.command()
def export(
    path: Annotated[Path, typer.Argument(help="The zip file to write.")],
    store: output.StoreOption = None,
    weights: Annotated[bool, typer.Option("--weights", help="Put in weights and checkpoints too.")] = False,
) -> None:
    """Pack the results of a store into a zip file; with --weights, all that a sweep elsewhere needs to go on."""
    typer.echo(f"{exchange.pack(Store(store), path, weights)} results in {path}")


@app.command("import")
def import_(
    sources: Annotated[list[Path], typer.Argument(help="Packed files, or folders of other stores.")],
    store: output.StoreOption = None,
) -> None:
    """Merge other stores into this one. A result that differs from ours is reported and never overwrites it."""
    differing = []
    with output.plain_warnings():
        for source in sources:
            merged = exchange.merge(source, Store(store))
            begun = f"; {len(merged.begun)} unfinished" if merged.begun else ""
            counts = f"{len(merged.added)} new, {len(merged.same)} known, {len(merged.differing)} differ"
            typer.echo(f"{source}: {counts}{begun}")
            differing += merged.differing
    if differing:
        raise UserError(f"these results differ from ours, which were kept: {', '.join(differing)}")


@app.command()
def record(
    name: Annotated[str, typer.Argument(help="Name of the recorded run: small letters, digits, underscores.")],
    store: output.StoreOption = None,
    where: Annotated[list[str] | None, typer.Option(help="Only results with this, such as dataset=cifar100.")] = None,
) -> None:
    """Write the store's trainings as a recorded run of the book: book/results/NAME.csv and NAME.json."""
    table = select(exchange.table(Store(store)), where or [])
    facts = {
        "command": flags.words("results record", {}, [name, *(f"--where={rule}" for rule in where or [])]),
        **{field: _values(table[field]) for field in ("dataset", "teacher", "student", "method", "epochs", "seed")},
    }
    made = exchange.origin(Store(store), table["key"])  # where the runs were made, which may not be here
    report.write_recorded(name, table, {**report.provenance(**facts), **made})
    typer.echo(f"{len(table)} results recorded as {name}")


def select(table: pd.DataFrame, rules: list[str]) -> pd.DataFrame:
    """The rows that fit all rules of the form field=value; UserError where none does."""
    for rule in rules:
        field, equals, value = rule.partition("=")
        if not equals:
            raise UserError(f"--where {rule}: write it as field=value, such as dataset=cifar100")
        choose("field of a run", field, list(table.columns))
        table = table[table[field].astype(str) == value]
    if table.empty:
        raise UserError("no result in the store fits" + (f": {', '.join(rules)}" if rules else ": it is empty"))
    return table.reset_index(drop=True)


def _values(column: pd.Series) -> str:
    """The different values of a column, with commas."""
    return ", ".join(str(value) for value in column.drop_duplicates())
