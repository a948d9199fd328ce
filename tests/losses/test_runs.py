"""Every method in real trainings: it learns, fits into a specification, is refused where it cannot, and resumes."""

import functools
from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from kdutils import augment, data, losses, models, runs, training
from kdutils.errors import UserError
from kdutils.inference import for_inference

pytestmark = pytest.mark.long

DISTILLING = [name for name, method in losses.METHODS.items() if method.needs_teacher]
WITH_A_TERM = [name for name in DISTILLING if name != "kd"]


def gain(name, dataset, teacher, student, epochs, scheme=None, **terms):
    """How much lower the loss of x is for the distilled student than for the untrained one, all else as it ended."""
    shapes = [models.feature_shapes(network, dataset.image_size) for network in (student, teacher)]
    method = losses.build(name, facts=losses.Facts(*shapes, dataset.train.labels), **terms)
    untrained, picked = deepcopy(student), augment.SCHEMES[scheme] if scheme else None
    progress = training.Training(student, method, dataset, training.Schedule(epochs), teacher, picked, standard="none")
    assert all(torch.isfinite(torch.tensor(progress.epoch())) for _ in range(epochs))
    x, labels = dataset.normalise(dataset.train.images), dataset.train.labels
    answers = []
    for network in (untrained, student):
        index, generator = torch.arange(len(labels)), torch.Generator().manual_seed(0)
        targets = losses.Targets(labels, labels, torch.ones(len(labels)), index, generator)
        with torch.no_grad():
            answers.append(deepcopy(method).on_x(network.features(x), teacher.features(x), targets).item())
    return answers[0] - answers[1]


@pytest.fixture(scope="module")
def batch(digits):
    """Digits with one mini-batch of training images."""
    return replace(digits, train=digits.train.subset(torch.arange(64)))


ALL_TERMS = {"scheme": "identity", "x_prime": "all", "kl_on_x": 1.0}


@pytest.mark.parametrize("terms", [{}, ALL_TERMS], ids=["x alone", "all terms"])
@pytest.mark.parametrize("name", losses.METHODS)
def test_a_few_steps_on_one_batch_lower_the_loss(name, terms, batch, teacher):
    torch.manual_seed(0)
    assert gain(name, batch, teacher, models.build("tiny", 10, 16), epochs=16, **terms) > 0.3


@pytest.fixture(scope="module")
def after_a_step(batch, teacher):
    """A student's weights, in one row, after one step on 32 images; start, images and crops are always the same."""
    torch.manual_seed(0)
    half, start = replace(batch, train=batch.train.subset(torch.arange(32))), models.build("tiny", 10, 16)
    shapes, frozen = models.feature_shapes(start, 16), for_inference(teacher)

    @functools.cache
    def weights(name, scheme, x_prime):
        student, facts = deepcopy(start), losses.Facts(shapes, shapes, half.train.labels)
        torch.manual_seed(0)
        method, made = losses.build(name, x_prime=x_prime, facts=facts), augment.SCHEMES[scheme] if scheme else None
        training.Training(student, method, half, training.Schedule(1), frozen, made).epoch()
        return torch.cat([weight.detach().flatten() for weight in student.parameters()])

    return weights


@pytest.mark.parametrize("scheme", augment.NINE)
@pytest.mark.parametrize("name", losses.METHODS)
def test_every_method_takes_every_scheme_with_either_loss_of_x_prime(name, scheme, after_a_step):
    alone, kl, everything = after_a_step(name, None, "kl"), *(after_a_step(name, scheme, x) for x in ("kl", "all"))
    assert all(torch.isfinite(weights).all() for weights in (alone, kl, everything))
    assert not torch.equal(kl, alone)  # x' is trained on
    assert torch.equal(kl, everything) == (name == "ce")  # which has but one term


@pytest.mark.parametrize("name", WITH_A_TERM)
def test_the_methods_own_term_is_what_falls(name, batch, teacher):
    """Without the labels' help."""
    torch.manual_seed(0)
    student = models.build("tiny", 10, 16)
    shapes = models.feature_shapes(student, 16)
    method = losses.build(name, facts=losses.Facts(shapes, shapes, batch.train.labels))
    x, labels = batch.normalise(batch.train.images), batch.train.labels
    targets = losses.Targets(labels, labels, torch.ones(64), torch.arange(64), torch.Generator().manual_seed(0))
    with torch.no_grad():
        seen = teacher.features(x)
    optimizer = torch.optim.Adam([*student.parameters(), *method.parameters()], 1e-2)
    terms = []
    for _ in range(30):
        term = method.term(student.features(x), seen, targets)
        optimizer.zero_grad()
        term.backward()
        optimizer.step()
        terms.append(term.item())
    assert terms[-1] < 0.9 * terms[0]


