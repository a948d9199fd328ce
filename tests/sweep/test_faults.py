"""Sweeps in a hostile world: full disks, damaged files, other clocks, a run that another process makes."""

import os
import resource
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from kdutils import runs, sweep
from kdutils.errors import UserError
from kdutils.runs import RunSpec, Store
from kdutils.runs.store import CHECKPOINT, RESULT, WEIGHTS, Busy
from kdutils.sweep.worker import perform
from tests.sweep.children import told_by_child

TINY = {"student": "tiny", "method": "ce", "images_per_class": 13, "epochs": 3}
NOBODY = 65534


@pytest.mark.parametrize("sabotage", [lambda path: path.write_text("{"), lambda path: None], ids=["damaged", "whole"])
def test_two_processes_may_set_the_same_file_aside(tmp_path: Path, sabotage: Callable[[Path], None]) -> None:
    path = tmp_path / "result.json"
    sabotage(path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Store(tmp_path).distrust("", path.name, "it is damaged")
    assert len(caught) == path.with_name("result.json.damaged").exists()


def test_a_full_disk_fails_the_run_in_a_line_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    def on_a_full_disk() -> str:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # less than a network's weights
        end = perform(TINY, str(tmp_path / "store"))
        return f"{end.kind}: {end.text}"

    said = told_by_child(on_a_full_disk)
    assert said.startswith("failed: cannot write ")
    assert "Nothing was left half-written" in said
    assert len(said.splitlines()) == 1
    spec, store = RunSpec(**TINY), tmp_path / "store"
    assert [path.name for path in (store / spec.key()).iterdir()] == ["lock"]
    assert runs.run(spec, store) == runs.run(spec, tmp_path / "whole")


def test_a_store_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    def unprivileged() -> str:
        if os.getuid() == 0:  # root may write anywhere
            os.setuid(NOBODY)
        sweep.sweep(sweep.grid(**TINY), tmp_path / "store", workers=0)
        return "no complaint"

    tmp_path.chmod(0o555)
    said = told_by_child(unprivileged)
    tmp_path.chmod(0o755)
    assert said.startswith("UserError: cannot ")
    assert said.partition(": ")[2].count("Permission denied") == 1
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot (read|write) .*: Not a directory"):
        sweep.sweep(sweep.grid(**TINY), tmp_path / "file" / "store")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"test_accuracy": ', '"test_accuracy": 1'),
        lambda text: "",
        lambda text: "[]",
        lambda text: "\udcff",
    ],
    ids=["truncated", "edited", "empty", "not a result", "not text"],
)
def test_a_damaged_result_is_set_aside_with_a_warning_and_made_again(
    tmp_path: Path, damage: Callable[[str], str]
) -> None:
    specs = sweep.grid(**TINY)
    table = sweep.sweep(specs, tmp_path, workers=0)
    path = tmp_path / table.key[0] / RESULT
    damaged = damage(path.read_text()).encode(errors="surrogateescape")
    path.write_bytes(damaged)
    with pytest.warns(UserWarning, match="cannot be used .* set aside"):
        again = sweep.sweep(specs, tmp_path, workers=0)
    pd.testing.assert_frame_equal(again, table)
    assert path.with_name(f"{RESULT}.damaged").read_bytes() == damaged


def test_a_truncated_checkpoint_is_set_aside_and_the_run_begins_again(tmp_path: Path) -> None:
    spec = RunSpec(**TINY)
    with pytest.raises(runs.Stopped):
        runs.run(spec, tmp_path / "cut", watch=lambda done: done == 2)
    path = tmp_path / "cut" / spec.key() / CHECKPOINT
    os.truncate(path, path.stat().st_size // 2)
    with pytest.warns(UserWarning, match="runs failed|cannot be used"):
        table = sweep.sweep([spec], tmp_path / "cut", workers=0)
    assert table.test_loss[0] == runs.run(spec, tmp_path / "whole").test_loss


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: os.truncate(path, 100)], ids=["missing", "truncated"])
def test_a_teacher_whose_weights_are_damaged_is_trained_again(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    teacher = RunSpec(**TINY)
    whole = runs.load_student(teacher, tmp_path).state_dict()
    spoil(tmp_path / teacher.key() / WEIGHTS)
    with pytest.warns(UserWarning, match="not what this run wrote"):
        again = runs.load_student(teacher, tmp_path).state_dict()
    assert all((again[name] == weight).all() for name, weight in whole.items())


def test_clock_and_host_name_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = RunSpec(**TINY)
    with pytest.raises(runs.Stopped):
        runs.run(spec, tmp_path / "moved", watch=lambda done: done == 2)
    for path in (tmp_path / "moved").rglob("*"):
        os.utime(path, (4e9, 4e9))  # written in the year 2096
    monkeypatch.setattr(time, "time", lambda: 1.0)
    monkeypatch.setattr("socket.gethostname", lambda: "another-machine")
    monkeypatch.setattr("platform.node", lambda: "another-machine")
    table = sweep.sweep([spec], tmp_path / "moved", workers=0)
    assert table.status[0] == "done"
    assert runs.run(spec, tmp_path / "moved") == runs.run(spec, tmp_path / "whole")


def test_a_run_is_busy_while_another_process_makes_it(tmp_path: Path) -> None:
    spec, store = RunSpec(**TINY), Store(tmp_path)
    with store.lock(spec.key()):
        assert perform(TINY, str(tmp_path)).kind == "busy"
        with pytest.raises(Busy, match=spec.key()):
            runs.run(spec, tmp_path, wait=0)
    assert perform(TINY, str(tmp_path)).kind == "done"
