"""The notebooks' parameters are read, checked and passed on; what does not fit is refused before any work."""

import ast
import json
from pathlib import Path

import nbformat
import pytest
from tiny import write

from kdutils import notebooks
from kdutils.errors import UserError

PARAMETERS = """
steps: int = 20  # mini-batches
rate: float = 0.5  # learning rate
name: str = "digits"  # the data; one of: digits, cifar100
fast: bool = True  # skip the slow part
schemes: list = ["flip", "mixup"]  # what to rank; one of: flip, mixup, cutmix
seeds: list = [0, 1]  # of the runs
"""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write(tmp_path / "one.ipynb", "print(steps * 2, name)", parameters=PARAMETERS)


def test_parameters_have_types_defaults_help_and_choices(notebook: Path) -> None:
    found = notebooks.parameters(notebook)
    assert [p.type for p in found.values()] == ["int", "float", "str", "bool", "list", "list"]
    assert found["steps"] == notebooks.Parameter("steps", 20, "mini-batches")
    assert found["name"].choices == ("digits", "cifar100")
    assert found["schemes"].default == ["flip", "mixup"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("steps", "7", 7),
        ("rate", "1", 1.0),
        ("rate", "1e-3", 0.001),
        ("name", "cifar100", "cifar100"),
        ("fast", "no", False),
        ("fast", "True", True),
        ("schemes", "cutmix, flip", ["cutmix", "flip"]),
        ("schemes", "['cutmix']", ["cutmix"]),
        ("seeds", "3,4,5", [3, 4, 5]),
        ("seeds", [3], [3]),
        ("rate", 2, 2.0),
    ],
)
def test_a_value_that_fits_is_typed(notebook: Path, name: str, text: object, value: object) -> None:
    typed = notebooks.validate(notebook, {name: text})[name]
    assert (typed, type(typed)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("step", "7", ["no parameter 'step'", "Did you mean 'steps'?"]),
        ("steps", "7.5", ["'steps'", "a whole number", "7.5", "mini-batches"]),
        ("steps", 7.5, ["a whole number"]),
        ("steps", True, ["a whole number"]),
        ("rate", "fast", ["a number"]),
        ("fast", "maybe", ["true or false"]),
        ("name", "cifar10", ["'cifar10'", "Did you mean 'cifar100'?", "digits, cifar100"]),
        ("schemes", "flip,cutmx", ["'cutmx'", "Did you mean 'cutmix'?"]),
        ("seeds", "one", ["a list"]),
        ("seeds", "[1", ["a list"]),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(
    notebook: Path, name: str, value: object, words: list[str]
) -> None:
    with pytest.raises(UserError) as refusal:
        notebooks.validate(notebook, {name: value})
    message = str(refusal.value)
    assert all(word in message for word in words), message
    assert len(message.splitlines()) == 1


def test_run_notebook_refuses_before_work_and_runs_what_fits(tmp_path: Path, notebook: Path) -> None:
    output = tmp_path / "out.ipynb"
    with pytest.raises(UserError, match="no parameter 'sted'"):
        notebooks.run_notebook(str(notebook), {"sted": "1"}, output)
    assert not output.exists()
    assert notebooks.run_notebook(str(notebook), {"steps": "21"}, output) == output
    texts = [out.text for cell in nbformat.read(output, 4).cells for out in cell.get("outputs", [])]
    assert texts == ["42 digits\n"]


def test_a_notebook_is_never_its_own_output(notebook: Path) -> None:
    before = notebook.read_text()
    with pytest.raises(UserError, match="the chapter itself"):
        notebooks.run_notebook(str(notebook), {}, notebook)
    with pytest.raises(UserError, match="name it out"):
        notebooks.run_notebook(str(notebook), {}, notebook.with_name("out"))
    assert notebook.read_text() == before


def test_a_failure_names_the_cell_the_line_and_the_error_and_leaves_no_output(tmp_path: Path) -> None:
    notebook = write(tmp_path / "bad.ipynb", "a = 1", "b = 2\nc = a / 0", "print(a)", parameters="n: int = 1  # number")
    with pytest.raises(UserError) as failure:
        notebooks.run_notebook(str(notebook), {"n": 2}, tmp_path / "out.ipynb")
    lines = str(failure.value).splitlines()
    assert lines[:3] == ["bad: cell 4 failed", "  c = a / 0", "  ZeroDivisionError: division by zero"]
    assert not (tmp_path / "out.ipynb").exists()
    failed = nbformat.read(tmp_path / "out.failed.ipynb", 4)
    assert failed.metadata.papermill.exception is True


def test_a_kernel_that_dies_is_said_so(tmp_path: Path) -> None:
    notebook = write(tmp_path / "dead.ipynb", "import os\nos._exit(1)")
    with pytest.raises(UserError, match="dead: the kernel"):
        notebooks.execute(notebook, tmp_path / "out.ipynb")
    assert not (tmp_path / "out.ipynb").exists()


def test_leaving_early_is_not_success(tmp_path: Path) -> None:
    notebook = write(tmp_path / "early.ipynb", "import sys\nsys.exit()", "print('not reached')")
    with pytest.raises(UserError, match="cell 3 did not run"):
        notebooks.execute(notebook, tmp_path / "out.ipynb")
    assert not (tmp_path / "out.ipynb").exists()


def test_chapters_come_from_the_table_of_contents(tmp_path: Path) -> None:
    for name in ("01_first", "02_second", "unlisted"):
        write(tmp_path / "notebooks" / f"{name}.ipynb", "1")
    toc = tmp_path / "_toc.yml"
    toc.write_text("root: book/intro\nchapters: [{file: notebooks/02_second}, {file: book/x}]\n")
    assert [path.stem for path in notebooks.chapters(tmp_path)] == ["02_second"]
    toc.write_text(
        "root: i\nparts:\n- chapters: [{file: notebooks/01_first}]\n- chapters: [{file: notebooks/02_second}]"
    )
    assert [path.stem for path in notebooks.chapters(tmp_path)] == ["01_first", "02_second"]
    for name in ("1", "01", "01_first"):
        assert notebooks.find(name, tmp_path).stem == "01_first"
    with pytest.raises(UserError, match="Did you mean '01_first'"):
        notebooks.find("01_fist", tmp_path)
    toc.write_text("root: i\nchapters: [{file: notebooks/03_third}]")
    with pytest.raises(UserError, match="03_third"):
        notebooks.chapters(tmp_path)


def too_long(source: str) -> bool:
    """More than twenty lines; or, where verdicts stand with a field a line, more than ten statements."""
    if "report.Verdict(" in source:
        return len(ast.parse(source).body) > 10
    return len(source.splitlines()) > 20


@pytest.mark.parametrize("notebook", notebooks.chapters(), ids=lambda path: path.stem)
def test_every_chapter_keeps_the_house_style(notebook: Path) -> None:
    text = json.loads(notebook.read_text(encoding="utf8"))
    code = [cell for cell in text["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code), "outputs are not committed"
    ids = [cell["id"] for cell in text["cells"]]
    assert len(set(ids)) == len(ids)
    assert notebooks.title(notebook) != notebook.stem, "a chapter begins with a heading"
    parameters = notebooks.parameters(notebook)
    assert parameters, "a chapter has parameters"
    assert all(parameter.help for parameter in parameters.values()), "each parameter has a comment"
    for parameter in parameters.values():
        assert parameter.read(parameter.default) == parameter.default
    long = [cell["id"] for cell in code if too_long("".join(cell["source"]))]
    assert not long, f"what is longer than about ten lines belongs in kdutils: {long}"
    assert "report.record(" in "".join(code[-1]["source"]), "the last cell records the verdict"


def test_the_template_runs_with_other_parameters(tmp_path: Path) -> None:
    output = notebooks.run_notebook("template", {"windows": 400, "distribution": "normal"}, tmp_path / "t.ipynb")
    assert "injected-parameters" in output.read_text()
