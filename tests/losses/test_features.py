"""The methods that compare features: their losses of x and x', and what they need to know."""

import pytest
import torch
import torch.nn.functional as F

from kdutils import losses, models
from kdutils.errors import UserError
from kdutils.losses import (
    Facts,
    Targets,
    kd_divergence,
    similarity_preserving,
)
from kdutils.losses.base import mixed_cross_entropy
from kdutils.models import Features
from tests.losses.numbers import randn

FEATURE_METHODS = [name for name, method in losses.METHODS.items() if issubclass(method, losses.FeatureMethod)]
MAP_METHODS = [name for name in FEATURE_METHODS if losses.METHODS[name].needs_maps]
WEIGHTS = {"crd": 0.8, "at": 1000, "cc": 0.02, "sp": 3000, "pkt": 30000, "vid": 1}  # Tian et al. (2020)
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
