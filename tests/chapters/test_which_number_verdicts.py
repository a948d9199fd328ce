"""Verdicts on the teacher's numbers: made-up predictors and students that settle them either way, or not."""

import numpy as np
import pandas as pd
import pytest

from kdutils import paper
from kdutils.chapters import unseen, which_number
from kdutils.chapters import which_number_verdicts as verdicts_of
from kdutils.chapters.which_number import BASE, SCHEMES
from kdutils.report import few_shot
from kdutils.report.recorded_runs import Missing
from tests.chapters.test_which_number import pairs, predictors, students

LOSS = pd.Series(3 + 0.05 * np.arange(16), index=list(SCHEMES))


@pytest.fixture
def verdicts(monkeypatch):
    """The chapter's verdicts, by claim, for these students, predictors at both temperatures, and points of pairs."""

    def judge(runs, cool=None, warm=None, points=None):
        held = {1: cool, 4: warm}
        monkeypatch.setattr(unseen, "students", lambda: runs)
        missing = Missing("not recorded yet: something")
        monkeypatch.setattr(which_number, "recorded", lambda tau=1: missing if held[tau] is None else held[tau])
        if points is not None:
            monkeypatch.setattr(few_shot, "points", lambda: points)
            monkeypatch.setattr(few_shot, "pairs_short_of", lambda: "")
        if cool is not None:
            there = [1, 4] if warm is not None else [1]
            names = [which_number.SINGLE, *(name for tau in there for name in which_number.RANKINGS[tau])]
            monkeypatch.setattr(verdicts_of.recorded_runs, "recorded_names", lambda: names)
        return {each.claim_ids[0]: each for each in verdicts_of.verdicts()}

    return judge


def shuffled(frame, *names):
    """The frame with these columns in an order that has nothing to do with the losses."""
    orders = {name: np.random.default_rng(1).permutation(frame[name].to_numpy()) for name in names}
    return frame.assign(**orders)


def others(frame):
    return [name for name in frame if name != BASE]


def test_every_claim_of_the_chapter_gets_a_verdict_and_waits(verdicts):
    found, claims = verdicts(unseen.students().iloc[:0], points=pairs(count=1)), paper.later_claims()
    assert set(found) == set(claims[claims["chapter"] == "22_which_number"]["id"]) == set(verdicts_of.TESTS)
    assert {each.holds for each in found.values()} == {"not tested"}
    assert "not recorded yet" in found["which-number-best"].findings[0].short_of


def test_t_stddev_far_ahead_of_all_others_is_best(verdicts):
    scores = shuffled(predictors(), *others(predictors()))
    found = verdicts(students(LOSS), scores, predictors())
    assert found["which-number-best"].holds == "holds"
    assert "number 1 of 10" in found["which-number-best"].findings[0].numbers
    assert found["which-number-calibration"].holds == "cannot tell"


def test_t_stddev_far_behind_another_is_not(verdicts):
    scores = shuffled(predictors(), BASE)
    found = verdicts(students(LOSS), scores, predictors())
    assert found["which-number-best"].holds == "fails"
    assert found["which-number-calibration"].holds == "holds"
    assert found["which-number-temperature"].holds == "holds"


def test_predictors_that_agree_cannot_be_told_apart(verdicts):
    found = verdicts(students(LOSS), predictors(), predictors())
    assert found["which-number-best"].holds == "cannot tell"
    assert found["which-number-temperature"].holds == "cannot tell"


def test_a_calibration_against_the_losses_fails(verdicts):
    scores = predictors().assign(**{"ECE on x'": -np.arange(16.0)})
    assert verdicts(students(LOSS), scores, predictors())["which-number-calibration"].holds == "fails"


def test_a_softer_t_stddev_that_orders_worse_fails(verdicts):
    found = verdicts(students(LOSS), predictors(), shuffled(predictors(), BASE))
    assert found["which-number-temperature"].holds == "fails"


def test_a_part_of_the_students_is_told_and_decides_nothing(verdicts):
    found = verdicts(students(LOSS[:10]), predictors(), predictors())
    assert {found[name].holds for name in list(verdicts_of.TESTS)[:3]} == {"not tested"}
    assert found["which-number-calibration"].findings[0].says == "holds"
    assert found["which-number-best"].findings[0].short_of == "30 of 48 runs recorded"
    assert verdicts_of.in_words(students(LOSS[:10])).startswith("State of the study: *30 of 48 runs recorded*. Over 10")


def test_the_pairs_decide_once_there_are_several(verdicts):
    runs = unseen.students().iloc[:0]
    assert verdicts(runs, points=pairs())["which-number-pairs"].holds == "holds"
    assert verdicts(runs, points=pairs("t_stddev"))["which-number-pairs"].holds == "fails"
    finding = verdicts(runs, points=pairs())["which-number-pairs"].findings[0]
    assert finding.numbers.startswith("chosen: entropy of x'; better on 6, worse on 0")
    assert finding.n == "6 pairs, 9 schemes, 108 students"


def test_one_equal_is_enough_for_t_stddev_not_to_be_best(verdicts):
    scores = shuffled(predictors(), *others(predictors())[1:])
    found = verdicts(students(LOSS), scores, predictors())["which-number-best"]
    assert found.holds == "cannot tell"
    assert "significant over 8 of 9" in found.findings[0].numbers


def test_calibration_counts_after_the_correction_only():
    judged = which_number.judged(predictors(), LOSS)
    for corrected, word in ((0.049, "holds"), (0.051, "cannot tell")):
        told = verdicts_of.calibration(judged.assign(p=0.01, holm_p=corrected), by="photographs")
        assert told.says == word


def test_another_is_ahead_after_the_correction_only():
    judged = which_number.judged(predictors(), LOSS).assign(lead=0.1, lead_p=0.5)
    for p, word in ((0.05 / 9 - 1e-4, "fails"), (0.05 / 9 + 1e-4, "cannot tell")):
        judged.loc["entropy of x'", ["lead", "lead_p"]] = (-0.2, p)
        assert verdicts_of.best(judged, by="photographs").says == word


def test_only_the_lever_waits_for_the_ranking_at_temperature_4(verdicts):
    found = verdicts(students(LOSS), shuffled(predictors(), *others(predictors())))
    assert found["which-number-best"].holds == "holds"
    assert found["which-number-temperature"].holds == "not tested"
    short_of = found["which-number-temperature"].findings[0].short_of
    assert short_of == "not recorded yet: after_unseen_rank_tau4, rank_resnet20_few_tau4"
