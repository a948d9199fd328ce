"""The command line: what it lists, what it takes, and how it ends."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdutils import cli
from kdutils.book import notebooks
from kdutils.book.course import assignments
from kdutils.cli.notebooks import read_parameters
from kdutils.errors import UserError
from tests.tiny import write


def run(*words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `kdutils words...`."""
    done = CliRunner().invoke(cli.app, list(words))
    return done.exit_code, done.stdout, done.stderr


def test_help_lists_the_commands_with_a_line_each() -> None:
    code, out, _ = run("--help")
    assert code == 0
    for command in ("book", "notebooks", "run-notebook"):
        assert command in out


def test_notebooks_lists_every_chapter_with_its_parameters() -> None:
    code, out, _ = run("notebooks")
    assert code == 0
    for path in notebooks.chapters():
        assert f"{path.stem}  {notebooks.title(path)}" in out
        for parameter in notebooks.parameters(path).values():
            assert f"--{parameter.name} {parameter.default!r}" in out


@pytest.mark.parametrize(
    "words",
    [
        ["--data-dir", "d", "--steps", "-3"],
        ["--data_dir=d", "--steps=-3"],
        ["-p", "data_dir", "d", "-p", "steps", "-3"],
        ["--parameters", "data_dir", "d", "--steps", "-3"],
    ],
)
def test_parameters_may_be_written_in_three_ways(words: list[str]) -> None:
    assert read_parameters(words) == {"data_dir": "d", "steps": "-3"}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--steps"], "--steps needs a value"),
        (["-p", "steps"], "-p steps needs a value"),
        (["-p"], "-p needs a value"),
        (["steps", "3"], "'steps' belongs to no parameter"),
        (["--steps", "3", "-p", "steps", "4"], "'steps' is given twice"),
    ],
)
def test_parameters_that_cannot_be_read_are_refused(words: list[str], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        read_parameters(words)


def test_an_unknown_parameter_ends_with_one_line_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, error = run("run-notebook", "template", "--window", "5")
    assert code == 1
    assert out == ""
    assert error.startswith("kdutils: template has no parameter 'window'. Did you mean 'windows'?")
    assert len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_run_notebook_writes_what_it_was_asked_for(tmp_path: Path) -> None:
    source = write(tmp_path / "n.ipynb", "print(n + 1)", parameters="n: int = 1  # a number")
    code, out, _ = run("run-notebook", str(source), "--n", "41", "--output", str(tmp_path / "out.ipynb"))
    assert (code, out) == (0, f"executed notebook: {tmp_path / 'out.ipynb'}\n")
    assert "42" in (tmp_path / "out.ipynb").read_text()


def test_an_interrupt_ends_with_130_and_says_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(notebooks, "chapters", interrupted)
    code, _, error = run("notebooks")
    assert code == 130
    assert "the same command goes on from there" in error


def test_the_script_is_installed_and_refuses_without_a_traceback() -> None:
    script = Path(sys.executable).with_name("kdutils")
    done = subprocess.run([script, "run-notebook", "nowhere"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "unknown chapter 'nowhere'" in done.stderr
    assert "Traceback" not in done.stderr


def shown_commands() -> list[str]:
    """The `kdutils ...` lines of the README and of the book's prose."""
    pages = [notebooks.ROOT / "README.md", *sorted((notebooks.ROOT / "book").glob("*.md"))]
    lines = [line.strip().removeprefix(".venv/bin/") for page in pages for line in page.read_text().splitlines()]
    return [line.split("  #")[0].rstrip(" \\") for line in lines if line.startswith("kdutils ")]


@pytest.mark.parametrize("line", shown_commands())
def test_a_command_that_the_book_shows_is_one_that_works(line: str) -> None:
    _, name, *words = shlex.split(line)
    command = cli.load(name)
    if name == "results":  # a group: its commands have the flags
        command = command.commands[words.pop(0)]
    if name == "run-notebook":
        notebooks.validate(notebooks.find(words[0]), read_parameters(words[1:]))
    elif name in ("assignments", "grade"):
        assignments.variants(read_parameters(command.make_context(name, words).args))
    else:
        flags = {flag for parameter in command.params for flag in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= flags


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_list_of_commands_says_what_each_command_says_of_itself(name: str) -> None:
    assert cli.docstring(name)
    assert cli.docstring(name).splitlines()[0] == cli.load(name).help.splitlines()[0]


def test_the_device_of_a_notebook_is_found_before_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDUTILS_DEVICE", "auto")  # so that it is set back
    notebook = write(tmp_path / "own.ipynb", "n: int = 1  # a number", "import os; print(os.environ['KDUTILS_DEVICE'])")
    code, _, said = run("run-notebook", str(notebook), "--device", "mps:7", "--output", str(tmp_path / "out.ipynb"))
    assert code == 1
    assert said.startswith("kdutils: no device 'mps:7' on this machine; choose one of: auto, cpu")
    code, *_ = run("run-notebook", str(notebook), "--device", "cpu", "--output", str(tmp_path / "out.ipynb"))
    assert code == 0
    assert '"cpu\\n"' in (tmp_path / "out.ipynb").read_text(encoding="utf-8")
