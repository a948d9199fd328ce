"""Whether the teacher fits the images is measured, said and recorded before anything is ranked."""

from dataclasses import replace

import pytest
import torch

from kdutils import metrics, training
from kdutils.data import MemorySplit
from kdutils.metrics import teacher_check
from kdutils.metrics.teacher_check import Agreement


def logits_of(teacher, dataset):
    return lambda x: teacher(dataset.normalise(x))


def test_on_a_small_test_set_it_is_the_accuracy(teacher, digits):
    found = teacher_check.agreement(logits_of(teacher, digits), digits, 64)
    assert found.accuracy == pytest.approx(training.evaluate(teacher, digits, digits.test).accuracy)
    assert (found.images, found.chance) == (len(digits.test), 10)


def test_of_a_large_test_set_it_sees_a_random_part_whatever_its_order(digits):
    """Sorted by class and right on every other class: the first thousand images would say 100 or 0 %."""
    labels = torch.arange(10_000) // 1000
    images = labels.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 16, 16)
    large = replace(digits, test=MemorySplit(images, labels))

    def even_classes(x):
        return torch.nn.functional.one_hot(x[:, 0, 0, 0].long() // 2 * 2, 10).float()

    found = teacher_check.agreement(even_classes, large, 250)
    assert found.images == teacher_check.IMAGES
    assert abs(found.accuracy - 50) < 5
    assert found == teacher_check.agreement(even_classes, large, 250)


@pytest.mark.parametrize(
    ("accuracy", "chance", "near"),
    [(8, 1, True), (28, 1, False), (12, 10, True), (25, 10, False), (22, 20, True), (51, 20, False), (52, 50, True)],
)
def test_near_chance_is_a_tenth_of_the_way_to_perfection(accuracy, chance, near):
    assert Agreement(accuracy, 1000, chance).near_chance() is near


def test_it_reads_as_a_sentence():
    assert str(Agreement(70.21, 1000, 1.0)) == "agrees with 70.2 % of the labels of 1,000 test images (chance 1 %)"


def rolled(digits):
    """The classes in another order than the teacher's."""
    return replace(digits, test=MemorySplit(digits.test.images, (digits.test.labels + 1) % 10))


def test_a_ranking_records_it_and_warns_of_another_order_of_classes(teacher, digits):
    right = metrics.rank_schemes(teacher, digits, "identity", steps=15)
    assert right.attrs["teacher_test_accuracy"] == pytest.approx(
        training.evaluate(teacher, digits, digits.test).accuracy
    )
    assert right.attrs["teacher_test_images"] == 797
    with pytest.warns(UserWarning, match=r"same classes in the same order, and.*normalisation.*size.*channel order"):
        wrong = metrics.rank_schemes(teacher, rolled(digits), "identity", steps=15)
    assert wrong.attrs["teacher_test_accuracy"] < 20
    assert wrong.t_stddev[0] == right.t_stddev[0]


def test_numbers_sorted_as_text_are_named_as_the_likely_cause(teacher, digits):
    names = tuple(sorted(map(str, range(2, 12))))
    with pytest.warns(UserWarning, match=r"numbers are sorted as text: 10, 11, 2, 3, \.\.\."):
        metrics.rank_schemes(teacher, replace(rolled(digits), classes=names), "identity", steps=15)
    with pytest.warns(UserWarning, match="in the same order, and"):  # digits are in order as text too
        metrics.rank_schemes(teacher, rolled(digits), "identity", steps=15)


def test_classes_in_an_order_of_their_own_are_no_numbers_as_text():
    assert teacher_check._order(("0", "1", "2")) == ""
    assert teacher_check._order(("pear", "apple")) == ""
    assert "as text" in teacher_check._order(("0", "1", "10", "2"))
