"""The stopping rule: errors fall as the root of the steps, and the words follow from the numbers."""

import math

import pytest
import torch

from kdutils.augment import SCHEMES
from kdutils.metrics import Ranking, comparison
from kdutils.metrics.ranking import Row


@pytest.fixture
def ranking() -> Ranking:
    """Two schemes with the same windows but for a little noise, and one with twice the spread."""
    rng = torch.Generator().manual_seed(0)
    base = torch.rand(60, 4, generator=rng)
    windows = {"cutmix": base, "mixup": base + 0.02 * torch.rand(60, 4, generator=rng), "identity": 2 * base}
    found = Ranking({name: Row(SCHEMES[name]) for name in windows}, 640)
    for name, u in windows.items():
        for vector in u:
            found.rows[name].u.add(vector)
    return found


def test_every_two_schemes_are_compared_with_the_error_of_their_difference(ranking: Ranking) -> None:
    table = comparison.told_apart(ranking)
    assert len(table) == 3
    assert (table["difference"] >= 0).all()
    far = table[table["worse"] == "identity"]
    assert far["apart"].all()
    assert (far["p_holm"] < 0.01).all()
    assert (far["more_steps"] == 0).all()
    row = far.iloc[0]
    assert (row["difference"], row["se"]) == pytest.approx(ranking.difference("identity", row["better"]))


def test_steps_grow_with_the_square_of_what_is_missing() -> None:
    assert comparison.more(2.0, 1.0, steps=100, margin=1.96) == 0
    assert comparison.more(0.98, 1.0, 100, margin=1.96, power=0.5) == 300, "half the margin takes four times the steps"
    assert comparison.more(0.98, 1.0, 100, margin=1.96) == pytest.approx(
        100 * ((1.96 + 0.8416) / 0.98) ** 2 - 100, abs=1
    )
    assert comparison.more(0.1, 1.0, steps=100, margin=1.96) == math.inf
    assert comparison.more(0.0, 1.0, steps=100, margin=1.96) == math.inf


def simulated(windows: int, scale: float, rng: torch.Generator) -> Ranking:
    """Two schemes that share x; the windows of the second have `scale` times the spread of the first."""
    found = Ranking({name: Row(SCHEMES[name]) for name in ("cutmix", "mixup")}, 640)
    x, first, second = torch.randn(3, windows, 10, generator=rng, dtype=torch.float64)
    for name, u in (("cutmix", (x + first) / 2), ("mixup", scale * (x + second) / 2)):
        for vector in u:
            found.rows[name].u.add(vector)
    return found


def share_apart(windows: int, scale: float, repetitions: int) -> float:
    rng = torch.Generator().manual_seed(windows)
    return sum(
        comparison.told_apart(simulated(windows, scale, rng))["apart"].item() for _ in range(repetitions)
    ) / repetitions  # fmt: skip


@pytest.fixture
def one_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holm's correction of a single p-value is that p-value; statsmodels' takes a quarter of a second for it."""
    monkeypatch.setattr(comparison, "holm", lambda p: p)


@pytest.mark.usefixtures("one_comparison")
@pytest.mark.parametrize("windows", [3, 5])
def test_equal_schemes_are_told_apart_no_oftener_than_the_confidence_allows(windows: int) -> None:
    """The normal's quantile would tell apart 19 % of those with three windows, and 12 % of those with five."""
    assert share_apart(windows, 1.0, 300) < 0.05 + 2 * (0.05 * 0.95 / 300) ** 0.5


@pytest.mark.usefixtures("one_comparison")
def test_after_the_steps_it_names_four_of_five_differences_are_told_apart() -> None:
    rng = torch.Generator().manual_seed(0)
    first = [comparison.told_apart(simulated(20, 1.08, rng)).iloc[0] for _ in range(100)]
    # the true difference: windows have standard deviation root one half, and twenty of them are few enough to miss it
    true, se = 0.08 / 2**0.5, sum(row["se"] for row in first) / 100
    promised = 20 + comparison.more(true, se, 20, sum(row["margin"] for row in first) / 100)
    assert 40 < promised < 200
    assert 0.7 < share_apart(int(promised), 1.08, 100) < 0.9  # 2.5 standard errors; one half without the chance's part


def test_the_words_say_what_to_do(ranking: Ranking) -> None:
    table = comparison.neighbours(comparison.told_apart(ranking))
    assert list(table["worse"])[-1] == "identity"
    table = table.assign(apart=[False, True], more_steps=[1200, 0])
    first, second = comparison.in_words(table).splitlines()
    assert "cannot be told apart at this cost; about 1,200 more steps would" in first
    assert "is better than Identity" in second
    hopeless = table.assign(apart=False, more_steps=math.inf)
    assert "treat them as equal" in comparison.in_words(hopeless)
