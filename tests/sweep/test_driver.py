"""Plans and tables of many runs; workers and kills have files of their own."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from kdutils import augment, runs, sweep
from kdutils.errors import UserError
from kdutils.runs import RunSpec, Store, students
from kdutils.runs.store import RESULT, WEIGHTS
from kdutils.sweep import jobs, local, worker
from tests.sweep.helpers import TINY, answered


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
    specs = sweep.grid(pair="tiny/tiny", images_per_class=13, teacher_epochs=1, epochs=1, seed=[0, 1])
    store = Store(tmp_path)
    teacher = runs.teacher_spec(specs[0])
    runs.run(teacher, tmp_path)
    store.path(teacher.key(), WEIGHTS).unlink()
    assert next(iter(sweep.plan(specs, store))) == teacher.key()
    assert store.read(teacher.key()) is not None  # a plan changes nothing
    with pytest.warns(UserWarning, match="not what this run wrote"):
        table = sweep.sweep(specs, tmp_path, workers=0)
    assert set(table.status) == {"done"}
    assert store.read(teacher.key(), weights=True) is not None


@pytest.mark.parametrize(
    ("misfit", "why"),
    [
        ({"pair": "tiny/resnet18"}, "resnet18 takes square images of"),
        ({"images_per_class": 150}, "cannot take 150 training images"),
    ],
)
def test_a_student_that_does_not_fit_fails_before_its_teacher_is_trained(
    misfit: dict, why: str, tmp_path: Path
) -> None:
    fitting = {"pair": "tiny/tiny", "teacher_epochs": 1, "epochs": 1, "images_per_class": 13}
    bad, good = RunSpec(**sweep.grid(**fitting | misfit)[0].model_dump()), sweep.grid(**fitting)[0]
    with pytest.warns(UserWarning, match=f"1 of 1 runs failed:(?s:.)*{why}"):
        table = sweep.sweep([bad], tmp_path, workers=0)
    assert table.status.tolist() == ["failed"]
    assert not list(tmp_path.glob(f"*/{RESULT}"))
    with pytest.warns(UserWarning, match="1 of 3 runs failed"):  # the teacher is the third
        table = sweep.sweep([bad, good], tmp_path, workers=0)
    assert table.status.tolist() == ["failed", "done"]


def test_a_teacher_is_not_trained_for_students_that_are_there(tmp_path: Path) -> None:
    specs, shelf = sweep.grid(pair="tiny/tiny", teacher_epochs=1), Store(tmp_path)
    shelf.write(specs[0].key(), answered(specs[0]))
    assert sweep.plan(specs, shelf) == {}


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
    monkeypatch.setattr(local, "perform", lambda **task: pytest.fail("made again"))
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


def test_a_missing_weights_file_is_refused_before_anything_runs(tmp_path: Path) -> None:
    specs = sweep.grid(pair="tiny/tiny", teacher_weights=str(tmp_path / "none.pth"))
    with pytest.raises(UserError, match=r"none\.pth"):
        sweep.sweep(specs, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_workers_cannot_know_a_scheme_registered_here_but_this_process_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = augment.Scheme("mine", "Mine", lambda x: x)
    monkeypatch.setitem(augment.SCHEMES, "mine", mine)
    specs = sweep.grid(**TINY, scheme="mine")
    with pytest.raises(UserError, match=r"registered in this process.*: scheme mine\. Use workers=0"):
        sweep.sweep(specs, tmp_path, workers=2)
    assert list(sweep.sweep(specs, tmp_path, workers=0).status) == ["done"]


class Clock:
    """A clock that goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


def test_no_time_means_no_run_and_a_short_time_leaves_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    for module in (jobs, worker):
        monkeypatch.setattr(module, "time", clock)
    specs = sweep.grid(**TINY | {"epochs": 500}, seed=[0, 1])
    assert list(sweep.sweep(specs, tmp_path, workers=0, budget=0).status) == ["waiting", "waiting"]
    table = sweep.sweep(specs, tmp_path, workers=0, budget=20)
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
    monkeypatch.setattr(students, "CHECKPOINT_SECONDS", 0)
    written = []
    monkeypatch.setattr(Store, "write_checkpoint", lambda self, key, state: written.append(len(state["losses"])))
    runs.run(RunSpec(**TINY | {"epochs": 3}), tmp_path)
    assert written == [1, 2, 3]


def test_torch_is_left_with_its_threads(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    sweep.sweep(sweep.grid(**TINY), tmp_path, workers=0)
    assert torch.get_num_threads() == threads
