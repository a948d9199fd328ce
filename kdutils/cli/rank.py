"""`kdutils rank`: rank the schemes for a teacher, without training a student."""

import math
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from kdutils import _files, report, runs, training
from kdutils.cli import flags, output
from kdutils.metrics import teacher_check
from kdutils.runs import RankSpec, Spec
from kdutils.runs.specs import WHERE


@flags.flags_of(RankSpec)
def rank(
    spec: RankSpec,
    out: Annotated[Path | None, typer.Option(help="CSV file for the table; its provenance goes beside it.")] = None,
    plot: Annotated[Path | None, typer.Option(help="File for a figure of it: .svg, .png or .pdf.")] = None,
    store: output.StoreOption = None,
    record: Annotated[str, typer.Option(help="Also record it for the book under this name.")] = "",
    note: Annotated[str, typer.Option(help="What else to record: where the teacher is from, say.")] = "",
) -> None:
    """Rank schemes by T. stddev for a teacher (the lower, the better for distillation). No student is trained."""
    output.check_output(out)
    output.check_plot(plot)
    output.check_record(record)
    tell_of_training(spec, store)
    with output.plain_warnings():
        table = runs.rank(spec, store)
    typer.echo(in_words(table))
    if out:
        output.write_table(out, table, describe(spec) | facts_in(table))
    if plot:
        write_plot(plot, table, f"kdutils rank {spec.teacher}, {spec.dataset}")
    if record:
        facts = {"note": note, "teacher_test_accuracy": teacher_accuracy(spec, store)}
        report.write_recorded(record, table, {**describe(spec), **facts})


def tell_of_training(spec: RankSpec, store: Path | None) -> None:
    """Say that a teacher is trained first, which may take long, as somebody may have forgotten its weights."""
    spec.fetch()
    keys = [] if spec.teacher_weights else [spec.key(), runs.teacher_spec(spec).key()]
    if keys and not any(map(runs.Store(store).read, keys)):
        typer.echo(f"no --weights: {spec.teacher} is trained first (--teacher-epochs {spec.teacher_epochs})", err=True)


def write_plot(path: Path, table: pd.DataFrame, title: str) -> None:
    """Write the figure of a ranking; `title` begins with the command, by which `output.check_plot` knows it as ours."""
    from kdutils import plots  # matplotlib takes a second to load

    with _files.atomic(path) as partial:
        plots.ranking(table).savefig(partial, format=path.suffix[1:], metadata={"Title": title}, dpi=200)


def in_words(table: pd.DataFrame) -> str:
    """A ranking for a terminal: its images, how well the teacher fits, schemes from best to worst, which are apart."""
    teacher = teacher_check.from_facts(table.attrs)
    measured = table.dropna(subset="t_stddev").sort_values("t_stddev")
    verdicts = {row["better"]: _verdict(row) for row in table.attrs.get("neighbours", ())}
    values = zip(1e3 * measured["t_stddev"], 1e3 * measured["t_stddev_se"], strict=True)
    columns = {
        "scheme": measured["scheme"],
        "T. stddev (1e-3)": [f"{value:.4g} ± {error:.2g}" for value, error in values],
        "entropy": measured["entropy"].map("{:.4g}".format),
        "disagreement": measured["label_disagreement"].map("{:.1%}".format),
        "against the next": [verdicts.get(name, "") for name in measured["scheme"]],
    }
    lines = [f"images of {table.attrs['images']}"] if "images" in table.attrs else []
    lines += [f"the teacher {teacher}", ""] if teacher else []
    lines.append(pd.DataFrame(columns).to_string(index=False))
    for name in table.loc[table["t_stddev"].isna(), "scheme"]:
        lines.append(f"{name} is not measured: it picks by what a student says (--student and --student-weights)")
    return "\n".join(lines)


def _verdict(row: dict) -> str:
    """What is known of a scheme and the next in the ranking."""
    if row["apart"]:
        return "better"
    if math.isinf(row["more_steps"]):
        return "a tie at any reasonable cost"
    return f"not told apart: {row['more_steps']:,.0f} more steps"


def facts_in(table: pd.DataFrame) -> dict[str, float | str]:
    """What the provenance of a ranking says of its images and its teacher."""
    found = teacher_check.from_facts(table.attrs)
    teacher = {"teacher_test_accuracy": round(found.accuracy, 2), "teacher_test_images": found.images} if found else {}
    return {name: table.attrs[name] for name in ("images",) if name in table.attrs} | teacher


def describe(spec: RankSpec) -> dict[str, object]:
    """What was measured, how to measure it again, and where and when it was."""
    return report.provenance(
        command=flags.line("rank", spec),
        key=spec.key(),
        **spec.model_dump(mode="json", exclude=WHERE),
        teacher_sha256=spec.identity().get("teacher_weights", ""),
    )


def teacher_accuracy(spec: Spec, store: Path | None) -> float:
    """The teacher's accuracy on all test images in per cent, for a ranking that is recorded."""
    teacher, dataset = runs.load_teacher(spec, store), spec.load_data()
    return round(training.evaluate(teacher, dataset, dataset.test).accuracy, 2)
