"""`kdutils sweep`: the files and times that people write, and a scheduler that is lost in the middle."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdutils import _files
from kdutils.cli.sweep import read_duration
from kdutils.errors import UserError
from kdutils.runs import RunSpec, Store
from kdutils.runs.store import CHECKPOINT, TRACEBACK
from tests.cli.words import TINY, run

NUMBER = "Input should be a number or a text (got True)"


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("g.toml", "epochs = true", f"epochs: {NUMBER}"),
        ("g.toml", "seed = [true, false]", f"seed: {NUMBER}"),
        ("g.toml", "lr = true", f"lr: {NUMBER}"),
        ("g.yaml", "epochs: yes", f"epochs: {NUMBER}"),
        ("g.toml", "pair = 5", "a pair is written teacher/student, such as resnet56/resnet20, not 5"),
        ("g.toml", "pair = true", "a pair is written teacher/student, such as resnet56/resnet20, not True"),
        ("g.toml", "teacher = 5\nteacher_weights = 'w.pth'", "teacher: Input should be a valid string (got 5)"),
        ("g.toml", "teacher_weights = 5", "teacher_weights: Input should be a valid string (got 5)"),
        ("g.toml", "student = {tiny = 1}", "student: write a value or a list of values (got {'tiny': 1})"),
        ("g.yaml", "seed: !!binary QUI=", "seed: write a value or a list of values (got b'AB')"),
        ("g.yaml", "seed: !!set {1, 2}", "seed: write a value or a list of values (got {1, 2})"),
        ("g.toml", f"seed = {'[' * 5000}{']' * 5000}", "g.toml is no readable TOML"),
        ("g.yaml", f"seed: {'[' * 5000}{']' * 5000}", "g.yaml is no readable TOML"),
        ("g.toml", f"seed = {'9' * 5000}", "g.toml is no readable TOML"),
        ("g.yaml", "seed: 2024-13-01", "g.yaml is no readable TOML"),
        ("g.toml", f"seed = {list(range(5000))}\ntau = {list(range(1, 100_001))}", "a grid of 500,000,000 runs"),
    ],
)
def test_a_file_that_means_no_runs_is_refused_in_a_line(
    store: Store,
    tmp_path: Path,
    name: str,
    text: str,
    complaint: str,
) -> None:
    (tmp_path / name).write_text(text)
    words = ["--method", "ce"] if text.startswith(("pair", "student")) else ["--student", "tiny", "--method", "ce"]
    code, out, error = run("sweep", "--file", tmp_path / name, *words)
    assert (code, out) == (1, "")
    assert complaint in error
    assert len(error.splitlines()) == 1
    assert not store.folder.exists()


def test_a_pipe_is_no_sweep_file(store: Store, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "g.toml")
    code, _, error = run("sweep", "--file", tmp_path / "g.toml")
    assert code == 1
    assert "not a regular file" in error


def test_times_are_read_with_their_units_and_nothing_else_is() -> None:
    assert [read_duration(text) for text in ("90s", "25m", "2h", "1h30m5s", "0s")] == [90, 1500, 7200, 5405, 0]
    for wrong in ("", "90", "1 day", "-2h", "2h ", "5s1h", "2h2h", "٣h", "nat", "9" * 400 + "h", "9" * 400 + "s"):
        with pytest.raises(UserError, match="is no time; write it as 90s"):
            read_duration(wrong)


def test_a_place_where_nothing_can_be_recorded_is_refused_before_any_run(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run("sweep", *TINY, "--record", "No Name")[0] == 1

    def no_clone() -> None:
        raise UserError("kdutils was not installed from a clone")

    monkeypatch.setattr(_files, "repository", no_clone)
    code, _, error = run("sweep", *TINY, "--record", "study")
    assert code == 1
    assert "not installed from a clone" in error
    assert not store.folder.exists()


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[subprocess.Popen, Path]]:
    """A scheduler and a worker of it, as people start them, and the file that names it."""
    pytest.importorskip("distributed", reason="the extra kdutils[cluster] is not installed")
    file, dask = tmp_path / "dask.json", [sys.executable, "-m", "dask"]
    place = ["--scheduler-file", str(file)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    words = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    started = subprocess.Popen([*dask, "scheduler", *place, *words], **quiet)
    while not file.exists():
        assert started.poll() is None
        time.sleep(0.05)
    worker = subprocess.Popen([*dask, "worker", *place, "--nthreads", "1", "--death-timeout", "60"], **quiet)
    yield started, file
    for process in (started, worker):
        process.kill()
        process.wait()


def test_a_scheduler_that_dies_leaves_a_table_a_line_and_the_checkpoints(
    store: Store,
    scheduler: tuple[subprocess.Popen, Path],
) -> None:
    process, file = scheduler
    spec = RunSpec(student="tiny", method="ce", images_per_class=13, epochs=100_000)

    def kill_at_the_first_checkpoint() -> None:
        while not store.path(spec.key(), CHECKPOINT).exists():
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)

    threading.Thread(target=kill_at_the_first_checkpoint, daemon=True).start()
    words = [*TINY[:-1], "100000", "--seed", "0,1"]
    code, out, error = run("sweep", *words, "--scheduler", file)
    assert code == 1
    said = [line for line in error.splitlines() if line.startswith("kdutils: ")]
    assert error.splitlines()[-1:] == said[-1:]
    assert "the Dask scheduler at tcp://127.0.0.1:" in said[-1]
    assert "is gone" in said[-1]
    assert "1 stopped" in out
    assert "1 waiting" in out
    with store.lock(spec.key(), timeout=100):  # nobody works on it any more
        assert store.epochs(spec.key()) > 0
        assert not store.path(spec.key(), TRACEBACK).exists()
