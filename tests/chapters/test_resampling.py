"""Resampling and designs: against enumeration, simulation-free references and made-up data with a known answer."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.power import TTestIndPower

from kdutils import paper
from kdutils.chapters import resampling
from kdutils.errors import UserError


def table(x: dict[str, list], y: dict[str, list]) -> pd.DataFrame:
    """A frame like `paper.pairs()`: teacher -> x of its schemes, "teacher/student" -> losses."""
    rows = [
        {"dataset": "d", "teacher": pair.split("/")[0], "pair": pair, "scheme": f"s{i}", "t_stddev": a, "test_loss": b}
        for pair, losses in y.items()
        for i, (a, b) in enumerate(zip(x[pair.split("/")[0]], losses, strict=True))
    ]
    return pd.DataFrame(rows)


def test_the_permutation_p_is_that_of_all_permutations_of_one_teacher() -> None:
    x, losses = [1.0, 2, 3, 5], {"a/s": [2.0, 1, 4, 5], "a/t": [1.0, 3, 2, 9]}
    frame = table({"a": x}, losses)

    def mean_r(order: tuple) -> float:
        return np.mean([np.corrcoef(np.array(x)[list(order)], y)[0, 1] for y in losses.values()])

    observed = mean_r((0, 1, 2, 3))
    exact = np.mean([mean_r(order) >= observed - 1e-9 for order in permutations(range(4))])
    found = resampling.permutation_test(frame, "teacher", draws=3000)
    assert found.mean_r == pytest.approx(observed)
    assert found.p == pytest.approx(exact, abs=0.02)


def test_what_is_shared_widens_the_null() -> None:
    spread = [resampling.permutation_test(paper.pairs(), s, draws=200).null_std for s in ("none", "teacher", "all")]
    assert spread[0] * 1.1 < spread[1] < spread[2] / 2
    with pytest.raises(UserError, match="none, teacher, all"):
        resampling.permutation_test(paper.pairs(), "student")


def test_the_mixed_model_finds_a_common_slope_and_none_between_teachers() -> None:
    rng = np.random.default_rng(0)
    common = np.linspace(3, 5, 9)
    x = {f"t{i}": list(common + rng.normal(0, 0.1, 9)) for i in range(6)}
    y = {f"t{i}/s": list(0.5 * common + i + rng.normal(0, 0.02, 9)) for i in range(6)}
    frame = table(x, y)
    whole, between = resampling.mixed_model(frame), resampling.mixed_model(frame, centre_scheme=True)
    assert whole.low < 0.5 < whole.high
    assert whole.p < 1e-6
    assert between.low < 0 < between.high, "the loss follows the scheme, not the teacher's own T. stddev"


def test_designs_agree_with_known_values() -> None:
    assert resampling.schemes_needed(0.3) == 85  # the textbook value for power 80 % at 5 %
    low, high = resampling.fisher_interval(0.5, 28)
    assert (low, high) == pytest.approx((0.156, 0.736), abs=1e-3)
    n = resampling.seeds_needed(1.0, 1.2)
    power = TTestIndPower().power(1 / 1.2, np.array([n - 1, n]), 0.05)
    assert power[0] < 0.8 <= power[1]


def test_neighbours_far_apart_are_resolved() -> None:
    frame = table({"a": [1, 2, 3, 4]}, {"a/s": [1.0, 2.0, 2.001, 3.0]}).assign(test_loss_std=0.01)
    found = resampling.resolved(frame).iloc[0]
    assert (found["neighbours"], found["resolved"]) == (3, 2)
