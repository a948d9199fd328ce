"""Published correlations, orders and extremes against scipy and by hand; verdicts turn with the numbers."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, spearmanr, ttest_ind_from_stats
from statsmodels.stats.multitest import multipletests

from kdutils import augment, paper
from kdutils.chapters import correlation, correlation_verdicts
from kdutils.report import few_shot


def test_published_correlations_equal_scipy_and_holm_counts_the_tests_of_one_method() -> None:
    found = correlation.published_correlations()
    assert found.groupby("method").size().tolist() == [18, 18, 18]
    pearson = found[found["method"] == "pearson"]
    group = paper.pairs().query("dataset == 'cifar100' and pair == 'vgg13/vgg8'")
    row = pearson.query("dataset == 'cifar100' and pair == 'vgg13/vgg8'").iloc[0]
    expected = pearsonr(group["t_stddev"], group["test_loss"])
    assert (row["r"], row["p"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert pearson["p_holm"].tolist() == pytest.approx(multipletests(pearson["p"], method="holm")[1].tolist())
    assert correlation.published_table(found).shape == (18, 3)


def test_inversions_are_found_as_a_loop_finds_them() -> None:
    counted = correlation.inversions().query("dataset == 'cifar100' and pair == 'resnet56/ShuffleV2'")
    group = paper.pairs().query("dataset == 'cifar100' and pair == 'resnet56/ShuffleV2'").to_dict("records")
    expected = {}
    for i, a in enumerate(group):
        for b in group[i + 1 :]:
            better, worse = sorted((a, b), key=lambda row: row["test_loss"])
            if better["t_stddev"] > worse["t_stddev"]:
                sides = [(row["test_loss"], row["test_loss_std"], 3) for row in (better, worse)]
                expected[better["scheme"], worse["scheme"]] = ttest_ind_from_stats(
                    *sides[0], *sides[1], equal_var=False
                ).pvalue
    found = counted.set_index(["better", "worse"])["p"].to_dict()
    assert found == pytest.approx(expected)
    assert 0 < len(found) < 36
    assert (counted["loss"] > 0).all()


def test_students_of_one_teacher_are_compared_over_the_nine_schemes() -> None:
    alike = correlation.students_of_one_teacher(paper.pairs())
    assert len(alike) == 8, "four teachers per dataset have two students"
    pairs = paper.pairs().query("dataset == 'cifar100'").set_index(["pair", "scheme"])["test_loss"].unstack()
    row = alike.query("dataset == 'cifar100' and teacher == 'vgg13'").iloc[0]
    assert row["rho"] == pytest.approx(spearmanr(pairs.loc["vgg13/vgg8"], pairs.loc["vgg13/MobileNetV2"]).statistic)


def ours(slope: float = 1.0, noise: float = 0.05, pairs: int = 4, seed: int = 0) -> pd.DataFrame:
    """Points of made-up pairs of two teachers: the loss is `slope` times T. stddev and noise."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(pairs):
        t_stddev = np.linspace(5, 3, 9) + rng.normal(0, 0.05, 9)
        loss = 2 + number + slope * t_stddev + rng.normal(0, noise, 9)
        names = {"dataset": "cifar100", "teacher": f"t{number % 2}", "student": f"s{number}", "n": 2}
        schemes = list(augment.SCHEMES)[:9]
        rows.append(pd.DataFrame({"scheme": schemes, "t_stddev": t_stddev, "test_loss": loss, **names}))
    frame = pd.concat(rows, ignore_index=True)
    return frame.assign(pair=frame["teacher"] + "/" + frame["student"])


def test_orders_that_are_the_same_agree_and_random_ones_do_not() -> None:
    w, p = correlation.concordance(ours(noise=0.001))
    assert w > 0.95
    assert p < 0.001
    w, p = correlation.concordance(ours(slope=0, noise=1))
    assert w < 0.6
    assert p > 0.01


def test_the_extreme_is_counted_pair_by_pair() -> None:
    frame = ours(noise=1e-4)
    first = frame["scheme"].iloc[0]
    assert correlation.extreme(frame, first, best=False) == (4, 4, True)
    assert correlation.extreme(frame, first, best=True) == (0, 4, False)
    assert correlation.extreme(frame, "cutmixpick_t", best=True) == (4, 4, True)
    assert correlation.extreme(frame, "cutmixpick_s", best=True, without=["cutmixpick_t"]) == (4, 4, True)


def by_claim(monkeypatch: pytest.MonkeyPatch, points: pd.DataFrame) -> dict:
    """Claim -> verdict, with these points of our own pairs, all recorded."""
    monkeypatch.setattr(few_shot, "points", lambda: points)
    monkeypatch.setattr(few_shot, "pairs_short_of", lambda: "")
    monkeypatch.setattr(few_shot, "study", lambda: points[points["pair"] == points["pair"].iloc[0]])
    live = pd.DataFrame({"t_stddev": [1.0, 2, 3, 4], "test_loss": [1.0, 2, 4, 3]})
    return {v.claim_ids[0]: v for v in correlation_verdicts.verdicts(live, "digits", "quick") if v.claim_ids}


