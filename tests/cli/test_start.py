"""The command line starts at once: what it does not need, it does not import. Modules are counted, not seconds."""

import os
import subprocess
import sys

import pytest

SLOW = {"torch", "torchvision", "sphinx", "jsonschema", "pandas", "numpy", "scipy", "matplotlib", "nbformat"}
PROGRAM = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, sep="\\n", file=open(sys.argv[1], "w")))
from kdutils.cli import main
sys.argv = ["kdutils", *sys.argv[2:]]
main()
"""


def modules_after(tmp_path, *words, **environment):
    """Exit status, output and imported modules of `kdutils words...` in a process of its own."""
    listing = tmp_path / "modules.txt"
    program = PROGRAM.replace("sys.argv[1]", repr(str(listing))).replace("sys.argv[2:]", repr(words))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    return done.returncode, done.stdout + done.stderr, set(listing.read_text().split())


@pytest.mark.parametrize(
    ("words", "status", "shown"),
    [
        (["--help"], 0, "run-notebook"),
        (["--version"], 0, "0."),
        (["frobnicate"], 2, "No such command 'frobnicate'"),
        (["rnk"], 2, "Did you mean 'rank'?"),
    ],
)
def test_help_version_and_a_wrong_name_need_no_library(tmp_path, words, status, shown):
    code, text, modules = modules_after(tmp_path, *words)
    assert (code, SLOW & modules) == (status, set()), text
    assert shown in text


def test_the_shell_completes_commands_without_a_library(tmp_path):
    ask = {"_KDUTILS_COMPLETE": "complete_bash", "COMP_WORDS": "kdutils r", "COMP_CWORD": "1"}
    code, text, modules = modules_after(tmp_path, **ask)
    assert (code, text.split(), SLOW & modules) == (0, ["rank", "results", "run-notebook"], set())


@pytest.mark.parametrize("command", ["rank", "results"])
def test_a_command_about_networks_needs_no_book_and_no_torchvision(tmp_path, command):
    code, text, modules = modules_after(tmp_path, command, "--help")
    assert code == 0, text
    assert "torch" in modules
    assert not {"torchvision", "sphinx", "jsonschema", "nbformat", "seaborn", "sklearn", "statsmodels"} & modules


def test_the_package_alone_imports_nothing_slow():
    program = "import sys, kdutils; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not SLOW & set(done.stdout.split())
