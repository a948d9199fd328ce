"""The notebook that is graded: answers by name, else by content and place; tests put back; pictures kept."""

import json
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from kdutils.book.course import answers, assignments
from tests.book.course.pupils import write_assignment
from tests.book.course.test_reading import PNG


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """The small assignment with gaps, as nbgrader would release it."""
    notebook = nbformat.read(write_assignment(tmp_path_factory.mktemp("course")), as_version=4)
    for cell in notebook.cells:
        if assignments.is_answer(cell):
            head = cell.source.split("\n")[0] if cell.cell_type == "code" else "YOUR ANSWER HERE"
            cell.source = f"{head}\n    raise NotImplementedError" if cell.cell_type == "code" else head
    return notebook


@pytest.fixture
def answered(release: NotebookNode) -> NotebookNode:
    """The same with an answer in each gap."""
    notebook = nbformat.from_dict(json.loads(json.dumps(release)))
    sources = iter(["def twice(x):\n    return 2 * x", "def square(x):\n    return x * x", "Because."])
    for cell in notebook.cells:
        cell.source = next(sources) if assignments.is_answer(cell) else cell.source
    return notebook


def complete(release: NotebookNode, notebook: NotebookNode, folder: Path) -> tuple[NotebookNode, list[str]]:
    (folder / "sums.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    graded, trouble = answers.complete(release, folder / "sums.ipynb")
    nbformat.validate(graded)
    return graded, trouble


def sources(notebook: NotebookNode) -> dict[str, str]:
    return {assignments.grade_id(cell): cell.source for cell in notebook.cells}


def lose_marks(notebook: NotebookNode) -> None:
    for number, cell in enumerate(notebook.cells):
        cell.metadata, cell.id = {}, f"x{number}"


def as_colab(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        cell.metadata = {"id": cell.pop("id")}


def as_text(notebook: NotebookNode) -> None:
    """What remains of a notebook that went through a script: no marks, and code beside the answers."""
    lose_marks(notebook)
    for position in (4, 7, 10):
        notebook.cells.insert(position, new_code_cell("import math"))


@pytest.mark.parametrize("change", [lambda notebook: None, as_colab, lose_marks, as_text])
def test_the_answers_are_found_whatever_became_of_the_marks(
    change: Callable[[NotebookNode], None], release: NotebookNode, answered: NotebookNode, tmp_path: Path
) -> None:
    expected = sources(answered)
    change(answered)
    graded, trouble = complete(release, answered, tmp_path)
    assert {name: source for name, source in sources(graded).items() if name in expected} == expected
    marked = [assignments.grade_id(cell) for cell in graded.cells if "nbgrader" in cell.metadata]
    assert marked == [assignments.grade_id(cell) for cell in release.cells]
    assert len(trouble) == (change in (lose_marks, as_text))
    assert all("recognised by content and place" in words for words in trouble)


def test_what_may_be_several_things_is_not_guessed(
    release: NotebookNode, answered: NotebookNode, tmp_path: Path
) -> None:
    lose_marks(answered)
    answered.cells.append(new_markdown_cell("Or not."))
    answered.cells[3].source = "twice = abs"
    answered.cells.insert(3, new_code_cell("twice = max"))
    graded, trouble = complete(release, answered, tmp_path)
    assert sources(graded)["exercise-1"] == sources(release)["exercise-1"]
    assert sources(graded)["exercise-3-answer"] == "YOUR ANSWER HERE"
    assert {"the answer cell exercise-1 is missing", "the answer cell exercise-3-answer is missing"} <= set(trouble)
    own = [cell.source for cell in graded.cells if "nbgrader" not in cell.metadata]
    assert own == ["twice = max", "twice = abs", "Because.", "Or not."], "they are run and shown all the same"


def test_a_notebook_without_any_known_cell_is_graded_as_empty(release: NotebookNode, tmp_path: Path) -> None:
    other = nbformat.v4.new_notebook(cells=[new_code_cell("1"), new_code_cell("2"), new_markdown_cell("3")])
    graded, trouble = complete(release, other, tmp_path)
    assert sources(release).items() <= sources(graded).items()
    assert len(trouble) == 4, "three answers are missing, and the tests were put back"
    graded, trouble = answers.complete(release, tmp_path / "none.ipynb")
    assert graded == release
    assert trouble == ["the file is no notebook (No such file or directory); graded as empty"]


def test_tests_are_put_back_and_of_a_doubled_cell_the_last_counts(
    release: NotebookNode, answered: NotebookNode, tmp_path: Path
) -> None:
    doubled = json.loads(json.dumps(answered.cells[3])) | {"source": "twice = 2"}
    answered.cells.append(doubled)
    answered.cells[4].source = "assert True"
    del answered.cells[7]
    graded, trouble = complete(release, answered, tmp_path)
    assert sources(graded)["exercise-1"] == "twice = 2"
    assert sources(graded)["exercise-1-test"] == sources(release)["exercise-1-test"]
    assert trouble == [
        "the cell exercise-1 stands there twice; the last one counts",
        "the cell exercise-2-test was deleted and has been put back",
        "the cell exercise-1-test was changed and has been put back",
    ]


def test_pasted_pictures_are_kept_under_names_that_need_no_quoting(
    release: NotebookNode, answered: NotebookNode, tmp_path: Path
) -> None:
    names = {"sketch.png": "sketch.png", "my sketch (1).png": "my%20sketch%20(1).png", "ä.png": "%C3%A4.png"}
    text = "".join(f"![s](attachment:{written})" for written in names.values())
    answered.cells[-1].source = f"{text} ![t](<attachment:my sketch (1).png>) ![gone](attachment:gone.png)"
    answered.cells[-1].attachments = {name: {"image/png": PNG} for name in names}
    graded, trouble = complete(release, answered, tmp_path)
    cell = graded.cells[-1]
    assert list(cell.attachments) == ["picture-1", "picture-2", "picture-3"]
    assert [bundle["image/png"] for bundle in cell.attachments.values()] == [PNG] * 3
    shown = [f"![s](attachment:picture-{number})" for number in (1, 2, 3)]
    assert cell.source == "".join(shown) + " ![t](attachment:picture-2) ![gone](gone.png)"
    assert trouble == ["exercise-3-answer: the picture gone.png is not in the file"]
