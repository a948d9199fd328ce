"""Nothing untrue is ever kept: edited, truncated and foreign files, full disks, losses that are no numbers."""

import errno
import json
import os
import shutil

import pytest
import torch

from kdutils import models, runs, training
from kdutils.errors import UserError
from kdutils.runs import Store
from kdutils.runs.store import CHECKPOINT, RESULT, WEIGHTS
from tests.runs.helpers import files


def test_a_result_that_was_edited_by_hand_is_made_again(make, tmp_path):
    spec = make(epochs=2)
    result = runs.run(spec, tmp_path)
    path = Store(tmp_path).path(spec.key(), RESULT)
    content = json.loads(path.read_text())
    content["result"]["test_loss"] = 0.001
    path.write_text(json.dumps(content))
    with pytest.warns(UserWarning, match="does not match its own digest"):
        assert runs.run(spec, tmp_path) == result


def test_a_truncated_checkpoint_is_set_aside_and_the_run_begins_again(undisturbed, tmp_path):
    spec, result = undisturbed("identity")
    with pytest.raises(runs.Stopped):
        runs.run(spec, tmp_path, watch=lambda epochs_done: epochs_done == 6)
    path = Store(tmp_path).path(spec.key(), CHECKPOINT)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.warns(UserWarning, match=r"checkpoint\.pt cannot be used"):
        assert runs.run(spec, tmp_path) == result


def test_the_result_of_another_run_is_not_believed(make, tmp_path):
    spec, other = make(epochs=1), make(epochs=1, seed=1)
    result = runs.run(spec, tmp_path)
    runs.run(other, tmp_path)
    shelf = Store(tmp_path)
    shutil.copy(shelf.path(other.key(), RESULT), shelf.path(spec.key(), RESULT))
    with pytest.warns(UserWarning, match="it answers another question than its key says"):
        assert runs.run(spec, tmp_path) == result


def without(part):
    return lambda state: {name: value for name, value in state.items() if name != part}


def with_momenta(change):
    def spoil(state):
        kept = state["optimizer"]["state"]
        momenta = {number: {"momentum_buffer": change(each["momentum_buffer"])} for number, each in kept.items()}
        return {**state, "optimizer": {**state["optimizer"], "state": momenta}}

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        *map(without, ("student", "method", "optimizer")),
        lambda state: {**state, "student": models.build("resnet8", 10, 16).state_dict()},
        lambda state: {**state, "student": {**state["student"], "conv1.weight": 3}},
        lambda state: {**state, "optimizer": {"state": {}, "param_groups": []}},
        lambda state: {**state, "optimizer": 3},
        lambda state: {**state, "losses": [1.0] * 13},
        with_momenta(lambda buffer: buffer[:1]),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_set_aside_and_the_run_starts_from_its_beginning(
    spoil, undisturbed, tmp_path
):
    """An older version wrote it, without key and format, or another network bore the name then."""
    spec, result = undisturbed("identity")
    with pytest.raises(runs.Stopped):
        runs.run(spec, tmp_path, watch=lambda epochs_done: epochs_done == 6)
    shelf, began = Store(tmp_path), []
    state = shelf.read_checkpoint(spec.key())
    torch.save(spoil(state), shelf.path(spec.key(), CHECKPOINT))
    with pytest.warns(UserWarning, match=r"checkpoint\.pt cannot be used \(it does not fit this run"):
        assert runs.run(spec, tmp_path, watch=lambda epochs_done: began.append(epochs_done)) == result
    assert began[0] == 0


def test_a_checkpoint_from_before_it_named_its_run_is_gone_on_from(undisturbed, tmp_path):
    spec, result = undisturbed("identity")
    with pytest.raises(runs.Stopped):
        runs.run(spec, tmp_path, watch=lambda epochs_done: epochs_done == 6)
    shelf, began = Store(tmp_path), []
    torch.save(shelf.read_checkpoint(spec.key()), shelf.path(spec.key(), CHECKPOINT))
    assert runs.run(spec, tmp_path, watch=lambda epochs_done: began.append(epochs_done)) == result
    assert began[0] == 6


def test_a_student_whose_test_loss_is_no_number_is_no_result(make, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "evaluate", lambda *args: training.Evaluation(float("inf"), 10.0, 1.0, 1.0))
    with pytest.raises(UserError, match=r"the trained student's test_loss is inf; try a lower learning rate"):
        runs.run(make(epochs=1), tmp_path)
    assert Store(tmp_path).read(make(epochs=1).key()) is None


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"other")])
def test_weights_that_are_not_what_the_run_wrote_are_made_again(spoil, make, tmp_path):
    spec = make(epochs=2)
    result = runs.run(spec, tmp_path)
    spoil(Store(tmp_path).path(spec.key(), WEIGHTS))
    with pytest.warns(UserWarning, match="is not what this run wrote"):
        runs.load_student(spec, tmp_path)
    assert runs.run(spec, tmp_path) == result


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint(make, tmp_path, monkeypatch):
    rate = training.Schedule.learning_rate
    monkeypatch.setattr(
        training.Schedule, "learning_rate", lambda self, epoch: 1e30 if epoch == 6 else rate(self, epoch)
    )
    spec = make()
    with pytest.raises(UserError, match=r"the training loss became \w+ in epoch 7; try a lower learning rate"):
        runs.run(spec, tmp_path)
    kept = Store(tmp_path).read_checkpoint(spec.key())
    assert len(kept["losses"]) == 5
    assert all(torch.isfinite(value).all() for value in kept["student"].values())
    assert files(tmp_path, spec) == {CHECKPOINT, "lock"}


def test_a_hopeless_rate_leaves_nothing_but_an_error(make, tmp_path):
    spec = make(lr=1e30)
    with pytest.raises(UserError, match="the training loss became"):
        runs.run(spec, tmp_path)
    assert files(tmp_path, spec) == {"lock"}


@pytest.mark.parametrize("name", [CHECKPOINT, WEIGHTS, RESULT])
def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(name, undisturbed, tmp_path, monkeypatch):
    spec, result = undisturbed("identity")
    rename = os.replace

    def full(source, target):
        if os.path.basename(target) == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(UserError, match=rf"cannot write .*{name}: No space left on device") as told:
            runs.run(spec, tmp_path)
    assert "\n" not in str(told.value)
    assert name not in files(tmp_path, spec)
    assert not any(left.startswith(".") for left in files(tmp_path, spec))
    assert runs.run(spec, tmp_path) == result
