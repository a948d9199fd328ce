"""Exchange rates of made-up students whose rate is known, at the ends of the curve and beyond, with cells missing."""

import itertools
import tomllib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdutils._files import ROOT
from kdutils.chapters import worth_in_images
from kdutils.chapters.worth_in_images import BASE, SCHEMES, SIZES
from kdutils.errors import UserError

FLAT = dict.fromkeys(SCHEMES, 1.0)


def students(rate=FLAT, slope=0.0, noise=0.02, seeds=3, seed=0, sizes=SIZES):
    """Made-up students: a scheme is worth `rate` times 50 images, 2^slope times that for each doubling of them."""
    draws = np.random.default_rng(seed)
    rows = []
    for scheme, size, k in itertools.product((BASE, *SCHEMES), sizes, range(seeds)):
        worth = 1.0 if scheme == BASE else rate[scheme] * (size / 50) ** slope
        rows.append((scheme, size, k, 6 - 0.5 * np.log2(size * worth) + draws.normal(0, noise), 30.0))
    return pd.DataFrame(rows, columns=worth_in_images.COLUMNS)


def row(runs, scheme, size):
    found = worth_in_images.rates(worth_in_images.worth(runs)).set_index(["scheme", "images_per_class"])
    return found.loc[scheme, size]


losses = st.lists(st.floats(0.1, 10), min_size=2, max_size=5, unique=True).map(lambda x: sorted(x, reverse=True))


@given(losses)
def test_identity_is_worth_its_own_images(curve):
    rates = worth_in_images.log_rates(np.array([curve]), np.array(SIZES[: len(curve)], float))
    assert rates == pytest.approx(np.zeros((1, len(curve))))


def test_known_rates_are_found():
    runs = students(dict(zip(SCHEMES, (1.5, 0.8, 2.0), strict=True)), noise=0)
    found = worth_in_images.worth(runs)
    for scheme, rate in zip(SCHEMES, (1.5, 0.8, 2.0), strict=True):
        assert 2 ** found.observed.loc[scheme, 50] == pytest.approx(rate)
        assert 2 ** row(runs, scheme, 20)[["log_rate", "low", "high"]].to_numpy(float) == pytest.approx([rate] * 3)


def test_the_curve_is_monotone_and_where_it_is_level_the_fewest_images_count():
    sizes = np.array([10.0, 20, 50, 100])
    rates = worth_in_images.log_rates(np.array([[4.0, 3.0, 3.2, 2.0], [3.1, 3.1, 3.1, 3.1]]), sizes)
    assert 2 ** rates[1] * sizes == pytest.approx([20.0] * 4)


def test_beyond_the_ends_there_is_no_number():
    runs = students({"randaugment": 8.0, "cutmix": 0.1, "cutmixpick_t": 1.0}, noise=0)
    found = worth_in_images.worth(runs)
    assert np.isposinf(row(runs, "randaugment", 50)["log_rate"])
    assert np.isneginf(row(runs, "cutmix", 50)["log_rate"])
    table = worth_in_images.rates_table(found)
    assert table.loc["RandAugment", "50 images"] == "more than 4.00"
    assert table.loc["CutMix", "50 images"] == "less than 0.20"
    assert table.loc["RandAugment", "slope"] == "–"


def test_an_interval_may_end_beyond():
    runs = students(dict(FLAT, cutmix=3.8), noise=0.08, seed=1)
    found = row(runs, "cutmix", 50)
    assert np.isfinite(found["low"])
    assert np.isposinf(found["high"])
    assert worth_in_images.rates_table(worth_in_images.worth(runs)).loc["CutMix", "50 images"].endswith("than 4.00)")


def test_slopes_are_those_of_the_rate_over_the_sizes_within_reach():
    runs = students(dict(FLAT, cutmix=1.5), slope=-0.3, noise=0.001)
    found = worth_in_images.slopes(worth_in_images.worth(runs))
    assert found["slope"].tolist() == pytest.approx([-0.3] * 3, abs=0.01)
    assert (found["low"] < found["slope"]).all()
    assert (found["slope"] < found["high"]).all()


def test_a_constant_rate_that_runs_out_of_the_curve_does_not_seem_to_fall():
    """The rate is 3 everywhere, which the curve reaches for 10, 20 and 50 images."""
    found = worth_in_images.slopes(worth_in_images.worth(students(dict.fromkeys(SCHEMES, 3.0), noise=0.001)))
    assert found["slope"].tolist() == pytest.approx([0.0] * 3, abs=0.01)


def test_a_size_that_some_draws_do_not_reach_is_left_out_of_the_slope():
    """The rate falls to just below 1 at 200 images, where the curve ends."""
    runs = students(dict.fromkeys(SCHEMES, 1.3), slope=-0.2, noise=0.02)
    found = worth_in_images.worth(runs)
    beyond = np.isposinf(found.drawn[:, :, -1]).any(axis=0)
    assert (beyond & np.isfinite(found.observed[200])).any()
    fewer = found._replace(observed=found.observed.drop(columns=200), drawn=found.drawn[:, :, :-1])
    slopes, without = worth_in_images.slopes(found), worth_in_images.slopes(fewer)
    assert (slopes == without).all(axis=1).tolist() == beyond.tolist()


