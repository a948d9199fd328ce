"""Grids, plans and tables of many runs; the worker processes themselves are in test_sweep_faults."""

import io
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from kdutils import augment, estimate, pool, runs, sweep
from kdutils.board import DEATHS, Board
from kdutils.errors import UserError
from kdutils.specs import RunSpec
from kdutils.store import RESULT, WEIGHTS, Store
from kdutils.worker import TRACEBACK, Event, perform

TINY = {"student": "tiny", "method": "ce", "images_per_class": 13, "epochs": 1}


def test_a_grid_is_the_product_of_its_lists_the_last_varies_first() -> None:
    specs = sweep.grid(student="tiny", teacher="tiny", scheme=["none", "cutmix"], seed=range(3))
    assert [(spec.scheme, spec.seed) for spec in specs] == [(s, n) for s in ("none", "cutmix") for n in range(3)]
    assert all(isinstance(spec, RunSpec) and spec.student == "tiny" for spec in specs)


def test_a_pair_names_teacher_and_student_and_the_teachers_file() -> None:
    specs = sweep.grid(pair=["resnet56/resnet20", "resnet32x4/vgg8"], teacher_weights="some/{teacher}.pth")
    assert [(s.teacher, s.student, s.teacher_weights) for s in specs] == [
        ("resnet56", "resnet20", "some/resnet56.pth"),
        ("resnet32x4", "vgg8", "some/resnet32x4.pth"),
    ]


