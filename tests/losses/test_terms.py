"""The terms that compare features: each against a naive twin, its invariances, its gradients."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import rel_entr
from scipy.stats import norm

from kdutils.losses import (
    attention_transfer,
    correlation_congruence,
    probabilistic_transfer,
    similarity_preserving,
)
from kdutils.losses.vid import Prediction
from tests.losses.numbers import randn

PURE = {
    "at": (attention_transfer, (5, 3, 4, 4)),
    "sp": (similarity_preserving, (5, 3, 4, 4)),
    "pkt": (probabilistic_transfer, (5, 7)),
    "cc": (correlation_congruence, (5, 7)),
}


def plain_attention(f):
    attention = np.array(
        [[[np.mean(image[:, h, w] ** 2) for w in range(f.shape[3])] for h in range(f.shape[2])] for image in f]
    )
    return [a.ravel() / np.linalg.norm(a) for a in attention]


def plain_at(f_s, f_t):
    pairs = zip(plain_attention(f_s), plain_attention(f_t), strict=True)
    return np.mean([np.mean((a - b) ** 2) for a, b in pairs])


def plain_sp(f_s, f_t):
    def similarity(f):
        rows = [[np.dot(a.ravel(), b.ravel()) for b in f] for a in f]
        return np.array([row / np.linalg.norm(row) for row in rows])

    return ((similarity(f_s) - similarity(f_t)) ** 2).sum() / len(f_s) ** 2


def plain_pkt(f_s, f_t):
    def neighbours(f):
        cosine = [[np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b) for b in f] for a in f]
        return np.array([(np.array(row) + 1) / (np.array(row) + 1).sum() for row in cosine])

    return rel_entr(neighbours(f_t), neighbours(f_s)).sum() / len(f_s) ** 2


def plain_cc(f_s, f_t):
    differences = [np.abs(a - b) for a, b in zip(f_s, f_t, strict=True)]
    return np.mean([np.dot(a, b) for a, b in pairwise(differences)])


@pytest.mark.parametrize("name", PURE)
def test_each_function_is_its_formula(name):
    function, shape = PURE[name]
    f_s, f_t = randn(*shape, seed=1), randn(*shape, seed=2)
    expected = globals()[f"plain_{name}"](f_s.numpy(), f_t.numpy())
    assert float(function(f_s, f_t)) == pytest.approx(expected, rel=1e-5 if name == "pkt" else 1e-12)


@pytest.mark.parametrize("name", PURE)
def test_each_function_is_zero_for_equal_features_and_positive_otherwise(name):
    function, shape = PURE[name]
    f_s, f_t = randn(*shape, seed=1), randn(*shape, seed=2)
    assert float(function(f_s, f_s)) == pytest.approx(0, abs=1e-15)
    assert float(function(f_s, f_t)) > 1e-4


@pytest.mark.parametrize("name", ["at", "sp", "pkt"])
def test_the_scale_of_either_network_does_not_matter(name):
    function, shape = PURE[name]
    f_s, f_t = randn(*shape, seed=1), randn(*shape, seed=2)
    assert float(function(7 * f_s, f_t / 3)) == pytest.approx(float(function(f_s, f_t)), rel=1e-6)


@pytest.mark.parametrize("name", ["at", "sp", "pkt"])
def test_neither_the_order_of_images_nor_of_channels_matters(name):
    function, shape = PURE[name]
    f_s, f_t = randn(*shape, seed=1), randn(*shape, seed=2)
    images, channels = torch.randperm(shape[0]), torch.randperm(shape[1])
    assert float(function(f_s[images], f_t[images])) == pytest.approx(float(function(f_s, f_t)), rel=1e-12)
    assert float(function(f_s[:, channels], f_t)) == pytest.approx(float(function(f_s, f_t)), rel=1e-12)


@pytest.mark.parametrize("name", ["sp", "pkt"])
def test_similarities_do_not_see_a_rotation_of_the_feature_space(name):
    function, _ = PURE[name]
    f_s, f_t, (rotation, _) = randn(5, 7, seed=1), randn(5, 9, seed=2), torch.linalg.qr(randn(7, 7))
    assert float(function(f_s @ rotation, f_t)) == pytest.approx(float(function(f_s, f_t)), rel=1e-9)


def test_correlation_congruence_sees_neighbours_in_the_batch():
    f_s, f_t = randn(5, 7, seed=1), randn(5, 7, seed=2)
    reversed_order = float(correlation_congruence(f_s.flip(0), f_t.flip(0)))
    assert reversed_order == pytest.approx(float(correlation_congruence(f_s, f_t)), rel=1e-12)
    other = float(correlation_congruence(f_s[[0, 2, 1, 3, 4]], f_t[[0, 2, 1, 3, 4]]))
    assert abs(other - reversed_order) > 1e-3


def test_attention_of_maps_of_two_sizes_is_compared_at_the_smaller():
    f_s, f_t = randn(5, 3, 8, 8, seed=1), randn(5, 6, 4, 4, seed=2)
    halved = f_s.reshape(5, 3, 4, 2, 4, 2).mean((3, 5))
    assert float(attention_transfer(f_s, f_t)) == pytest.approx(plain_at(halved.numpy(), f_t.numpy()), rel=1e-12)
    assert float(attention_transfer(f_t, f_s)) == pytest.approx(plain_at(halved.numpy(), f_t.numpy()), rel=1e-12)


@pytest.mark.parametrize("name", PURE)
def test_gradients_are_those_of_the_formula(name):
    function, shape = PURE[name]
    f_t = randn(*shape, seed=2)
    assert torch.autograd.gradcheck(lambda f_s: function(f_s, f_t), randn(*shape, seed=1).requires_grad_())


@pytest.mark.parametrize("name", PURE)
def test_gradients_stay_finite_where_features_vanish(name):
    function, shape = PURE[name]
    for student in (torch.zeros(shape), 1e-20 * torch.ones(shape), 1e4 * torch.ones(shape)):
        f_s = student.requires_grad_()
        loss = function(f_s, randn(*shape).float())
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(f_s.grad).all()


def test_a_vid_prediction_is_the_normal_log_likelihood():
    torch.manual_seed(0)
    prediction = Prediction(3, 4).double()
    torch.nn.init.normal_(prediction.log_scale)
    f_s, f_t = randn(2, 3, 5, 5, seed=1), randn(2, 4, 5, 5, seed=2)
    mean = prediction.mean(f_s).detach().numpy()
    spread = np.sqrt(np.log1p(np.exp(prediction.log_scale.detach().numpy())) + 1e-5)[None, :, None, None]
    expected = -norm.logpdf(f_t.numpy(), mean, spread).mean() - math.log(2 * math.pi) / 2
    assert float(prediction(f_s, f_t).detach()) == pytest.approx(expected, rel=1e-10)


def test_vid_starts_with_variance_5_and_takes_maps_of_two_sizes():
    prediction = Prediction(3, 4)
    assert (F.softplus(prediction.log_scale) + 1e-5).tolist() == pytest.approx([5.0] * 4, rel=1e-6)
    assert torch.isfinite(prediction(torch.randn(2, 3, 8, 8), torch.randn(2, 4, 4, 4)))
    assert torch.isfinite(prediction(torch.randn(2, 3, 4, 4), torch.randn(2, 4, 8, 8)))
