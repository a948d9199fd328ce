"""Notebooks are found and executed with parameters of one's own; what cannot work is refused before."""

import json
from pathlib import Path

import nbformat
import pytest

from kdutils.book import build, notebooks
from kdutils.errors import UserError
from tests.tiny import write


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    source = 'steps: int = 20  # mini-batches\nname: str = "digits"  # the data; one of: digits, cifar100'
    return write(tmp_path / "one.ipynb", "print(steps * 2, name)", parameters=source)


def test_run_notebook_refuses_before_work_and_runs_what_fits(tmp_path: Path, notebook: Path) -> None:
    output = tmp_path / "out.ipynb"
    with pytest.raises(UserError, match="no parameter 'sted'"):
        notebooks.run_notebook(str(notebook), {"sted": "1"}, output)
    assert not output.exists()
    assert notebooks.run_notebook(str(notebook), {"steps": "21"}, output) == output
    texts = [out.text for cell in nbformat.read(output, 4).cells for out in cell.get("outputs", [])]
    assert texts == ["42 digits\n"]


def texts(path: Path) -> list[str]:
    """What the cells of an executed notebook printed."""
    return [output.text for cell in nbformat.read(path, 4).cells for output in cell.get("outputs", [])]


@pytest.mark.parametrize(
    "metadata", [{}, {"kernelspec": {"name": "my-env", "display_name": "x", "language": "python"}}]
)
def test_a_kernel_of_another_name_or_none_is_ours(tmp_path: Path, metadata: dict) -> None:
    source = write(tmp_path / "own.ipynb", "print(n)", parameters="n: int = 1  # K = 2 n")
    stripped = nbformat.read(source, 4)
    stripped.metadata = nbformat.from_dict(metadata)
    nbformat.write(stripped, source)
    assert texts(notebooks.run_notebook(str(source), {"n": "7"}, tmp_path / "out.ipynb")) == ["7\n"]


def test_a_notebook_in_another_language_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "own.ipynb", "1")
    foreign = nbformat.read(source, 4)
    foreign.metadata = nbformat.from_dict({"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}})
    nbformat.write(foreign, source)
    with pytest.raises(UserError, match=r"own\.ipynb is written in R; only"):
        notebooks.run_notebook(str(source), {}, tmp_path / "out.ipynb")


def test_braces_in_paths_are_only_braces(tmp_path: Path) -> None:
    folder = tmp_path / "work {old}"
    source = write(folder / "own{}.ipynb", "print(seed)", parameters="seed: int = 0  # the seed")
    output = folder / "run_{seed}.ipynb"
    assert texts(notebooks.run_notebook(str(source), {"seed": "3"}, output)) == ["3\n"]
    assert {path.name for path in folder.iterdir()} == {"own{}.ipynb", "run_{seed}.ipynb"}


@pytest.mark.parametrize("name", ["out.ipynb", "out.failed.ipynb"])
def test_only_an_executed_notebook_is_replaced(tmp_path: Path, notebook: Path, name: str) -> None:
    output = tmp_path / "out.ipynb"
    notebooks.run_notebook(str(notebook), {}, output)
    notebooks.run_notebook(str(notebook), {"steps": 1}, output)
    mine = write(tmp_path / name, "my own work")
    before = mine.read_bytes()
    with pytest.raises(UserError, match=f"{name} is not the output of an earlier run, so it is kept"):
        notebooks.run_notebook(str(notebook), {}, output)
    assert mine.read_bytes() == before


def test_the_place_of_the_output_is_looked_at_before_the_work(tmp_path: Path, notebook: Path, monkeypatch) -> None:
    monkeypatch.setattr(notebooks, "execute", lambda *given: pytest.fail("the work began"))
    before = notebook.read_bytes()
    (tmp_path / "folder.ipynb").mkdir()
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    for output, said in (
        (notebook, "the notebook itself"),
        (notebook.with_name("out"), r"name it out\.ipynb"),
        (tmp_path / "folder.ipynb", "is a folder"),
        (tmp_path / "link.ipynb", "not a regular file"),
        (tmp_path / "file" / "out.ipynb", "cannot write"),
        (Path("x" * 300 + ".ipynb"), "cannot write .*: File name too long"),
    ):
        with pytest.raises(UserError, match=said):
            notebooks.run_notebook(str(notebook), {}, output)
    assert notebook.read_bytes() == before


def test_a_failure_names_the_cell_the_line_and_the_error_and_leaves_no_output(tmp_path: Path) -> None:
    notebook = write(tmp_path / "bad.ipynb", "a = 1", "b = 2\nc = a / 0", "print(a)", parameters="n: int = 1  # number")
    with pytest.raises(UserError) as failure:
        notebooks.run_notebook(str(notebook), {"n": 2}, tmp_path / "out.ipynb")
    lines = str(failure.value).splitlines()
    failed = tmp_path / "out.failed.ipynb"
    assert lines[:2] == ["bad: cell 4 failed at  c = a / 0", "  ZeroDivisionError: division by zero"]
    assert lines[2:] == [f"The notebook as far as it came: {failed}"]
    assert not (tmp_path / "out.ipynb").exists()
    assert nbformat.read(failed, 4).metadata.papermill.exception is True


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


@pytest.mark.parametrize("content", [b"", b"[]", b"a: b: c", b"\xff", b"chapters: 3", b"chapters: [{}]", b"parts: [3]"])
def test_a_table_of_contents_that_is_none_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "_toc.yml").write_bytes(content)
    with pytest.raises(UserError, match=r"_toc\.yml cannot be read as Jupyter Book's table of contents"):
        notebooks.chapters(tmp_path)


def test_without_a_clone_the_repository_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs the project's repository"):
        build.build(tmp_path)
    assert not any(tmp_path.iterdir())


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
    long = [cell["id"] for cell in code if len("".join(cell["source"]).splitlines()) > 20]
    assert not long, f"what is longer than twenty lines belongs in kdutils: {long}"
    empty = [cell["id"] for cell in code if 'else "")' in "".join(cell["source"])]
    assert not empty, f"an empty Markdown is shown as the name of its class: {empty}"
    assert "report.record(" in "".join(code[-1]["source"]), "the last cell records the verdict"


def test_the_template_runs_with_other_parameters(tmp_path: Path) -> None:
    output = notebooks.run_notebook("template", {"windows": 400, "distribution": "normal"}, tmp_path / "t.ipynb")
    assert "injected-parameters" in output.read_text()
