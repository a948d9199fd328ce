"""Runs through the store: killed anywhere they end in the same result, and nothing untrue is ever kept."""

import errno
import json
import multiprocessing
import os
import random
import signal
import time
from collections import Counter

import pandas as pd
import pytest
import torch

from kdutils import metrics, models, runs, training
from kdutils.errors import UserError
from kdutils.runs import RankSpec, RunSpec
from kdutils.store import CHECKPOINT, RESULT, WEIGHTS, Store

EPOCHS = 12  # checkpoints after 5 and 10


@pytest.fixture(scope="module")
def context():
    """Children forked from a server that has imported everything once: quick, and free of this process's threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["kdutils", "kdutils.runs"])
    return context


@pytest.fixture(scope="module")
def make(teacher_file):
    """A short run on 40 digits: two batches an epoch."""

    def make(scheme="identity", **changed):
        options = dict(images_per_class=4, batch_size=20, epochs=EPOCHS, teacher="tiny", student="tiny")
        return RunSpec(**{**options, "scheme": scheme, "teacher_weights": str(teacher_file), **changed})

    return make


@pytest.fixture(scope="module")
def undisturbed(make, tmp_path_factory):
    """A scheme's run that nothing disturbs: its specification, its result and how long it took."""
    made = {}

    def undisturbed(scheme):
        if scheme not in made:
            began = time.monotonic()
            result = runs.run(make(scheme), tmp_path_factory.mktemp("whole"))
            made[scheme] = make(scheme), result, time.monotonic() - began
        return made[scheme]

    return undisturbed


def files(store, spec):
    return {path.name for path in (Store(store).folder / spec.key()).iterdir()}


# --- Killed, and started again ------------------------------------------------------------------------------------


def child_run(spec, store, begun=None):
    """A run in a child, on one thread as here; it says when it begins."""
    torch.set_num_threads(1)
    if begun:
        begun.set()
    runs.run(spec, store)


def child_that_dies(spec, store, before, nth):
    """A run that is killed right before or right after it renames a file for the nth time."""
    rename, count = os.replace, Counter()

    def replace(source, target):
        count["renames"] += 1
        if before and count["renames"] == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)
        if count["renames"] == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replace
    child_run(spec, store)


def start(context, target, *args):
    child = context.Process(target=target, args=args)
    child.start()
    return child


@pytest.mark.parametrize("scheme", ["identity", "cutmixpick_s"])
def test_a_run_killed_at_random_moments_ends_as_an_undisturbed_one(scheme, undisturbed, context, tmp_path):
    spec, result, seconds = undisturbed(scheme)
    moment, interrupted = random.Random(0), 0
    for _ in range(6):
        begun = context.Event()
        child = start(context, child_run, spec, tmp_path, begun)
        assert begun.wait(120)
        child.join(moment.uniform(0, 0.4) * seconds)
        child.kill()
        child.join()
        interrupted += child.exitcode == -signal.SIGKILL
    assert interrupted >= 2
    assert runs.run(spec, tmp_path) == result
    assert files(tmp_path, spec) == {RESULT, WEIGHTS, "lock"}


@pytest.mark.parametrize("scheme", ["identity", "cutmixpick_s"])
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_run_killed_at_a_rename_ends_as_an_undisturbed_one(nth, before, scheme, undisturbed, context, tmp_path):
    """Its four renames: two checkpoints, the weights, the result."""
    spec, result, _ = undisturbed(scheme)
    child = start(context, child_that_dies, spec, tmp_path, before, nth)
    child.join()
    assert child.exitcode == -signal.SIGKILL
    shelf = Store(tmp_path)
    assert (shelf.read(spec.key()) is None) == (nth < 4 or before)
    checkpointed = nth > 1 or not before
    assert shelf.path(spec.key(), CHECKPOINT).exists() == checkpointed
    began = []
    found = runs.run(spec, tmp_path, watch=lambda epochs_done: began.append(epochs_done))
    assert found == result
    assert not began or began[0] == (0 if not checkpointed else 5 if nth < 2 or (nth == 2 and before) else 10)
    assert {RESULT, WEIGHTS} <= files(tmp_path, spec) <= {RESULT, WEIGHTS, CHECKPOINT, "lock"}


