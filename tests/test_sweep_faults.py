"""Sweeps in a hostile world: killed workers, interrupts, full disks, damaged files, two sweeps on one store."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from tqdm import tqdm

from kdutils import pool, runs, sweep
from kdutils.board import DEATHS, Board
from kdutils.errors import UserError
from kdutils.specs import RunSpec
from kdutils.store import CHECKPOINT, RESULT, WEIGHTS, Busy, Store, set_aside
from kdutils.worker import Event, perform

TINY = {"student": "tiny", "method": "ce", "images_per_class": 13, "epochs": 3}
NOBODY = 65534


def in_child(work: Callable[[], object]) -> int:
    """Start `work` in a forked child; returns its process id."""
    child = os.fork()
    if child == 0:
        tqdm.set_lock(threading.RLock())  # all share this process's: killed while it holds that, a child would stop us
        try:
            work()
        finally:
            os._exit(0)
    return child


def told_by_child(work: Callable[[], str]) -> str:
    """What `work` returns, or the error that it ends in, in a forked child."""

    def tell() -> None:
        try:
            said = work()
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())

    reading, writing = os.pipe()
    child = in_child(tell)
    os.close(writing)
    with open(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def test_a_run_killed_twenty_times_at_random_moments_ends_as_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "CHECKPOINT_EPOCHS", 1)
    spec, moment = RunSpec(**TINY | {"epochs": 12, "scheme": "cutmix"}), random.Random(0)
    began = time.monotonic()
    undisturbed = runs.run(spec, tmp_path / "whole")
    epoch = (time.monotonic() - began) / spec.epochs
    store, interrupted = Store(tmp_path / "killed"), 0
    for _ in range(20):
        child = in_child(lambda: runs.run(spec, store.folder))
        time.sleep(moment.uniform(0, 2 * epoch))
        interrupted += store.read(spec.key()) is None
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert interrupted >= 5
    assert runs.run(spec, store.folder) == undisturbed
    left = {path.name for path in (store.folder / spec.key()).iterdir()}
    assert left == {RESULT, WEIGHTS, "lock"}


class Workers:
    """The worker processes that sweeps start."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started: list[subprocess.Popen] = []
        start = pool.subprocess.Popen

        def remember(*words: object, **options: object) -> subprocess.Popen:
            self.started.append(start(*words, **options))
            return self.started[-1]

        monkeypatch.setattr(pool.subprocess, "Popen", remember)


def test_a_worker_killed_in_the_middle_is_replaced_and_nothing_is_lost_or_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    workers, take = Workers(monkeypatch), Board.take

    def kill_after_the_third_epoch(board: Board, event: Event) -> None:
        if event.kind == "epoch" and event.epochs == 3 and len(workers.started) == 1:
            workers.started[0].kill()
        take(board, event)

    monkeypatch.setattr(Board, "take", kill_after_the_third_epoch)
    specs = sweep.grid(**TINY | {"epochs": 15}, scheme=["cutmix", "none"])
    table = sweep.sweep(specs, tmp_path / "killed", workers=1)
    assert len(workers.started) == 2
    assert workers.started[0].returncode == -signal.SIGKILL
    monkeypatch.undo()
    pd.testing.assert_frame_equal(table, sweep.sweep(specs, tmp_path / "whole", workers=0))
    assert capfd.readouterr() == ("", "")


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


