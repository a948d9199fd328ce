"""Chapter 15: its words follow the runs that they are given, its picture and tables show them."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import ErrorbarContainer

from kdutils import augment, report
from kdutils.chapters import assumption
from tests.chapters.test_prose import text_of


def run(slope: dict[str, int], biased: int = 0) -> pd.DataFrame:
    """A `risk.compare` frame: predictor -> whether its variance rises (1) or falls (-1) with T. stddev."""
    rows = [
        {
            "predictor": predictor,
            "scheme": scheme,
            "t_stddev": 1e-3 * (9 - place),
            "variance": 10.0 - sign * place,
            "gap": 11.0 + place,
            "variance_ratio": (10.0 - sign * place) / 10,
            "variance_ratio_se": 0.1,
            "bias": 0.5 if 0 < place <= biased else 0.01,
            "bias_se": 0.1,
            "squared_bias": 0.25 if 0 < place <= biased else 0.0,
            "true_risk": 1.0,
        }
        for predictor, sign in slope.items()
        for place, scheme in enumerate(augment.NINE)
    ]
    return pd.DataFrame(rows)


OURS = {"by": "photographs"}


@pytest.mark.parametrize(("biased", "word"), [(0, "holds"), (3, "partly"), (4, "fails"), (8, "fails")])
def test_one_distribution_goes_by_the_number_of_biased_schemes(biased: int, word: str) -> None:
    found = assumption.unbiased({"": run({"epoch 0": 1, "converged": 1}, biased)}, **OURS)
    assert (found.says, found.numbers.split(",")[0]) == (word, f"{biased} of 8 schemes biased")


def test_the_variance_follows_t_stddev_fails_to_or_cannot_be_told() -> None:
    rises, falls = run({"teacher": 1}), run({"teacher": -1})
    assert assumption.follows({"": rises}, "teacher", **OURS).says == "holds"
    assert assumption.follows({"": falls}, "teacher", **OURS).says == "fails"
    assert assumption.follows({"one": rises, "other": falls}, "teacher", **OURS).says == "partly"
    noise = rises.assign(variance=[5.0, 1, 7, 2, 9, 3, 8, 4, 6])
    assert assumption.follows({"": noise}, "teacher", **OURS).says == "cannot tell"
    assert assumption.follows({"one": rises, "other": noise}, "teacher", **OURS).says == "cannot tell"


def test_the_most_trained_student_is_the_last_one() -> None:
    frame = run({"blind": 1, "epoch 0": 1, "converged": 1, "teacher": 1})
    assert set(assumption.most_trained(frame)["predictor"]) == {"converged"}
    assert set(assumption.most_trained(frame[frame["predictor"] != "converged"])["predictor"]) == {"epoch 0"}
    assert assumption.in_words(frame).startswith("With the converged student, CutMix multiplies the variance by 0.40")


def test_photographs_decide_and_this_run_only_demonstrates() -> None:
    live = run({"blind": 1, "epoch 0": 1, "teacher": 1})
    same, teacher, blind = assumption.verdicts(live, "digits", "quick")
    assert (same.claim_ids, same.holds, same.decided_by) == (("same-distribution",), "fails", "photographs")
    assert (teacher.holds, teacher.decided_by, teacher.size) == ("fails", "photographs", "laptop")
    assert (blind.holds, blind.decided_by) == ("holds", "photographs"), "the theorem is about an average"
    assert teacher.found("digits")[0].says == "holds", "and turns nothing"


def test_every_panel_shows_a_point_per_scheme_and_its_correlation() -> None:
    frame = run({"blind": 1, "teacher": -1})
    left, right = assumption.against_t_stddev(frame, ["blind", "teacher"]).axes
    for ax, sign, rho in ((left, 1, "1.00"), (right, -1, "-1.00")):
        drawn = [each.lines[0].get_xydata()[0] for each in ax.containers if isinstance(each, ErrorbarContainer)]
        assert np.array(drawn) == pytest.approx(np.array([(9 - i, (10 - sign * i) / 10) for i in range(9)]))
        assert f"ρ = {rho} (p < 0.001)" in ax.get_title()


def test_the_table_has_a_column_for_each_part_and_run() -> None:
    table = assumption.agreements({"train": run({"blind": 1}), "test": run({"blind": -1})})
    assert table.loc["blind"].to_dict() == {
        "variance, train": "1.00 (p < 0.001)",
        "squared gap, train": "-1.00 (p < 0.001)",
        "variance, test": "-1.00 (p < 0.001)",
        "squared gap, test": "-1.00 (p < 0.001)",
    }


def test_the_chapter_says_what_the_recorded_runs_show() -> None:
    train, test = (report.recorded(name) for name in assumption.RUNS.values())
    variance, gap = ([assumption.agreement(run, part) for run in (train, test)] for part in ("variance", "gap"))
    text, trained = text_of(assumption.CHAPTER), ["converged", "teacher"]
    assert "The blind predictor's variance follows T. stddev. For the teacher the sign has turned, beyond" in text
    assert variance[0].loc["blind", "r"] > 0 > variance[0].loc[trained, "r"].max()
    assert variance[0].loc[["blind", "teacher"], "p"].max() < 0.05
    assert "for the converged student it has turned too, though chance could do that." in text
    assert variance[0].loc["converged", "p"] > 0.05
    assert "The gap turns sooner than the variance" in text
    assert (variance[0]["r"].gt(0) & gap[0]["r"].lt(0)).any()
    assert "the variances differ by smaller factors." in text
    largest = [assumption.most_trained(run)["variance_ratio"].max() for run in (train, test)]
    assert largest[1] < largest[0]
    assert "the variance keeps its sign for every predictor, and the gap of the converged student and of the" in text
    assert (variance[0]["r"] * variance[1]["r"]).min() > 0
    assert gap[1].loc[trained, "r"].max() < 0
    assert "there the gap is largest under the schemes of the lowest T. stddev" in text
    for run in (train, test):
        for predictor in trained:
            rows = run[run["predictor"] == predictor].set_index("scheme")
            assert set(rows["gap"].nlargest(2).index) == set(rows["t_stddev"].nsmallest(2).index)