def child_that_notes(spec, store, log):
    """A run that writes a line for every training it begins."""
    train = runs._train

    def note(*args):
        with open(log, "a") as stream:
            stream.write("trained\n")
        return train(*args)

    runs._train = note
    child_run(spec, store)


def test_two_processes_on_one_run_train_it_once(make, context, tmp_path, undisturbed):
    spec, result, _ = undisturbed("identity")
    children = [start(context, child_that_notes, spec, tmp_path, tmp_path / "log") for _ in range(2)]
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    assert (tmp_path / "log").read_text() == "trained\n"
    assert runs.run(spec, tmp_path) == result


# --- The same question, the same answer ---------------------------------------------------------------------------


def test_a_run_is_fixed_by_its_specification(make, undisturbed, tmp_path):
    spec, result, _ = undisturbed("cutmixpick_s")
    assert runs.run(spec, tmp_path) == result
    other = runs.run(make("cutmixpick_s", seed=1), tmp_path)
    assert other.test_loss != result.test_loss
    assert len(result.train_losses) == EPOCHS


def test_what_is_known_is_not_trained_again(make, tmp_path, monkeypatch):
    spec = make(epochs=1)
    first = runs.run(spec, tmp_path)
    monkeypatch.setattr(runs, "_train", lambda *args: pytest.fail("trained again"))
    assert runs.run(spec, tmp_path) == first


def test_the_result_is_what_the_stored_student_gives(make, tmp_path, digits):
    spec = make("cutmix", epochs=2)
    result = runs.run(spec, tmp_path)
    student = runs.load_student(spec, tmp_path)
    assert not student.training
    assert training.evaluate(student, digits, digits.test) == (result.test_loss, result.test_accuracy)


def test_a_run_is_quiet_where_there_is_no_terminal(make, tmp_path, capfd):
    runs.run(make(epochs=1), tmp_path)
    assert capfd.readouterr() == ("", "")


# --- Teachers -----------------------------------------------------------------------------------------------------


def test_a_teacher_with_weights_is_read_from_its_file(make, teacher, tmp_path):
    found = runs.load_teacher(make(), tmp_path)
    assert all(torch.equal(value, teacher.state_dict()[name]) for name, value in found.state_dict().items())
    assert not found.training
    assert list(tmp_path.iterdir()) == []


def test_a_teacher_without_weights_is_trained_once_on_all_images(make, tmp_path, monkeypatch):
    spec = make(teacher_weights="", teacher_epochs=1, epochs=1)
    of_teacher = runs.teacher_spec(spec)
    assert (of_teacher.student, of_teacher.method, of_teacher.epochs) == ("tiny", "ce", 1)
    assert (of_teacher.images_per_class, of_teacher.scheme, of_teacher.teacher) == (0, "none", "")
    runs.run(spec, tmp_path)
    assert Store(tmp_path).read(of_teacher.key()) is not None
    began = []
    monkeypatch.setattr(runs, "_train", lambda spec, *args: began.append(spec) or pytest.fail("trained again"))
    runs.load_teacher(make(teacher_weights="", teacher_epochs=1), tmp_path)
    assert began == []


def test_a_teacher_that_answers_in_bfloat16_makes_another_run_of_nearly_the_same_loss(make, tmp_path):
    spec = make(precision="bfloat16")
    assert spec.key() != make().key()
    progress, exact = runs.start(spec, tmp_path), runs.start(make(), tmp_path)
    loss, plain = progress.epoch(), exact.epoch()
    assert loss != plain
    assert loss == pytest.approx(plain, rel=0.01)  # 8 bits of mantissa, averaged over the epoch


def never_train(monkeypatch):
    monkeypatch.setattr(training.Training, "epoch", lambda self: pytest.fail("training began"))


