"""CRD: its loss against a brute-force NCE, its negatives, its memory, and runs that resume exactly."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import chisquare

from kdutils import augment, losses, models, training
from kdutils.data import first_per_class
from kdutils.errors import UserError
from kdutils.losses import Facts, Targets, crd
from kdutils.losses.crd import Memory, noise_contrastive
from kdutils.models import Features

LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
SHAPES = Features((), (6,), (3,)), Features((), (7,), (3,))
BATCH = torch.tensor([4, 0, 11])


def method(labels=LABELS, **terms):
    torch.manual_seed(0)
    return losses.build("crd", facts=Facts(*SHAPES, labels), **terms)


def outputs(width, seed):
    generator = torch.Generator().manual_seed(seed)
    return Features(
        (), torch.randn(len(BATCH), width, generator=generator), torch.randn(len(BATCH), 3, generator=generator)
    )


def targets(seed=0):
    labels = LABELS[BATCH]
    return Targets(labels, labels, torch.ones(len(BATCH)), BATCH, torch.Generator().manual_seed(seed))


def brute_force(anchors, bank, batch, negatives, log_mean=None):
    """Tian et al.'s Eq. 17-19, a pair at a time: P = exp(v.m / tau) / Z, noise 1/M a image, Z from these scores."""
    images, m, tau = len(bank), negatives.shape[1], 0.07
    e = [
        [math.exp(np.dot(v, bank[j]) / tau) for j in (i, *row)]
        for v, i, row in zip(anchors, batch, negatives, strict=True)
    ]
    z = images * (np.mean(e) if log_mean is None else math.exp(log_mean))
    total = 0.0
    for positive, *others in e:
        total -= math.log(positive / z / (positive / z + m / images))
        total -= sum(math.log((m / images) / (p / z + m / images)) for p in others)
    return total / len(anchors)


def test_the_loss_is_brute_force_nce():
    loss, student, teacher = method(), outputs(6, 1), outputs(7, 2)
    negatives = loss.draw_negatives(targets())
    v_s = F.normalize(loss.embed_s(student.pooled)).detach().double().numpy()
    v_t = F.normalize(loss.embed_t(teacher.pooled)).detach().double().numpy()
    bank_s, bank_t = (memory.bank.double().numpy() for memory in (loss.memory_s, loss.memory_t))
    expected = brute_force(v_s, bank_t, BATCH, negatives) + brute_force(v_t, bank_s, BATCH, negatives)
    assert float(loss.term(student, teacher, targets()).detach()) == pytest.approx(expected, rel=1e-5)


def test_the_normalising_constants_are_those_of_the_first_batch():
    loss, student, teacher = method(), outputs(6, 1), outputs(7, 2)
    loss.term(student, teacher, targets())
    constants = float(loss.memory_s.log_mean), float(loss.memory_t.log_mean)
    later = loss.term(outputs(6, 3), outputs(7, 4), targets(1))
    assert (float(loss.memory_s.log_mean), float(loss.memory_t.log_mean)) == constants
    negatives = loss.draw_negatives(targets(1))
    v_s, v_t = (v.detach().double().numpy() for v in loss._embed(outputs(6, 3), outputs(7, 4)))
    expected = brute_force(v_s, loss.memory_t.bank.double().numpy(), BATCH, negatives, constants[1])
    expected += brute_force(v_t, loss.memory_s.bank.double().numpy(), BATCH, negatives, constants[0])
    assert float(later.detach()) == pytest.approx(expected, rel=1e-5)


def test_knowing_nothing_costs_the_entropy_of_the_odds():
    """With equal scores h is 1 / (1 + m) for all: -log(1 / (1 + m)) - m log(m / (1 + m))."""
    m = 9
    expected = math.log(1 + m) + m * math.log((1 + m) / m)
    assert float(noise_contrastive(torch.zeros(4, 1 + m), torch.tensor(0.0))) == pytest.approx(expected, rel=1e-6)


def test_scores_of_any_size_give_finite_gradients():
    scores = torch.tensor([[-1e4, 1e4, 0.0], [1e4, -1e4, 1e4]], requires_grad=True)
    noise_contrastive(scores, torch.tensor(5.0)).backward()
    assert torch.isfinite(scores.grad).all()


