"""Verdicts on the prediction for unseen schemes: made-up students that follow it, contradict it, or are missing."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from kdutils import augment, paper
from kdutils.augment import NINE
from kdutils.chapters import unseen, unseen_verdicts
from tests.chapters.test_unseen import along, students

SCHEMES = (*NINE, *unseen.EIGHT, unseen.FOOL)
LIVE = pd.DataFrame(
    {"scheme": list("abcd"), "t_stddev": [1.0, 2, 3, 4], "test_loss": [1.0, 2, 4, 3], "test_accuracy": 50.0, "n": 1}
)


@pytest.fixture
def verdicts(judged):
    """The chapter's verdicts, by claim, if the study had these students."""
    return partial(judged, unseen, unseen_verdicts, LIVE)


def test_every_claim_of_the_chapter_gets_a_verdict_and_waits_for_its_students(verdicts):
    found, claims = verdicts(unseen.students().iloc[:0]), paper.later_claims()
    assert set(found) == set(claims[claims["chapter"] == "19_unseen"]["id"])
    assert {verdict.holds for verdict in found.values()} == {"not tested"}
    assert {verdict.found("photographs")[0].short_of for verdict in found.values()} == {"not recorded yet"}
    assert found["unseen-order"].found("digits")[0].says == "cannot tell"
    assert "not recorded yet" in unseen_verdicts.in_words(unseen.students().iloc[:0])


def test_students_that_follow_the_prediction_let_all_hold(verdicts):
    losses = along(SCHEMES) | {unseen.FOOL: 5.0}
    found = verdicts(students(losses, noise=1e-3))
    assert {name: verdict.holds for name, verdict in found.items()} == dict.fromkeys(found, "holds")
    assert {verdict.decided_by for verdict in found.values()} == {"photographs"}


def test_students_that_go_against_it_let_all_fail(verdicts):
    losses = along(SCHEMES, -1) | {unseen.FOOL: 0.5}
    found = verdicts(students(losses, noise=1e-3))
    assert {name: verdict.holds for name, verdict in found.items()} == dict.fromkeys(found, "fails")


def test_one_bad_place_among_eight_is_told_by_spearmans_exact_p(verdicts):
    order = unseen.predicted(unseen.ranked())
    shifted = [*order[1:], order[0]]  # the predicted best turns out the worst
    runs = students({name: 3 + 0.1 * place for place, name in enumerate(shifted)}, noise=1e-5)
    rho = scipy_stats.spearmanr(range(8), [shifted.index(name) for name in order]).statistic
    assert 0 < rho < 0.738
    found = verdicts(runs)
    assert found["unseen-order"].holds == "cannot tell"
    assert found["unseen-choice"].holds == "fails"
    assert f"the best is {augment.label(order[1])}, by 0.700 nats" in found["unseen-choice"].findings[0].numbers


def test_a_part_of_the_students_decides_nothing_and_says_how_many_there_are(verdicts):
    runs = students(along(unseen.EIGHT), seeds=2, noise=1e-3)
    found = verdicts(runs)
    assert {verdict.holds for verdict in found.values()} == {"not tested"}
    assert found["unseen-order"].findings[0].says == "holds"
    assert found["unseen-order"].findings[0].short_of == "16 of 24 runs recorded"
    assert found["unseen-joint"].findings[0].short_of == "16 of 51 runs recorded"
    assert "(16 of 24 runs recorded)" in unseen_verdicts.in_words(runs)


def test_differences_are_paired_by_seed(verdicts):
    """The spread between seeds that all schemes share is a hundred times what the schemes differ by."""
    losses = along(unseen.EIGHT) | {unseen.FOOL: 5.0}
    runs = students(losses, noise=1e-4)
    runs["test_loss"] += 10 * runs["seed"]
    wide = unseen.whole_seeds(runs, (*unseen.EIGHT, unseen.FOOL))
    chosen = unseen.predicted(unseen.ranked())[0]
    test, words = unseen_verdicts.fooled(wide)
    assert test.t_p == pytest.approx(scipy_stats.ttest_rel(wide[unseen.FOOL], wide[chosen]).pvalue)
    assert f"T. stddev {1e3 * unseen.ranked().set_index('scheme')['t_stddev'][unseen.FOOL]:.2f}" in words
    saved, _ = unseen_verdicts.choice(wide[list(unseen.EIGHT)])
    assert saved.mean == pytest.approx(np.mean(wide[list(unseen.EIGHT)].mean(axis=1) - wide[chosen]))
    assert saved.low > 0
