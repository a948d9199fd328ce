"""The course assignments: nbgrader source notebooks, and what they say of themselves.

`notebooks/assignments/<name>.ipynb` holds tasks, solutions, hidden tests and rubrics. Every cell has an nbgrader
`grade_id`; those of exercise n begin with `exercise-n`. Goals and minutes stand in the notebook's metadata, points in
its test cells and written answers, so that no list of assignments and no number is kept anywhere else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from kdutils.book import notebooks
from kdutils.errors import UserError

FOLDER = Path("notebooks") / "assignments"


@dataclass(frozen=True)
class Exercise:
    """One exercise of an assignment, its points from tests (`automatic`) and for a written answer (`written`)."""

    number: int
    title: str
    automatic: float
    written: float


def assignments(root: Path = notebooks.ROOT) -> dict[str, Path]:
    """The source notebook of every assignment, by name, in order."""
    found = {path.stem: path for path in sorted((root / FOLDER).glob("*.ipynb"))}
    if not found:
        raise UserError(f"no assignment in {root / FOLDER}")
    return found


def grade_id(cell: NotebookNode) -> str:
    """The cell's name for nbgrader; its plain id if an editor has dropped nbgrader's metadata."""
    marks = cell.metadata.get("nbgrader")
    named = marks.get("grade_id") if isinstance(marks, dict) else None
    return str(named or cell.get("id", ""))


def exercise_number(name: str) -> int | None:
    """The exercise that a cell of this `grade_id` belongs to; None for the text around the exercises."""
    match = re.match(r"exercise-(\d+)", name)
    return int(match[1]) if match else None


def is_graded(cell: NotebookNode) -> bool:
    """Whether the cell bears points."""
    return cell.metadata.get("nbgrader", {}).get("grade", False)


def is_answer(cell: NotebookNode) -> bool:
    """Whether the cell is the student's to fill in."""
    return cell.metadata.get("nbgrader", {}).get("solution", False)


def exercises(assignment: NotebookNode) -> list[Exercise]:
    """The exercises of an assignment (its source or a version of it), by number."""
    titles, points = {}, {}
    for cell in assignment.cells:
        number = exercise_number(grade_id(cell))
        heading = re.match(r"## Exercise \d+: (.+)", cell.source)
        if heading:
            titles[number] = heading[1]
        if is_graded(cell):
            kinds = points.setdefault(number, [0.0, 0.0])
            kinds[is_answer(cell)] += cell.metadata.nbgrader.points
    return [Exercise(number, titles[number], *points[number]) for number in sorted(points)]


def variant(source: Path, given: Mapping[str, object]) -> NotebookNode:
    """The assignment as it is handed out, with solutions still in it: points at the exercises, parameters as `given`.

    `given` is checked as for any chapter.
    """
    values = notebooks.validate_ours(source, given)
    assignment = nbformat.read(source, as_version=4)
    points = {task.number: task.automatic + task.written for task in exercises(assignment)}
    for cell in assignment.cells:
        if cell.source.startswith("## Exercise "):
            heading, *text = cell.source.split("\n", 1)
            worth = points[exercise_number(grade_id(cell))]
            cell.source = "\n".join([f"{heading} ({worth:g} points)", *text])
        if "parameters" in cell.metadata.get("tags", []):
            for name, value in values.items():
                line = rf"^({name}: \w+ = ).*?(  #.*)$"
                cell.source = re.sub(line, lambda found, v=value: f"{found[1]}{v!r}{found[2]}", cell.source, flags=re.M)
    return assignment


def variants(given: Mapping[str, object], root: Path = notebooks.ROOT) -> dict[str, NotebookNode]:
    """All assignments with the parameters `given`, each where it has them; UserError for one that none has."""
    sources = assignments(root)
    known = {name: notebooks.parameters(source) for name, source in sources.items()}
    for parameter in given:
        if not any(parameter in each for each in known.values()):
            names = sorted(set().union(*known.values()))
            raise UserError(f"no assignment has a parameter {parameter!r}. They have: {', '.join(names)}")
    return {
        name: variant(source, {key: value for key, value in given.items() if key in known[name]})
        for name, source in sources.items()
    }


def rubrics(sources: Mapping[str, NotebookNode]) -> str:
    """The model answers of all written exercises with their rubrics, as Markdown, for the graders."""
    parts = ["# Model answers and rubrics"]
    for name, assignment in sources.items():
        titles = {exercise.number: exercise.title for exercise in exercises(assignment)}
        for cell in assignment.cells:
            if is_graded(cell) and is_answer(cell):
                number = exercise_number(grade_id(cell))
                parts += [f"## {name}, exercise {number}: {titles[number]}", cell.source]
    return "\n\n".join(parts) + "\n"


def page(root: Path = notebooks.ROOT) -> str:
    """What the book's page for instructors says of each assignment: goals, time, exercises and points."""
    return "\n\n".join(_section(path) for path in assignments(root).values()) + "\n"


def _section(source: Path) -> str:
    assignment = nbformat.read(source, as_version=4)
    facts, tasks = assignment.metadata["kdutils"], exercises(assignment)
    automatic, written = (sum(getattr(task, kind) for task in tasks) for kind in ("automatic", "written"))
    rows = [f"| {task.number} | {task.title} | {_points(task.automatic)} | {_points(task.written)} |" for task in tasks]
    lines = [
        f"### {notebooks.title(source)}",
        f"`{source.stem}.ipynb`, about {facts['minutes']} minutes of a student's time. After it, a student can",
        "\n".join(f"- {goal};" for goal in facts["goals"]).removesuffix(";") + ".",
        "| Exercise | What is asked | Points from tests | Points by hand |\n| --- | --- | --- | --- |\n"
        + "\n".join([*rows, f"| | **together** | **{automatic:g}** | **{written:g}** |"]),
    ]
    return "\n\n".join(lines)


def _points(points: float) -> str:
    return f"{points:g}" if points else ""
