"""`kdutils results`: look at a store, carry it to another machine, record it for the book."""

import os
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from kdutils import report, runs
from kdutils._files import at_home, check_place, is_file
from kdutils.cli import flags, output
from kdutils.errors import UserError, choose
from kdutils.runs import RunSpec, Store, transfer

app = typer.Typer(name="results", no_args_is_help=True)


@app.callback()
def results() -> None:
    """List, export, import and record the results in a store."""


@app.command("list")
def list_(store: output.StoreOption = None) -> None:
    """List the trainings in a store, with the fields in which they differ."""
    shelf = existing(store)
    with output.plain_warnings():
        table = transfer.table(shelf)
    fields = [name for name in table if table[name].nunique() > 1 or name in ("dataset", "student", "key")]
    typer.echo(output.printed(table[fields]) if len(table) else f"no results in {shelf.folder}")


@app.command()
def export(
    path: Annotated[Path, typer.Argument(help="The zip file to write.")],
    store: output.StoreOption = None,
    weights: Annotated[bool, typer.Option("--weights", help="Put in weights and checkpoints too.")] = False,
) -> None:
    """Pack the results of a store into a zip file; with --weights, all that a sweep elsewhere needs to go on."""
    if is_file(path) and not transfer.is_packed(path):
        raise UserError(f"{path} is no packed store, so it is kept; name another file")
    check_place(path)
    with output.plain_warnings():
        typer.echo(f"{transfer.pack(existing(store), path, weights)} results in {path}")


@app.command("import")
def import_(
    sources: Annotated[
        list[Path],
        typer.Argument(help="Packed files, or folders of other stores.", parser=output.named, metavar="PATH..."),
    ],
    store: output.StoreOption = None,
) -> None:
    """Merge other stores into this one. A result that differs from ours is reported and never overwrites it."""
    differing = []
    with output.plain_warnings():
        for source in sources:
            merged = transfer.merge(source, Store(store))
            begun = f"; {len(merged.begun)} unfinished" if merged.begun else ""
            counts = f"{len(merged.added)} new, {len(merged.same)} known, {len(merged.differing)} differ"
            typer.echo(f"{source}: {counts}{begun}")
            differing += merged.differing
    if differing:
        raise UserError(f"these results differ from ours, which were kept: {', '.join(differing)}")


@app.command()
def evaluate(
    store: output.StoreOption = None,
    data_dir: Annotated[str, typer.Option(help=RunSpec.model_fields["data_dir"].description)] = "",
    teacher_weights: Annotated[
        str, typer.Option("--teacher-weights", "--weights", help="File of the teachers' weights, with {teacher} in it.")
    ] = "",
) -> None:
    """Measure what older versions did not, such as the calibration, of every student whose weights are in the store."""
    shelf, left = existing(store), []
    with output.plain_warnings():
        for key, content in list(transfer.lacking(shelf)):
            try:
                spec = transfer.asked(content, data_dir, teacher_weights)
                if spec.key() != key:
                    raise UserError(f"{key} was made of other images, weights or code than those named here")
                found = runs.evaluate_again(spec, shelf.folder)
            except UserError as error:
                left.append(str(error))
            else:
                values = found.model_dump(include=set(transfer.MEASURED), exclude_none=True)
                typer.echo(f"{runs.title(spec)}: {', '.join(f'{name} {n:.4g}' for name, n in values.items())}")
    if left:
        raise UserError(f"{len(left)} not evaluated again. The first: {left[0]}")


@app.command()
def record(
    name: Annotated[str, typer.Argument(help="Name of the recorded run: small letters, digits, underscores.")],
    store: output.StoreOption = None,
    where: Annotated[list[str] | None, typer.Option(help="Only results with this, such as dataset=cifar100.")] = None,
) -> None:
    """Write the store's trainings as a recorded run of the book: book/results/NAME.csv and NAME.json."""
    output.check_record(name)
    shelf = existing(store)
    with output.plain_warnings():
        table = select(transfer.table(shelf), where or [])
    facts = {
        "command": flags.words("results record", {}, [name, *(f"--where={rule}" for rule in where or [])]),
        **{field: _values(table[field]) for field in ("dataset", "teacher", "student", "method", "epochs", "seed")},
    }
    made = transfer.origin(shelf, table["key"])  # where the runs were made, which may not be here
    report.write_recorded(name, table, {**report.provenance(**facts), **made})
    typer.echo(f"{len(table)} results recorded as {name}")


def existing(folder: Path | None) -> Store:
    """The store in the folder that was named, which must be there, or the user's own, which may not be yet."""
    if folder and not os.path.isdir(at_home(folder)):
        raise UserError(f"no store at {folder}: name a folder of results")
    return Store(folder)


def select(table: pd.DataFrame, rules: list[str]) -> pd.DataFrame:
    """The rows that fit all rules of the form field=value; UserError if none does."""
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
