"""The plain modern loop does the work that ours does: all schemes on all mini-batches, and an update of the student."""

import pytest
import torch

from kdutils import models
from kdutils.augment import NINE
from kdutils.bench import modern, ratios
from kdutils.bench.reference import BATCH


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modern, "WORKERS", 0)


@pytest.fixture
def networks() -> tuple[models.Network, models.Network]:
    return ratios.network("tiny", 0), ratios.network("tiny", 1)


def test_a_ranking_reads_x_and_x_prime_of_every_scheme_and_the_whole_pool(networks) -> None:
    seen, dataset = [], ratios.noise(2 * BATCH)
    networks[0].register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    means = modern.rank(networks[0], dataset, modern.loader(dataset))
    assert list(means) == list(NINE)
    assert sum(seen) == 2 * (7 * 2 + 2 * 3) * BATCH  # two mini-batches; the last two schemes have a pool of two
    for u in means.values():
        torch.testing.assert_close(u.sum(1), torch.ones(2))


def test_training_moves_the_student_and_leaves_the_teacher(networks) -> None:
    dataset = ratios.noise(2 * BATCH)
    before = [next(network.parameters()).detach().clone() for network in networks]
    modern.train(*networks, dataset, modern.loader(dataset))
    same = [torch.equal(old, next(network.parameters())) for old, network in zip(before, networks, strict=True)]
    assert same == [True, False]
