"""The methods that compare features: each against a naive twin, its invariances, and the terms around it."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import rel_entr
from scipy.stats import norm

from kdutils import losses, models
from kdutils.errors import UserError
from kdutils.losses import (
    Facts,
    Targets,
    attention_transfer,
    correlation_congruence,
    kd_divergence,
    probabilistic_transfer,
    similarity_preserving,
)
from kdutils.losses.base import mixed_cross_entropy
from kdutils.losses.vid import Prediction
from kdutils.models import Features

FEATURE_METHODS = [name for name, method in losses.METHODS.items() if issubclass(method, losses.FeatureMethod)]
MAP_METHODS = [name for name in FEATURE_METHODS if losses.METHODS[name].needs_maps]
WEIGHTS = {"crd": 0.8, "at": 1000, "cc": 0.02, "sp": 3000, "pkt": 30000, "vid": 1}  # Tian et al. (2020)
PURE = {
    "at": (attention_transfer, (5, 3, 4, 4)),
    "sp": (similarity_preserving, (5, 3, 4, 4)),
    "pkt": (probabilistic_transfer, (5, 7)),
    "cc": (correlation_congruence, (5, 7)),
}


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


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


N, CLASSES = 8, 5
LABELS = torch.arange(40) % CLASSES
OURS = Features(((4, 8, 8), (6, 8, 8), (8, 4, 4)), (8,), (CLASSES,))
THEIRS = Features(((5, 8, 8), (7, 4, 4), (9, 4, 4)), (9,), (CLASSES,))


def outputs(shapes, seed):
    """Random outputs of these shapes for a batch."""
    made = iter(range(100 * seed, 100 * seed + 100))
    return Features(
        tuple(randn(N, *shape, seed=next(made)).float() for shape in shapes.maps),
        randn(N, *shapes.pooled, seed=next(made)).float(),
        3 * randn(N, *shapes.logits, seed=next(made)).float(),
    )


def targets(seed=0):
    generator = torch.Generator().manual_seed(seed)
    index = torch.randperm(len(LABELS), generator=generator)[:N]
    lam = torch.rand(N, generator=generator)
    return Targets(LABELS[index], LABELS[index.flip(0)], lam, index, torch.Generator().manual_seed(seed))


def build(name, **terms):
    torch.manual_seed(0)
    return losses.build(name, facts=Facts(OURS, THEIRS, LABELS), **terms)


def values(method):
    """Its two losses on fixed outputs, and the method's own term."""
    student, teacher = outputs(OURS, 1), outputs(THEIRS, 2)
    term = method.term(student, teacher, targets()).item()
    return term, method.on_x(student, teacher, targets()).item(), method.on_x_prime(student, teacher, targets()).item()


@pytest.mark.parametrize("name", FEATURE_METHODS)
def test_the_loss_of_x_is_ce_and_the_weighted_term_and_that_of_x_prime_the_teachers_kl(name):
    student, teacher = outputs(OURS, 1), outputs(THEIRS, 2)
    hard = float(F.cross_entropy(student.logits, targets().labels))
    divergence = float(kd_divergence(student.logits, teacher.logits, 2.0))
    term, on_x, on_x_prime = values(build(name, tau=2.0))
    assert on_x == pytest.approx(hard + WEIGHTS[name] * term, rel=1e-5)
    assert on_x_prime == pytest.approx(divergence, rel=1e-6)
    assert WEIGHTS[name] * abs(term) > 1e-2 * hard  # so that a lost term would show
    _, with_kl, _ = values(build(name, tau=2.0, kl_on_x=0.5))
    assert with_kl == pytest.approx(hard + 0.5 * divergence + WEIGHTS[name] * term, rel=1e-5)


@pytest.mark.parametrize("name", FEATURE_METHODS)
def test_all_terms_on_x_prime(name):
    student, teacher = outputs(OURS, 1), outputs(THEIRS, 2)
    term, _, everything = values(build(name, x_prime="all"))
    expected = kd_divergence(student.logits, teacher.logits, 4.0) + mixed_cross_entropy(student.logits, targets())
    if name == "crd":  # by then x is remembered: the term of x' is another one
        assert everything > float(expected)
        return
    assert everything == pytest.approx(float(expected) + WEIGHTS[name] * term, rel=1e-5)


