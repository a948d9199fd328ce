"""`kdutils rank`: rank the schemes for a teacher, without training a student."""

from pathlib import Path
from typing import Annotated

import typer

from kdutils import report, runs, training
from kdutils.commands import flags, output
from kdutils.specs import RankSpec, Spec


@flags.flags_of(RankSpec)
def rank(
    spec: RankSpec,
    out: Annotated[Path | None, typer.Option(help="CSV file for the table; its provenance goes beside it.")] = None,
    store: output.StoreOption = None,
    record: Annotated[str, typer.Option(help="Also record it for the book under this name.")] = "",
    note: Annotated[str, typer.Option(help="What else to record: where the teacher is from, say.")] = "",
) -> None:
    """Rank schemes by T. stddev for a teacher (the lower, the better for distillation). No student is trained."""
    output.check_output(out)
    report.check_name(record or "none")
    with output.plain_warnings():
        table = runs.rank(spec, store)
    typer.echo(output.printed(table))
    if out:
        output.write_table(out, table, describe(spec))
    if record:
        facts = {"note": note, "teacher_test_accuracy": teacher_accuracy(spec, store)}
        report.write_recorded(record, table, {**describe(spec), **facts})


def describe(spec: RankSpec) -> dict[str, object]:
    """What was measured, how to measure it again, and where and when it was."""
    return report.provenance(
        command=flags.line("rank", spec),
        key=spec.key(),
        **spec.model_dump(mode="json", exclude={"data_dir"}),
        teacher_sha256=spec.identity().get("teacher_weights", ""),
    )


def teacher_accuracy(spec: Spec, store: Path | None) -> float:
    """The teacher's test accuracy in per cent: what a reader of a recorded ranking wants to know of it."""
    teacher, dataset = runs.load_teacher(spec, store), spec.load_data()
    return round(training.evaluate(teacher, dataset, dataset.test).accuracy, 2)