def spec(**values):
    settings = {"dataset": "digits", "teacher": "tiny", "teacher_epochs": 2, "student": "tiny", "epochs": 2}
    return runs.RunSpec(**settings | {"images_per_class": 20} | values)


@pytest.mark.parametrize("name", WITH_A_TERM)
def test_a_specification_runs_each_method(name, tmp_path_factory):
    store = tmp_path_factory.getbasetemp() / "methods"  # shared, so that the teacher is trained once
    result = runs.run(spec(method=name, scheme="cutmix"), store)
    assert len(result.train_losses) == 2
    assert result.weights_sha256 != runs.run(spec(scheme="cutmix"), store).weights_sha256  # not those of kd


def test_keys_change_with_the_terms_and_only_where_they_are_read():
    assert spec(method="kd").key() == spec().key()
    assert spec(method="kd", kl_on_x=1).key() == spec().key()
    assert spec(method="crd", kl_on_x=1).key() != spec(method="crd").key()
    assert spec(method="crd", x_prime="all").key() == spec(method="crd").key()  # there is no x'
    assert spec(scheme="cutmix", x_prime="all").key() != spec(scheme="cutmix").key()
    assert spec(method="ce", scheme="cutmix", x_prime="all").key() == spec(method="ce", scheme="cutmix").key()


def test_the_terms_reach_the_method():
    progress = runs.assemble(spec(method="at", tau=2.0, kl_on_x=0.5, x_prime="all"), data.load("digits"), None)
    assert progress.method.terms == losses.Terms(tau=2.0, kl_on_x=0.5, x_prime="all")


def test_networks_whose_maps_do_not_pair_are_refused_before_a_teacher_is_trained(tmp_path):
    unfit = spec(method="vid", student="vgg8")
    with pytest.raises(UserError, match=r"the method 'vid' compares .* student has 4 and the teacher 3 to compare"):
        runs.run(unfit, tmp_path)
    assert not (tmp_path / runs.teacher_spec(unfit).key()).exists()


def test_a_teacher_for_other_images_is_refused_before_it_is_trained(tmp_path):
    unfit = spec(method="at", teacher="resnet18")
    with pytest.raises(UserError, match=r"resnet18 takes square images of .* not 16"):
        runs.run(unfit, tmp_path)
    assert not (tmp_path / runs.teacher_spec(unfit).key() / "result.json").exists()


def test_a_killed_crd_run_ends_as_an_undisturbed_one(tmp_path):
    asked = spec(method="crd", scheme="cutmixpick_t", epochs=7, kl_on_x=1)

    def die(epochs_done):
        if epochs_done == 6:  # one epoch past the checkpoint
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        runs.run(asked, tmp_path / "killed", watch=die)
    assert (tmp_path / "killed" / asked.key() / "checkpoint.pt").exists()
    resumed_at = []
    resumed = runs.run(asked, tmp_path / "killed", watch=lambda done: resumed_at.append(done))
    assert resumed_at[0] == 5
    assert resumed == runs.run(asked, tmp_path / "undisturbed")


@pytest.fixture(scope="module")
def few_cifar(cifar100_dir):
    two_each = data.first_per_class(data.load("cifar100", cifar100_dir), 2)
    return replace(two_each, train=two_each.train.subset(torch.arange(64)))  # a whole batch


@pytest.fixture(scope="module")
def cifar_teacher(cifar100_dir):
    path = cifar100_dir / "cifar100_resnet20.pth"
    if not path.is_file():
        pytest.skip(f"no teacher weights at {path.name} beside the data")
    return models.load_weights(models.build("resnet20", 100), path)


@pytest.mark.parametrize("name", losses.METHODS)
def test_real_cifar_steps(name, few_cifar, cifar_teacher):
    """64 real images, a published teacher and CutMix: four steps lower the loss."""
    torch.manual_seed(0)
    assert gain(name, few_cifar, cifar_teacher, models.build("resnet8", 100), epochs=4, scheme="cutmix") > 0.05