def test_every_claim_of_the_chapter_gets_a_verdict_and_whole_studies_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = paper.claims()
    found = by_claim(monkeypatch, ours())
    assert set(found) == set(claims[claims["chapter"] == "04_correlation"]["id"])
    assert (found["correlation-cifar100"].holds, found["correlation-cifar100"].decided_by) == ("holds", "photographs")
    assert (found["student-invariance"].holds, found["student-invariance"].decided_by) == ("holds", "photographs")
    assert (found["identity-worst"].holds, found["identity-worst"].decided_by) == ("holds", "photographs")
    assert found["correlation-tinyimagenet"].decided_by == "published"


def test_our_pairs_can_speak_against_the_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    found = by_claim(monkeypatch, ours(slope=-1.0))
    assert found["correlation-cifar100"].holds == "fails"
    assert found["identity-worst"].holds == "fails"


def test_orders_that_are_not_clear_do_not_count_as_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    against, compared = correlation.inversions(), 648
    assert (against["p"] >= 0.05).sum() > len(against) / 2
    assert len(against) / compared > 0.05
    for p, some, word in ((0.9, 10, "holds"), (0.9, 46, "cannot tell"), (1e-9, 32, "cannot tell"), (1e-9, 46, "fails")):
        rows = against.head(some).assign(p=[1e-9, *[p] * (some - 1)])
        monkeypatch.setattr(correlation, "inversions", lambda rows=rows: rows)
        assert correlation_verdicts._counterexamples()[0].holds == word


def test_digits_demonstrate_only_the_small_images(monkeypatch: pytest.MonkeyPatch) -> None:
    found = by_claim(monkeypatch, ours(pairs=1))
    assert len(found["correlation-cifar100"].found("digits")) == 1
    assert found["correlation-tinyimagenet"].found("digits") == ()


def test_with_one_pair_of_ours_the_paper_decides_what_is_said_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = by_claim(monkeypatch, ours(pairs=1))
    for name in ("identity-worst", "cutmix-best"):
        assert found[name].decided_by == "published"
        assert found[name].found("photographs")[0].short_of == "one pair of networks"
    verdict = found["correlation-cifar100"]
    assert verdict.decided_by == "published"
    assert verdict.found("photographs")[0].short_of == "one pair of networks"
    assert verdict.found("digits")[0].n == "4 schemes"


def test_claims_turn_with_the_published_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    def words() -> dict[str, str]:
        found = by_claim(monkeypatch, ours(pairs=1))
        return {name: verdict.found("published")[0].says for name, verdict in found.items()}

    as_printed = words()
    turned = paper.pairs().assign(test_loss=lambda frame: -frame["test_loss"])
    monkeypatch.setattr(paper, "pairs", lambda: turned)
    reversed_ = words()
    assert (as_printed["identity-worst"], reversed_["identity-worst"]) == ("partly", "fails")
    assert (as_printed["minor-counterexamples"], reversed_["minor-counterexamples"]) == ("cannot tell", "fails")
    assert (as_printed["correlation-cifar100"], reversed_["correlation-cifar100"]) == ("holds", "fails")


def test_the_few_shot_study_is_judged_with_and_without_the_cutmix_family() -> None:
    found = correlation_verdicts.few_shot_claims(few_shot.study())
    assert [verdict.holds for verdict in found] == ["holds", "cannot tell", "cannot tell"]
    assert ["exact p = 0.005" in found[0].decided.numbers, found[0].n] == [True, "1 pair, 9 schemes, 27 students"]
    assert found[2].n == "1 pair, 6 schemes, 18 students"
    told = [verdict.decided.test.split(":")[0] for verdict in found]
    assert told == ["stated before the first run", "looked at afterwards", "looked at afterwards"]


def test_words_on_the_family_and_on_a_run_follow_the_numbers() -> None:
    frame = ours(pairs=1, noise=1e-3)
    words = correlation.family_in_words(few_shot.subsets(frame), frame)
    assert "Of the two smaller sets 2 are significant" in words
    assert "the best student too, CutMix's" in words
    study = few_shot.study()
    words = correlation.family_in_words(few_shot.subsets(study), study)
    assert "Of the two smaller sets 0 are significant" in words
    assert "while the best student is AutoAugment's" in words
    live = frame.assign(test_loss_std=0.5)
    live.loc[live["scheme"] == "mixup", "test_loss"] = 99
    assert "7 of 8 schemes have a lower test loss than Identity" in correlation.live_in_words(live)
    assert "Mixup" not in correlation.live_in_words(live)
