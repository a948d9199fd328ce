"""Verdicts on picking from made-up students: whole, in part, with and without a better score."""

from functools import partial

import pytest

from kdutils import paper
from kdutils.chapters import pick_what
from kdutils.chapters import pick_what_verdicts as verdicts_of
from kdutils.chapters.pick_what import CHANCE, SCORES
from tests.chapters.test_pick_what import students


@pytest.fixture
def words(judged):
    """The chapter's verdicts, by claim, if the study had these students."""
    return partial(judged, pick_what, verdicts_of, students(seeds=1))


def changed(runs, **saved):
    """The same students, but these scores save so much more, and not the same with every seed."""
    more = runs["scheme"].map(saved).fillna(0.0)
    return runs.assign(test_loss=runs["test_loss"] - more * (1 + runs["seed"] / 50))


def test_every_claim_of_the_chapter_waits_for_its_students(words):
    found, claims = words(pick_what.students().iloc[:0]), paper.later_claims()
    assert set(found) == set(claims[claims["chapter"] == "23_pick_what"]["id"]) == set(verdicts_of.TESTS)
    assert {each.holds for each in found.values()} == {"not tested"}
    assert found["pick-beats-chance"].found("digits")[0].says == "cannot tell"
    assert verdicts_of.in_words(pick_what.students().iloc[:0]) == "State of the study: *not recorded yet*."


def test_entropy_of_the_teacher_ahead_of_all_and_all_ahead_of_chance(words):
    runs = changed(students(), **dict.fromkeys(SCORES[1:], 0.3), cutmixpick_t=0.6)
    found = words(runs)
    assert {name: each.holds for name, each in found.items()} == dict.fromkeys(found, "holds")
    assert {each.decided_by for each in found.values()} == {"photographs"}
    assert found["pick-beats-chance"].findings[0].numbers.startswith("CutMixPick (T. ent.) saves +0.6")


def test_no_score_differs_from_chance(words):
    assert {each.holds for each in words(students(seed=1)).values()} == {"cannot tell"}


def test_scores_behind_chance_and_one_ahead_of_the_teachers_entropy(words):
    found = words(changed(students(), cutmixpick_t=-0.5, cutmixpick_s=-0.6, cutmixpick_d=-0.4, cutmixpick_gap=0.5))
    assert {name: each.holds for name, each in found.items()} == {
        "pick-beats-chance": "fails",
        "pick-asks-student": "partly",
        "pick-entropy-best": "fails",
    }


def test_the_four_scores_are_corrected_together(words):
    """A difference with p between 1.25 % and 5 %, alone among four."""
    runs = changed(students(noise=0.01, seed=3), cutmixpick_t=0.03)
    row = pick_what.against_chance(runs).loc["cutmixpick_t"]
    assert row["p"] < 0.05 < row["p_holm"]
    assert words(runs)["pick-beats-chance"].holds == "cannot tell"


def test_a_part_of_the_students_is_told_and_decides_nothing(words):
    found = words(students(0.3, seeds=2))
    assert {each.findings[0].short_of for each in found.values()} == {"12 of 18 runs recorded"}
    assert {each.holds for each in found.values()} == {"not tested"}
    one = students(0.3)
    one = one[(one["seed"] == 0) | (one["scheme"] != CHANCE)]
    assert {each.findings[0].says for each in words(one).values()} == {"not tested"}


def test_a_seed_that_lacks_a_way_of_picking_is_left_out_of_all(words):
    runs = students(0.3)
    apart = runs.assign(test_loss=runs["test_loss"] + 5 * ((runs["seed"] == 2) & (runs["scheme"] == CHANCE)))
    begun = apart[(apart["seed"] != 2) | (apart["scheme"] != "cutmixpick_gap")]
    two = words(runs[runs["seed"] < 2])
    for name, verdict in words(begun).items():
        assert verdict.findings[0].model_dump() == two[name].findings[0].model_dump() | {
            "short_of": "17 of 18 runs recorded"
        }


@pytest.mark.parametrize(("ahead", "said"), [(0.5, ": more than seeds do."), (0.0, ": no more than seeds do.")])
def test_cutmix_against_a_random_half_is_told(ahead, said):
    assert verdicts_of.in_words(changed(students(), cutmix=ahead)).endswith(said)
