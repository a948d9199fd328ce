"""`kdutils sweep`: make all runs of a grid that the store does not hold yet."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
import yaml

from kdutils import augment, report
from kdutils import sweep as sweeping
from kdutils._files import open_regular
from kdutils.cli import flags, output
from kdutils.cli.rank import teacher_accuracy
from kdutils.errors import UserError, choose
from kdutils.runs import RunSpec, Store, teacher_spec, transfer
from kdutils.runs.specs import WHERE
from kdutils.sweep.estimate import estimate
from kdutils.sweep.jobs import Job
from kdutils.sweep.local import default_workers
from kdutils.sweep.worker import SchedulerLost

GRIDS = "grid"  # in a file: a list of grids that share what stands beside it


@flags.lists_of(RunSpec, also={"pair": "teacher and student together, such as resnet56/resnet20"})
def sweep(
    lists: dict[str, list[str]],
    file: Annotated[Path | None, typer.Option(help="TOML or YAML file with the lists; flags come on top.")] = None,
    store: output.StoreOption = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; 0: none but this one. Else one per core or GPU.")
    ] = None,
    budget: Annotated[str, typer.Option(help="Stop after this time, such as 25m or 2h; checkpoints are kept.")] = "",
    scheduler: Annotated[
        str, typer.Option(help="Address or file of a Dask scheduler whose workers make the runs.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would run, with an estimate.")] = False,
    print_commands: Annotated[bool, typer.Option("--print-commands", help="Only print one command per line.")] = False,
    out: Annotated[Path | None, typer.Option(help="CSV file for the table.")] = None,
    record: Annotated[str, typer.Option(help="Also record what is done for the book under this name.")] = "",
) -> None:
    """Make every run of a grid that the store does not hold yet; each flag takes a value, or several with commas.

    Stopped or killed, the same command goes on from there. The exit status is 1 if a run failed.
    """
    output.check_output(out)
    output.check_record(record)
    seconds = read_duration(budget) if budget else None
    specs = [spec for values in grids(file, lists) for spec in sweeping.grid(**values)]
    if dry_run or print_commands:
        jobs = sweeping.plan(specs, Store(store))
        show_commands(jobs.values(), store) if print_commands else show_plan(specs, jobs, workers)
        return
    table = make(specs, store, workers, seconds, scheduler or None)
    command = flags.words("sweep", {**({"file": [file]} if file else {}), **lists})
    if out:
        output.write_table(out, table.drop(columns=[*WHERE]), report.provenance(command=command))
    if record:
        write_record(record, specs, Store(store), command)
    if (table.status == "failed").any():
        raise typer.Exit(1)


def make(
    specs: list[RunSpec], store: Path | None, workers: int | None, seconds: float | None, scheduler: str | None
) -> pd.DataFrame:
    """Make the runs and show their table, also where the scheduler was lost."""
    try:
        with output.plain_warnings():
            table = sweeping.sweep(specs, store, workers, seconds, scheduler)
    except SchedulerLost as lost:
        show(lost.table)
        raise
    show(table)
    return table


def grids(file: Path | None, lists: dict[str, list[str]]) -> list[dict[str, Any]]:
    """The values of every grid: what the file says, with the flags on top."""
    content = read_file(file) if file else {}
    own = content.pop(GRIDS, [{}])
    if not isinstance(own, list) or not own or not all(isinstance(each, dict) for each in own):
        raise UserError(f"{file}: {GRIDS} must be a list of tables, each with fields and their values")
    joined = [{**content, **each, **lists} for each in own]
    for values in joined:
        for name in values:
            choose("field of a grid", name, ["pair", *RunSpec.model_fields])
        if "scheme" in values:
            values["scheme"] = _schemes(values["scheme"])
    return joined


def _schemes(named: Any) -> Any:
    """The names with `all` replaced by the nine schemes; `none` is not among them."""
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, list):
        return named
    return [scheme for name in names for scheme in (augment.NINE if name == flags.ALL else [name])]


def read_file(path: Path) -> dict[str, Any]:
    """The mapping in a TOML or YAML file."""
    try:
        with open_regular(path) as stream:
            text = stream.read().decode()
        content = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path} is no readable TOML (.toml) or YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold fields and their values, such as  scheme = ['none', 'cutmix']")
    return content


def read_duration(text: str) -> float:
    """Seconds in a time such as 90s, 25m, 2h or 1h30m."""
    try:
        if not re.fullmatch(r"(?=\d)(\d+h)?(\d+m)?(\d+s)?", text, re.ASCII):
            raise ValueError
        return pd.Timedelta(text).total_seconds()
    except ValueError:
        raise UserError(f"{text[:40]!r} is no time; write it as 90s, 25m, 2h or 1h30m") from None


def show(table: pd.DataFrame) -> None:
    """The fields that differ, the results, and why runs failed."""
    fields = [name for name in RunSpec.model_fields if name not in WHERE and table[name].nunique() > 1]
    typer.echo(output.printed(table[[*fields, "test_loss", "test_accuracy", "status"]]))
    counts = table.status.value_counts()
    typer.echo(", ".join(f"{count} {status}" for status, count in counts.items()))


def write_record(name: str, specs: list[RunSpec], store: Store, command: str) -> None:
    """Record those of the runs that are in the store, with where they were made and how good their teachers are."""
    asked = {spec.key(): spec for spec in specs}
    table = transfer.table(store).set_index("key", drop=False)
    table = table.loc[[key for key in asked if key in table.index]].reset_index(drop=True)
    if table.empty:
        raise UserError("no run of this sweep is done, so there is nothing to record")
    taught = {asked[key].teacher: asked[key] for key in table["key"] if asked[key].teacher}
    accuracies = [f"{name} {_accuracy(spec, store)}" for name, spec in taught.items()]
    facts = {
        "command": command,
        "runs": len(table),
        "planned_runs": len(asked),
        "teacher_test_accuracy": ", ".join(accuracies),
    }
    made = transfer.origin(store, table["key"])  # on other machines, perhaps
    report.write_recorded(name, table, {**report.provenance(**facts), **made})
    typer.echo(f"{len(table)} of {len(asked)} runs recorded as {name}")


def _accuracy(spec: RunSpec, store: Store) -> float | str:
    """The teacher's test accuracy in per cent; one of our own is not trained for it."""
    if spec.teacher_weights:
        return teacher_accuracy(spec, store.folder)
    known = store.read(teacher_spec(spec).key())
    return round(known["result"]["test_accuracy"], 2) if known else "not in the store"


def show_plan(specs: list[RunSpec], jobs: dict[str, Job], workers: int | None) -> None:
    """What would run, and what it would take on this machine."""
    typer.echo(f"{len(specs)} runs asked for; {len(jobs)} to make, own teachers among them")
    if not jobs:
        return
    table = estimate(jobs.values())
    typer.echo(output.printed(table))
    at_once = max(1, min(default_workers(specs[0].device) if workers is None else workers, len(jobs)))
    hours, pflops = table.hours.sum(), table.pflops.sum()
    typer.echo(
        f"together {hours:.3g} hours of one worker, {pflops:.3g} PFLOPs; about {hours / at_once:.3g} hours "
        f"with {at_once} at once, if they do not slow each other down"
    )


def show_commands(jobs: Iterable[Job], store: Path | None) -> None:
    """One command per line, teachers first; any order works, as a student trains a teacher that is not there."""
    place = ["--store", str(store)] if store else []
    for job in jobs:
        typer.echo(flags.line("train", job.spec, place))
