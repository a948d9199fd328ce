"""Verdicts on loss and input from made-up students: whole, in part, and with and without an interaction."""

from functools import partial

import pytest

from kdutils import paper
from kdutils.chapters import loss_or_input
from kdutils.chapters import loss_or_input_verdicts as verdicts_of
from kdutils.chapters.loss_or_input import METHODS
from tests.chapters.test_loss_or_input import students


@pytest.fixture
def words(judged):
    """The chapter's verdicts, by claim, if the study had these students."""
    return partial(judged, loss_or_input, verdicts_of, students(seeds=1))


def closer(runs, step):
    """The same students, but with CutMixPick the losses differ by less, and not by the same in all seeds."""
    picked = runs["scheme"] == "cutmixpick_t"
    less = runs["method"].map(METHODS.index) * (step + 0.01 * runs["seed"])
    return runs.assign(test_accuracy=runs["test_accuracy"].where(~picked, runs["test_accuracy"] - less))


def test_every_claim_of_the_chapter_waits_for_its_students(words):
    found, claims = words(loss_or_input.students().iloc[:0]), paper.later_claims()
    assert set(found) == set(claims[claims["chapter"] == "20_loss_or_input"]["id"]) == set(verdicts_of.TESTS)
    assert {each.holds for each in found.values()} == {"not tested"}
    assert found["input-before-loss"].found("digits")[0].says == "cannot tell"
    assert verdicts_of.in_words(students().iloc[:0]) == "State of the study: *not recorded yet*."


def test_an_input_that_matters_more_and_draws_the_losses_together(words):
    found = words(closer(students(by_loss=0.5, by_input=3.0), 0.4))
    assert {name: each.holds for name, each in found.items()} == dict.fromkeys(found, "holds")
    assert {each.decided_by for each in found.values()} == {"photographs"}
    assert "the input is ahead in 100% of the draws" in found["input-before-loss"].findings[0].numbers


def test_a_loss_that_matters_more_and_is_driven_apart(words):
    found = {name: each.holds for name, each in words(closer(students(by_loss=3.0, by_input=0.1), -0.4)).items()}
    assert found == {"input-before-loss": "fails", "loss-input-interact": "holds", "losses-draw-together": "fails"}


def test_no_interaction_is_no_proof_of_none(words):
    assert words(students(by_loss=0.5, by_input=3.0, noise=0.3, seed=4))["loss-input-interact"].holds == "cannot tell"


def test_a_part_of_the_students_is_told_and_decides_nothing(words):
    part = students(by_loss=0.5, by_input=3.0, seeds=2)
    found = words(part)
    assert {each.findings[0].short_of for each in found.values()} == {"48 of 72 runs recorded"}
    assert {each.holds for each in found.values()} == {"not tested"}
    assert verdicts_of.in_words(students()).startswith("All students are recorded: the losses are")
