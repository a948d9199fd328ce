"""The course assignments themselves: full marks for the solution, none for nothing, and the right loss for mistakes."""

import contextlib
import copy
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat import NotebookNode

from kdutils.book import notebooks
from kdutils.book.course import assignments, grading, photographs
from kdutils.book.course.assignments import grade_id, is_answer, is_graded
from kdutils.errors import UserError
from tests.book.course.pupils import answered, hand_in, write_photographs
from tests.book.course.wrong_answers import OTHERS, WRONG, Wrong

pytestmark = pytest.mark.long

ASSIGNMENTS = assignments.assignments()
# The smallest networks and samples that the notebooks take: what is tested does not depend on them.
SMALL = {
    "teacher": "tiny",
    "teacher_epochs": 2,
    "epochs": 1,
    "pool_size": 100,
    "repetitions": 200,
    "batches": 4,
    "mini_batches": 2,
    "steps": 15,
    "images_per_class": 7,
    "runs": 2,
}


def in_groups(wrong: list[Wrong]) -> list[list[Wrong]]:
    """The mistakes, so that one submission can hold a group: no two of an exercise, nor of one and the next."""
    groups: list[list[Wrong]] = []
    for mistake in wrong:
        free = [group for group in groups if all(_apart(mistake, other) for other in group)]
        (free[0] if free else groups.append([]) or groups[-1]).append(mistake)
    return groups


def _apart(one: Wrong, other: Wrong) -> bool:
    return abs(assignments.exercise_number(one.cell) - assignments.exercise_number(other.cell)) > 1


@pytest.fixture(scope="module", autouse=True)
def _beside_photographs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder of datasets, and to work in, with a file of the form of the instructor's photographs."""
    folder = tmp_path_factory.mktemp("data")
    write_photographs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDUTILS_DATA", str(folder))
        patch.chdir(folder)
        yield


@pytest.fixture(scope="module")
def sources() -> Mapping[str, NotebookNode]:
    return assignments.variants(SMALL)


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The student version of each assignment."""
    written = grading.student_versions(tmp_path_factory.mktemp("handed-out"), SMALL)
    return {path.stem: path for path in written if path.name != photographs.FILE}


@pytest.fixture(scope="module")
def table(
    sources: Mapping[str, NotebookNode], releases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> pd.DataFrame:
    """The reference of every assignment, graded."""
    folder = tmp_path_factory.mktemp("submissions")
    for name, release in releases.items():
        hand_in(folder, "reference", name, answered(release, sources[name]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grading, "_page", lambda *_: None)  # pages have tests of their own, and so has
        patch.setattr(grading.Runner, "prepare", lambda *_: None)  # what is done once for a class, here of one
        table = grading.grade(folder, tmp_path_factory.mktemp("grades"), SMALL)
    return table.set_index("assignment")


@pytest.fixture(scope="module")
def wrong(
    sources: Mapping[str, NotebookNode], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, int], dict[int, float]]:
    """The points of each exercise, for each group of mistakes in each assignment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDUTILS_STORE", str(tmp_path_factory.mktemp("store")))
        return {
            (name, number): points_here(sources[name], {mistake.cell: mistake for mistake in group})
            for name in ASSIGNMENTS
            for number, group in enumerate(in_groups(WRONG[name]))
        }


def points_here(source: NotebookNode, mistakes: Mapping[str, Wrong]) -> dict[int, float]:
    """The points of each exercise, answered with these mistakes and run in this process, which takes no kernel."""
    points: dict[int, float] = {}
    names: dict[str, object] = {}
    for cell in (cell for cell in source.cells if cell.cell_type == "code"):
        code, mistake = cell.source, mistakes.get(grade_id(cell))
        if mistake:
            assert mistake.right in code, f"{mistake.right!r} is not in the answer {mistake.cell}"
            code = code.replace(mistake.right, mistake.instead)
        ended = False
        with warnings.catch_warnings(action="ignore"), contextlib.suppress(Exception):
            exec(code, names)
            ended = True
        if is_graded(cell):
            number = assignments.exercise_number(grade_id(cell))
            points[number] = points.get(number, 0) + ended * cell.metadata.nbgrader.points
    return points


