"""What students hand in, made fit to be graded: `folder/<student>/<assignment>.ipynb`.

The notebook that is graded is the released one with the student's answers in it. So deleted or altered tests, cells
that stand there twice and files that are no notebook cannot stop the grading; each is said in words instead.
"""

import copy
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from kdutils.courses import grade_id, is_answer
from kdutils.errors import UserError


@dataclass(frozen=True)
class Submission:
    """A file that a student has handed in for the assignment of its name."""

    student: str
    assignment: str
    path: Path


def find(folder: Path, names: Collection[str]) -> tuple[list[Submission], list[tuple[Submission, str]]]:
    """What can be graded in `folder/<student>/`, and everything else there with the reason why it cannot."""
    students = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    files = [path for student in students for path in sorted(student.iterdir()) if not path.name.startswith(".")]
    if not files:
        raise UserError(f"no submission in {folder}; expected {folder}/STUDENT/ASSIGNMENT.ipynb")
    found, strange = [], []
    for path in files:
        submission = Submission(path.parent.name, path.stem, path)
        if path.is_dir() or path.suffix != ".ipynb":
            strange.append((submission, f"{path.name} is not a notebook's name; expected ASSIGNMENT.ipynb"))
        elif path.stem not in names:
            strange.append((submission, f"no assignment is named {path.stem}; there are {', '.join(names)}"))
        else:
            found.append(submission)
    return found, strange


def complete(release: NotebookNode, path: Path) -> tuple[NotebookNode, list[str]]:
    """The released notebook with the answers of the file at `path`, and what was wrong with that file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of cell ids that are missing or stand there twice
            submitted = nbformat.read(path, as_version=4)
            nbformat.validate(submitted)
    except Exception as error:  # a file from outside can be wrong in any way, and none may stop the batch
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return copy.deepcopy(release), [f"the file is no notebook ({reason[:80]}); graded as empty"]
    return _graft(release, submitted)


def _graft(release: NotebookNode, submitted: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """The cells of `release` in their order; answers from `submitted`; the student's own cells where they stood."""
    known = {grade_id(cell) for cell in release.cells}
    last = {grade_id(cell): position for position, cell in enumerate(submitted.cells)}
    answers, own, trouble, place = {}, {}, [], ""
    for position, cell in enumerate(submitted.cells):
        name = grade_id(cell)
        if name in known and last[name] == position:
            place, answers[name] = name, cell.source
            continue
        if name in known:
            trouble.append(f"the cell {name} stands there twice; the last one counts")
        own.setdefault(place, []).append(_plain(cell))
    cells = [*own.get("", [])]
    for cell in copy.deepcopy(release.cells):
        name = grade_id(cell)
        trouble += _difference(cell, answers.get(name))
        if is_answer(cell):
            cell.source = answers.get(name, cell.source)
        cells += [cell, *own.get(name, [])]
    graded = copy.deepcopy(release)
    graded.cells = cells
    return graded, trouble


def _plain(cell: NotebookNode) -> NotebookNode:
    """A cell of the student's own, without marks that could be taken for those of the assignment."""
    make = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
    return make(cell.source)


def _difference(released: NotebookNode, source: str | None) -> list[str]:
    """What to say of a cell of the release that was handed in with this source; text around the code is no matter."""
    name, answer = grade_id(released), is_answer(released)
    if source is None and answer:
        return [f"the answer cell {name} is missing"]
    if answer or released.cell_type != "code":
        return []
    if source is None:
        return [f"the cell {name} was deleted and has been put back"]
    if source.strip() != released.source.strip():
        return [f"the cell {name} was changed and has been put back"]
    return []