def test_an_interrupted_sweep_stops_its_workers_and_goes_on_from_there(tmp_path: Path) -> None:
    values = TINY | {"epochs": 400, "scheme": "cutmix"}
    spec, store = RunSpec(**values), Store(tmp_path / "store")
    words = [sys.executable, "-c", SCRIPT, repr(values), str(store.folder)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not store.path(spec.key(), CHECKPOINT).exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the sweep and its workers
    _, error = process.communicate(timeout=100)
    assert "KeyboardInterrupt" in error
    with store.lock(spec.key(), timeout=0):  # nobody is left who works on it
        done = len(store.read_checkpoint(spec.key())["losses"])
    assert 0 < done < 400
    with pytest.raises(runs.Stopped):  # as far as a shorter undisturbed run, which is enough to compare
        runs.run(spec, tmp_path / "whole", watch=lambda epochs: epochs == done)
    undisturbed = Store(tmp_path / "whole").read_checkpoint(spec.key())
    assert store.read_checkpoint(spec.key())["losses"] == undisturbed["losses"]


def test_a_worker_whose_sweep_is_gone_ends_with_its_epoch(tmp_path: Path) -> None:
    spec, store = RunSpec(**TINY | {"epochs": 100_000}), Store(tmp_path)
    worker = subprocess.Popen(pool.WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    worker.stdin.write(json.dumps({"values": spec.model_dump(), "store": str(tmp_path)}) + "\n")
    worker.stdin.flush()
    assert json.loads(worker.stdout.readline())[:3] == [spec.key(), "epoch", 0]
    worker.stdout.close()
    assert worker.wait(timeout=100) == 1
    worker.stdin.close()
    with store.lock(spec.key(), timeout=0):
        assert store.read(spec.key()) is None


def test_the_time_that_a_worker_takes_to_start_counts(tmp_path: Path) -> None:
    """Else a run would go on after the sweep's end, which then kills it without a checkpoint."""
    values = RunSpec(**TINY | {"epochs": 300}).model_dump()
    given = time.monotonic() - 1001.0
    task = {"values": values, "store": str(tmp_path), "seconds": 1000.0, "given": given}
    done = subprocess.run(pool.WORKER, input=json.dumps(task) + "\n", stdout=subprocess.PIPE, text=True, check=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event[1] for event in events] == ["epoch", "stopped"]
    assert "after 0 of 300 epochs" in events[-1][4]


@pytest.mark.parametrize("sabotage", [lambda path: path.write_text("{"), lambda path: None], ids=["damaged", "whole"])
def test_two_processes_may_set_the_same_file_aside(tmp_path: Path, sabotage: Callable[[Path], None]) -> None:
    path = tmp_path / "result.json"
    sabotage(path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        set_aside(path, "it is damaged")
    assert len(caught) == path.with_name("result.json.damaged").exists()


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
    monkeypatch.setattr(pool, "WORKER", [sys.executable, "-c", HARSH])
    workers = Workers(monkeypatch)
    with pytest.warns(UserWarning, match="1 of 1 runs failed"):
        table = sweep.sweep(sweep.grid(**TINY), tmp_path, workers=2)
    assert f"its worker died {DEATHS} times in a row (killed by signal 9: what it said last)" in table.error[0]
    assert len(workers.started) == DEATHS


def test_a_worker_that_cannot_start_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "WORKER", [sys.executable, "-c", "raise SystemExit('no module named torch')"])
    with pytest.warns(UserWarning, match="1 of 1 runs failed"):
        table = sweep.sweep(sweep.grid(**TINY), tmp_path, workers=1)
    assert "(exit status 1: no module named torch)" in table.error[0]


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
def test_a_damaged_result_is_set_aside_with_a_warning_and_made_anew(
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


def test_a_truncated_checkpoint_is_set_aside_and_the_run_begins_anew(tmp_path: Path) -> None:
    spec = RunSpec(**TINY)
    with pytest.raises(runs.Stopped):
        runs.run(spec, tmp_path / "cut", watch=lambda done: done == 2)
    path = tmp_path / "cut" / spec.key() / CHECKPOINT
    os.truncate(path, path.stat().st_size // 2)
    with pytest.warns(UserWarning, match="runs failed|cannot be used"):
        table = sweep.sweep([spec], tmp_path / "cut", workers=0)
    assert table.test_loss[0] == runs.run(spec, tmp_path / "whole").test_loss


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: os.truncate(path, 100)], ids=["missing", "truncated"])
def test_a_teacher_whose_weights_are_damaged_is_trained_anew(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
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
