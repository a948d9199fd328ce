"""The notebook that is graded: the released one with the student's answers in it.

So deleted or altered tests, cells that stand there twice and files that are no notebook cannot stop the grading; each
is said in words instead. A cell is known by its name; where an editor has dropped the names, by its content and place.
"""

import copy
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

import nbformat
from nbformat import NotebookNode

from kdutils.book.course import reading
from kdutils.book.course.assignments import grade_id, is_answer
from kdutils.book.course.reading import Cell
from kdutils.errors import UserError

LINK = re.compile(r"(\]\(\s*)(?:<attachment:([^<>\n]+)>|attachment:((?:[^()\s]|\([^()\s]*\))+))")


def complete(release: NotebookNode, path: Path) -> tuple[NotebookNode, list[str]]:
    """The released notebook with the answers of the file at `path`, and what was wrong with that file."""
    try:
        cells, trouble = reading.read(path)
    except UserError as error:
        return copy.deepcopy(release), [f"the file is no notebook ({str(error)[:80]}); graded as empty"]
    places, told = _recognise(release, cells)
    notebook, missing = _graft(release, cells, places)
    return notebook, trouble + told + missing


# --- Which cell is which ------------------------------------------------------------------------------------------


def _recognise(release: NotebookNode, cells: Sequence[Cell]) -> tuple[dict[str, int], list[str]]:
    """Where the cells of the release stand in the file, by name, and what was odd."""
    known = [grade_id(cell) for cell in release.cells]
    places, trouble = {}, []
    for position, cell in enumerate(cells):
        name = next((name for name in cell.names if name in known), None)
        if name in places:
            trouble.append(f"the cell {name} stands there twice; the last one counts")
        if name:
            places[name] = position
    nameless = {position for position, cell in enumerate(cells) if not set(cell.names) & set(known)}
    found = _by_content(release, cells, places, nameless)
    found |= _by_place(release, cells, places | found, nameless - set(found.values()))
    if found:
        trouble.append(f"{len(found)} cells without their marks were recognised by content and place")
    return places | found, trouble


def _by_content(
    release: NotebookNode, cells: Sequence[Cell], places: dict[str, int], nameless: set[int]
) -> dict[str, int]:
    """The cells of the release that stand in the file unchanged, each once, without a name."""
    wanted: dict[tuple[str, str], list[str]] = {}
    for cell in release.cells:
        if grade_id(cell) not in places:
            wanted.setdefault((cell.cell_type, cell.source.strip()), []).append(grade_id(cell))
    there: dict[tuple[str, str], list[int]] = {}
    for position in sorted(nameless):
        there.setdefault((cells[position].kind, cells[position].source.strip()), []).append(position)
    pairs = [(names, there.get(content, [])) for content, names in wanted.items()]
    return {names[0]: positions[0] for names, positions in pairs if len(names) == len(positions) == 1}


def _by_place(
    release: NotebookNode, cells: Sequence[Cell], places: dict[str, int], nameless: set[int]
) -> dict[str, int]:
    """The answers without a name: those that stand alone between the cells that are known, or begin as released."""
    found: dict[str, int] = {}
    for gap, first, last in _gaps(release, places, len(cells)) if places else ():
        for kind in ("code", "markdown"):
            answers = [cell for cell in gap if is_answer(cell) and cell.cell_type == kind]
            between = [p for p in sorted(nameless) if first < p < last and cells[p].kind == kind]
            if len(answers) == len(between):
                found |= {grade_id(cell): position for cell, position in zip(answers, between, strict=True)}
                continue
            for cell in answers:
                head = cell.source.strip().split("\n")[0]
                begins = [p for p in between if cells[p].source.strip().startswith(head) and head]
                found |= {grade_id(cell): begins[0]} if len(begins) == 1 else {}
    return found


def _gaps(release: NotebookNode, places: dict[str, int], end: int) -> Iterator[tuple[list[NotebookNode], int, int]]:
    """Runs of released cells that are not in the file by name, and the positions in it between which they belong."""
    gap, first = [], -1
    for cell in release.cells:
        position = places.get(grade_id(cell))
        if position is None:
            gap.append(cell)
            continue
        yield gap, first, position
        gap, first = [], position
    yield gap, first, end


# --- The notebook to be graded ------------------------------------------------------------------------------------


def _graft(release: NotebookNode, cells: Sequence[Cell], places: dict[str, int]) -> tuple[NotebookNode, list[str]]:
    """The cells of `release` in their order; answers from the file; the student's own cells where they stood."""
    names = {position: name for name, position in places.items()}
    own, place = {}, ""
    for position, cell in enumerate(cells):
        place = names.get(position, place)
        if position not in names:
            own.setdefault(place, []).append(_own(cell))
    grafted, trouble, removed, changed = [*own.get("", [])], [], [], []
    for cell in copy.deepcopy(release.cells):
        name = grade_id(cell)
        there = cells[places[name]] if name in places else None
        if is_answer(cell):
            trouble += _answer(cell, there)
        elif cell.cell_type == "code" and there is None:
            removed.append(name)
        elif cell.cell_type == "code" and there.source.strip() != cell.source.strip():
            changed.append(name)
        grafted += [cell, *own.get(name, [])]
    notebook = copy.deepcopy(release)
    notebook.cells = grafted
    return notebook, [*trouble, *_put_back(removed, "deleted"), *_put_back(changed, "changed")]


def _own(cell: Cell) -> NotebookNode:
    """A cell of the student's own, without marks that could be taken for those of the assignment."""
    if cell.kind == "code":
        return nbformat.v4.new_code_cell(cell.source)
    own = nbformat.v4.new_markdown_cell(cell.source)
    _illustrate(own, cell)
    return own


def _answer(released: NotebookNode, there: Cell | None) -> list[str]:
    """Write the student's answer into the cell of the release, and say what is missing."""
    if there is None:
        return [f"the answer cell {grade_id(released)} is missing"]
    released.source = there.source
    if released.cell_type == "code":
        return []
    return [f"{grade_id(released)}: the picture {name} is not in the file" for name in _illustrate(released, there)]


def _illustrate(cell: NotebookNode, there: Cell) -> list[str]:
    """Take over the pictures pasted into a Markdown cell, under names that need no quoting.

    Links to pictures that the file does not hold are no longer attachments; their names are returned.
    """
    short = {name: f"picture-{number}" for number, name in enumerate(there.attachments, 1)}
    missing = []

    def link(found: re.Match[str]) -> str:
        name = found[2] or found[3]
        kept = short.get(name) or short.get(unquote(name))
        missing.extend([] if kept else [name])
        return found[1] + (f"attachment:{kept}" if kept else quote(name))

    cell.source = LINK.sub(link, there.source)
    if short:
        cell.attachments = {short[name]: bundle for name, bundle in there.attachments.items()}
    return missing


def _put_back(names: list[str], what: str) -> list[str]:
    if len(names) > 1:
        return [f"the cells {', '.join(names)} were {what} and have been put back"]
    return [f"the cell {name} was {what} and has been put back" for name in names]
