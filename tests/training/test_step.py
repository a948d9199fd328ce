"""An epoch of training against a plain one that is written out here."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from kdutils import augment, data, losses, seeds, training
from kdutils.augment import SCHEMES
from kdutils.training import Training
from tests.training.short import BATCH, make, same, tiny, weights


class Double(data.Dataset):
    """Images in double precision: what rounding changes in one step, later steps would make large."""

    def normalise(self, x):
        return super().normalise(x).double()


@pytest.fixture
def exact_teacher(teacher, monkeypatch):
    """The teacher in double precision, in `Training` too, which would freeze it in float32."""

    class Embedding(type(teacher)):
        embed = type(teacher).features

    network = copy.deepcopy(teacher).double()
    network.__class__ = Embedding
    monkeypatch.setattr(training, "for_inference", lambda network, precision, device: network)
    return network


def plain_epoch(
    student, teacher, few, scheme, granularity="batch", pick_ratio=0.5, alpha=0.9, tau=4.0, lr=0.02, seed=0
):
    """One epoch of distillation as Fig. 3(b) draws it, with SGD by hand; `student` is changed."""
    settings = augment.settings(few, granularity)
    velocity = [torch.zeros_like(p) for p in student.parameters()]
    order = torch.randperm(len(few.train), generator=seeds.generator(seed, "order", 0))
    found = []
    for step, index in enumerate(order.split(BATCH)):
        generator = seeds.generator(seed, "step", 0, step)
        x = augment.crop_flip(few.train.images[index], augment.Draw(generator, len(index), settings))
        x_prime = scheme and make_x_prime(scheme, x, generator, settings, few, student, teacher, pick_ratio)
        student.train()
        loss = on_x(student, teacher, few.normalise(x), few.train.labels[index], alpha, tau)
        if scheme:
            loss = loss + alpha * kl(student(x_prime), teacher(x_prime), tau)
        gradients = torch.autograd.grad(loss, list(student.parameters()))
        with torch.no_grad():
            for p, v, g in zip(student.parameters(), velocity, gradients, strict=True):
                v.copy_(0.9 * v + g + 5e-4 * p)
                p -= lr * v
        found.append(float(loss.detach()))
    return np.mean(found)


def on_x(student, teacher, x, y, alpha, tau):
    logits = student(x)
    hard = -torch.log(torch.softmax(logits, 1)[torch.arange(len(y)), y]).mean()
    return hard if teacher is None else (1 - alpha) * hard + alpha * kl(logits, teacher(x), tau)


def kl(student_logits, teacher_logits, tau):
    p, q = torch.softmax(teacher_logits.detach() / tau, 1), torch.softmax(student_logits / tau, 1)
    return tau**2 * (p * (p.log() - q.log())).sum(1).mean()


def make_x_prime(scheme, x, generator, settings, few, student, teacher, pick_ratio):
    """x' as the networks take it: of 1 / r pools one after another, those that surprise most."""
    runs = round(1 / pick_ratio) if SCHEMES[scheme].pick else 1
    pool = few.normalise(torch.cat([SCHEMES[scheme](x, generator, settings).x.float() for _ in range(runs)]))
    if runs == 1:
        return pool
    with torch.no_grad():
        p, q = (torch.softmax(network.eval()(pool), 1) for network in (teacher, student))
    scores = {
        "teacher": -(p * p.log()).sum(1),
        "student": -(q * q.log()).sum(1),
        "disagreement": (p * (p.log() - q.log())).sum(1),
        "gap": p.amax(1) - q[torch.arange(len(p)), p.argmax(1)],
    }
    return pool[scores[SCHEMES[scheme].pick].argsort(descending=True)[: len(x)].sort().values]


@pytest.mark.parametrize(
    ("scheme", "options"),
    [
        (None, {}),
        ("identity", {}),
        ("crop_flip", {}),
        ("autoaugment", {"granularity": "sample"}),
        ("mixup", {}),
        ("cutmix", {"granularity": "sample"}),
        ("cutmixpick_s", {}),
        ("cutmixpick_t", {}),
        ("cutmixpick_t", {"pick_ratio": 0.25}),
        ("cutmixpick_d", {}),
        ("cutmixpick_gap", {}),
    ],
)
def test_an_epoch_is_the_plain_one(scheme, options, few, exact_teacher):
    exact, reference = Double(**vars(few)), tiny(1).double()
    progress = make(exact, exact_teacher, scheme, **options)
    progress.student.double()
    loss = plain_epoch(reference, exact_teacher, exact, scheme, **options)
    assert progress.epoch() == pytest.approx(loss, rel=1e-6)  # added up in float32
    torch.testing.assert_close(progress.student.state_dict(), reference.state_dict(), rtol=1e-9, atol=1e-12)


def test_without_a_teacher_it_is_cross_entropy(few):
    progress, reference = make(few, None, method="ce"), tiny(1)
    assert progress.epoch() == pytest.approx(plain_epoch(reference, None, few, None), rel=1e-4)


def test_batchnorm_sees_x_and_x_prime_apart(few, teacher):
    """Two forward passes of the student per step: the running statistics are moved twice."""
    steps = len(data.shuffled(100, BATCH, torch.Generator(), drop_last=False))
    for scheme, passes in ((None, 1), ("cutmix", 2), ("cutmixpick_s", 2)):
        progress = make(few, teacher, scheme)
        progress.epoch()
        assert int(progress.student.bn1.num_batches_tracked) == passes * steps


def test_the_teacher_stays_as_it_was(few, teacher):
    before = weights(teacher)
    make(few, teacher, "cutmixpick_t").epoch()
    assert same(weights(teacher), before)
    assert not teacher.training


@pytest.mark.parametrize(("scheme", "images"), [("identity", 100), ("cutmix", 200), ("cutmixpick_t", 300)])
def test_the_teacher_reads_each_image_once(scheme, images, few, teacher):
    """Identity's x' is x, which the teacher has read; picked images are of the pool that it has read."""
    progress = make(few, teacher, scheme)
    seen, embed = [], progress.teacher.embed
    progress.teacher.embed = lambda x: (seen.append(len(x)), embed(x))[1]
    progress.epoch()
    assert sum(seen) == images


def test_x_prime_never_sees_a_label(few, teacher):
    """With alpha 1 the labels reach nothing: other labels, the same student."""
    other = replace(few, train=replace(few.train, labels=few.train.labels.flip(0)))
    found = []
    for dataset in (few, other):
        progress = make(dataset, teacher, "mixup")
        progress.method = losses.build("kd", alpha=1.0)
        progress.epoch()
        found.append(weights(progress.student))
    assert same(*found)


@pytest.mark.parametrize(("standard", "images"), [("none", 1), ("flip", 2), ("crop_flip", 30)])
def test_the_standard_augmentation_can_be_chosen(standard, images, few, monkeypatch):
    one = replace(few, train=few.train.subset(torch.zeros(64, dtype=torch.int64)))
    seen = []
    monkeypatch.setattr(Training, "_normalise", lambda self, x: seen.append(x) or few.normalise(x))
    make(one, None, method="ce", standard=standard).epoch()
    shown = {image.numpy().tobytes() for image in torch.cat(seen)}
    assert len(shown) == images if images < 30 else len(shown) > images