def points_of(row: pd.Series) -> dict[int, float]:
    return {int(name.removeprefix("exercise_")): row[name] for name in row.dropna().index if "exercise_" in name}


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_the_reference_has_all_points(name: str, table: pd.DataFrame, sources: Mapping[str, NotebookNode]) -> None:
    tasks = assignments.exercises(sources[name])
    reference = table.loc[name]
    assert points_of(reference) == {task.number: task.automatic for task in tasks}
    assert reference.trouble == ""
    written = [f"exercise {task.number}: {task.written:g} points" for task in tasks if task.written]
    assert written
    assert reference.left_to_grade == "; ".join(written)


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_the_empty_version_has_no_points(
    name: str, sources: Mapping[str, NotebookNode], releases: dict[str, Path], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("KDUTILS_STORE", str(tmp_path / "store"))
    tests = {grade_id(cell): cell.source for cell in sources[name].cells if is_graded(cell) and not is_answer(cell)}
    empty = nbformat.read(releases[name], as_version=4)
    for cell in empty.cells:
        cell.source = tests.get(grade_id(cell), cell.source)  # hidden tests too, as the grader runs them
    assert set(points_here(empty, {}).values()) == {0}


def test_there_are_wrong_answers_to_every_assignment() -> None:
    assert WRONG.keys() == ASSIGNMENTS.keys()
    assert all(len(wrong) >= 3 for wrong in WRONG.values())


@pytest.mark.parametrize(
    ("name", "number", "mistake"),
    [
        pytest.param(name, number, mistake, id=f"{name} {mistake.cell} {mistake.why}")
        for name, wrong in WRONG.items()
        for number, group in enumerate(in_groups(wrong))
        for mistake in group
    ],
)
def test_a_typical_mistake_costs_exactly_its_points(
    name: str, number: int, mistake: Wrong, wrong: dict, sources: Mapping[str, NotebookNode]
) -> None:
    exercise = assignments.exercise_number(mistake.cell)
    worth = {grade_id(cell): cell.metadata.nbgrader.get("points", 0) for cell in sources[name].cells}
    full = {task.number: task.automatic for task in assignments.exercises(sources[name])}
    assert full[exercise] - wrong[name, number][exercise] == sum(worth[cell] for cell in mistake.lost) > 0


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_exercises_without_a_mistake_keep_their_points(
    name: str, wrong: dict, sources: Mapping[str, NotebookNode]
) -> None:
    full = {task.number: task.automatic for task in assignments.exercises(sources[name]) if task.automatic}
    for number, group in enumerate(in_groups(WRONG[name])):
        spoilt = {assignments.exercise_number(mistake.cell) for mistake in group}
        assert full.keys() - spoilt, "a group of mistakes in every exercise says nothing"
        assert {n: p for n, p in wrong[name, number].items() if n not in spoilt} == {
            n: p for n, p in full.items() if n not in spoilt
        }


@pytest.mark.parametrize("name", OTHERS)
def test_right_answers_of_another_form_keep_all_points(name: str, sources: Mapping[str, NotebookNode]) -> None:
    other = copy.deepcopy(sources[name])
    for cell in other.cells:
        cell.source = OTHERS[name].get(grade_id(cell), cell.source)
    full = {task.number: task.automatic for task in assignments.exercises(other) if task.automatic}
    assert points_here(other, {}) == full
    assert OTHERS[name].keys() == {mistake.cell for mistake in WRONG[name]}, "each of the answers"


def test_an_assignment_without_its_photographs_says_what_to_do(
    sources: Mapping[str, NotebookNode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = (each for each in sources.values() if photographs.needed(each))
    data = next(cell for cell in source.cells if grade_id(cell) == "data")
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings(), pytest.raises(UserError, match=r"Put the file .* beside the notebook"):
        exec(data.source, {})


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_the_student_version_holds_no_solution_and_no_hidden_test(
    name: str, releases: dict[str, Path], sources: Mapping[str, NotebookNode]
) -> None:
    text = releases[name].read_text(encoding="utf8")
    assert not re.search("BEGIN SOLUTION|END SOLUTION|HIDDEN TEST|Rubric", text)
    left = {line.strip() for cell in nbformat.reads(text, 4).cells for line in cell.source.splitlines()}
    for cell in sources[name].cells:
        hidden = re.findall(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)### END", cell.source, re.DOTALL)
        if is_graded(cell) and is_answer(cell):
            hidden.append(cell.source)
        assert hidden or not is_answer(cell), f"{cell.id} hides nothing"
        for line in "".join(hidden).splitlines():
            assert len(line.strip()) < 8 or line.strip() not in left, f"{cell.id} leaves {line!r}"


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_every_written_answer_has_a_rubric_that_adds_up(name: str, sources: Mapping[str, NotebookNode]) -> None:
    written = [cell for cell in sources[name].cells if is_graded(cell) and is_answer(cell)]
    assert written
    for cell in written:
        answer, rubric = cell.source.split("**Rubric")
        points = [int(number) for number in re.findall(r"^- (\d+) points?:", rubric, re.MULTILINE)]
        assert sum(points) == cell.metadata.nbgrader.points
        assert len(answer) > 200, "a model answer"


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_an_assignment_keeps_the_house_style(name: str) -> None:
    notebook = json.loads(ASSIGNMENTS[name].read_text(encoding="utf8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code), "outputs are not committed"
    for cell in notebook["cells"]:
        assert cell["id"] == cell["metadata"]["nbgrader"]["grade_id"], "so that it is known even without its metadata"
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert max(len(line.rstrip("\n")) for cell in code for line in cell["source"]) <= 88
    assert max(len(cell["source"]) for cell in code) <= 20
    parameters = notebooks.parameters(ASSIGNMENTS[name])
    cell = next(cell for cell in code if cell["id"] == "parameters")
    assert [line.split(":")[0] for line in cell["source"]] == list(parameters), "a line that papermill cannot read"
    assert all(parameter.help for parameter in parameters.values())
    assert "seed" in parameters, "so that each group can have its own"
    assert notebook["metadata"]["kdutils"]["goals"]
