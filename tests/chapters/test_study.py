"""The join of rankings and students, against numbers worked out by hand, and the published correlations."""

import pandas as pd
import pytest
from scipy.stats import pearsonr, spearmanr, ttest_1samp
from statsmodels.stats.multitest import multipletests

from kdutils import paper
from kdutils.chapters import study


@pytest.fixture
def ranked() -> pd.DataFrame:
    return pd.DataFrame(
        {"scheme": ["identity", "cutmix", "cutmixpick_s"], "t_stddev": [5e-3, 4e-3, None], "t_stddev_se": [1e-4] * 3}
    )


def test_points_hold_means_spreads_and_counts(ranked: pd.DataFrame) -> None:
    students = pd.DataFrame(
        {
            "scheme": ["cutmix", "cutmix", "identity", "identity", "cutmixpick_s", "identity"],
            "test_loss": [1.0, 3.0, 2.0, 4.0, 9.0, None],
            "test_accuracy": [70.0, 72.0, 60.0, 64.0, 1.0, None],
        }
    )
    points = study.beside_students(ranked, students).set_index("scheme")
    assert list(points.index) == ["identity", "cutmix"], "a scheme without T. stddev is no point"
    assert points["n"].tolist() == [2, 2], "a run without a result does not count"
    assert points["test_loss"].tolist() == [3.0, 2.0]
    assert points["test_loss_std"].tolist() == pytest.approx([2**0.5, 2**0.5])
    assert points["test_accuracy"].tolist() == [62.0, 71.0]
    assert points["t_stddev"].tolist() == pytest.approx([5.0, 4.0])
    assert points["t_stddev_se"].tolist() == pytest.approx([0.1, 0.1])


def test_published_correlations_equal_scipy_and_holm_counts_the_tests_of_one_method() -> None:
    found = study.published_correlations()
    assert found.groupby("method").size().tolist() == [18, 18, 18]
    pearson = found[found["method"] == "pearson"]
    group = paper.pairs().query("dataset == 'cifar100' and pair == 'vgg13/vgg8'")
    row = pearson.query("dataset == 'cifar100' and pair == 'vgg13/vgg8'").iloc[0]
    expected = pearsonr(group["t_stddev"], group["test_loss"])
    assert (row["r"], row["p"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert pearson["p_holm"].tolist() == pytest.approx(multipletests(pearson["p"], method="holm")[1].tolist())


def test_words_name_each_coefficient_with_its_sign() -> None:
    points = pd.DataFrame({"t_stddev": [1.0, 2, 3, 4, 5], "test_loss": [5.0, 4, 3, 1, 2]})
    words = study.in_words(points)
    assert "Pearson's -0.9" in words
    assert "Spearman's -0.9" in words
    assert "Kendall's -0.8" in words


def test_inversions_are_counted_as_a_loop_counts_them() -> None:
    counted = study.inversions().query("dataset == 'cifar100' and pair == 'resnet56/ShuffleV2'").iloc[0]
    group = paper.pairs().query("dataset == 'cifar100' and pair == 'resnet56/ShuffleV2'").to_dict("records")
    against = clearly = 0
    for i, a in enumerate(group):
        for b in group[i + 1 :]:
            gap = a["test_loss"] - b["test_loss"]
            error = ((a["test_loss_std"] ** 2 + b["test_loss_std"] ** 2) / study.RUNS) ** 0.5
            if (a["t_stddev"] - b["t_stddev"]) * gap < 0:
                against += 1
                clearly += abs(gap) > 2 * error
    assert (counted["compared"], counted["against"], counted["clearly"]) == (36, against, clearly)
    assert 0 < clearly < against


def test_students_of_one_teacher_are_compared_over_the_nine_schemes() -> None:
    alike = study.students_of_one_teacher()
    assert len(alike) == 8, "four teachers a data set have two students"
    pairs = paper.pairs().query("dataset == 'cifar100'").set_index(["pair", "scheme"])["test_loss"].unstack()
    row = alike.query("dataset == 'cifar100' and teacher == 'vgg13'").iloc[0]
    assert row["rho"] == pytest.approx(spearmanr(pairs.loc["vgg13/vgg8"], pairs.loc["vgg13/MobileNetV2"]).statistic)


def test_claims_turn_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    as_printed = {v.claim_ids[0]: v.holds for v in study.claims("quick")}
    turned = paper.pairs().assign(test_loss=lambda frame: -frame["test_loss"])
    monkeypatch.setattr(paper, "pairs", lambda: turned)
    reversed_ = {v.claim_ids[0]: v.holds for v in study.claims("quick")}
    assert as_printed["identity-worst"] == "partly"
    assert reversed_["identity-worst"] == "fails"
    assert reversed_["minor-counterexamples"] == "fails"


def few_shot(shift: float, seeds: int = 3) -> pd.DataFrame:
    """Runs of which CutMixPick saves `shift` and a little more with each seed; one seed more of Identity alone."""
    rows = [("identity", seed, 3.0 + seed, 20.0 + seed) for seed in range(seeds + 1)]
    rows += [("cutmixpick_t", seed, 3.0 + seed - shift - 0.1 * seed, 22.0 + 2 * seed) for seed in range(seeds)]
    return pd.DataFrame(rows, columns=["scheme", "seed", "test_loss", "test_accuracy"]).assign(key="k")


def test_the_two_ends_are_paired_by_seed() -> None:
    row = study.two_ends({"50": few_shot(0.5)}).loc["50"]
    assert row["n"] == 3, "a seed without a partner does not count"
    assert row[["saved", "gained", "identity"]].tolist() == pytest.approx([0.6, 3.0, 4.0])
    saved = ttest_1samp([0.5, 0.6, 0.7], 0)
    assert row["saved_p"] == pytest.approx(saved.pvalue)
    assert row[["saved_low", "saved_high"]].tolist() == pytest.approx(list(saved.confidence_interval()))


def test_two_studies_are_compared_over_the_seeds_of_both() -> None:
    few, more = few_shot(0.5), few_shot(0.2, seeds=2)
    more.loc[more["scheme"].eq("cutmixpick_t") & more["seed"].eq(1), "test_loss"] -= 0.05
    found = study.ends_compared(few, more)
    assert (found.n, found.mean) == (2, pytest.approx(0.275))
    assert "changes by -0.275 nats" in study.ends_in_words(few, more)
    assert "paired over 2 seeds" in study.ends_in_words(few, more)


def test_a_study_that_has_only_begun_stops_no_page() -> None:
    few, begun = few_shot(0.5), few_shot(0.2, seeds=1)
    assert list(study.two_ends({"50": few, "100": begun}).index) == ["50"]
    assert "needs two seeds" in study.ends_in_words(few, begun)


@pytest.mark.parametrize(
    ("losses", "holds"),
    [([1.0, 2, 3, 4, 5.5], "holds"), ([5.0, 4, 3, 2, 1.5], "fails"), ([3.0, 1, 5, 2, 4], "cannot tell")],
)
def test_the_few_shot_verdict_follows_the_rule_of_its_design(losses: list, holds: str) -> None:
    points = pd.DataFrame({"t_stddev": [1.0, 2, 3, 4, 5], "test_loss": losses, "n": [2, 3, 3, 3, 3]})
    verdict = study.few_shot_claim(points, "quick")
    assert verdict.holds == holds
    assert "5 schemes, 2 to 3 seeds" in verdict.recorded


def test_a_claim_about_all_cases_can_fail() -> None:
    assert [study.all_most_few(n, 9) for n in (9, 8, 5, 4, 0)] == ["holds", "partly", "partly", "fails", "fails"]
