"""Whatever is killed or interrupted, the last sweep ends as an undisturbed one."""

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from kdutils import runs, sweep
from kdutils.runs import RunSpec, Store
from kdutils.runs.store import CHECKPOINT, RESULT, WEIGHTS
from kdutils.sweep.jobs import Board
from kdutils.sweep.worker import Event
from tests.sweep.children import Workers

pytestmark = pytest.mark.long

TINY = {"student": "tiny", "method": "ce", "images_per_class": 13, "epochs": 3}


def test_a_worker_killed_in_the_middle_is_replaced_and_nothing_is_lost_or_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    workers, take = Workers(monkeypatch), Board.take

    def kill_after_the_third_epoch(board: Board, event: Event) -> None:
        if event.kind == "epoch" and event.epochs == 3 and len(workers.started) == 1:
            workers.started[0].kill()
        take(board, event)

    monkeypatch.setattr(Board, "take", kill_after_the_third_epoch)
    specs = sweep.grid(**TINY | {"epochs": 7}, scheme=["cutmix", "none"])
    table = sweep.sweep(specs, tmp_path / "killed", workers=1)
    assert len(workers.started) == 2
    assert workers.started[0].returncode == -signal.SIGKILL
    monkeypatch.undo()
    pd.testing.assert_frame_equal(table, sweep.sweep(specs, tmp_path / "whole", workers=0))
    assert capfd.readouterr() == ("", "")


KILLED = """
import os, signal, sys
import psutil
from kdutils import sweep
from kdutils.sweep.jobs import Board

values, store, kills = eval(sys.argv[1]), sys.argv[2], eval(sys.argv[3])
take = Board.take

def take_and_kill(board, event):
    take(board, event)
    workers = psutil.Process().children()
    match kills.pop(event.epochs, ""):
        case "a worker":
            workers[0].kill()
        case "all workers":
            [worker.kill() for worker in workers]
        case "the sweep":
            os.kill(os.getpid(), signal.SIGKILL)

Board.take = take_and_kill
sweep.sweep(sweep.grid(**values), store, workers=2)
"""


def test_whatever_is_killed_the_last_sweep_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    values, store = TINY | {"epochs": 21, "scheme": "cutmix", "seed": [0, 1]}, Store(tmp_path / "store")
    kills = {7: "all workers", 13: "a worker", 18: "the sweep"}  # at the first run's such epoch
    words = [sys.executable, "-c", KILLED, repr(values), str(store.folder), repr(kills)]
    ended = subprocess.run(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert (ended.returncode, ended.stderr) == (-signal.SIGKILL, "")
    assert set(sweep.sweep(sweep.grid(**values), store.folder, workers=0).status) == {"done"}
    for spec in sweep.grid(**values):
        whole = runs.run(spec, tmp_path / "whole")
        assert store.read(spec.key())["result"] == whole.model_dump(mode="json")  # with the digest of its weights
        left = {path.name for path in (store.folder / spec.key()).iterdir()}
        assert left == {RESULT, WEIGHTS, "lock"}


def test_two_sweeps_on_one_store_make_every_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take, epochs, tables = Board.take, Counter(), {}

    def count(board: Board, event: Event) -> None:
        epochs[event.key, event.epochs] += event.kind == "epoch" and event.epochs > 0
        take(board, event)

    monkeypatch.setattr(Board, "take", count)
    specs = sweep.grid(pair="tiny/tiny", images_per_class=13, teacher_epochs=2, epochs=4, seed=range(4))
    both = [
        threading.Thread(target=lambda n=n: tables.setdefault(n, sweep.sweep(specs, tmp_path, workers=1)))
        for n in range(2)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert set(tables[0].status) == {"done"}
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert +epochs == Counter({(key, n): 1 for key in tables[0].key for n in range(1, 5)}) + Counter(
        {(runs.teacher_spec(specs[0]).key(), n): 1 for n in (1, 2)}
    )


SCRIPT = """
import sys
import kdutils as kd
print(kd.sweep.sweep(kd.sweep.grid(**eval(sys.argv[1])), sys.argv[2], workers=1))
"""  # no guard of __main__, as in a notebook: workers must not import it


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C in a terminal", "timeout"])
def test_an_interrupted_sweep_stops_its_workers_and_goes_on_from_there(tmp_path: Path, stop: signal.Signals) -> None:
    values = TINY | {"epochs": 400, "scheme": "cutmix"}
    spec, store = RunSpec(**values), Store(tmp_path / "store")
    words = [sys.executable, "-c", SCRIPT, repr(values), str(store.folder)]
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore it
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heard)
    while not store.path(spec.key(), CHECKPOINT).exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    if stop == signal.SIGTERM:
        process.terminate()  # and the group at once, as `timeout` does
    os.killpg(process.pid, stop)  # the sweep and its workers
    _, error = process.communicate(timeout=100)
    assert "KeyboardInterrupt" in error
    with store.lock(spec.key(), timeout=0):  # nobody is left who works on it
        done = len(store.read_checkpoint(spec.key())["losses"])
    assert 0 < done < 400
    with pytest.raises(runs.Stopped):  # as far as a shorter undisturbed run, which is enough to compare
        runs.run(spec, tmp_path / "whole", watch=lambda epochs: epochs == done)
    undisturbed = Store(tmp_path / "whole").read_checkpoint(spec.key())
    assert store.read_checkpoint(spec.key())["losses"] == undisturbed["losses"]
