"""Verdicts on what augmentations are worth from made-up students whose exchange rate is known."""

from functools import partial

import pytest

from kdutils import paper
from kdutils.chapters import worth_in_images
from kdutils.chapters import worth_in_images_verdicts as verdicts_of
from kdutils.chapters.worth_in_images import SCHEMES
from tests.chapters.test_worth_in_images import students

SOMETHING, LESS = verdicts_of.TESTS


def rates(*values):
    return dict(zip(SCHEMES, values, strict=True))


@pytest.fixture
def words(judged):
    """The chapter's verdicts, by claim, if the study had these students."""
    live = students(rates(1.5, 1.5, 1.5), seeds=1, sizes=(4, 16), noise=0)
    return partial(judged, worth_in_images, verdicts_of, live)


def test_every_claim_of_the_chapter_waits_for_its_students(words):
    found, claims = words(students().iloc[:0]), paper.later_claims()
    assert set(found) == set(claims[claims["chapter"] == "24_worth_in_images"]["id"]) == set(verdicts_of.TESTS)
    assert {each.holds for each in found.values()} == {"not tested"}
    assert verdicts_of.in_words(students().iloc[:0]) == "State of the study: *not recorded yet*."


def test_this_run_is_described_and_decides_nothing(words):
    digits = words(students().iloc[:0])[SOMETHING].found("digits")[0]
    assert digits.says == "cannot tell"
    assert digits.numbers.startswith("this run: with 4 images per class RandAugment is worth 1.50 times the images")
    assert digits.n == "1 seed"


def test_all_are_worth_something_and_less_with_more(words):
    found = words(students(rates(1.4, 1.6, 1.8), slope=-0.3))
    assert {name: each.holds for name, each in found.items()} == {SOMETHING: "holds", LESS: "holds"}
    assert {each.decided_by for each in found.values()} == {"photographs"}
    assert all("too short" in each.findings[0].n for each in found.values())


def test_all_are_worth_less_than_nothing_and_more_with_more(words):
    found = words(students(rates(0.7, 0.6, 0.5), slope=0.3))
    assert {name: each.holds for name, each in found.items()} == {SOMETHING: "fails", LESS: "fails"}


def test_some_are_and_some_are_not(words):
    assert words(students(rates(1.6, 0.6, 1.6)))[SOMETHING].holds == "partly"


def test_a_rate_of_one_and_a_slope_of_zero_cannot_be_told(words):
    """With an interval of three seeds that is too short, some noise would: this one does not."""
    found = words(students(noise=0.1, seed=3))
    assert {each.holds for each in found.values()} == {"cannot tell"}


def test_one_scheme_that_cannot_be_told_leaves_the_claim_open(words):
    found = words(students(rates(1.6, 1.0, 1.6), noise=0.05, seed=3))
    assert found[SOMETHING].holds == "cannot tell"


def test_a_rate_that_the_curve_does_not_reach_is_worth_something_and_has_no_slope(words):
    found = words(students(rates(30.0, 30.0, 30.0)))
    assert found[SOMETHING].holds == "holds"
    assert "RandAugment is worth more than 4.00 times the images" in found[SOMETHING].findings[0].numbers
    assert found[LESS].holds == "cannot tell"
    assert "CutMix out of reach of the curve at too many sizes" in found[LESS].findings[0].numbers


def test_a_part_of_the_students_is_told_and_decides_nothing(words):
    found = words(students(rates(1.6, 1.6, 1.6), seeds=2))
    assert {each.findings[0].short_of for each in found.values()} == {"40 of 60 runs recorded"}
    assert found[SOMETHING].findings[0].says == "holds"
    assert {each.holds for each in found.values()} == {"not tested"}


def test_a_cell_with_one_seed_keeps_the_study_waiting(words):
    runs = students(rates(1.6, 1.6, 1.6))
    one = (runs["scheme"] == "cutmix") & (runs["images_per_class"] == 20) & (runs["seed"] > 0)
    found = words(runs[~one])
    assert {each.findings[0].says for each in found.values()} == {"not tested"}
    assert {each.findings[0].short_of for each in found.values()} == {"58 of 60 runs recorded"}


def test_the_page_says_how_sure_the_intervals_are():
    assert verdicts_of.in_words(students(rates(1.6, 1.6, 1.6))).endswith("of three seeds is too short.")
    assert verdicts_of.in_words(students(seeds=1)) == "State of the study: *20 of 60 runs recorded*."
