"""Whatever a command is given, it ends with 0 or with at most three lines, and no other file changes (hypothesis)."""

import shutil
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from kdutils import cli
from kdutils.book import notebooks
from kdutils.cli import faults
from tests.tiny import write

MANY = settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NAMES = "all 0 -1 ² 1e200 nan inf ~ a/b {} {seed} -- tiny digits identity true [1 ../x /dev/null /proc/x"
WORD = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from([*NAMES.split(), "", "9" * 400, "x" * 300, "\x1b]0;x\x07"]),
)
LINES = b"[]|{}|null|a: !!binary x|pair = 5|pair: 5|epochs = true|seed = [[1]]|x: &a [*a]|grid = 3"
BYTES = st.one_of(
    st.binary(max_size=40),
    st.text(string.printable, max_size=40).map(str.encode),
    st.sampled_from([*LINES.split(b"|"), b"", b"[" * 900, b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"\xff\xfe"]),
)
SPEC_FLAGS = "teacher student scheme schemes method epochs seed batch-size tau lr steps weights precision k out record"
SPEC_FLAGS = [*SPEC_FLAGS.split(), "store", "images-per-class", "teacher-epochs", "pick-ratio"]
COMMANDS = [[], ["frob"], ["results"], ["results", "list"], ["results", "record"], ["results", "export"]]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `kdutils words...` in a folder with a file of somebody else's, and checks how it ends."""
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("notes.txt", "a.csv", "a.json", "b.failed.ipynb"):
        (mine / name).write_text("my own work", encoding="utf-8")
    write(mine / "good.ipynb", "1", parameters="n: int = 1  # a number\nnames: list = ['a']  # texts")
    before = {path: path.read_bytes() for path in mine.iterdir()}
    monkeypatch.chdir(mine)
    monkeypatch.setenv("KDUTILS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("KDUTILS_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(faults.platformdirs, "user_log_path", lambda name: tmp_path / "log")
    monkeypatch.setattr(notebooks, "execute", lambda notebook, output, values: None)  # takes seconds

    def check(*words):
        done = CliRunner().invoke(cli.app, list(words))
        reports = [path.read_text(encoding="utf-8") for path in (tmp_path / "log").glob("*")]
        shutil.rmtree(tmp_path / "log", ignore_errors=True)
        assert not reports, (words, reports[0])
        lines = done.stderr.rstrip().splitlines()
        assert done.exit_code == 0 or 1 <= len(lines) <= 3, (words, done.exit_code, done.stderr)
        assert "Traceback" not in done.output, words
        for path, content in before.items():
            assert path.read_bytes() == content, (words, path)

    return check


@MANY
@given(command=st.sampled_from(["rank", "train", "sweep"]), pairs=st.dictionaries(st.sampled_from(SPEC_FLAGS), WORD))
def test_flags_of_a_specification(run, command, pairs):
    flags = [word for name, value in pairs.items() for word in (f"--{name}", value)]
    nowhere = ["--dry-run"] if command == "sweep" else ["--dataset", "folder", "--data-dir", "nowhere"]  # no long work
    run(command, *flags, *nowhere)


@MANY
@given(
    command=st.sampled_from(COMMANDS),
    words=st.lists(WORD, max_size=3),
    flag=st.sampled_from(["--store", "--where", "--weights", "--nope", "--version", "--help"]),
)
def test_words_and_paths(run, command, words, flag):
    run(*command, *words, flag)
    run(*command, *words, "--store", *words[:1])


@MANY
@given(content=BYTES, words=st.lists(WORD, max_size=2), value=WORD)
def test_files(run, tmp_path, content, words, value):
    for name in ("x.toml", "x.yaml", "x.zip", "x.ipynb"):
        (tmp_path / name).write_bytes(content)
    run("sweep", "--file", str(tmp_path / "x.toml"), "--dry-run", *words)
    run("sweep", "--file", str(tmp_path / "x.yaml"), "--dry-run")
    run("results", "import", str(tmp_path / "x.zip"), *words)
    run("run-notebook", str(tmp_path / "x.ipynb"), *words)
    run("run-notebook", "good.ipynb", "--n", value, "--output", value)
    run("run-notebook", str(Path("good.ipynb")), "--names", value)
