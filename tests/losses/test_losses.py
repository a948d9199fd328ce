"""CE and KD against a formula in numpy, their gradients, and what x' may know."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import rel_entr, softmax

from kdutils import losses
from kdutils.errors import UserError
from kdutils.losses import Targets, kd_divergence
from kdutils.models import Features

N, CLASSES = 6, 5


def logits(seed, scale=3.0):
    return scale * torch.randn(N, CLASSES, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def outputs(values):
    return Features((), values, values)


def targets(seed=0, lam=None):
    generator = torch.Generator().manual_seed(seed)
    labels, partner = torch.randint(CLASSES, (2, N), generator=generator)
    lam = torch.rand(N, generator=generator) if lam is None else torch.full((N,), lam)
    return Targets(labels, partner, lam, torch.arange(N))


def plain_kd(student, teacher, tau):
    """tau^2 sum_c p_t log(p_t / p_s), one image after another."""
    p_s, p_t = softmax(np.asarray(student) / tau, axis=1), softmax(np.asarray(teacher) / tau, axis=1)
    return tau**2 * sum(rel_entr(p_t[i], p_s[i]).sum() for i in range(len(p_s))) / len(p_s)


def plain_ce(student, labels):
    p = softmax(np.asarray(student), axis=1)
    return -np.log(p[np.arange(len(p)), labels])


@pytest.mark.parametrize("tau", [1.0, 4.0, 20.0])
def test_kd_is_tau_squared_times_the_mean_divergence(tau):
    expected = plain_kd(logits(0), logits(1), tau)
    assert float(kd_divergence(logits(0), logits(1), tau)) == pytest.approx(expected, rel=1e-12)


def test_kd_is_zero_for_equal_answers_and_asks_the_student_to_cover_the_teacher():
    assert float(kd_divergence(logits(0), logits(0) + 7, 4.0)) == pytest.approx(0, abs=1e-12)
    sure, unsure = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    forward = 9 * torch.sigmoid(torch.tensor(9.0)) - F.softplus(torch.tensor(9.0)) + np.log(2)
    assert float(kd_divergence(unsure, sure, 1.0)) == pytest.approx(float(forward), rel=1e-5)


def test_kd_survives_logits_that_saturate_the_softmax():
    extreme = torch.tensor([[1e4, -1e4, 0.0]])
    assert torch.isfinite(kd_divergence(extreme, -extreme, 4.0))
    assert float(kd_divergence(extreme, extreme, 4.0)) == 0


@pytest.mark.parametrize("term", ["on_x", "on_x_prime"])
@pytest.mark.parametrize("name", ["ce", "kd"])
def test_gradients_are_those_of_the_formula(name, term):
    loss = getattr(losses.build(name), term)
    student = logits(0).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(outputs(z), outputs(logits(1)), targets()), student)


@pytest.mark.parametrize("tau", [100.0, 1000.0])
def test_tau_squared_keeps_the_size_of_the_gradient(tau):
    """Hinton et al.: for a high temperature it tends to (z_s - z_t) / (N C) with both logits centred, whatever tau."""
    student, teacher = logits(0).requires_grad_(), logits(1)
    kd_divergence(student, teacher, tau).backward()
    difference = (student - teacher).detach()
    limit = (difference - difference.mean(1, keepdim=True)) / (N * CLASSES)
    assert float((student.grad - limit).abs().max() / limit.abs().max()) < 20 / tau


def test_kd_on_x_is_equation_1():
    student, teacher, target = logits(0), logits(1), targets()
    expected = 0.3 * plain_ce(student, target.labels).mean() + 0.7 * plain_kd(student, teacher, 2.0)
    method = losses.build("kd", tau=2.0, alpha=0.7)
    assert float(method.on_x(outputs(student), outputs(teacher), target)) == pytest.approx(expected, rel=1e-12)
    prime = float(method.on_x_prime(outputs(student), outputs(teacher), target))
    assert prime == pytest.approx(0.7 * plain_kd(student, teacher, 2.0), rel=1e-12)


def test_the_default_is_the_papers_weighting():
    method = losses.build("kd")
    assert (method.tau, method.alpha) == (4.0, 0.9)


def test_x_prime_never_sees_a_label():
    method = losses.build("kd")
    student, teacher = outputs(logits(0)), outputs(logits(1))
    answers = {float(method.on_x_prime(student, teacher, targets(seed))) for seed in range(10)}
    assert len(answers) == 1
    assert len({float(method.on_x(student, teacher, targets(seed))) for seed in range(10)}) > 1


def test_cross_entropy_takes_the_labels_by_the_shares_of_the_mix():
    student, target, method = logits(0), targets(), losses.build("ce")
    assert float(method.on_x(outputs(student), None, target)) == pytest.approx(
        plain_ce(student, target.labels).mean(), rel=1e-12
    )
    lam = target.lam.double().numpy()
    mixed = lam * plain_ce(student, target.labels) + (1 - lam) * plain_ce(student, target.partner)
    assert float(method.on_x_prime(outputs(student), None, target)) == pytest.approx(mixed.mean(), rel=1e-9)


@pytest.mark.parametrize("name", ["ce", "kd"])
def test_methods_say_what_they_need(name):
    method = losses.build(name)
    assert (method.needs_teacher, method.needs_maps) == (name != "ce", False)
    assert list(method.parameters()) == []


def test_an_unknown_method_is_refused_with_the_choices():
    with pytest.raises(UserError, match=r"unknown method 'kdd'\. Did you mean 'kd'\? Choose one of: ce, kd"):
        losses.build("kdd")
