"""The prediction for schemes that the paper does not have: recorded, and joined to the paper's nine."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from kdutils import augment
from kdutils.augment import NINE, SCHEMES
from kdutils.chapters import unseen


def students(loss: dict[str, float], seeds: int = 3, noise: float = 0.01) -> pd.DataFrame:
    """Made-up students: their mean test losses by scheme, and a spread over seeds that all schemes share in part."""
    draws = np.random.default_rng(0)
    rows = [
        (name, seed, mean + 0.1 * seed + draws.normal(0, noise), 20.0)
        for name, mean in loss.items()
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows, columns=["scheme", "seed", "test_loss", "test_accuracy"])


def along(schemes: tuple[str, ...], sign: int = 1) -> dict[str, float]:
    """A test loss for each scheme that rises (or falls) with its recorded T. stddev."""
    both = pd.concat([unseen.ranked(), unseen.ranked("fewshot_rank")]).drop_duplicates("scheme").set_index("scheme")
    return {name: 3 + sign * 200 * float(both["t_stddev"][name]) for name in schemes}


def test_the_eight_are_none_of_the_papers_and_all_known():
    assert not set(unseen.EIGHT) & set(NINE)
    assert len(set(unseen.EIGHT)) == 8
    assert {part for name in unseen.EIGHT for part in name.split("+")} <= set(SCHEMES)


def test_the_recorded_ranking_holds_the_eight_the_fool_and_identity_as_the_few_shot_study_measured_it():
    ranked = unseen.ranked().set_index("scheme")
    assert set(ranked.index) == {*unseen.EIGHT, unseen.FOOL, "identity"}
    first = unseen.ranked("fewshot_rank").set_index("scheme")
    for column in ("t_stddev", "entropy", "label_disagreement"):
        assert ranked.loc["identity", column] == pytest.approx(first.loc["identity", column], rel=1e-4)
    assert set(ranked["n_u"]) == {first.loc["identity", "n_u"]}


def test_the_scheme_that_must_fool_has_half_of_identitys_t_stddev_the_lowest_of_all():
    measured = pd.concat([unseen.ranked(), unseen.ranked("fewshot_rank")]).drop_duplicates("scheme")
    values = measured.set_index("scheme")["t_stddev"]
    assert values[unseen.FOOL] == pytest.approx(values["identity"] / 2, rel=1e-4)
    assert values.idxmin() == unseen.FOOL


def test_the_prediction_is_the_order_of_t_stddev_whatever_the_order_of_the_rows():
    ranked = unseen.ranked()
    expected = sorted(unseen.EIGHT, key=dict(zip(ranked["scheme"], ranked["t_stddev"], strict=True)).get)
    assert unseen.predicted(ranked) == unseen.predicted(ranked[::-1]) == expected
    shown = [name for name in unseen.prediction_table(ranked).index if name not in ("Identity", "Blank")]
    assert shown == [augment.label(name) for name in expected]


def test_only_seeds_that_have_every_scheme_count():
    runs = students(along(unseen.EIGHT))
    part = runs.drop(runs.index[(runs["scheme"] == "augmix") & (runs["seed"] == 1)])
    assert list(unseen.whole_seeds(part, unseen.EIGHT).index) == [0, 2]
    assert (unseen.points(part, unseen.EIGHT)["n"] == 2).all()
    assert unseen.whole_seeds(part[part["scheme"] != "greyscale"], unseen.EIGHT).empty


def test_points_of_all_seventeen_join_both_rankings():
    points = unseen.points(students(along((*NINE, *unseen.EIGHT))), (*NINE, *unseen.EIGHT))
    assert len(points) == 17
    assert points["t_stddev"].between(2, 5).all()
    assert scipy_stats.spearmanr(points["t_stddev"], points["test_loss"]).statistic > 0.9


def test_what_lies_on_the_line_of_the_nine_is_missed_by_nothing():
    nine = unseen.points(students(along(NINE), noise=0), NINE)
    eight = unseen.points(students(along(unseen.EIGHT), noise=0), unseen.EIGHT)
    assert unseen.off_the_line(nine, eight)["missed"].abs().max() < 1e-6
    worse = eight.assign(test_loss=eight["test_loss"] + 0.5)
    assert unseen.off_the_line(nine, worse)["missed"].to_numpy() == pytest.approx(0.5)


def test_the_line_of_the_nine_waits_for_a_seed_of_all_seventeen():
    part = students(along(unseen.EIGHT), noise=0)
    assert list(unseen.line_table(part).index) == ["24 of 51 runs recorded"]
    table = unseen.line_table(students(along((*NINE, *unseen.EIGHT)), noise=0))
    assert list(table.index) == [augment.label(name) for name in unseen.predicted(unseen.ranked())]
    assert table["observed less that"].astype(float).abs().max() < 1e-3


def test_the_table_of_what_was_observed_has_places():
    table = unseen.judged(unseen.points(students(along(unseen.EIGHT, -1), noise=0), unseen.EIGHT))
    assert list(table["place by test loss"]) == list(range(8, 0, -1))


def test_the_chart_names_each_point_at_its_place():
    found = unseen.points(students(along(unseen.EIGHT)), unseen.EIGHT)
    (ax,) = unseen.chart(found).axes
    named = {text.get_text(): text.xy for text in ax.texts}
    expected = {augment.label(row.scheme): (row.t_stddev, row.test_loss) for row in found.itertuples()}
    assert named == expected
