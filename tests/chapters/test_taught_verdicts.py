"""Verdicts on three teachers from made-up students and rankings: impaired or not, seen or not, and unfinished."""

from functools import partial

import pytest

from kdutils import paper
from kdutils.chapters import taught
from kdutils.chapters import taught_verdicts as verdicts_of
from tests.chapters.test_taught import rankings, students


@pytest.fixture
def words(judged, monkeypatch):
    """The chapter's verdicts, by claim, if the study had these students and rankings."""

    def judge(runs, ranked):
        monkeypatch.setattr(taught, "rankings", lambda: ranked)
        return partial(judged, taught, verdicts_of, students(seeds=1))(runs)

    return judge


def test_every_claim_of_the_chapter_waits_for_its_students(words):
    found, claims = words(students().iloc[:0], rankings().iloc[:0]), paper.later_claims()
    assert set(found) == set(claims[claims["chapter"] == "25_taught"]["id"]) == set(verdicts_of.TESTS)
    assert {each.holds for each in found.values()} == {"not tested"}
    assert found["taught-impaired"].found("digits")[0].says == "cannot tell"
    assert "not recorded yet" in verdicts_of.in_words(students().iloc[:0], rankings().iloc[:0])


def test_both_impaired_and_seen(words):
    found = words(students(0.25), rankings(0.2))
    assert {name: each.holds for name, each in found.items()} == dict.fromkeys(verdicts_of.TESTS, "holds")
    assert {each.decided_by for each in found.values()} == {"photographs"}
    assert found["taught-impaired"].findings[0].numbers.startswith("Mixup's students +0.2")
    assert verdicts_of.in_words(students(0.25), rankings(0.2)).endswith("against the plain teacher's.")


def test_better_students_that_t_stddev_takes_for_worse(words):
    found = words(students(-0.2), rankings(0.2))
    assert {name: each.holds for name, each in found.items()} == dict.fromkeys(verdicts_of.TESTS, "fails")


def test_no_difference_between_teachers(words):
    found = words(students(seed=2, noise=0.1), rankings())
    assert {each.holds for each in found.values()} == {"cannot tell"}


def test_one_of_the_two_impaired_is_not_both(words):
    runs = students(noise=0.01, seed=1)
    lifted = runs.assign(test_loss=runs["test_loss"] + 0.3 * (runs["taught_by"] == "Mixup"))
    assert words(lifted, rankings())["taught-impaired"].holds == "cannot tell"
    apart = lifted.assign(test_loss=lifted["test_loss"] - 0.3 * (lifted["taught_by"] == "CutMix"))
    assert words(apart, rankings())["taught-impaired"].holds == "partly"


def test_a_part_of_the_students_or_rankings_decides_nothing(words):
    begun = students(0.2)
    begun = begun[begun["taught_by"] == "plain"]
    found = words(begun, rankings(0.2))
    assert {each.findings[0].short_of for each in found.values()} == {"12 of 36 runs recorded"}
    assert "teachers whose students are there: plain." in verdicts_of.in_words(begun, rankings())
    unranked = rankings(0.2).query("taught_by != 'CutMix'")
    found = words(students(0.2), unranked)
    assert {each.findings[0].short_of for each in found.values()} == {"no ranking yet of 1 of its teachers"}
    assert {each.holds for each in found.values()} == {"not tested"}
