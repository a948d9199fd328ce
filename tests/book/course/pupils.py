"""What a student might hand in: the released notebook with answers of one kind or another."""

import json
from pathlib import Path

import nbformat
import torch
from nbformat import NotebookNode

from kdutils import models
from kdutils.book.course import photographs
from kdutils.book.course.assignments import grade_id, is_answer
from kdutils.data import Dataset, MemorySplit


def answered(release: Path, source: NotebookNode) -> NotebookNode:
    """The student version with the answers of the source."""
    notebook = nbformat.read(release, as_version=4)
    model = {grade_id(cell): cell.source for cell in source.cells}
    for cell in notebook.cells:
        if is_answer(cell):
            cell.source = model[grade_id(cell)]
    return notebook


def hand_in(folder: Path, student: str, assignment: str, notebook: NotebookNode | str) -> None:
    """Put a notebook, or any text under a notebook's name, where submissions are collected."""
    path = folder / student / f"{assignment}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook), encoding="utf8")


def write_assignment(root: Path) -> Path:
    """A small assignment of three exercises that needs no package: 5 points from tests, 2 for a written answer."""
    cells = [
        _cell("markdown", "head", "# Sums"),
        _cell("code", "parameters", "start: int = 3  # where to begin\nseed: int = 0  # unused"),
        _cell("markdown", "exercise-1-head", "## Exercise 1: Twice (2 minutes, easy)"),
        _cell("code", "exercise-1", SOLUTION.format("twice", "x + x"), solution=True),
        _cell("code", "exercise-1-test", TEST.format("twice(2) == 4", "twice(start) == 2 * start"), points=2),
        _cell("markdown", "exercise-2-head", "## Exercise 2: Square (3 minutes, easy)"),
        _cell("code", "exercise-2", SOLUTION.format("square", "x * x"), solution=True),
        _cell("code", "exercise-2-test", TEST.format("square(2) == 4", "square(start) == start**2"), points=3),
        _cell("markdown", "exercise-3-head", "## Exercise 3: Why (written) (10 minutes, hard)"),
        _cell("markdown", "exercise-3-answer", "So.\n\n**Rubric (2 points).**\n\n- 2 points: so", True, points=2),
    ]
    cells[1].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    facts = {"goals": ["add", "multiply"]}
    path = root / "notebooks" / "assignments" / "sums.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "kdutils": facts}), path)
    return path


def write_photographs(folder: Path) -> Path:
    """Noise and an untrained network in the place of photographs and their teacher, 130 images a split."""
    noise = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (2, 130, 3, 16, 16), dtype=torch.uint8, generator=noise)
    splits = [MemorySplit(images, torch.arange(130) % 5) for images in pixels]
    images = Dataset.of_any_size("noise", splits, "abcde", 16, (0.5,) * 3, (0.3,) * 3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        photographs.write(folder / photographs.FILE, images, "tiny", models.build("tiny", 5, 16))
    return folder / photographs.FILE


SOLUTION = "def {}(x):\n    ### BEGIN SOLUTION\n    return {}\n    ### END SOLUTION"
TEST = "assert {}\n### BEGIN HIDDEN TESTS\nassert {}\n### END HIDDEN TESTS"


def graded_cell(source: str, points: float) -> NotebookNode:
    """A test cell."""
    return _cell("code", "exercise-1-test", source, points=points)


def _cell(kind: str, name: str, source: str, solution: bool = False, points: float | None = None) -> NotebookNode:
    """A cell with nbgrader's marks, named by its grade_id."""
    make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    marks = {"grade_id": name, "schema_version": 3, "task": False, "solution": solution, "locked": not solution}
    marks |= {"grade": points is not None} | ({} if points is None else {"points": points})
    return make(source, id=name, metadata={"nbgrader": marks})
