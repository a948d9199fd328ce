"""How a command ends: with what a person can change, and never with a traceback."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdutils import cli
from kdutils.book import notebooks
from kdutils.cli import faults
from kdutils.errors import UserError

PROGRAM = shlex.join([sys.executable, "-m", "kdutils.cli"])


@pytest.fixture
def failing(monkeypatch, tmp_path):
    """`kdutils notebooks` raises the error that this is called with; returns status, stdout, stderr."""
    monkeypatch.setattr(faults.platformdirs, "user_log_path", lambda name: tmp_path / "log")

    def run(error):
        def broken():
            raise error

        monkeypatch.setattr(notebooks, "chapters", broken)
        done = CliRunner().invoke(cli.app, ["notebooks"])
        return done.exit_code, done.stdout, done.stderr

    return run


def shell(line, **environment):
    """Status, stdout and stderr of a line that runs `kdutils` in a shell."""
    done = subprocess.run(
        ["bash", "-c", line.replace("kdutils", PROGRAM, 1)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_fault_of_ours_is_two_lines_and_a_report_with_the_traceback(failing, tmp_path):
    status, out, error = failing(ZeroDivisionError("division by zero\nand more"))
    said, where = error.splitlines()
    assert (status, out, said) == (1, "", "kdutils: ZeroDivisionError: division by zero")
    (report,) = (tmp_path / "log").iterdir()
    assert where.startswith("This is a fault of kdutils, not yours.")
    assert where.endswith(str(report))
    text = report.read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in text
    assert "in broken" in text
    assert shlex.join(sys.argv) in text


def test_without_a_place_for_the_report_it_says_so(failing, monkeypatch, tmp_path):
    (tmp_path / "log").write_text("in the way", encoding="utf-8")
    monkeypatch.setattr(faults.tempfile, "gettempdir", lambda: str(tmp_path / "log" / "below"))
    assert failing(KeyError("x"))[2].endswith("Nor could a report be written.\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UserError("no such thing.\nName another."), "no such thing.\nName another."),
        (UserError("a name \x1b]0;evil\x07 with \u202e signs"), r"a name \x1b]0;evil\x07 with \u202e signs"),
        (MemoryError(), "there is not enough memory; take fewer images at once, fewer workers or a smaller network"),
        (ModuleNotFoundError("no", name="nbgrader"), "this needs the package 'nbgrader', which is not installed: pip"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
            "there is not enough memory; take",
        ),
        (OSError(24, "Too many open files"), "the system lets this process open no more files; raise its limit"),
        (OSError(28, "No space left on device", "a.csv"), "cannot write a.csv: No space left on device"),
    ],
)
def test_what_has_a_plain_cause_is_told_without_a_report(failing, tmp_path, error, said):
    status, _, message = failing(error)
    assert status == 1
    assert message.startswith(f"kdutils: {said}")
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("words", [["--nope"], ["nope"], ["rank", "--nope"], ["run-notebook"], ["results", "export"]])
def test_words_that_are_no_command_take_one_line_and_the_way_to_the_help(words):
    done = CliRunner().invoke(cli.app, words)
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.rstrip().endswith("--help")


@pytest.mark.parametrize("words", [[], ["results"]])
def test_without_words_the_help_is_shown(words):
    done = CliRunner().invoke(cli.app, words)
    assert "COMMAND [ARGS]" in done.stdout
    assert done.stderr == ""


def test_a_reader_that_has_seen_enough_ends_the_command_quietly():
    assert shell("set -o pipefail; kdutils notebooks | true")[1:] == ("", "")


def test_a_closed_stdout_is_no_fault():
    assert shell("kdutils --version >&-") == (0, "", "")
    assert shell("kdutils nope 2>&-") == (2, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_stdout_is_said_in_a_line():
    said = "kdutils: cannot write the output: No space left on device\n"
    assert shell("kdutils notebooks > /dev/full") == (1, "", said)
    assert shell("kdutils --version > /dev/full") == (1, "", said)


def test_a_terminal_that_cannot_show_a_sign_gets_it_spelled_out():
    program = "from kdutils import cli; cli.app = lambda: print('x\u2032'); cli.main()"
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=ascii_only, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "x\\u2032\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_what_fails_before_the_command_is_read_is_told_too():
    program = "import resource; from kdutils import cli; resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)); cli.main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    said = "kdutils: the system lets this process open no more files; raise its limit (ulimit -n)\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)
