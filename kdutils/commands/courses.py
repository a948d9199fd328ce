"""`kdutils assignments` and `kdutils grade`: hand out the course assignments, and grade what comes back."""

from pathlib import Path
from typing import Annotated

import typer

from kdutils.commands.notebooks import read_parameters
from kdutils.commands.output import printed


def assignments(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the students' notebooks.")] = Path("_build/assignments"),
) -> None:
    """Make the students' versions of the assignments, without solutions and hidden tests.

    Write --NAME VALUE for parameters of your own, such as --seed 7: they go into every assignment that has them.
    """
    from kdutils import grading  # nbgrader takes seconds to load, and only these two commands need it

    for path in grading.student_versions(out, read_parameters(context.args)):
        typer.echo(f"to hand out: {path}")


def grade(
    context: typer.Context,
    submissions: Annotated[Path, typer.Argument(help="Folder with STUDENT/ASSIGNMENT.ipynb.")],
    out: Annotated[Path, typer.Option(help="Folder for the grades and what was executed.")] = Path("_build/grades"),
    cell_seconds: Annotated[int, typer.Option(min=1, help="A cell is stopped after this time.")] = 120,
    notebook_seconds: Annotated[int, typer.Option(min=1, help="A notebook is stopped after this time.")] = 600,
) -> None:
    """Grade a folder of submissions: a table of points, and a page of feedback for each.

    Write --NAME VALUE for the parameters that the assignments were made with.
    """
    from kdutils import grading

    table = grading.grade(submissions, out, read_parameters(context.args), cell_seconds, notebook_seconds, typer.echo)
    typer.echo(printed(table[["student", "assignment", "points", "max_points", "left_to_grade"]].fillna("")))
    for row in table[table["trouble"] != ""].itertuples():
        typer.echo(f"{row.student}, {row.assignment}: {row.trouble}")
    typer.echo(f"The table: {out / 'grades.csv'}; pages for the students: {out / 'feedback'}")
