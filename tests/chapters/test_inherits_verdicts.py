"""Verdicts on what students have of their teacher: made-up students that follow it, do not, or are not all there."""

from functools import partial

import pytest

from kdutils import paper
from kdutils.chapters import inherits, inherits_verdicts
from kdutils.chapters.inherits import CLAIMS
from tests.chapters.test_inherits import points, students


@pytest.fixture
def verdicts(judged):
    """The chapter's verdicts, by claim, if the study had these students."""
    live = points(students(schemes=("identity", "cutout", "mixup", "cutmix", "cutmixpick_t")))
    return partial(judged, inherits, inherits_verdicts, live)


def test_every_claim_of_the_chapter_gets_a_verdict_and_waits_for_its_students(verdicts):
    found, claims = verdicts(inherits.students().iloc[:0]), paper.later_claims()
    assert set(found) == set(claims[claims["chapter"] == "21_inherits"]["id"]) == set(CLAIMS)
    assert {each.holds for each in found.values()} == {"not tested"}
    assert {each.found("photographs")[0].short_of for each in found.values()} == {"not recorded yet"}
    assert found["inherits-ece"].found("digits")[0].n == "5 schemes, this run"


def test_students_that_follow_their_teacher_the_better_they_are(verdicts):
    found = {name: each.holds for name, each in verdicts(students()).items()}
    assert found == dict.fromkeys(CLAIMS, "holds") | {"inherits-strength": "fails"}


def test_students_that_follow_it_the_less_the_better_they_are(verdicts):
    found = {name: each.holds for name, each in verdicts(students(follow=-1.0)).items()}
    assert found == dict.fromkeys(CLAIMS, "fails") | {"inherits-strength": "holds"}


def test_students_that_differ_by_chance_tell_nothing(verdicts):
    found = verdicts(students(follow=0.0, draw=1))
    assert {each.holds for each in found.values()} == {"cannot tell"}


def test_a_part_of_the_students_is_told_and_decides_nothing(verdicts):
    runs = students()
    part = runs[~((runs["scheme"] == "augmix") & (runs["seed"] == 2))]
    found = verdicts(part)
    assert {each.holds for each in found.values()} == {"not tested"}
    assert {each.findings[0].short_of for each in found.values()} == {"50 of 51 runs recorded"}
    assert found["inherits-agreement"].findings[0].n == "16 schemes, 3 seeds"
    assert "16 of 17 schemes have all their seeds" in inherits_verdicts.in_words(part)
    assert inherits_verdicts.in_words(runs) == "All students are recorded; 17 of 17 schemes have an ACE."


def test_a_rule_names_the_side_that_its_claim_is_on():
    assert "agreement (%) and mean test loss over the schemes is below zero" in inherits_verdicts.rule(
        "inherits-agreement"
    )
    assert "ECE (%) and mean test loss over the schemes is above zero" in inherits_verdicts.rule("inherits-ece")
