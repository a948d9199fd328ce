"""Worker processes: how they start, end and die, and what is reported of it."""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from kdutils import sweep
from kdutils.errors import UserError
from kdutils.inference import devices
from kdutils.runs import RunSpec, Store, students
from kdutils.runs.store import TRACEBACK
from kdutils.sweep import local
from kdutils.sweep.jobs import DEATHS
from kdutils.sweep.worker import Event, perform
from tests.sweep.children import Workers
from tests.sweep.helpers import TINY


def test_an_unexpected_error_leaves_its_traceback_beside_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(students, "start", broken)
    end = perform(TINY, str(tmp_path))
    path = tmp_path / end.key / TRACEBACK
    assert end == Event(RunSpec(**TINY).key(), "failed", text=f"ZeroDivisionError: of all things (traceback in {path})")
    assert "in broken" in path.read_text()
    monkeypatch.undo()
    assert perform(TINY, str(tmp_path)).kind == "done"
    assert not path.exists()


def test_an_error_of_the_gpu_itself_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After it every other run in this process would fail too; the sweep gives the run to a new one."""

    def broken(*_: object) -> None:
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(students, "start", broken)
    with pytest.raises(torch.AcceleratorError):
        perform(TINY, str(tmp_path))


def test_the_number_of_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KDUTILS_WORKERS", "3")
    assert local.default_workers() == 3
    monkeypatch.setenv("KDUTILS_WORKERS", "²")
    with pytest.raises(UserError, match="KDUTILS_WORKERS='²'"):
        local.default_workers()
    monkeypatch.delenv("KDUTILS_WORKERS")
    assert local.default_workers() >= 1
    with pytest.raises(UserError, match="workers=-1"):
        sweep.sweep(sweep.grid(**TINY), tmp_path, workers=-1)


def test_each_worker_gets_one_thread_and_its_turn_at_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    monkeypatch.setattr(devices, "find", lambda name: torch.device("cuda"))
    environments = [local._environment(number, "auto") for number in range(3)]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in environments] == ["4", "6", "4"]
    assert {each["OMP_NUM_THREADS"] for each in environments} == {"1"}


def test_a_worker_whose_sweep_is_gone_ends_with_its_epoch(tmp_path: Path) -> None:
    spec, store = RunSpec(**TINY | {"epochs": 100_000}), Store(tmp_path)
    worker = subprocess.Popen(local.WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    worker.stdin.write(json.dumps({"values": spec.model_dump(), "store": str(tmp_path)}) + "\n")
    worker.stdin.flush()
    assert json.loads(worker.stdout.readline())[:3] == [spec.key(), "epoch", 0]
    worker.stdout.close()
    assert worker.wait(timeout=100) == 1
    worker.stdin.close()
    with store.lock(spec.key(), timeout=0):
        assert store.read(spec.key()) is None


def test_a_worker_that_was_told_to_end_between_two_runs_leaves_the_next_to_another(tmp_path: Path) -> None:
    worker = subprocess.Popen(local.WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    task = json.dumps({"values": TINY, "store": str(tmp_path)}) + "\n"
    worker.stdin.write(task)
    worker.stdin.flush()
    while json.loads(worker.stdout.readline())[1] != "done":
        pass
    worker.terminate()
    with contextlib.suppress(BrokenPipeError), worker.stdin:
        worker.stdin.write(task)
        worker.stdin.flush()
        assert worker.wait(timeout=100) == 0  # which the sweep takes for a death, and starts another
    with worker.stdout:
        assert worker.stdout.read() == ""


def test_the_time_that_a_worker_takes_to_start_counts(tmp_path: Path) -> None:
    """Else a run would go on after the sweep's end, which then kills it without a checkpoint."""
    values = RunSpec(**TINY | {"epochs": 300}).model_dump()
    given = time.monotonic() - 1001.0
    task = {"values": values, "store": str(tmp_path), "seconds": 1000.0, "given": given}
    done = subprocess.run(local.WORKER, input=json.dumps(task) + "\n", stdout=subprocess.PIPE, text=True, check=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event[1] for event in events] == ["epoch", "stopped"]
    assert "after 0 of 300 epochs" in events[-1][4]


HARSH = """
print("a library's greeting")
import os, sys
line = sys.stdin.readline()
print('["", "epoch", 0, 0.0, ""]', flush=True)
print("what it said last", file=sys.stderr, flush=True)
sys.stdout.write('["", "epo'); sys.stdout.flush()
os.kill(os.getpid(), 9)
"""


def test_a_run_on_which_every_worker_dies_is_given_up_with_their_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "WORKER", [sys.executable, "-c", HARSH])
    workers = Workers(monkeypatch)
    with pytest.warns(UserWarning, match="1 of 1 runs failed"):
        table = sweep.sweep(sweep.grid(**TINY), tmp_path, workers=2)
    assert f"its worker died {DEATHS} times in a row (killed by signal 9: what it said last)" in table.error[0]
    assert len(workers.started) == DEATHS


def test_a_worker_that_cannot_start_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WORKER", [sys.executable, "-c", "raise SystemExit('no module named torch')"])
    with pytest.warns(UserWarning, match="1 of 1 runs failed"):
        table = sweep.sweep(sweep.grid(**TINY), tmp_path, workers=1)
    assert "(exit status 1: no module named torch)" in table.error[0]