@pytest.mark.parametrize(
    ("lists", "complaint"),
    [
        ({"student": "tiny", "teacher": "tiny", "scheme": []}, "the grid is empty: no value for scheme"),
        ({"student": "tiny", "teacher": "tiny", "scheme": ["none", "cutmx"]}, "Did you mean 'cutmix'"),
        ({"student": "tiny", "teacher": "tiny", "sheme": "none"}, "unknown parameter 'sheme'"),
        ({"pair": "resnet56"}, "a pair is written teacher/student"),
        ({"scheme": "none"}, "name at least one student"),
        ({"student": "tiny", "method": "kd"}, "needs a teacher"),
        ({"pair": "tiny/tiny", "student": "resnet8"}, "leave out the pair, or student"),
        ({"student": "tiny", "method": "ce", "seed": "0-2"}, r"seed: Input should be a valid integer \(got '0-2'\)"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(lists: dict, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        sweep.grid(**lists)


def test_an_empty_sweep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to run"):
        sweep.sweep([], tmp_path)


def test_the_plan_trains_each_teacher_once_right_before_its_first_student(tmp_path: Path) -> None:
    specs = sweep.grid(pair="tiny/tiny", teacher_epochs=[2, 3], scheme=["none", "cutmix"], seed=[0, 1])
    jobs = sweep.plan([*specs, specs[0]], Store(tmp_path))
    first, second = (runs.teacher_spec(specs[n]).key() for n in (0, 4))
    keys = [spec.key() for spec in specs]
    assert list(jobs) == [first, *keys[:4], second, *keys[4:]]
    assert [job.needs for job in jobs.values()] == ["", *[first] * 4, "", *[second] * 4]


def test_a_teacher_whose_weights_did_not_travel_is_planned_and_trained_once(tmp_path: Path) -> None:
    specs, store = sweep.grid(pair="tiny/tiny", teacher_epochs=1, epochs=1, seed=[0, 1]), Store(tmp_path)
    teacher = runs.teacher_spec(specs[0])
    runs.run(teacher, tmp_path)
    store.path(teacher.key(), WEIGHTS).unlink()
    assert next(iter(sweep.plan(specs, store))) == teacher.key()
    assert store.read(teacher.key()) is not None  # a plan changes nothing
    with pytest.warns(UserWarning, match="not what this run wrote"):
        table = sweep.sweep(specs, tmp_path, workers=2)
    assert set(table.status) == {"done"}
    assert runs.has_student(store, teacher.key())


def test_a_sweep_gives_what_the_runs_alone_give_and_makes_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = sweep.grid(**TINY, seed=[1, 0, 1])
    table = sweep.sweep(specs, tmp_path / "together", workers=0)
    alone = [runs.run(spec, tmp_path / "alone") for spec in specs]
    assert list(table.seed) == [1, 0, 1]
    assert list(table.test_loss) == [result.test_loss for result in alone]
    assert list(table.test_accuracy) == [result.test_accuracy for result in alone]
    assert list(table.key) == [spec.key() for spec in specs]
    assert set(table.status) == {"done"}
    assert list(table.columns) == [*RunSpec.model_fields, "test_loss", "test_accuracy", "key", "status", "error"]
    monkeypatch.setattr(pool, "perform", lambda **task: pytest.fail("made again"))
    pd.testing.assert_frame_equal(sweep.sweep(specs, tmp_path / "together", workers=0), table)


def test_a_teacher_and_its_students_come_from_one_sweep(tmp_path: Path) -> None:
    specs = sweep.grid(pair="tiny/tiny", scheme=["none", "cutmixpick_t"], teacher_epochs=1, epochs=1)
    table = sweep.sweep(specs, tmp_path, workers=0)
    assert set(table.status) == {"done"}
    assert len(list(tmp_path.glob(f"*/{RESULT}"))) == 3


def test_a_failed_run_is_reported_and_does_not_stop_the_others(tmp_path: Path) -> None:
    specs = sweep.grid(**TINY, lr=[1e30, 0.05])
    with pytest.warns(UserWarning, match=r"1 of 2 runs failed:\ntiny ce\+none seed 0: the training loss became"):
        table = sweep.sweep(specs, tmp_path, workers=0)
    assert list(table.status) == ["failed", "done"]
    assert table.test_loss.isna().tolist() == [True, False]
    assert "lower learning rate" in table.error[0]
    assert table.error[1] == ""


def test_an_unexpected_error_leaves_its_traceback_beside_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(runs, "start", broken)
    end = perform(TINY, str(tmp_path))
    path = tmp_path / end.key / TRACEBACK
    assert end == Event(RunSpec(**TINY).key(), "failed", text=f"ZeroDivisionError: of all things (traceback in {path})")
    assert "in broken" in path.read_text()


def test_an_error_of_the_gpu_itself_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After it every other run in this process would fail too; the sweep gives the run to a new one."""

    def broken(*_: object) -> None:
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(runs, "start", broken)
    with pytest.raises(torch.AcceleratorError):
        perform(TINY, str(tmp_path))


def test_what_costs_alike_is_measured_once_and_what_does_not_is_not(tmp_path: Path) -> None:
    def kinds(**lists: object) -> int:
        jobs = sweep.plan(sweep.grid(pair="tiny/tiny", **lists), Store(tmp_path))
        return len({job.cost_alike() for job in jobs.values() if job.needs})

    assert kinds(scheme=["identity", "cutmix"], seed=[0, 1], epochs=[1, 2]) == 1
    assert kinds(scheme=["none", "cutmix", "cutmixpick_s", "cutmixpick_t"]) == 4
    assert kinds(precision=["float32", "bfloat16"]) == 2
    assert kinds(method="cc", scheme="cutmix", x_prime=["kl", "all"]) == 2


def test_an_estimate_is_for_workers_of_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(estimate, "_seconds", lambda *_: seen.append(torch.get_num_threads()) or 1.0)
    torch.set_num_threads(2)
    try:
        estimate.cost(RunSpec(**TINY))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert seen == [1, 1]


def test_a_missing_weights_file_is_refused_before_anything_runs(tmp_path: Path) -> None:
    specs = sweep.grid(pair="tiny/tiny", teacher_weights=str(tmp_path / "none.pth"))
    with pytest.raises(UserError, match=r"none\.pth"):
        sweep.sweep(specs, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_workers_cannot_know_a_scheme_registered_here_but_this_process_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = augment.Scheme("mine", "Mine", lambda x, draws, generator, settings: x)
    monkeypatch.setitem(augment.SCHEMES, "mine", mine)
    specs = sweep.grid(**TINY, scheme="mine")
    with pytest.raises(UserError, match=r"scheme .mine. was registered in this process.*workers=0"):
        sweep.sweep(specs, tmp_path, workers=2)
    assert list(sweep.sweep(specs, tmp_path, workers=0).status) == ["done"]


def test_the_number_of_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KDUTILS_WORKERS", "3")
    assert pool.default_workers() == 3
    monkeypatch.setenv("KDUTILS_WORKERS", "some")
    with pytest.raises(UserError, match="KDUTILS_WORKERS='some'"):
        pool.default_workers()
    monkeypatch.delenv("KDUTILS_WORKERS")
    assert pool.default_workers() >= 1
    with pytest.raises(UserError, match="workers=-1"):
        sweep.sweep(sweep.grid(**TINY), tmp_path, workers=-1)


def test_each_worker_gets_one_thread_and_its_turn_at_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    environments = [pool._environment(number) for number in range(3)]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in environments] == ["4", "6", "4"]
    assert {each["OMP_NUM_THREADS"] for each in environments} == {"1"}


def test_no_time_means_no_run_and_a_short_time_leaves_a_checkpoint(tmp_path: Path) -> None:
    specs = sweep.grid(**TINY | {"epochs": 500}, seed=[0, 1])
    assert list(sweep.sweep(specs, tmp_path, workers=0, budget=0).status) == ["waiting", "waiting"]
    table = sweep.sweep(specs, tmp_path, workers=0, budget=0.5)
    assert table.status[0] == "stopped"
    assert "checkpoint" in table.error[0]
    done = len(Store(tmp_path).read_checkpoint(specs[0].key())["losses"])
    assert 0 < done < 500


def test_a_stopped_run_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    spec = RunSpec(**TINY | {"epochs": 3, "scheme": "cutmix"})
    for stop_after in (0, 1, 2):
        with pytest.raises(runs.Stopped, match=f"after {stop_after} of 3 epochs"):
            runs.run(spec, tmp_path / "stopped", watch=lambda done, stop=stop_after: done == stop)
    assert runs.run(spec, tmp_path / "stopped") == runs.run(spec, tmp_path / "whole")


def test_a_checkpoint_is_kept_when_a_minute_has_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "CHECKPOINT_SECONDS", 0)
    written = []
    monkeypatch.setattr(Store, "write_checkpoint", lambda self, key, state: written.append(len(state["losses"])))
    runs.run(RunSpec(**TINY | {"epochs": 3}), tmp_path)
    assert written == [1, 2, 3]


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
            self.board.shelf.write(key, {"result": {}})
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


def test_torch_is_left_with_its_threads(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    sweep.sweep(sweep.grid(**TINY), tmp_path, workers=0)
    assert torch.get_num_threads() == threads
