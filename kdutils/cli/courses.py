"""`kdutils photographs`, `assignments` and `grade`: hand out the course assignments, and grade what comes back."""

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from kdutils.cli.notebooks import read_parameters
from kdutils.cli.output import named, printed
from kdutils.errors import UserError

SUBMISSIONS = typer.Argument(
    help="Folder with STUDENT/ASSIGNMENT.ipynb, or the zip file of Moodle or Canvas.",
    parser=named,
    metavar="SUBMISSIONS",
)
ROSTER = typer.Option(
    help="CSV file with a column `student`, and columns for parameters of their own; without these, a seed each.",
    parser=named,
    metavar="CSV",
)


def photographs(
    weights: Annotated[
        str, typer.Option(help="The teacher's weights: a file, or who publishes them (chenyaofo).", metavar="FILE")
    ],
    teacher: Annotated[str, typer.Option(help="The teacher's network.", metavar="NAME")] = "resnet20",
    data_dir: Annotated[
        str, typer.Option(help="Folder of CIFAR-100; else KDUTILS_DATA or the user's cache.", metavar="PATH")
    ] = "",
) -> None:
    """Make the photographs for an assignment, once: a cut of CIFAR-100 with a teacher, where kdutils keeps data."""
    from kdutils.book.course import photographs

    typer.echo(photographs.make(teacher, weights, data_dir))
    typer.echo(f"for `kdutils assignments` and `kdutils grade`: {photographs.place()}")


def assignments(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the students' notebooks.", parser=named, metavar="PATH")] = Path(
        "_build/assignments"
    ),
    roster: Annotated[Path | None, ROSTER] = None,
    solutions: Annotated[
        bool, typer.Option("--solutions", help="Make the instructor's version instead: nothing is taken out.")
    ] = False,
) -> None:
    """Make the students' versions of the assignments, without solutions and hidden tests.

    Write --NAME VALUE for parameters of your own, such as --seed 7: they go into every assignment that has them.
    """
    from kdutils.book.course import grading, rosters  # nbgrader takes seconds to load; only these two commands need it

    if solutions:
        if roster:
            raise UserError("--solutions makes one version, for instructors; leave out --roster")
        for path in grading.instructor_versions(out, read_parameters(context.args)):
            typer.echo(f"with solutions: {path}")
        return
    students = rosters.read(roster) if roster else None
    tell = partial(typer.echo, err=True)
    for path in grading.student_versions(out, read_parameters(context.args), roster=students, say=tell):
        typer.echo(f"to hand out: {path}")


def grade(
    context: typer.Context,
    submissions: Annotated[Path, SUBMISSIONS],
    out: Annotated[
        Path, typer.Option(help="Folder for the grades and what was executed.", parser=named, metavar="PATH")
    ] = Path("_build/grades"),
    roster: Annotated[Path | None, ROSTER] = None,
    worksheet: Annotated[
        Path | None,
        typer.Option(help="Table of Moodle or Canvas: a copy gets the points.", parser=named, metavar="CSV"),
    ] = None,
    cell_seconds: Annotated[int, typer.Option(min=1, help="A cell is stopped after this time.")] = 120,
    notebook_seconds: Annotated[int, typer.Option(min=1, help="A notebook is stopped after this time.")] = 600,
) -> None:
    """Grade a folder of submissions: a table of points, and a page of feedback for each.

    Write --NAME VALUE for the parameters that the assignments were made with, and the --roster.
    """
    from kdutils.book.course import assignments, grading, platforms, rosters
    from kdutils.book.course.submissions import find

    students = rosters.read(roster) if roster else None
    given = read_parameters(context.args)
    if worksheet and os.path.realpath(worksheet) == os.path.realpath(out / worksheet.name):  # resolve() stops at loops
        raise UserError(f"{worksheet} lies where its copy with the points goes; move it out of {out}")
    with platforms.folder(submissions) as folder:
        if worksheet:
            names = list(assignments.variants(given))
            handed_in = {each.assignment for each in find(folder, names)[0]}
            sheet = platforms.read_worksheet(worksheet, names, handed_in)
        table = grading.grade(folder, out, given, cell_seconds, notebook_seconds, typer.echo, roster=students)
    typer.echo(printed(table[["student", "assignment", "points", "max_points", "left_to_grade"]].fillna("")))
    for row in table[table["trouble"] != ""].itertuples():
        typer.echo(f"{row.student}, {row.assignment}: {row.trouble}")
    if worksheet:
        copy = out / worksheet.name
        typer.echo(f"{platforms.fill(sheet, table, copy)}: {copy}")
    typer.echo(f"The table: {out / 'grades.csv'}; pages for the students: {out / 'feedback'}")
