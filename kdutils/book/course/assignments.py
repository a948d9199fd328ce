"""The course assignments: nbgrader source notebooks, and what they say of themselves.

`notebooks/assignments/<name>.ipynb` holds tasks, solutions, hidden tests and rubrics. Every cell has an nbgrader
`grade_id`; those of exercise n begin with `exercise-n`. Goals stand in the notebook's metadata, minutes and difficulty
in the headings of the exercises, points in test cells and written answers, so that no list of assignments and no number
is kept anywhere else.
"""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from kdutils.book import notebooks
from kdutils.errors import UserError

FOLDER = Path("notebooks") / "assignments"
# What an exercise, of an assignment or of a chapter, asks of a reader; the page on teaching says what the words mean.
EFFORT = r"(?P<minutes>\d+) minutes, (?P<difficulty>easy|medium|hard)"
# Students' versions add the points.
HEADING = re.compile(rf"^## Exercise (?P<number>\d+): (?P<title>.+) \({EFFORT}(?:; [\d.]+ points)?\)$", re.MULTILINE)


@dataclass(frozen=True)
class Exercise:
    """One exercise of an assignment, its points from tests (`automatic`) and for a written answer (`written`)."""

    number: int
    title: str
    minutes: int
    difficulty: str
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
    """The exercises of an assignment (its source or a version of it), by number; UserError for an unclear heading."""
    headings, points = {}, {}
    for cell in assignment.cells:
        number = exercise_number(grade_id(cell))
        if heading := HEADING.match(cell.source):
            headings[number] = heading["title"], int(heading["minutes"]), heading["difficulty"]
        if is_graded(cell):
            kinds = points.setdefault(number, [0.0, 0.0])
            kinds[is_answer(cell)] += cell.metadata.nbgrader.points
    for number in points:
        if number not in headings:
            raise UserError(f'exercise {number} needs a heading: "## Exercise {number}: Title (15 minutes, medium)"')
    return [Exercise(number, *headings[number], *points[number]) for number in sorted(points)]


def variant(source: Path, given: Mapping[str, object]) -> NotebookNode:
    """The assignment as it is handed out, with solutions still in it: points at the exercises, parameters as `given`.

    `given` is checked as for any chapter.
    """
    values = notebooks.validate_ours(source, given)
    assignment = nbformat.read(source, as_version=4)
    points = {task.number: task.automatic + task.written for task in exercises(assignment)}
    for cell in assignment.cells:
        if cell.source.startswith("## Exercise "):
            worth = points[exercise_number(grade_id(cell))]
            cell.source = HEADING.sub(lambda found, worth=worth: f"{found[0][:-1]}; {worth:g} points)", cell.source)
    return with_parameters(assignment, values)


def with_parameters(assignment: NotebookNode, values: Mapping[str, object]) -> NotebookNode:
    """A copy of the assignment, or of a version of it, with checked `values` in its cell of parameters."""
    assignment = copy.deepcopy(assignment)
    for cell in assignment.cells:
        if "parameters" in cell.metadata.get("tags", []):
            for name, value in values.items():
                line = rf"^({name}: \w+ = ).*?(  #.*)$"
                cell.source = re.sub(line, lambda found, v=value: f"{found[1]}{v!r}{found[2]}", cell.source, flags=re.M)
    return assignment


def variants(given: Mapping[str, object], root: Path = notebooks.ROOT) -> dict[str, NotebookNode]:
    """All assignments with the parameters `given`, each where it has them; UserError for one that none has."""
    values = checked(given, root)
    return {name: variant(source, values[name]) for name, source in assignments(root).items()}


def checked(given: Mapping[str, object], root: Path = notebooks.ROOT) -> dict[str, dict[str, object]]:
    """Assignment -> those of the parameters `given` that it has, checked; UserError for one that none has."""
    sources = assignments(root)
    known = {name: notebooks.parameters(source) for name, source in sources.items()}
    for parameter in given:
        if not any(parameter in each for each in known.values()):
            names = sorted(set().union(*known.values()))
            raise UserError(f"no assignment has a parameter {parameter!r}. They have: {', '.join(names)}")
    return {
        name: notebooks.validate_ours(source, {key: value for key, value in given.items() if key in known[name]})
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
    """What the book's page for instructors says of each assignment: goals, exercises, their time and points."""
    return "\n\n".join(_section(path) for path in assignments(root).values()) + "\n"


def _section(source: Path) -> str:
    assignment = nbformat.read(source, as_version=4)
    tasks = exercises(assignment)
    minutes, automatic, written = (
        sum(getattr(task, of) for task in tasks) for of in ("minutes", "automatic", "written")
    )
    rows = [
        f"| {task.number} | {task.title} | {task.minutes} | {task.difficulty} | {_points(task.automatic)} | "
        f"{_points(task.written)} |"
        for task in tasks
    ]
    lines = [
        f"### {notebooks.title(source)}",
        f"`{source.stem}.ipynb`, about {minutes} minutes of a student's time. After it, a student can",
        "\n".join(f"- {goal};" for goal in assignment.metadata["kdutils"]["goals"]).removesuffix(";") + ".",
        "| Exercise | What is asked | Minutes | Difficulty | Points from tests | Points by hand |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        + "\n".join([*rows, f"| | **together** | **{minutes}** | | **{automatic:g}** | **{written:g}** |"]),
    ]
    return "\n\n".join(lines)


def _points(points: float) -> str:
    return f"{points:g}" if points else ""
