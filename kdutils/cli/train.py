"""`kdutils train`: train one student (or, with the method ce, one teacher)."""

import typer

from kdutils import runs
from kdutils.cli import flags, output
from kdutils.runs import RunSpec, Store
from kdutils.runs.store import WEIGHTS


@flags.flags_of(RunSpec)
def train(
    spec: RunSpec,
    store: output.StoreOption = None,
) -> None:
    """Train one student and print its test loss and accuracy. Stopped, the same command goes on from there."""
    with output.plain_warnings():
        result = runs.run(spec, store)
    typer.echo(f"test loss      {result.test_loss:.4f} nats")
    typer.echo(f"test accuracy  {result.test_accuracy:.2f} %")
    if result.teacher_accuracy is not None:
        typer.echo(f"its teacher    {result.teacher_accuracy:.2f} %")
    typer.echo(f"weights        {Store(store).path(spec.key(), WEIGHTS)}")
