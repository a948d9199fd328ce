"""Three teachers and their students: made-up ones with known differences, and a reference for p."""

import numpy as np
import pandas as pd
import pytest
import scipy

from kdutils.chapters import taught
from kdutils.chapters.taught import MIXED, RECIPES, SCHEMES


def students(worse=0.0, seeds=3, noise=0.01, seed=0):
    """Each teacher's students are `worse` by so many nats more than the last one's; the schemes by 0.1 likewise."""
    rng = np.random.default_rng(seed)
    rows = [
        (teacher, scheme, k, 3 + worse * i + 0.1 * j + rng.normal(0, noise), 30.0)
        for i, teacher in enumerate(RECIPES)
        for j, scheme in enumerate(SCHEMES)
        for k in range(seeds)
    ]
    return pd.DataFrame(rows, columns=taught.COLUMNS)


def rankings(higher=0.0):
    """T. stddev that rises with the scheme, and by `higher` from teacher to teacher."""
    rows = [
        (teacher, scheme, 3 + higher * i + 0.1 * j)
        for i, teacher in enumerate(RECIPES)
        for j, scheme in enumerate(SCHEMES)
    ]
    return pd.DataFrame(rows, columns=["taught_by", "scheme", "t_stddev"])


def test_the_mean_over_schemes_needs_all_four_of_them():
    runs = students(0.2, noise=0)
    found = taught.by_seed(runs[(runs["taught_by"] != "Mixup") | (runs["scheme"] != "cutmix") | (runs["seed"] != 1)])
    assert list(found.columns) == list(RECIPES)
    assert found["plain"].tolist() == pytest.approx([3.15] * 3)
    assert found["Mixup"].isna().tolist() == [False, True, False]
    assert found["CutMix"].tolist() == pytest.approx([3.55] * 3)


def test_impaired_is_the_t_test_paired_by_seed():
    runs = students(0.2)
    found = taught.impaired(runs)
    means = runs.groupby(["taught_by", "seed"])["test_loss"].mean().unstack("taught_by")
    assert list(found.index) == MIXED
    for name in MIXED:
        expected = scipy.stats.ttest_rel(means[name], means["plain"])
        low, high = expected.confidence_interval()
        row = found.loc[name]
        assert row[["n", "worse", "low", "high", "p"]].tolist() == pytest.approx(
            [3, (means[name] - means["plain"]).mean(), low, high, expected.pvalue]
        )
    assert found["p_holm"].max() >= 2 * found["p"].min()
    assert taught.impaired(runs[runs["taught_by"] != "Mixup"]).index.tolist() == ["CutMix"]
    assert taught.impaired(students(seeds=1)).empty


def test_what_only_the_schemes_have_in_common_is_not_seen():
    """Schemes in the same order for every teacher: a high rho, and none of it from teachers."""
    alike = taught.seen(taught.points(rankings(), students(0.2)))
    assert alike.rho == pytest.approx(alike.by_groups)
    assert alike.p == 1
    both = taught.seen(taught.points(rankings(0.2), students(0.2)))
    assert both.p < 0.01
    assert both.rho > 0.9 > both.by_groups


def test_the_study_is_read_from_its_recordings():
    names = [*taught.STUDIES.values(), *taught.RANKINGS.values()]
    assert names == [
        "after_taught",
        "after_taught_mixup",
        "after_taught_cutmix",
        "after_taught_rank",
        "after_taught_rank_mixup",
        "after_taught_rank_cutmix",
    ]
    runs, ranked = taught.students(), taught.rankings()
    there = set(runs["taught_by"])
    assert there <= set(RECIPES)
    assert (runs.groupby("taught_by").size() == 12).all()
    assert set(ranked["taught_by"]) >= there  # a teacher ranks before it teaches
    assert set(taught.teachers().index) >= there
    assert ranked["t_stddev"].between(1, 6).all()


def test_a_table_of_losses_has_a_row_per_teacher_in_order():
    shown = taught.losses_table(students(seeds=1))
    assert list(shown.index) == list(RECIPES)
    assert list(shown.columns) == ["Identity", "RandAugment", "CutMix", "CutMixPick (T. ent.)"]
    assert "±" not in shown.to_string()
    part = students()
    part = part[(part["taught_by"] == "plain") | ((part["taught_by"] == "Mixup") & (part["scheme"] == "cutmix"))]
    assert taught.losses_table(part).loc["Mixup"].tolist()[:2] == ["–", "–"]
    assert taught.losses_table(part).loc["Mixup", "CutMix"].startswith("3.2")


def test_a_table_of_t_stddev_has_a_row_per_teacher_in_order():
    shown = taught.ranked_table(rankings(1.0).query("taught_by != 'Mixup'"))
    assert shown["Identity"].to_dict() == {"plain": "3.000", "CutMix": "5.000"}
    assert shown["CutMixPick (T. ent.)"].tolist() == ["3.300", "5.300"]
