"""Who is right about mixed images: shares, votes and gains by hand, and the verdicts that follow from them."""

from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import ttest_rel

from kdutils import paper, report
from kdutils.chapters import mixed_labels
from kdutils.metrics import responses
from kdutils.report import recorded_runs


def students(kd_gain: tuple[float, ...], ce_gain: tuple[float, ...]) -> pd.DataFrame:
    """Runs of which CutMix gains these points, and Mixup one point less, a number per seed."""
    rows = []
    for method, by_seed in (("kd", kd_gain), ("ce", ce_gain)):
        for seed, gain in enumerate(by_seed):
            for scheme, more in (("none", 0.0), ("cutmix", gain), ("mixup", gain - 1)):
                rows.append((method, scheme, seed, 90 + more, 0.5 - more / 100))
    return pd.DataFrame(rows, columns=["method", "scheme", "seed", "test_accuracy", "test_loss"])


def test_gains_are_over_x_alone_of_the_same_method_and_seed() -> None:
    gained = mixed_labels.gains(students((3.0, 4.0), (1.0, -1.0))).set_index(["scheme", "method", "seed"])
    assert gained.loc[("cutmix", "kd", 1), "accuracy_gain"] == pytest.approx(4)
    assert gained.loc[("mixup", "ce", 1), "accuracy_gain"] == pytest.approx(-2)
    table = mixed_labels.means(gained.reset_index()).set_index(["scheme", "method"])
    assert table.loc[("cutmix", "kd"), ["mean", "count"]].tolist() == [3.5, 2]


@pytest.mark.parametrize(
    ("kd", "ce", "holds"),
    [
        ((3.0, 4.0, 3.5), (1.0, 1.9, 1.6), "holds"),
        ((1.0, 1.9, 1.6), (3.0, 4.0, 3.5), "fails"),
        ((3.0, 1.0, 2.0), (1.0, 3.0, 2.5), "cannot tell"),
    ],
)
def test_the_verdict_is_a_paired_test_over_seeds(kd, ce, holds) -> None:
    gained = mixed_labels.gains(students(kd, ce))
    test = mixed_labels.freedom(gained)
    assert test.t_p == pytest.approx(ttest_rel(kd, ce).pvalue)
    assert test.mean == pytest.approx(sum(kd) / 3 - sum(ce) / 3)
    found = mixed_labels.verdicts(said(0.5), votes(10, 5, 2), gained, "cifar100", "laptop")[2]
    assert (found.holds, found.decided_by) == (holds, "photographs")
    assert mixed_labels.verdicts(said(0.5), votes(10, 5, 2), gained, "digits", "quick")[2].holds == "not tested"


def test_the_figure_has_a_bar_per_scheme_and_method() -> None:
    (ax,) = mixed_labels.bars(mixed_labels.gains(students((3.0, 4.0), (1.0, -1.0)))).axes
    assert sorted(round(bar.get_width(), 6) for bar in ax.patches) == [-1.0, 0.0, 2.5, 3.5]


def said(share: float, images: int = 200) -> pd.DataFrame:
    """Predictions of which `share` is not the label: a third class for the first half of these."""
    wrong = round(share * images)
    rows = [("neither" if i < wrong / 2 else "partner" if i < wrong else "own", i < wrong) for i in range(images)]
    frame = pd.DataFrame(rows, columns=["answer", "disagrees"])
    return frame.assign(lam=[0.45 if i % 2 else 0.55 for i in range(images)])


def votes(teacher: int, label: int, neither: int) -> pd.Series:
    return pd.Series({"teacher": teacher, "label": label, "neither": neither})


GAINED = mixed_labels.gains(students((3.0, 4.0, 3.5), (1.0, 1.9, 1.6)))


def by_claim(counts: pd.Series, dataset: str = "digits") -> dict[str, report.Verdict]:
    found = mixed_labels.verdicts(said(0.6), counts, GAINED, dataset, "quick")
    return {verdict.claim_ids[0]: verdict for verdict in found}


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    return tmp_path


def test_imagenet_is_not_tested_whatever_other_images_say() -> None:
    claims = paper.claims()
    found = by_claim(votes(50, 10, 5))
    assert set(found) == set(claims[claims["chapter"] == "13_mixed_labels"]["id"])
    assert (found["label-disagreement"].holds, found["label-disagreement"].decided_by) == ("not tested", None)
    assert [each.by for each in found["label-disagreement"].findings] == ["photographs", "photographs", "digits"]


def test_a_teacher_of_imagenet_on_ten_classes_stands_beside_as_it_is_recorded(results: Path) -> None:
    (awaited,) = by_claim(votes(50, 10, 5))["label-disagreement"].found("photographs")
    assert (awaited.says, awaited.short_of) == ("not tested", "not recorded yet")
    ranked = pd.DataFrame({"scheme": ["identity", "cutmix"], "label_disagreement": [0.1, 0.625]})
    report.write_recorded(mixed_labels.LARGE, ranked, {})
    verdict = by_claim(votes(50, 10, 5))["label-disagreement"]
    (found,) = verdict.found("photographs")
    assert found.numbers == "photographs at 128 pixels, a teacher of ImageNet: 62.5%"
    assert (found.says, found.size, verdict.holds) == ("cannot tell", "laptop", "not tested")


