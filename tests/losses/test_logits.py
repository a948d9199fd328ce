"""The methods that compare logits: each against its formula in float64 and loops, its invariances, and what x' gets."""

import math

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax
from scipy.stats import pearsonr

from kdutils import losses
from kdutils.losses import Targets
from kdutils.models import Features

N, C = 6, 5
METHODS = [name for name, method in losses.METHODS.items() if issubclass(method, losses.LogitMethod)]
# Weights of the label and of the teacher.
AUTHORS = {
    "lskd": (0.1, 9.0),
    "dkd": (1.0, 1.0),
    "dist": (1.0, 1.0),
    "mlkd": (0.1, 0.9),
}


def logits(seed, scale=3.0):
    return scale * torch.randn(N, C, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def outputs(values):
    return Features((), values, values)


def targets(seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels, partner = torch.randint(C, (2, N), generator=generator)
    return Targets(labels, partner, torch.rand(N, generator=generator, dtype=torch.float64), torch.arange(N))


def plain_kl(p, q):
    return sum(rel_entr(p[i], q[i]).sum() for i in range(len(p))) / len(p)


def plain_lskd(z_s, z_t, labels):
    def rows(z):
        return np.array([(row - row.mean()) / math.sqrt(((row - row.mean()) ** 2).sum() / (C - 1)) for row in z])

    return 2**2 * plain_kl(softmax(rows(z_t) / 2, axis=1), softmax(rows(z_s) / 2, axis=1))


def plain_dkd(z_s, z_t, labels):
    def parts(row, label):
        p = softmax(row / 4)
        others = np.delete(p, label)
        return np.array([p[label], others.sum()]), others / others.sum()

    total = 0
    for i, label in enumerate(labels):
        (two_s, others_s), (two_t, others_t) = parts(z_s[i], label), parts(z_t[i], label)
        total += rel_entr(two_t, two_s).sum() + 2 * rel_entr(others_t, others_s).sum()
    return 16 * total / N


def plain_dist(z_s, z_t, labels):
    p_s, p_t = softmax(z_s, axis=1), softmax(z_t, axis=1)
    rows = np.mean([1 - pearsonr(p_s[i], p_t[i]).statistic for i in range(N)])
    return rows + np.mean([1 - pearsonr(p_s[:, c], p_t[:, c]).statistic for c in range(C)])


def plain_mlkd(z_s, z_t, labels):
    total = 0
    for tau in (2, 3, 4, 5, 6):
        p_s, p_t = softmax(z_s / tau, axis=1), softmax(z_t / tau, axis=1)
        total += tau**2 * plain_kl(p_t, p_s)
        for items, axis in ((N, 0), (C, 1)):
            for i in range(items):
                for j in range(items):
                    ours, theirs = (np.dot(p.take(i, axis), p.take(j, axis)) for p in (p_s, p_t))
                    total += (ours - theirs) ** 2 / items
    return total


def plain_ce(z, labels):
    return -np.log(softmax(z, axis=1)[np.arange(N), labels])


@pytest.mark.parametrize("name", METHODS)
def test_each_loss_is_its_formula(name):
    student, teacher, target, method = logits(0), logits(1), targets(), losses.build(name)
    formula, (of_label, of_teacher) = globals()[f"plain_{name}"], AUTHORS[name]
    z_s, z_t, labels, partner = (each.numpy() for each in (student, teacher, target.labels, target.partner))
    expected = of_label * plain_ce(z_s, labels).mean() + of_teacher * formula(z_s, z_t, labels)
    assert float(method.on_x(outputs(student), outputs(teacher), target)) == pytest.approx(expected, rel=1e-6)
    prime = of_teacher * formula(z_s, z_t, z_t.argmax(1))
    assert float(method.on_x_prime(outputs(student), outputs(teacher), target)) == pytest.approx(prime, rel=1e-6)
    mixed = target.lam.numpy() * plain_ce(z_s, labels) + (1 - target.lam.numpy()) * plain_ce(z_s, partner)
    everything = losses.build(name, x_prime="all").on_x_prime(outputs(student), outputs(teacher), target)
    assert float(everything) == pytest.approx(prime + of_label * mixed.mean(), rel=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_x_prime_never_sees_a_label(name):
    method, student, teacher = losses.build(name), outputs(logits(0)), outputs(logits(1))
    assert len({float(method.on_x_prime(student, teacher, targets(seed))) for seed in range(10)}) == 1
    assert len({float(method.on_x(student, teacher, targets(seed))) for seed in range(10)}) > 1


@pytest.mark.parametrize("term", ["on_x", "on_x_prime"])
@pytest.mark.parametrize("name", METHODS)
def test_gradients_are_those_of_the_formula(name, term):
    loss = getattr(losses.build(name), term)
    student = logits(0, scale=1.0).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(outputs(z), outputs(logits(1, 1.0)), targets()), student)


@pytest.mark.parametrize("name", METHODS)
def test_the_teachers_term_is_zero_for_equal_answers_and_finite_for_extreme_ones(name):
    method, teacher = losses.build(name), logits(1).float()
    same = method.on_x_prime(outputs(teacher.clone()), outputs(teacher), targets())
    assert float(same) == pytest.approx(0, abs=2e-5)
    for student in (torch.zeros(N, C), 1e4 * logits(2).float()):
        student.requires_grad_()
        method.on_x_prime(outputs(student), outputs(teacher), targets()).backward()
        assert torch.isfinite(student.grad).all()


def test_standardised_logits_forget_shift_and_scale():
    expected = losses.standardise(logits(0))
    torch.testing.assert_close(losses.standardise(7 * logits(0) - 3), expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(losses.standardise(logits(0) ** 3), expected, atol=0.1)


@pytest.mark.parametrize("tau", [1.0, 4.0])
def test_decoupled_parts_sum_to_the_whole_divergence(tau):
    """KL = target + p_t(others) x others, image by image."""
    student, teacher, labels = logits(0), logits(1), targets().labels
    for i in range(N):
        one = slice(i, i + 1)
        first, second = losses.decoupled_divergence(student[one], teacher[one], labels[one], tau)
        others = 1 - float((teacher[i] / tau).softmax(0)[labels[i]])
        whole = float(losses.kd_divergence(student[one], teacher[one], tau))
        assert float(first + others * second) == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize("dim", [0, 1])
def test_correlation_does_not_mind_shift_and_scale_but_order(dim):
    p = logits(0).softmax(1)
    assert float(losses.correlation_distance(0.3 * p + 0.1, p, dim)) == pytest.approx(0, abs=1e-9)
    assert float(losses.correlation_distance(-p, p, dim)) == pytest.approx(2)


def test_the_levels_see_only_what_they_are_about():
    """Turning images that are alike around leaves the classes' matrix; swapping classes leaves the images' one."""
    p = logits(0).softmax(1)
    assert float(losses.class_distance(p[torch.arange(N).roll(1)], p)) == pytest.approx(0, abs=1e-20)
    assert float(losses.batch_distance(p[torch.arange(N).roll(1)], p)) > 1e-3
    assert float(losses.batch_distance(p[:, torch.arange(C).roll(1)], p)) == pytest.approx(0, abs=1e-20)
    assert float(losses.class_distance(p[:, torch.arange(C).roll(1)], p)) > 1e-3
