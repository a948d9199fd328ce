"""The released code's way, as the bench writes it down: how often it asks each network, and that its loss is KD's."""

import pytest
import torch

from kdutils import augment, losses, models, seeds
from kdutils.augment import SCHEMES
from kdutils.bench import ratios, reference


@pytest.fixture
def networks() -> tuple[models.Network, models.Network]:
    return ratios.network("tiny", 0), ratios.network("tiny", 1)


def test_a_ranking_step_asks_teacher_and_student_twenty_times(networks) -> None:
    seen = {0: 0, 1: 0}
    for number, network in enumerate(networks):
        network.register_forward_pre_hook(lambda _, inputs, n=number: seen.update({n: seen[n] + len(inputs[0])}))
    reference.rank(*networks, reference.Photos(ratios.noise(reference.BATCH)))
    assert seen == {0: 20 * reference.BATCH, 1: 20 * reference.BATCH}


def test_its_loss_is_that_of_the_methods_on_the_same_images(networks) -> None:
    teacher, student = networks
    dataset = ratios.noise(reference.BATCH)
    x, labels = next(reference.Photos(dataset).batches())
    made = reference.step(teacher, student, dataset, SCHEMES["mixup"], x, labels)
    x_prime = SCHEMES["mixup"](x, seeds.generator(0), augment.settings(dataset)).x
    seen = [
        (student.features(dataset.normalise(part)), teacher.features(dataset.normalise(part))) for part in (x, x_prime)
    ]
    kd = losses.build("kd", reference.TAU, reference.ALPHA)
    targets = losses.Targets(labels, labels, torch.ones(len(x)), torch.arange(len(x)), seeds.generator(0))
    expected = kd.on_x(*seen[0], targets) + kd.on_x_prime(*seen[1], targets)
    assert made.loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_photos_are_the_stored_images_cropped_and_flipped() -> None:
    dataset = ratios.noise(2)
    torch.manual_seed(0)
    x, labels = next(reference.Photos(dataset).batches())
    assert x.dtype == torch.uint8
    assert labels.tolist() == [0, 1]
    windows = torch.nn.functional.pad(dataset.train.images[0], [4] * 4).unfold(1, 32, 1).unfold(2, 32, 1)
    crops = windows.flatten(1, 2).movedim(1, 0)
    assert any(torch.equal(x[0], crop) or torch.equal(x[0], crop.flip(2)) for crop in crops)


def test_training_moves_the_student_and_leaves_the_teacher(networks) -> None:
    before = [next(network.parameters()).detach().clone() for network in networks]
    reference.train(*networks, reference.Photos(ratios.noise(2 * reference.BATCH)), SCHEMES["cutmixpick_t"])
    same = [torch.equal(old, next(network.parameters())) for old, network in zip(before, networks, strict=True)]
    assert same == [True, False]