@pytest.mark.parametrize(
    ("shares", "says"),
    [
        ((0.53, 0.49, 0.46, 0.47), "cannot tell"),  # one network alone would give either sign
        ((0.61, 0.60, 0.62, 0.59), "holds"),
        ((0.41, 0.40, 0.42, 0.39), "fails"),
    ],
)
def test_networks_together_say_whether_more_than_half_is_disputed(results: Path, shares: tuple, says: str) -> None:
    names = [name for name in mixed_labels.RANKINGS if name != "rank_resnet56_seed1"]
    for name, share in zip(names, shares, strict=True):
        ranked = pd.DataFrame({"scheme": ["flip", "cutmix"], "label_disagreement": [0.9, share], "n_u": 10})
        report.write_recorded(name, ranked, {})
    verdict = by_claim(votes(50, 10, 5))["label-disagreement"]
    found = verdict.found("photographs")[1]
    assert (found.says, found.n, found.size, verdict.holds) == (says, "4 networks", "laptop", "not tested")
    assert f"resnet44 {shares[2]:.1%}, resnet56 {shares[3]:.1%}; mean {sum(shares) / 4:.1%}" in found.numbers


def test_one_network_has_no_spread(results: Path) -> None:
    ranked = pd.DataFrame({"scheme": ["cutmix"], "label_disagreement": [0.6], "n_u": [10]})
    report.write_recorded(mixed_labels.RANKINGS[0], ranked, {})
    assert len(by_claim(votes(50, 10, 5))["label-disagreement"].found("photographs")) == 1


@pytest.mark.parametrize(
    ("counts", "holds"),
    [
        (votes(700, 200, 100), "holds"),
        (votes(300, 200, 500), "partly"),  # more than the label, but little of either
        (votes(200, 300, 500), "fails"),
        (votes(260, 240, 10), "cannot tell"),
    ],
)
def test_a_judge_has_to_side_with_the_teacher_and_not_with_neither(
    results: Path, counts: pd.Series, holds: str
) -> None:
    report.write_recorded(mixed_labels.JUDGED, counts.rename_axis("side").reset_index(name="images"), {})
    verdict = by_claim(votes(50, 10, 5))["teacher-labels-better"]
    assert (verdict.holds, verdict.decided_by) == (holds, "photographs")
    assert verdict.found("digits")[0].says == "holds"


def test_without_a_recorded_judge_digits_decide_nothing(results: Path) -> None:
    verdict = by_claim(votes(50, 10, 5))["teacher-labels-better"]
    assert (verdict.holds, verdict.found("digits")[0].says) == ("not tested", "holds")
    assert "not recorded yet" in mixed_labels.votes_in_words(votes(50, 10, 5))


def test_votes_are_counted_on_disputed_images_only() -> None:
    teacher = pd.DataFrame({"said": [1, 2, 3, 4], "mixed_label": [1, 5, 6, 7], "disagrees": [False, True, True, True]})
    judge = pd.DataFrame({"said": [1, 2, 6, 0]})
    assert mixed_labels.votes(teacher, judge).to_dict() == {"teacher": 1, "label": 1, "neither": 1}


def test_words_on_disagreements_follow_the_numbers() -> None:
    words = mixed_labels.disputed_in_words(said(0.6), known=0.9)
    assert words.startswith("On **60.0%** of 200 mixed images (95 % interval 53.1% to 66.5%)")
    assert "Of the disagreements 50% name a third class" in words
    frame = said(0.6)
    frame["disagrees"] = frame["lam"] > 0.5
    assert "the one pasted in more often" in mixed_labels.shape_in_words(responses.by_lambda(frame))
    assert mixed_labels.close_to_half(frame)["share of disagreements"].to_dict() == {"pasted in": 0, "underneath": 1}
    frame["disagrees"] = frame["lam"] < 0.5
    assert "the one underneath more often" in mixed_labels.shape_in_words(responses.by_lambda(frame))


def test_two_seeds_of_a_network_count_once_in_the_mean_of_networks(results: Path) -> None:
    for name, share in (("resnet20", 0.1), ("resnet56_seed0", 0.3), ("resnet56_seed1", 0.5)):
        table = pd.DataFrame({"scheme": ["cutmix"], "label_disagreement": [share], "n_u": [10]})
        report.write_recorded(f"rank_{name}", table, {})
    row = mixed_labels.recorded_shares().loc["CutMix"]
    assert row.to_dict() == {
        "resnet20 (n = 3,200)": "10.0%",
        "resnet56, seed 0 (n = 3,200)": "30.0%",
        "resnet56, seed 1 (n = 3,200)": "50.0%",
        "mean of networks": "25.0%",
        "their std": "21.2%",
    }
