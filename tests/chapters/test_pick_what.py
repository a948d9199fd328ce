"""Picks against chance: paired by seed as by hand, and the halves that scores take against counting."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ttest_rel

from kdutils import augment, models, stats
from kdutils.chapters import pick_what
from kdutils.chapters.pick_what import CHANCE, SCHEMES, SCORES


def students(saved=0.0, seeds=3, noise=0.01, seed=0):
    """Made-up students: each score saves this much more than the one before, beyond a random half and CutMix."""
    draws = np.random.default_rng(seed)
    better = dict.fromkeys(("cutmix", CHANCE), 0.0) | {name: saved * n for n, name in enumerate(SCORES, 1)}
    rows = [
        (scheme, s, 3 + s / 10 - better[scheme] + draws.normal(0, noise), 30 + 5 * better[scheme])
        for scheme, s in itertools.product(SCHEMES, range(seeds))
    ]
    return pd.DataFrame(rows, columns=pick_what.COLUMNS)


def test_what_is_saved_is_paired_by_seed():
    runs = students(0.05)
    found = pick_what.against_chance(runs)
    losses = runs.set_index(["scheme", "seed"])["test_loss"]
    assert list(found.index) == [name for name in SCHEMES if name != CHANCE]
    for scheme in found.index:
        test = ttest_rel(losses[CHANCE], losses[scheme])
        assert found.loc[scheme, "saved"] == pytest.approx((losses[CHANCE] - losses[scheme]).mean())
        assert found.loc[scheme, "p"] == pytest.approx(test.pvalue)
        assert found.loc[scheme, ["low", "high"]].tolist() == pytest.approx(list(test.confidence_interval()))
        assert found.loc[scheme, "test_loss"] == pytest.approx(losses[scheme].mean())
    assert found["gained"].tolist() == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])


def test_only_the_scores_are_corrected_together():
    found = pick_what.against_chance(students(0.05))
    assert np.isnan(found.loc["cutmix", "p_holm"])
    assert found.loc[list(SCORES), "p_holm"].tolist() == pytest.approx(stats.holm(found.loc[list(SCORES), "p"]))


def test_order_and_other_schemes_change_nothing():
    runs = students(0.05)
    other = runs[runs["scheme"] == "cutmix"].assign(scheme="mixup")
    mixed = pd.concat([runs, other]).sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(pick_what.against_chance(mixed), pick_what.against_chance(runs))


def test_a_scheme_with_one_seed_has_no_row_and_none_has_none_without_chance():
    runs = students(0.05)
    begun = runs[(runs["scheme"] != "cutmixpick_gap") | (runs["seed"] == 0)]
    assert "cutmixpick_gap" not in pick_what.against_chance(begun).index
    assert pick_what.against_chance(runs[runs["scheme"] != CHANCE]).empty
    assert pick_what.against_chance(pick_what.students().iloc[:0]).empty


def test_a_seed_counts_if_it_has_every_scheme_that_is_asked_for():
    runs = students()
    begun = runs[(runs["scheme"] != "cutmixpick_d") | (runs["seed"] != 1)]
    assert list(pick_what.by_seed(begun).index) == [0, 2]
    assert list(pick_what.by_seed(begun, schemes=("cutmix", CHANCE)).index) == [0, 1, 2]


def test_each_score_takes_the_half_that_the_scheme_takes(digits, teacher):
    torch.manual_seed(1)
    student = models.build("tiny", 10, 16).eval()
    scores, pool = pick_what.scores(teacher, student, digits, size=16), pick_what.cutmixpick.pool(teacher, digits, 16)
    with torch.no_grad():
        asked = student(digits.normalise(pool.images))
    halves = pick_what.taken(scores)
    for name in SCORES:
        kept = augment.kept(augment.find(name), 16, pool.logits, lambda: asked)
        assert halves[name].to_numpy().nonzero()[0].tolist() == kept.tolist()


def test_what_two_halves_have_in_common_is_counted():
    columns = {"cutmixpick_t": [4, 3, 2, 1], "cutmixpick_s": [4, 1, 3, 2], "cutmixpick_d": [1, 2, 3, 4]}
    common = pick_what.shared(pd.DataFrame(columns))
    assert common.to_numpy().tolist() == [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]]
    words = "CutMixPick (S. ent.) picks to 50% as well, and CutMixPick (disagreement) to 0%."
    assert pick_what.shared_in_words(common) == f"What the teacher's entropy picks, {words}"
    assert pick_what.shared_table(common).loc["CutMixPick (T. ent.)", "CutMixPick (S. ent.)"] == "50%"


def test_coins_have_half_in_common():
    draws = np.random.default_rng(0)
    scores = pd.DataFrame(draws.random((4000, 2)), columns=["cutmixpick_t", "cutmixpick_s"])
    assert pick_what.shared(scores).iloc[0, 1] == pytest.approx(0.5, abs=0.04)


def test_the_chart_has_a_bar_for_each_row():
    found = pick_what.against_chance(students(0.05))
    (axes,) = pick_what.chart(found).axes
    assert [bar.get_width() for bar in axes.patches] == pytest.approx(found["saved"].tolist())
