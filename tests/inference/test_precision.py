"""bfloat16 is warned of where the processor is slow in it: once, with the measured ratio, before any long work."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from kdutils import inference, losses, models, runs, sweep, training
from kdutils.inference import precision
from kdutils.runs import RankSpec, RunSpec

SLOW = "a convolution takes 8.5 times as long as in float32"
TINY = {"student": "tiny", "method": "ce", "images_per_class": 13, "epochs": 1}


@pytest.fixture(autouse=True)
def ratio(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """What the measurement gives, 8.5 until a test changes it; each test starts as a new process does."""
    measured = [8.5]
    monkeypatch.setattr(precision, "bfloat16_time", lambda: measured[0])
    precision._measure_and_warn.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield measured
    precision._measure_and_warn.cache_clear()


def test_it_is_said_once_with_the_ratio_and_what_to_do() -> None:
    with pytest.warns(UserWarning, match=f"{SLOW}.*Leave the precision at float32"):
        inference.warn_if_slow("cpu", "float32", "bfloat16")
    inference.warn_if_slow("cpu", "bfloat16")


def test_float32_a_gpu_and_a_processor_that_is_faster_are_not_warned_of(ratio) -> None:
    inference.warn_if_slow("cpu", "float32")
    inference.warn_if_slow("cuda", "bfloat16")
    ratio[0] = 0.55
    inference.warn_if_slow("cpu", "bfloat16")


def test_a_frozen_network_and_a_training_student_say_so(digits) -> None:
    with pytest.warns(UserWarning, match=SLOW):
        inference.for_inference(models.build("tiny", 10), "bfloat16")
    precision._measure_and_warn.cache_clear()
    student, schedule = models.build("tiny", 10), training.Schedule(1)
    with pytest.warns(UserWarning, match=SLOW):
        training.Training(student, losses.build("ce"), digits, schedule, student_precision="bfloat16")


@pytest.mark.parametrize(
    "work",
    [
        lambda store: runs.rank(RankSpec(teacher="tiny", precision="bfloat16"), store),
        lambda store: runs.run(RunSpec(**TINY, student_precision="bfloat16"), store),
        lambda store: sweep.sweep([RunSpec(**TINY, student_precision="bfloat16")], store, workers=1),
    ],
    ids=["rank", "run", "sweep"],
)
def test_it_comes_before_anything_else(work, tmp_path: Path) -> None:
    """As an error it stops the work: nothing has been made by then, no own teacher either."""
    with pytest.raises(UserWarning, match=SLOW):
        work(tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_the_workers_of_a_sweep_do_not_repeat_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")  # on x86 the worker, a process of its own, then finds it slow too
    with pytest.warns(UserWarning, match=SLOW) as said:
        sweep.sweep([RunSpec(**TINY, student_precision="bfloat16")], tmp_path, workers=1)
    assert len(said) == 1


def test_the_measurement_compares_the_two_and_draws_no_random_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    state = torch.random.get_rng_state()
    assert 0.02 < precision.bfloat16_time() < 500
    assert torch.equal(torch.random.get_rng_state(), state)
