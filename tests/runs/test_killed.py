"""A run that is killed anywhere ends in the result of an undisturbed one."""

import itertools
import multiprocessing
import os
import random
import signal
import sys
import threading
from collections import Counter

import pytest
from tqdm import tqdm

from kdutils import runs
from kdutils.runs import Store, students
from kdutils.runs.store import CHECKPOINT, RESULT, WEIGHTS
from tests.runs.helpers import files


@pytest.fixture(scope="module")
def context():
    """Children forked from here, where everything is imported."""
    return multiprocessing.get_context("fork")


def child_run(spec, store, watch=lambda epochs_done: None):
    """A run in a child; the lock of its progress bars is its own, as one that is killed never gives it back."""
    tqdm.set_lock(threading.RLock())
    runs.run(spec, store, watch)


def child_that_counts(spec, store, last, counted):
    """A run that counts calls and returns from its first epoch on, and is killed at the one with the number `last`."""
    numbers = itertools.count(1)

    def count(*_):
        if next(numbers) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    child_run(spec, store, lambda epochs_done: sys.setprofile(count))
    sys.setprofile(None)
    counted.value = next(numbers)


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


@pytest.mark.parametrize(("scheme", "soon"), [("identity", 6), ("cutmixpick_s", 1)])
def test_a_run_killed_at_random_moments_ends_as_an_undisturbed_one(scheme, soon, undisturbed, context, tmp_path):
    """Twenty times, or five: soon after it was started, now and then beyond the next checkpoint."""
    spec, result = undisturbed(scheme)
    counted = context.Value("q")
    start(context, child_that_counts, spec, tmp_path / "counted", None, counted).join()
    moment, whole, ends, shelf = random.Random(0), counted.value, [], Store(tmp_path)
    for between in [*[(0, 0.1)] * soon, (0.45, 0.5)] * 2 + [(0, 0.1)] * soon:  # shares of the whole run's calls
        last = int(moment.uniform(*between) * whole)
        child = start(context, child_that_counts, spec, tmp_path, last, counted)
        child.join()
        ends.append((child.exitcode, shelf.epochs(spec.key())))
    killed = [(-signal.SIGKILL, epochs) for epochs in (0, 5, 10)]
    assert ends == [*killed[:1] * soon, *killed[1:2] * (soon + 1), *killed[2:] * (soon + 1)]
    assert runs.run(spec, tmp_path) == result
    assert files(tmp_path, spec) == {RESULT, WEIGHTS, "lock"}


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_run_killed_at_a_rename_ends_as_an_undisturbed_one(nth, before, undisturbed, context, tmp_path):
    """Its four renames: two checkpoints, the weights, the result."""
    spec, result = undisturbed("cutmixpick_s")
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
    train = students._train

    def note(*args):
        with open(log, "a") as stream:
            stream.write("trained\n")
        return train(*args)

    students._train = note
    child_run(spec, store)


def test_two_processes_on_one_run_train_it_once(make, context, tmp_path, undisturbed):
    spec, result = undisturbed("identity")
    children = [start(context, child_that_notes, spec, tmp_path, tmp_path / "log") for _ in range(2)]
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    assert (tmp_path / "log").read_text() == "trained\n"
    assert runs.run(spec, tmp_path) == result
