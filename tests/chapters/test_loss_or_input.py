"""The two-way table against sums of squares by hand, simulated interactions, and studies that are not all there."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f as f_distribution

from kdutils.chapters import loss_or_input
from kdutils.chapters.loss_or_input import METHODS, SCHEMES


def students(by_loss=0.0, by_input=0.0, together=0.0, seeds=3, noise=0.1, seed=0):
    """Made-up accuracies: steps of this size from loss to loss and from input to input, and what both gain together."""
    draws = np.random.default_rng(seed)
    rows = [
        (method, scheme, s, 20 + by_loss * i + by_input * j + together * i * j + s + draws.normal(0, noise))
        for i, method in enumerate(METHODS)
        for j, scheme in enumerate(SCHEMES)
        for s in range(seeds)
    ]
    return pd.DataFrame(rows, columns=["method", "scheme", "seed", "test_accuracy"])


def by_hand(runs):
    """Sums of squares of a balanced design with blocks, from means alone."""
    grand = runs["test_accuracy"].mean()

    def squares(*by):
        return ((runs.groupby(list(by))["test_accuracy"].transform("mean") - grand) ** 2).sum()

    total = ((runs["test_accuracy"] - grand) ** 2).sum()
    loss, inputs, cells, seed = squares("method"), squares("scheme"), squares("method", "scheme"), squares("seed")
    return {
        "loss": loss,
        "input": inputs,
        "both together": cells - loss - inputs,
        "seed": seed,
        "residual": total - cells - seed,
    }


def test_the_analysis_of_variance_is_the_sums_of_squares_by_hand():
    runs = students(0.3, 0.2, 0.05)
    found, expected = loss_or_input.variance(runs), by_hand(runs)
    assert found["sum_sq"].to_dict() == pytest.approx(expected, rel=1e-8)
    assert found["df"].to_dict() == {"loss": 5, "input": 3, "both together": 15, "seed": 2, "residual": 46}
    noise = expected["residual"] / 46
    for term in ("loss", "input", "both together", "seed"):
        df = found.loc[term, "df"]
        f = expected[term] / df / noise
        assert found.loc[term, "p"] == pytest.approx(f_distribution.sf(f, df, 46), rel=1e-6, abs=1e-300)
        share = (expected[term] - df * noise) / (sum(expected.values()) + noise)
        assert found.loc[term, "omega_sq"] == pytest.approx(max(0, share), rel=1e-6)


def test_an_interaction_is_found_and_none_is_not_invented():
    p = [loss_or_input.permuted_p(students(0.3, 0.2, seed=n), 400) for n in range(60)]
    assert 0.2 < np.mean(np.array(p) < 0.3) < 0.45  # about 0.3 of them by chance
    with_one = students(0.3, 0.2, 0.05)
    assert loss_or_input.permuted_p(with_one, 400) == pytest.approx(1 / 401)
    assert loss_or_input.variance(with_one).loc["both together", "p"] < 0.01


def test_the_permutations_agree_with_f_where_f_is_right():
    exact, shuffled = [], []
    for n in range(12):
        runs = students(0.3, 0.2, 0.004, seed=n)
        exact.append(loss_or_input.variance(runs).loc["both together", "p"])
        shuffled.append(loss_or_input.permuted_p(runs, 2000))
    assert np.corrcoef(exact, shuffled)[0, 1] > 0.9
    assert np.abs(np.array(exact) - shuffled).max() < 0.06


def test_the_input_comes_first_if_its_mean_square_is_larger_in_every_draw_of_seeds():
    excess, share = loss_or_input.input_first(students(by_loss=0.05, by_input=1.0))
    found = loss_or_input.variance(students(by_loss=0.05, by_input=1.0))["mean_sq"]
    assert (excess, share) == (pytest.approx(found["input"] - found["loss"]), 1.0)
    assert loss_or_input.input_first(students(by_loss=1.0, by_input=0.05))[1] == 0


def test_the_losses_are_drawn_together_by_what_their_range_shrinks():
    runs = students(by_loss=0.4, noise=0)
    picked = runs["scheme"] == "cutmixpick_t"
    runs.loc[picked, "test_accuracy"] -= 0.3 * runs.loc[picked, "method"].map(METHODS.index)
    assert loss_or_input.drawn_together(runs).to_numpy() == pytest.approx(np.full(3, 0.3 * 5))


def test_only_seeds_with_every_cell_are_analysed():
    runs = students()
    part = runs[~((runs["method"] == "dkd") & (runs["scheme"] == "cutmix") & (runs["seed"] == 2))]
    assert sorted(loss_or_input.whole(part)["seed"].unique()) == [0, 1]
    assert loss_or_input.whole(runs.iloc[:0]).empty
    assert loss_or_input.whole(runs[runs["method"] == "kd"]).empty


def test_the_table_has_means_at_its_margins():
    runs = students(0.3, 0.2)
    shown = loss_or_input.table(runs)
    assert list(shown.columns) == ["x alone", "RandAugment", "CutMix", "CutMixPick (T. ent.)", "mean"]
    assert list(shown.index) == ["KD", "CRD", "LSKD", "DKD", "DIST", "MLKD", "mean"]
    assert float(shown.loc["mean", "mean"]) == pytest.approx(runs["test_accuracy"].mean(), abs=0.006)
    cell = runs.query("method == 'dist' and scheme == 'cutmix'")["test_accuracy"].mean()
    assert float(shown.loc["DIST", "CutMix"]) == pytest.approx(cell, abs=0.006)


def test_a_margin_is_the_mean_of_all_its_cells_or_a_dash():
    runs = students(0.3, 0.2)
    more = runs.assign(seed=runs["seed"] + 3).query("method == 'kd'")  # twice the students of one loss
    shown = loss_or_input.table(pd.concat([runs, more]))
    assert shown.equals(loss_or_input.table(runs))
    part = loss_or_input.table(runs.query("not (method == 'mlkd' and scheme == 'cutmix')"))
    assert part.loc["MLKD", ["CutMix", "mean"]].tolist() == ["–", "–"]
    assert part.loc["mean", ["CutMix", "mean"]].tolist() == ["–", "–"]
    assert part.drop("MLKD").iloc[:-1].equals(shown.drop("MLKD").iloc[:-1])
