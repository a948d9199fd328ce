"""The verdicts on loss and accuracy: what disagrees clearly, and when accuracy hides a correlation."""

import pandas as pd
import pytest

from kdutils import paper, report
from kdutils.chapters import loss_not_accuracy
from kdutils.chapters import loss_not_accuracy_verdicts as verdicts_of
from kdutils.report import few_shot

SCHEMES = ["identity", "flip", "cutout", "mixup", "cutmix"]


def points(accuracy: list[float], noise: float = 0.2, pair: str = "a/b") -> pd.DataFrame:
    """Points of a pair whose loss falls with T. stddev, with these accuracies."""
    frame = pd.DataFrame({"scheme": SCHEMES, "t_stddev": [5.0, 4.5, 4.2, 3.9, 3.0], "test_accuracy": accuracy})
    frame = frame.assign(test_loss=[3.5, 3.4, 3.3, 3.2, 3.0], test_loss_std=noise / 10, test_accuracy_std=noise)
    return frame.assign(n=3, dataset="cifar100", pair=pair, teacher=pair.split("/")[0])


FOLLOWS, TURNED, FLAT = [20.0, 21, 22, 23, 26], [26.0, 23, 22, 21, 20], [22.0, 23, 21, 23, 22]


def by_claim(ours: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, short: str = "") -> dict[str, report.Verdict]:
    monkeypatch.setattr(few_shot, "points", lambda: ours)
    monkeypatch.setattr(few_shot, "study", lambda: ours[ours["pair"] == ours["pair"].iloc[0]] if len(ours) else ours)
    monkeypatch.setattr(few_shot, "pairs_short_of", lambda: short)
    found = verdicts_of.verdicts(points(FLAT).drop(columns=["dataset", "pair"]), "digits", "quick")
    return {verdict.claim_ids[0]: verdict for verdict in found}


NONE = pd.DataFrame(columns=["pair", "scheme"])


def test_every_claim_of_the_chapter_gets_a_verdict_with_and_without_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = paper.claims()
    expected = set(claims[claims["chapter"] == "10_loss_not_accuracy"]["id"])
    alone = by_claim(NONE, monkeypatch)
    assert set(alone) == expected == set(by_claim(points(FLAT), monkeypatch))
    assert (alone["accuracy-can-mislead"].holds, alone["accuracy-can-mislead"].decided_by) == (
        "cannot tell",
        "published",
    )
    hides = alone["accuracy-hides-correlation"]
    assert (hides.holds, hides.found("published")[0].short_of) == ("not tested", verdicts_of.FEW)


@pytest.mark.parametrize(
    ("accuracy", "noise", "says"),
    [(TURNED, 0.2, "holds"), (TURNED, 9.0, "cannot tell"), (FOLLOWS, 0.2, "cannot tell")],
)
def test_only_clear_disagreements_mislead(
    accuracy: list, noise: float, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = by_claim(points(accuracy, noise), monkeypatch)["accuracy-can-mislead"]
    assert verdict.found("photographs")[0].says == verdict.holds == says


def test_many_disagreements_are_corrected_for() -> None:
    frame = points(TURNED, noise=1.8)
    found = loss_not_accuracy.comparisons(frame)
    assert (found["disagree"] & found["clear"]).any(), "one by itself would be clear"
    assert verdicts_of._misleads(frame, "", by="photographs").says == "cannot tell"


@pytest.mark.parametrize(("accuracy", "says"), [(FOLLOWS, "fails"), (TURNED, "holds"), (FLAT, "cannot tell")])
def test_accuracy_hides_nothing_that_it_follows(accuracy: list, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = by_claim(points(accuracy), monkeypatch)["accuracy-hides-correlation"]
    (found,) = verdict.found("photographs")
    assert (found.says, found.short_of, verdict.holds) == (says, "one pair of networks", "not tested")


def test_without_a_correlation_with_the_loss_nothing_is_hidden() -> None:
    assert verdicts_of.hidden((0.5, 0.2), (0.9, 0.001)) == "cannot tell"
    assert verdicts_of.hidden((-0.9, 0.001), (-0.9, 0.001)) == "cannot tell"


def test_several_pairs_are_asked_within_each_and_say_if_some_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = pd.concat([points(FOLLOWS, pair=f"t{k}/s") for k in range(4)], ignore_index=True)
    ours["test_accuracy"] += 0.01 * (ours.index % 3)
    for short in ("", "30 of 90 runs recorded"):
        verdict = by_claim(ours, monkeypatch, short)["accuracy-hides-correlation"]
        assert verdict.found("photographs")[0].numbers.startswith("within pairs")
        assert verdict.found("photographs")[0].short_of == short
        assert verdict.holds == ("not tested" if short else "fails")
