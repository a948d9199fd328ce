"""Resampling and designs: against enumeration, simulation-free references and made-up data with a known answer."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.power import TTestIndPower

from kdutils import paper, stats
from kdutils.chapters import how_sure, how_sure_plots, how_sure_verdicts
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
    found = how_sure.permutation_test(frame, "teacher", draws=3000)
    assert found.mean_r == pytest.approx(observed)
    assert found.p == pytest.approx(exact, abs=0.02)
    assert how_sure.permutation_test(frame, "all").p == pytest.approx(exact)


def test_what_is_shared_widens_the_null() -> None:
    spread = [how_sure.permutation_test(paper.pairs(), s, draws=200).null_std for s in ("none", "teacher", "all")]
    assert spread[0] * 1.1 < spread[1] < spread[2] / 2
    with pytest.raises(UserError, match="none, teacher, all"):
        how_sure.permutation_test(paper.pairs(), "student")


def test_all_pairs_as_one_are_counted_exactly() -> None:
    published = how_sure.permutation_test(paper.pairs(), "all")
    assert (published.p * len(published.null), len(published.null)) == (pytest.approx(1), 362_880)
    rest = how_sure.permutation_test(how_sure.leave_out(paper.pairs()), "all")
    assert rest.p == pytest.approx(3 / 720)
    wide = [
        paper.pairs().pivot(index=["dataset", "pair"], columns="scheme", values=v) for v in ("t_stddev", "test_loss")
    ]
    assert published.p == stats.permutation_p(*wide, alternative="greater")
    drawn = how_sure.permutation_test(table({"a": list(range(10))}, {"a/s": list(range(10))}), "all", draws=99)
    assert (drawn.p, len(drawn.null)) == (0.01, 99), "ten schemes have too many arrangements"


def test_two_sided_is_twice_the_smaller_tail() -> None:
    wide = [
        how_sure.leave_out(paper.pairs()).pivot(index=["dataset", "pair"], columns="scheme", values=v)
        for v in ("t_stddev", "test_loss")
    ]
    for sign in (1, -1):
        frame = how_sure.leave_out(paper.pairs()).eval(f"test_loss = {sign} * test_loss")
        assert how_sure.permutation_test(frame, "all").two_sided == stats.permutation_p(wide[0], sign * wide[1])
    drawn = how_sure.permutation_test(table({"a": list(range(10))}, {"a/s": list(range(10))}), "all", draws=99)
    assert drawn.two_sided == 0.02
    assert how_sure.Permutation(-0.9, 1.0, np.linspace(-0.5, 0.5, 50)).two_sided == 2 / 50, "never zero"


@pytest.mark.parametrize("one_sided", [(0.0001, 0.03), (0.007, 0.0001)])
def test_the_words_take_two_sided_p_values(monkeypatch: pytest.MonkeyPatch, one_sided: tuple[float, float]) -> None:
    """The levels are 1 % and 5 %: one of each two is below its level, and doubled it is not."""
    assert "on the 6 schemes left 0.74 (p = 0.008)" in how_sure_verdicts.significance(paper.pairs())[1]
    p = iter(one_sided)
    real = how_sure.permutation_test
    monkeypatch.setattr(how_sure, "permutation_test", lambda *given: real(*given)._replace(p=next(p)))
    assert how_sure_verdicts.significance(paper.pairs())[0] == "cannot tell"


def test_very_significant_needs_all_three_parts() -> None:
    assert how_sure_verdicts.significance(paper.pairs())[0] == "holds"
    turned = paper.pairs().assign(test_loss=lambda frame: -frame["test_loss"])
    assert how_sure_verdicts.significance(turned)[0] != "holds"
    rng = np.random.default_rng(0)
    only_cutmix = paper.pairs().assign(
        test_loss=lambda f: (
            f["scheme"].isin(["cutmix", "cutmixpick_s", "cutmixpick_t"]) * -1.0 + rng.normal(0, 0.05, len(f))
        )
    )
    word, numbers = how_sure_verdicts.significance(only_cutmix)
    assert word == "cannot tell", "nothing is left without the family"
    assert "on the 6 schemes left" in numbers


def test_the_chapter_gives_its_claim_a_verdict_and_one_of_its_own() -> None:
    verdicts = how_sure_verdicts.verdicts(("cutmix", "cutmixpick_s", "cutmixpick_t"))
    assert [verdict.claim_ids for verdict in verdicts] == [("very-significant",), ()]
    assert verdicts[0].decided_by == "published"
    assert verdicts[1].holds == "cannot tell"


def test_the_null_is_drawn_with_what_was_observed() -> None:
    test = how_sure.permutation_test(how_sure.leave_out(paper.pairs()), "all")
    (ax,) = how_sure_plots.null_distributions({"six": {"as one": test}}).axes
    assert [line.get_xdata()[0] for line in ax.lines] == [test.mean_r]


def test_the_mixed_model_finds_a_common_slope_and_none_between_teachers() -> None:
    rng = np.random.default_rng(0)
    common = np.linspace(3, 5, 9)
    x = {f"t{i}": list(common + rng.normal(0, 0.1, 9)) for i in range(6)}
    y = {f"t{i}/s": list(0.5 * common + i + rng.normal(0, 0.02, 9)) for i in range(6)}
    frame = table(x, y)
    whole, between = how_sure.mixed_model(frame), how_sure.mixed_model(frame, centre_scheme=True)
    assert whole.low < 0.5 < whole.high
    assert whole.p < 1e-6
    assert between.low < 0 < between.high, "the loss follows the scheme, not the teacher's own T. stddev"


def test_designs_agree_with_known_values() -> None:
    assert how_sure.schemes_needed(0.3) == 85  # the textbook value for power 80 % at 5 %
    low, high = stats.fisher_interval(0.5, 28)
    assert (low, high) == pytest.approx((0.156, 0.736), abs=1e-3)
    n = how_sure.seeds_needed(1.0, 1.2)
    power = TTestIndPower().power(1 / 1.2, np.array([n - 1, n]), 0.05)
    assert power[0] < 0.8 <= power[1]


def test_neighbours_far_apart_are_resolved() -> None:
    frame = table({"a": [1, 2, 3, 4]}, {"a/s": [1.0, 2.0, 2.001, 3.0]}).assign(test_loss_std=0.01)
    found = how_sure.resolved(frame).iloc[0]
    assert (found["neighbours"], found["resolved"]) == (3, 2)