def test_all_terms_on_x_prime_of_kd_are_those_of_x_with_mixed_labels():
    student, teacher = outputs(OURS, 1), outputs(THEIRS, 2)
    soft = 0.9 * kd_divergence(student.logits, teacher.logits, 4.0)
    hard = 0.1 * mixed_cross_entropy(student.logits, targets())
    mixed = losses.build("kd", x_prime="all").on_x_prime(student, teacher, targets())
    assert float(mixed) == pytest.approx(float(soft + hard), rel=1e-6)
    assert float(losses.build("kd").on_x_prime(student, teacher, targets())) == pytest.approx(float(soft), rel=1e-6)


@pytest.mark.parametrize("name", FEATURE_METHODS)
def test_x_prime_sees_neither_label_nor_index(name):
    method = build(name)
    student, teacher = outputs(OURS, 1), outputs(THEIRS, 2)
    assert len({method.on_x_prime(student, teacher, targets(seed)).item() for seed in range(5)}) == 1


@pytest.mark.parametrize("name", ["at", "vid"])
def test_maps_between_the_first_and_the_pooled_feature_are_compared(name):
    method = build(name)
    student, teacher = outputs(OURS, 1), outputs(THEIRS, 2)
    before = method.term(student, teacher, targets()).item()
    first_changed = student._replace(maps=(9 * student.maps[0] ** 3, *student.maps[1:]))
    assert method.term(first_changed, teacher, targets()).item() == before
    for i in (1, 2):
        changed = student._replace(maps=tuple(m**3 if i == j else m for j, m in enumerate(student.maps)))
        assert method.term(changed, teacher, targets()).item() != before


def test_similarity_is_of_the_last_map():
    student, teacher = outputs(OURS, 1), outputs(THEIRS, 2)
    expected = similarity_preserving(student.maps[-1], teacher.maps[-1])
    assert build("sp").term(student, teacher, targets()).item() == float(expected)


@pytest.mark.parametrize("name", ["pkt", "cc", "crd"])
def test_the_pooled_feature_is_enough_for(name):
    student, teacher = outputs(OURS, 1), outputs(THEIRS, 2)
    full = build(name).term(student, teacher, targets()).item()
    assert build(name).term(student._replace(maps=()), teacher._replace(maps=()), targets()).item() == full


@pytest.mark.parametrize("name", FEATURE_METHODS)
def test_the_student_and_the_methods_own_parts_get_a_gradient(name):
    method = build(name)
    student, teacher = outputs(OURS, 1), outputs(THEIRS, 2)
    leaves = [t.requires_grad_() for t in (*student.maps, student.pooled)]
    method.term(student, teacher, targets()).backward()
    used = [leaf for leaf in leaves if leaf.grad is not None]
    assert used
    for tensor in (*used, *method.parameters()):
        assert torch.isfinite(tensor.grad).all()
        assert float(tensor.grad.abs().max()) > 0
    assert (len(list(method.parameters())) > 0) == (name in ("cc", "crd", "vid"))


@pytest.mark.parametrize("name", [*MAP_METHODS, "cc", "crd"])
def test_what_cannot_be_built_blindly_says_so(name):
    with pytest.raises(UserError, match=f"the method '{name}' needs to know"):
        losses.build(name)


@pytest.mark.parametrize("name", ["at", "vid"])
def test_unequally_many_maps_are_refused_by_name(name):
    student, teacher = (models.feature_shapes(models.build(network, CLASSES)) for network in ("vgg8", "wrn_16_1"))
    with pytest.raises(
        UserError, match=f"method '{name}' compares .* student has 4 and the teacher 3 .*cc, pkt or crd"
    ):
        losses.build(name, facts=Facts(student, teacher, LABELS))


@pytest.mark.parametrize("name", MAP_METHODS)
def test_networks_without_maps_are_refused_by_name(name):
    bare = OURS._replace(maps=())
    with pytest.raises(UserError, match=f"method '{name}' .* student has 0 and the teacher 0"):
        losses.build(name, facts=Facts(bare, bare, LABELS))


def test_an_unknown_kind_of_x_prime_is_refused():
    with pytest.raises(UserError, match=r"unknown x_prime 'kll'\. Did you mean 'kl'"):
        losses.build("kd", x_prime="kll")