def test_negatives_are_different_images_of_other_classes():
    labels = torch.randint(5, (300,), generator=torch.Generator().manual_seed(0))
    loss = method(labels)
    loss.negatives = 50
    index = torch.arange(0, 300, 5)
    drawn = loss.draw_negatives(Targets(labels[index], labels[index], index, index, torch.Generator().manual_seed(0)))
    assert drawn.shape == (60, 50)
    assert (labels[drawn] != labels[index][:, None]).all()
    assert all(len(set(row)) == 50 for row in drawn.tolist())


def test_negatives_are_drawn_uniformly():
    loss = method()
    loss.negatives = 3
    generator = torch.Generator().manual_seed(0)
    of_the_first = torch.cat(
        [loss.draw_negatives(targets()._replace(generator=generator))[0] for _ in range(800)]
    )  # image 4, class 1: eight others
    counts = of_the_first.bincount(minlength=12)
    assert counts[LABELS == 1].sum() == 0
    assert chisquare(counts[LABELS != 1].numpy()).pvalue > 1e-3


def test_there_are_as_many_negatives_as_the_paper_has_or_all_there_are():
    assert method().negatives == 8
    assert method(torch.tensor([0, 0, 0, 0, 1])).negatives == 1  # class 0 has one image to be told from
    assert method(torch.arange(20_000) % 100).negatives == 16_384
    with pytest.raises(UserError, match="the training set has but one"):
        method(torch.zeros(5, dtype=torch.int64))


def test_memory_moves_half_way_and_stays_of_unit_length():
    loss, student, teacher = method(), outputs(6, 1), outputs(7, 2)
    before = {"s": loss.memory_s.bank.clone(), "t": loss.memory_t.bank.clone()}
    v = dict(zip("st", (v.detach() for v in loss._embed(student, teacher)), strict=True))
    loss.on_x(student, teacher, targets())
    others = [i for i in range(len(LABELS)) if i not in BATCH]
    for side, memory in (("s", loss.memory_s), ("t", loss.memory_t)):
        moved = 0.5 * before[side][BATCH] + 0.5 * v[side]
        assert torch.allclose(memory.bank[BATCH], moved / moved.norm(dim=1, keepdim=True), atol=1e-6)
        assert torch.equal(memory.bank[others], before[side][others])
    first = Memory(2000).bank
    assert float(first.abs().max()) <= math.sqrt(3 / 128) + 1e-6
    assert float(first.norm(dim=1).mean()) == pytest.approx(1, abs=0.01)


def test_x_prime_is_not_remembered():
    loss = method(x_prime="all")
    before = loss.memory_s.bank.clone()
    loss.on_x_prime(outputs(6, 1), outputs(7, 2), targets())
    assert torch.equal(loss.memory_s.bank, before)


def start(digits, teacher, x_prime="kl"):
    """A CRD training of a tiny student on 200 digits, with a scheme."""
    few = first_per_class(digits, 20)
    torch.manual_seed(3)
    student = models.build("tiny", 10, 16)
    shapes = models.feature_shapes(student, 16)
    crd_loss = losses.build("crd", x_prime=x_prime, facts=Facts(shapes, shapes, few.train.labels))
    scheme = augment.SCHEMES["cutmixpick_t"]
    return training.Training(student, crd_loss, few, training.Schedule(4), teacher, scheme)


def test_a_resumed_training_equals_an_undisturbed_one_bit_for_bit(digits, teacher, tmp_path):
    straight = start(digits, teacher)
    for _ in range(3):
        straight.epoch()
    broken = start(digits, teacher)
    broken.epoch()
    torch.save(broken.state(), tmp_path / "state.pt")
    resumed = start(digits, teacher)
    resumed.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    for _ in range(2):
        resumed.epoch()
    assert resumed.losses == straight.losses
    ours, theirs = resumed.state(), straight.state()
    for part in ("student", "method"):
        assert ours[part].keys() == theirs[part].keys()
        assert all(torch.equal(ours[part][name], theirs[part][name]) for name in ours[part])


def test_the_memory_matters_to_a_resumed_training(digits, teacher):
    """If it were lost, the run would go on differently: the test above can fail."""
    straight, forgetful = start(digits, teacher), start(digits, teacher)
    straight.epoch()
    state = straight.state()
    state["method"] = {k: forgetful.state()["method"][k] if "bank" in k else v for k, v in state["method"].items()}
    forgetful.restore(state)
    assert forgetful.epoch() != straight.epoch()


def test_the_checkpoint_holds_the_memory_and_not_the_labels():
    names = set(method().state_dict())
    assert {"memory_s.bank", "memory_t.bank", "memory_s.log_mean", "memory_t.log_mean"} < names
    assert "labels" not in names
    assert crd.NEGATIVES == 16_384
