"""What is measured to tell how long a sweep takes."""

from pathlib import Path

import pytest
import torch

from kdutils import sweep
from kdutils.runs import RunSpec, Store
from kdutils.sweep import estimate
from tests.sweep.helpers import TINY


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