def test_weights_of_another_network_are_refused_before_training(make, tmp_path, monkeypatch):
    never_train(monkeypatch)
    models.save_weights(models.build("resnet8", 10, 16), tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=r"does not fit tiny: conv1\.weight is \(16, 3, 3, 3\) in the file"):
        runs.run(make(teacher_weights=str(tmp_path / "other.safetensors")), tmp_path / "store")


# --- What goes wrong ----------------------------------------------------------------------------------------------


def test_a_result_that_was_edited_by_hand_is_made_anew(make, tmp_path):
    spec = make(epochs=2)
    result = runs.run(spec, tmp_path)
    path = Store(tmp_path).path(spec.key(), RESULT)
    content = json.loads(path.read_text())
    content["result"]["test_loss"] = 0.001
    path.write_text(json.dumps(content))
    with pytest.warns(UserWarning, match="does not match its own digest"):
        assert runs.run(spec, tmp_path) == result


def test_a_truncated_checkpoint_is_set_aside_and_the_run_begins_anew(undisturbed, tmp_path):
    spec, result, _ = undisturbed("identity")
    with pytest.raises(runs.Stopped):
        runs.run(spec, tmp_path, watch=lambda epochs_done: epochs_done == 6)
    path = Store(tmp_path).path(spec.key(), CHECKPOINT)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.warns(UserWarning, match=r"checkpoint\.pt cannot be used"):
        assert runs.run(spec, tmp_path) == result


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"other")])
def test_weights_that_are_not_what_the_run_wrote_are_made_anew(spoil, make, tmp_path):
    spec = make(epochs=2)
    result = runs.run(spec, tmp_path)
    spoil(Store(tmp_path).path(spec.key(), WEIGHTS))
    with pytest.warns(UserWarning, match="is not what this run wrote"):
        runs.load_student(spec, tmp_path)
    assert runs.run(spec, tmp_path) == result


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint(make, tmp_path, monkeypatch):
    rate = training.Schedule.rate
    monkeypatch.setattr(training.Schedule, "rate", lambda self, epoch: 1e30 if epoch == 6 else rate(self, epoch))
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
    spec, result, _ = undisturbed("identity")
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


def test_a_store_that_cannot_be_used_is_named_before_training(make, tmp_path, monkeypatch):
    never_train(monkeypatch)
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="taken"):
        runs.run(make(), tmp_path / "taken")


# --- Rankings -----------------------------------------------------------------------------------------------------


@pytest.fixture
def ranking(teacher_file):
    schemes = ("cutmixpick_s", "flip", "identity")
    return RankSpec(teacher="tiny", teacher_weights=str(teacher_file), schemes=schemes, steps=6, k=256)


def test_a_ranking_is_that_of_the_metric_and_is_measured_once(ranking, teacher, digits, tmp_path, monkeypatch):
    found = runs.rank(ranking, tmp_path)
    expected = metrics.rank_schemes(teacher, digits, list(ranking.schemes), steps=6, k=256)
    pd.testing.assert_frame_equal(found, expected)
    monkeypatch.setattr(runs, "_measure", lambda *args: pytest.fail("measured again"))
    pd.testing.assert_frame_equal(runs.rank(ranking, tmp_path), found, check_exact=True)


def test_a_student_picks_for_its_scheme(ranking, teacher_file, tmp_path):
    with_student = ranking.model_copy(update={"student": "tiny", "student_weights": str(teacher_file)})
    found = runs.rank(with_student, tmp_path).set_index("scheme")
    assert found.loc["cutmixpick_s"].notna().all()
    assert runs.rank(ranking, tmp_path).set_index("scheme").loc["cutmixpick_s"].drop("n_u").isna().all()


def test_a_ranking_too_short_for_an_error_is_refused_before_its_teacher_is_trained(tmp_path):
    spec = RankSpec(teacher="tiny", teacher_epochs=1, steps=14)
    with pytest.raises(UserError, match="14 steps are too few: take at least 15"):
        runs.rank(spec, tmp_path)
    assert not list(tmp_path.rglob("*.json"))
