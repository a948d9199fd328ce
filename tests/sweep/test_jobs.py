"""The queue of jobs: who waits for whom, who is given up, what a budget starts, and the bar."""

import io
import sys
from pathlib import Path

import pytest

from kdutils import sweep
from kdutils.runs import Store
from kdutils.sweep.jobs import DEATHS, Board
from kdutils.sweep.worker import Event
from tests.sweep.helpers import answered


class Told:
    """A board of jobs that are told what happened, without anything happening."""

    def __init__(self, folder: Path, budget: float | None = None, **lists: object) -> None:
        self.specs = sweep.grid(**{"pair": "tiny/tiny", "epochs": 10} | lists)
        self.board = Board(sweep.plan(self.specs, Store(folder)), Store(folder), budget)
        self.keys = list(self.board.jobs)

    def start(self) -> str:
        key = self.board.next()
        self.board.task(key)
        return key

    def tell(self, key: str, kind: str, **facts: object) -> None:
        if kind == "done":
            self.board.shelf.write(key, answered(self.board.jobs[key].spec))
        self.board.take(Event(key, kind, **facts))

    def states(self) -> list[str]:
        return [job.status for job in self.board.jobs.values()]


def test_students_wait_for_their_teacher_and_fall_with_it(tmp_path: Path) -> None:
    told = Told(tmp_path, seed=[0, 1])
    teacher = told.start()
    assert told.board.next() is None
    told.tell(teacher, "failed", text="no luck")
    assert told.states() == ["failed"] * 3
    assert told.board.jobs[told.keys[1]].error == "its teacher was not trained: no luck"
    assert told.board.finished()


def test_students_start_once_their_teacher_is_done(tmp_path: Path) -> None:
    told = Told(tmp_path, seed=[0, 1])
    told.tell(told.start(), "done")
    assert [told.start(), told.start()] == told.keys[1:]
    assert told.board.next() is None
    assert not told.board.finished()


def test_a_run_is_given_up_when_its_workers_die_and_it_gets_no_further(tmp_path: Path) -> None:
    told = Told(tmp_path, method="ce")
    key = told.start()
    told.tell(key, "done")
    key = told.keys[1]
    for furthest in (1, 2):  # each time one epoch further: no reason to give up
        for _ in range(DEATHS - 1):
            assert told.start() == key
            told.tell(key, "epoch", epochs=0)
            told.tell(key, "epoch", epochs=furthest)
            told.tell(key, "died", text="killed by signal 9")
            assert told.board.jobs[key].status == "waiting"
    told.start()
    told.tell(key, "epoch", epochs=0)
    told.tell(key, "epoch", epochs=2)  # not further than before
    told.tell(key, "died", text="killed by signal 9")
    assert told.board.jobs[key].error.startswith(f"its worker died {DEATHS} times in a row (killed by signal 9)")
    assert told.board.finished()


def test_a_run_that_another_process_makes_is_looked_at_again_later(tmp_path: Path) -> None:
    told = Told(tmp_path, seed=[0, 1])
    told.tell(told.start(), "done")
    first = told.start()
    told.tell(first, "busy")
    assert told.start() == told.keys[2]
    assert told.board.next() is None
    assert not told.board.finished()
    told.board.jobs[first].not_before = 0
    assert told.board.next() == first


def test_a_budget_starts_first_what_fits_and_never_what_does_not_reach_a_checkpoint(tmp_path: Path) -> None:
    told = Told(tmp_path, budget=100.0, epochs=[30, 10, 5], scheme=["cutmix", "cutmixpick_t"])
    told.tell(told.start(), "done")
    long, picking = told.start(), told.start()
    for key, seconds in ((long, 9.0), (picking, 101.0)):
        told.tell(key, "epoch", epochs=0, seconds=1000.0)
        told.tell(key, "epoch", epochs=1, seconds=seconds)
    assert told.board.jobs[told.start()].spec.epochs == 10  # 10 epochs of 9 s
    assert told.board.jobs[told.start()].spec.epochs == 5
    assert told.board.next() is None  # what is left would pick: not even an epoch fits
    told.tell(long, "stopped", text="a checkpoint is kept")
    assert told.board.next() is None


def test_a_run_whose_result_is_not_in_the_store_is_not_done(tmp_path: Path) -> None:
    told = Told(tmp_path)
    key = told.start()
    told.board.take(Event(key, "done"))
    assert told.states() == ["failed", "failed"]
    assert "do all workers share that folder?" in told.board.jobs[key].error


def test_words_that_come_late_change_nothing(tmp_path: Path) -> None:
    told = Told(tmp_path)
    key = told.start()
    told.tell(key, "done")
    told.tell(key, "epoch", epochs=3)
    assert told.board.jobs[key].epochs is None


def test_warnings_of_workers_reach_the_caller(tmp_path: Path) -> None:
    told = Told(tmp_path)
    with pytest.warns(UserWarning, match="tiny ce.none seed 0: set aside"):
        told.tell(told.start(), "warning", text="set aside")


class Terminal(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_bar_counts_epochs_from_the_checkpoint_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    told = Told(tmp_path, teacher_epochs=20)
    bar = told.board.bar
    assert bar.total == 30
    key = told.start()
    told.tell(key, "epoch", epochs=15)
    told.tell(key, "epoch", epochs=17)
    assert (bar.n, bar.total) == (2, 15)
    told.tell(key, "done")
    told.tell(told.start(), "failed", text="out of luck")
    assert (bar.n, bar.total) == (5, 5)
    bar.close()
    assert "1 done, 0 running, 1 failed" in sys.stderr.getvalue()
    assert "failed: tiny/tiny kd+none seed 0: out of luck\n" in sys.stderr.getvalue()