def test_bootstraps_draw_the_seeds_of_each_cell():
    runs = students(noise=0.1)
    means = runs.pivot_table(index="scheme", columns="images_per_class", values="test_loss")
    drawn = worth_in_images.resampled(runs, means)
    assert drawn.shape == (10_000, 4, 5)
    assert drawn.mean(axis=0) == pytest.approx(means.to_numpy(), abs=0.005)
    spread = runs.groupby(["scheme", "images_per_class"])["test_loss"].std(ddof=0).unstack() / np.sqrt(3)
    assert drawn.std(axis=0) == pytest.approx(spread.to_numpy(), rel=0.05)


def test_a_missing_cell_has_no_rate_and_the_others_keep_theirs():
    runs = students(dict(FLAT, cutmix=1.5), noise=0)
    begun = runs[(runs["scheme"] != "cutmix") | (runs["images_per_class"] != 20)]
    begun = begun[(begun["scheme"] != BASE) | (begun["images_per_class"] != 100)]
    found = worth_in_images.worth(begun)
    assert np.isnan(found.observed.loc["cutmix", 20])
    assert 2 ** found.observed.loc["cutmix", 50] == pytest.approx(1.5)
    table = worth_in_images.rates_table(found)
    assert table.loc["CutMix", "20 images"] == "–"
    assert list(table.index) == ["RandAugment", "CutMix", "CutMixPick (T. ent.)"]


def test_without_two_sizes_of_identity_there_is_no_curve():
    runs = students()
    assert worth_in_images.worth(runs[runs["images_per_class"] == 50]) is None
    assert worth_in_images.worth(runs[runs["scheme"] != BASE]) is None
    assert worth_in_images.worth(runs.iloc[:0]) is None


def test_one_seed_has_rates_and_no_interval():
    runs = students(dict(FLAT, cutmix=1.5), slope=-0.3, seeds=1, noise=0)
    found = row(runs, "cutmix", 50)
    assert 2 ** found["log_rate"] == pytest.approx(1.5)
    assert np.isnan(found["low"])
    table = worth_in_images.rates_table(worth_in_images.worth(runs))
    assert table.loc["CutMix", ["50 images", "slope"]].tolist() == ["1.50", "-0.30"]


def test_the_campaign_and_the_demonstration_are_at_equal_steps():
    with (ROOT / "book" / "campaigns" / "after_images.toml").open("rb") as file:
        campaign = tomllib.load(file)
    grids = campaign["grid"]
    assert {grid["images_per_class"]: grid["epochs"] for grid in grids} == worth_in_images.at_equal_steps(SIZES, 100)
    assert set(campaign["scheme"]) == {BASE, *SCHEMES}
    assert worth_in_images.at_equal_steps([1000, 3], 10) == {3: 10, 1000: 1}


@pytest.mark.parametrize("sizes", [[], [4], [4, 4], [0, 4]])
def test_fewer_than_two_sizes_are_refused(sizes):
    with pytest.raises(UserError, match="two numbers of images per class or more"):
        worth_in_images.at_equal_steps(sizes, 10)


def test_the_emptiest_cell_is_counted():
    runs = students()
    assert worth_in_images.fewest_seeds(runs) == 3
    assert worth_in_images.fewest_seeds(runs.drop(index=runs.index[4])) == 2
    assert worth_in_images.fewest_seeds(runs[runs["images_per_class"] != 10]) == 0
    assert worth_in_images.fewest_seeds(runs.iloc[:0]) == 0


def test_students_of_two_recordings_count_once(monkeypatch):
    monkeypatch.setattr(worth_in_images, "STUDY", "after_pick")  # which has some of the shared students as well
    runs = worth_in_images.students()
    assert runs.value_counts(["scheme", "images_per_class"]).to_dict() == dict.fromkeys(
        [(scheme, 50) for scheme in (BASE, *SCHEMES)], 3
    )


def test_nothing_recorded_is_no_student(monkeypatch):
    monkeypatch.setattr(worth_in_images, "STUDY", "none")
    monkeypatch.setattr(worth_in_images, "SHARED", "none")
    assert worth_in_images.students().empty
    assert worth_in_images.worth(worth_in_images.students()) is None


def test_two_sizes_have_no_column_of_slopes():
    assert list(worth_in_images.rates_table(worth_in_images.worth(students(sizes=(4, 16))))) == [
        "4 images",
        "16 images",
    ]


def test_losses_stand_with_their_spread_and_the_number_of_seeds():
    runs = students().query("scheme == 'cutmix' and images_per_class == 20")
    runs = runs.assign(test_loss=[3.0, 3.1, 3.2])
    assert worth_in_images.losses_table(runs).loc["CutMix", "20 images"] == "3.10 ± 0.10 (3)"


def test_the_chart_has_identitys_curve_and_marks_what_is_beyond():
    runs = students({"randaugment": 8.0, "cutmix": 0.1, "cutmixpick_t": 1.2}, noise=0)
    above, below = worth_in_images.chart(runs, worth_in_images.worth(runs)).axes
    assert above.lines[0].get_xdata().tolist() == list(SIZES)
    beyond = [line.get_marker() for line in below.lines if line.get_mfc() == "none" and len(line.get_ydata())]
    assert set(beyond) == {"^", "v"}
