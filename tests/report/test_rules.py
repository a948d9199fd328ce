"""The rules that give a claim its word: how often each is wrong under the null, and how often it finds an effect."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtr
from scipy.stats import binom, binomtest, norm, ttest_1samp

from kdutils import stats
from kdutils.report import rules

TRIALS = 800


def shares(word: Callable[[np.random.Generator], str], trials: int = TRIALS) -> Counter[str]:
    """How often each word comes out of `trials` simulated studies, as a share."""
    rng = np.random.default_rng(0)
    counts = Counter(word(rng) for _ in range(trials))
    return Counter({name: count / trials for name, count in counts.items()})


def study(rng: np.random.Generator, effect: float, seeds: int = 3) -> tuple[float, float]:
    """Mean and p-value of differences over seeds that are `effect` standard deviations in truth."""
    values = rng.normal(effect, 1, seeds)
    return values.mean(), p_of(values)


def p_of(values: np.ndarray) -> float:
    """Student's two-sided p-value of a mean of zero; scipy's own test takes a thousand times as long."""
    t = values.mean() / (values.std(ddof=1) / len(values) ** 0.5)
    return float(2 * stdtr(len(values) - 1, -abs(t)))


def test_the_quick_p_value_is_the_usual_one() -> None:
    values = np.array([0.1, 0.4, -0.1, 0.7])
    assert p_of(values) == pytest.approx(ttest_1samp(values, 0).pvalue)


def test_a_test_is_wrong_as_often_as_its_level_says_and_finds_what_is_large() -> None:
    null = shares(lambda rng: rules.from_test(*study(rng, 0)))
    assert null["holds"] == pytest.approx(0.025, abs=0.018)
    assert null["fails"] == pytest.approx(0.025, abs=0.018)
    assert shares(lambda rng: rules.from_test(*study(rng, 6)))["holds"] > 0.9
    assert shares(lambda rng: rules.from_test(*study(rng, -6)))["fails"] > 0.9


@pytest.mark.parametrize("p", [0.05, 0.0501, 0.8, float("nan")])
def test_a_p_value_of_five_per_cent_or_more_tells_nothing(p: float) -> None:
    assert rules.from_test(3.0, p) == "cannot tell"


def test_several_tests_are_wrong_together_no_more_often_than_one() -> None:
    def any_wrong(rng: np.random.Generator) -> str:
        words = rules.from_tests({str(i): study(rng, 0) for i in range(6)})
        return "right" if set(words.values()) == {"cannot tell"} else "wrong"

    assert shares(any_wrong)["wrong"] < 0.065
    uncorrected = shares(lambda rng: max(rules.from_test(*study(rng, 0)) for _ in range(6)))
    assert uncorrected["cannot tell"] < 0.9, "without the correction it would be wrong more often"
    strong = shares(lambda rng: rules.from_tests({"a": study(rng, 9), "b": study(rng, 0)})["a"], 500)
    assert strong["holds"] > 0.85


def test_the_order_of_claims_does_not_matter_to_the_correction() -> None:
    found = {"a": (1.0, 0.03), "b": (1.0, 0.02), "c": (-1.0, 0.001)}
    assert rules.from_tests(found) == {"a": "holds", "b": "holds", "c": "fails"} | {
        name: "cannot tell" for name in ("a", "b") if stats.holm([0.03, 0.02, 0.001])["abc".index(name)] >= 0.05
    }


def test_an_interval_is_wrong_as_often_as_it_misses() -> None:
    def word(rng: np.random.Generator, truth: float) -> str:
        values = rng.normal(truth, 1, 5)
        return rules.from_interval(*stats.t_interval(values.mean(), values.std(ddof=1), 5), bound=2.0)

    null = shares(lambda rng: word(rng, 2.0))
    assert null["holds"] == pytest.approx(0.025, abs=0.018)
    assert null["fails"] == pytest.approx(0.025, abs=0.018)
    assert shares(lambda rng: word(rng, 5.0))["holds"] > 0.95


def test_a_correlation_of_nine_schemes_has_its_level_and_its_power() -> None:
    def word(rng: np.random.Generator, r: float, method: str) -> str:
        x, noise = rng.normal(size=(2, 9))
        y = r * x + (1 - r * r) ** 0.5 * noise
        return rules.from_correlation(stats.correlation(x, y, method, interval="none"))

    for method in ("pearson", "spearman"):
        null = shares(lambda rng, method=method: word(rng, 0, method), 600)
        assert null["holds"] < 0.035
        assert null["fails"] < 0.035
        assert shares(lambda rng, method=method: word(rng, 0.95, method), 400)["holds"] > 0.9


@pytest.mark.parametrize("total", [7, 18])
def test_a_count_is_wrong_no_more_often_than_its_level_says(total: int) -> None:
    words = [rules.from_count(count, total) for count in range(total + 1)]
    chance = binom.pmf(range(total + 1), total, 0.5)
    assert chance[[word == "holds" for word in words]].sum() <= 0.025
    assert chance[[word == "fails" for word in words]].sum() <= 0.025
    likely = binom.pmf(range(total + 1), total, 0.97)
    assert likely[[word == "holds" for word in words]].sum() > 0.75


def test_a_count_has_the_exact_interval_and_agrees_with_the_sign_test() -> None:
    for count, total in ((0, 5), (5, 5), (15, 18), (12, 18)):
        exact = binomtest(count, total).proportion_ci(0.95, "exact")
        assert rules.count_interval(count, total) == pytest.approx((exact.low, exact.high))
        signs = stats.sign_test([1] * count + [-1] * (total - count))
        assert (rules.from_count(count, total) == "cannot tell") == (signs.p >= 0.05)
    assert rules.from_count(11, 648, 0.05) == "fails", "far fewer than one in twenty"


def test_a_claim_about_all_cases_holds_partly_for_most() -> None:
    assert [rules.all_or_some(n, 9) for n in (9, 8, 5, 4, 0)] == ["holds", "partly", "partly", "fails", "fails"]
    assert rules.all_or_some(4, 8) == "fails", "half is not most"
    chance = binom.pmf(range(10), 9, 0.025)  # each case a test with one wrong yes in forty
    words = np.array([rules.all_or_some(n, 9) for n in range(10)])
    assert chance[words != "fails"].sum() < 1e-5
    power = binom.pmf(range(10), 9, 0.95)
    assert power[words != "fails"].sum() > 0.999
    assert power[words == "holds"].sum() > 0.6
    coins = binom.pmf(range(10), 9, 0.5)  # why it is no rule for mere signs
    assert coins[words != "fails"].sum() == pytest.approx(0.5)


def test_parts_of_a_claim() -> None:
    assert rules.all_parts(["holds", "holds"]) == "holds"
    assert rules.all_parts(["holds", "fails", "cannot tell"]) == "partly"
    assert rules.all_parts(["holds", "cannot tell"]) == "cannot tell"
    assert rules.all_parts(["fails"]) == "fails"
    null = shares(lambda rng: rules.all_parts([rules.from_test(*study(rng, 0)), rules.from_test(*study(rng, 9))]))
    assert null["holds"] < 0.04, "one true part does not make a claim of two parts hold"


def test_a_printed_count_needs_more_than_chance_behind_it() -> None:
    assert rules.as_told(6, 7, 1.0, 0.001) == "fails"
    assert rules.as_told(6, 6, 0.15, 0.06) == "cannot tell"
    assert rules.as_told(6, 6, 0.15, 0.01) == "holds"

    def word(rng: np.random.Generator, effect: float) -> str:
        gains = rng.normal(effect, 1, 7)
        return rules.as_told(int((gains > 0).sum()), 7, gains.mean(), p_of(gains))

    assert shares(lambda rng: word(rng, 0))["holds"] <= norm.cdf(0) ** 7 + 0.01
    assert shares(lambda rng: word(rng, 3))["holds"] > 0.9


def losses(rng: np.random.Generator, means: list[float], seeds: int = 3) -> pd.DataFrame:
    return pd.DataFrame(rng.normal(means, 1, (seeds, len(means))), columns=list("abcdefg"[: len(means)]))


def test_the_best_of_several_is_seldom_named_by_chance_and_found_if_it_stands_out() -> None:
    null = shares(lambda rng: rules.from_extreme(losses(rng, [0.0] * 4), "a", best=True), 600)
    assert null["holds"] < 0.03
    assert null["fails"] < 0.06
    ahead = shares(lambda rng: rules.from_extreme(losses(rng, [-15.0, 0, 0, 0]), "a", best=True), 300)
    assert ahead["holds"] > 0.8
    beaten = shares(lambda rng: rules.from_extreme(losses(rng, [0.0, -25, 0, 0]), "a", best=True), 300)
    assert beaten["fails"] > 0.8
    tied = shares(lambda rng: rules.from_extreme(losses(rng, [-15.0, -15, 0, 0]), "a", best=True), 300)
    assert tied["holds"] < 0.05, "ahead of most is not ahead of all"


def test_the_worst_is_the_best_of_the_negatives() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        table = losses(rng, [12.0, 0, 0])
        assert rules.from_extreme(table, "a", best=False) == rules.from_extreme(-table, "a", best=True)
