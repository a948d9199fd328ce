"""CutMixPick: entropies, what is picked, and the transform for a training loop of one's own."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.utils.data import DataLoader, TensorDataset

from kdutils import augment, models
from kdutils.augment.nine import paste_boxes
from kdutils.errors import UserError


def random_logits(n=40, classes=10):
    scale = torch.linspace(0, 12, n).unsqueeze(1)
    return scale * torch.randn(n, classes, generator=torch.Generator().manual_seed(0))


def test_entropy_is_scipys_in_nats():
    logits = random_logits()
    p = torch.softmax(logits.double(), 1).numpy()
    np.testing.assert_allclose(augment.entropy(logits), stats.entropy(p, axis=1), atol=1e-5)
    assert float(augment.entropy(torch.zeros(1, 10))) == pytest.approx(math.log(10))
    assert float(augment.entropy(torch.tensor([[1e5, 0.0, -1e5]]))) == 0


def test_pick_keeps_the_highest_entropies_in_the_order_of_the_pool():
    logits = random_logits()[torch.randperm(40, generator=torch.Generator().manual_seed(1))]
    kept = augment.pick(logits, 20)
    entropies = stats.entropy(torch.softmax(logits.double(), 1).numpy(), axis=1)
    assert kept.tolist() == sorted(np.argsort(entropies)[-20:])


def test_pick_of_the_whole_pool_keeps_it():
    assert augment.pick(random_logits(), 40).tolist() == list(range(40))


def test_each_scheme_takes_what_its_picker_is_least_confident_of():
    teacher, student = random_logits(), random_logits().flip(0)
    taken = {
        name: torch.arange(40)[augment.kept(augment.find(name), 20, teacher, lambda: student)].tolist()
        for name in ("cutmix", "cutmixpick_t", "cutmixpick_s")
    }
    assert taken["cutmix"] == list(range(20))
    assert taken["cutmixpick_t"] == augment.pick(teacher, 20).tolist()
    assert taken["cutmixpick_s"] == augment.pick(student, 20).tolist() != taken["cutmixpick_t"]


def test_disagreement_is_scipys_divergence_of_the_student_from_the_teacher():
    teacher, student = random_logits(), random_logits().flip(0)
    p, q = (torch.softmax(logits.double(), 1).numpy() for logits in (teacher, student))
    expected = stats.entropy(p, q, axis=1)
    np.testing.assert_allclose(augment.disagreement(teacher, student), expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(augment.disagreement(student, teacher), expected, rtol=0.1)


def test_the_gap_is_widest_where_the_teacher_knows_and_the_student_does_not():
    teacher = torch.tensor([[9.0, 0, 0], [9.0, 0, 0], [0.1, 0, 0], [0.1, 0, 0], [0, 9.0, 0]])
    student = torch.tensor([[9.0, 0, 0], [0, 9.0, 0], [0, 9.0, 0], [9.0, 0, 0], [0, 0, 0.0]])
    found = augment.gap(teacher, student)
    for i, (t, s) in enumerate(zip(teacher.double().softmax(1), student.double().softmax(1), strict=True)):
        assert float(found[i]) == pytest.approx(float(t.max() - s[int(t.argmax())]), abs=1e-6)
    assert found.argsort(descending=True).tolist() == [1, 4, 2, 0, 3]


@pytest.mark.parametrize(("name", "score"), [("cutmixpick_d", augment.disagreement), ("cutmixpick_gap", augment.gap)])
def test_a_scheme_of_both_networks_takes_the_highest_scores(name, score):
    teacher, student = random_logits(), random_logits().flip(0)
    taken = augment.kept(augment.find(name), 20, teacher, lambda: student)
    assert taken.tolist() == sorted(np.argsort(score(teacher, student).numpy())[-20:])


def test_picking_by_chance_looks_at_no_logits_and_takes_a_fair_share_of_each_run():
    scheme, pools = augment.find("cutmixpick_random"), (random_logits(128), torch.zeros(128, 3))
    first, other = (augment.kept(scheme, 64, logits, lambda: None) for logits in pools)
    assert first.tolist() == other.tolist() == sorted(set(first.tolist()))
    assert 20 < int((first < 64).sum()) < 44  # four standard deviations around a half


def test_every_way_to_pick_has_a_score_and_says_whom_it_asks():
    def refuse():
        raise LookupError

    for pick, score in augment.SCORES.items():
        scheme = augment.Scheme("mine", "Mine", lambda x: x, pick)
        if scheme.asks_student:
            with pytest.raises(LookupError):
                score(random_logits(), refuse)
        else:
            assert score(random_logits(), random_logits).shape == (40,)
        if not scheme.asks_teacher:
            assert torch.equal(score(None, random_logits), score(random_logits().flip(0), random_logits))


def test_a_student_that_does_not_pick_is_not_asked():
    for name in ("identity", "cutmix", "cutmixpick_t", "cutmixpick_random"):
        augment.kept(augment.find(name), 20, random_logits(), lambda: pytest.fail("the student was asked"))


@pytest.mark.parametrize(("ratio", "runs"), [(1.0, 1), (1, 1), (0.5, 2), (0.25, 4), (1 / 3, 3), (0.1, 10)])
def test_the_pool_is_as_large_as_the_share_that_is_kept_of_it_asks(ratio, runs):
    assert augment.pool_runs(ratio) == runs


@pytest.mark.parametrize("ratio", [0, -0.5, 0.4, 0.75, 2, float("nan"), float("inf")])
def test_a_share_that_leaves_no_whole_batch_is_refused(ratio):
    with pytest.raises(UserError, match="1 divided by a whole number"):
        augment.pool_runs(ratio)


# --- In a training loop of one's own ------------------------------------------------------------------------------


def normalised(n=16):
    return torch.randn(n, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("granularity", ["batch", "sample"])
@pytest.mark.parametrize("r", [1, 0.5, 0.25])
def test_cutmixpick_keeps_the_share_that_the_teacher_is_least_confident_of(r, granularity, teacher):
    mixed = augment.CutMixPick(teacher, r, granularity=granularity, generator=torch.Generator().manual_seed(3))
    images, soft = mixed(normalised(), torch.arange(16))
    generator, count = torch.Generator().manual_seed(3), 1 if granularity == "batch" else 16
    pool = torch.cat([paste_boxes(normalised(), count, generator).x for _ in range(round(1 / r))])
    p = torch.softmax(teacher(pool).double(), 1).numpy()
    kept = np.sort(np.argsort(stats.entropy(p, axis=1))[-16:])
    assert torch.equal(images, pool[kept])
    np.testing.assert_allclose(soft, p[kept], atol=1e-5)


def test_cutmixpick_needs_no_labels_and_draws_from_the_global_generator(teacher):
    mixed = augment.CutMixPick(teacher)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        (first, _), (other, _) = mixed(normalised()), mixed(normalised())
        torch.manual_seed(5)
        again, _ = mixed(normalised())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_temperature_softens_the_labels_and_not_the_choice(teacher):
    def at(temperature):
        generator = torch.Generator().manual_seed(0)
        return augment.CutMixPick(teacher, temperature=temperature, generator=generator)(normalised())

    (one, sharp), (other, soft) = at(1), at(4)
    assert torch.equal(one, other)
    torch.testing.assert_close(soft, (sharp.log() / 4).softmax(1), atol=1e-5, rtol=1e-4)


def test_a_student_learns_from_soft_labels_behind_a_dataloader(digits, teacher):
    """The loop of the page on own images: the gradient reaches the student and not the teacher."""
    few = TensorDataset(digits.normalise(digits.train.images[:32]), digits.train.labels[:32])
    mixed = augment.CutMixPick(teacher, generator=torch.Generator().manual_seed(0)).train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        student = models.build("tiny", 10, 16)
    optimizer, losses = torch.optim.SGD(student.parameters(), 0.05, momentum=0.9), []
    for _ in range(30):
        for images, labels in DataLoader(few, batch_size=16):
            images, soft = mixed(images, labels)
            loss = torch.nn.functional.kl_div(student(images).log_softmax(1), soft, reduction="batchmean")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    assert not teacher.training
    assert list(mixed.parameters()) == []


def test_cutmixpick_of_a_share_that_leaves_no_batch_is_refused(teacher):
    with pytest.raises(UserError, match="1 divided by a whole number"):
        augment.CutMixPick(teacher, 0.4)
