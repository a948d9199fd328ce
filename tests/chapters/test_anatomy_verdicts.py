"""Chapter 14's words on our teachers: shares of a fall, schemes that change places, and the contest of predictors."""

import pandas as pd
import pytest

from kdutils.chapters import anatomy, anatomy_verdicts
from kdutils.chapters.anatomy_verdicts import Contest
from kdutils.stats import SignTest
from tests.chapters.test_prose import text_of

OURS = {"by": "photographs"}


def ranking(confidence: float, coupling: float = 1.0) -> pd.DataFrame:
    """Identity with parts of 5 each, and CutMix with these."""
    parts = {"var_confidence": [5.0, confidence], "var_coupling": [5.0, coupling], "var_batch": [0.0, 0.0]}
    return pd.DataFrame({"scheme": ["identity", "cutmix"], **parts})


@pytest.mark.parametrize(("confidence", "word"), [(4.9, "holds"), (4.3, "partly"), (3.5, "partly"), (0.5, "fails")])
def test_the_proxy_goes_by_the_share_of_the_single_variances(confidence: float, word: str) -> None:
    found = anatomy_verdicts.proxy({"one": ranking(confidence), "other": ranking(confidence)}, **OURS)
    assert found.says == word
    share = (5 - confidence) / (5 - confidence + 4)
    assert f"{share:.0%} to {share:.0%}" in found.numbers


def test_rankings_that_disagree_make_partly_and_one_without_a_fall_tells_nothing() -> None:
    assert anatomy_verdicts.proxy({"a": ranking(4.9), "b": ranking(0.5)}, **OURS).says == "partly"
    risen = anatomy_verdicts.proxy({"a": ranking(6.0, 6.0)}, **OURS)
    assert (risen.says, risen.numbers) == ("cannot tell", "Var(u) does not fall to CutMix")


def test_schemes_that_change_places_are_named_with_both_differences() -> None:
    one = pd.DataFrame({"scheme": ["autoaugment", "mixup", "cutmix"], "t_stddev": [5e-3, 4e-3, 1e-3]})
    other = one.assign(t_stddev=[4e-3, 4.5e-3, 1e-3])
    found = anatomy_verdicts.swaps(one.assign(t_stddev_se=3e-4), other.assign(t_stddev_se=3e-4))
    assert found == "AutoAugment and Mixup (1.00 ± 0.42, then -0.50 ± 0.42)"
    assert anatomy_verdicts.swaps(*[one.assign(t_stddev_se=3e-4)] * 2) == "none"


@pytest.mark.parametrize(
    ("positive", "negative", "p", "word"),
    [(5, 5, 1.0, "cannot tell"), (12, 0, 0.0005, "holds"), (0, 12, 0.0005, "fails")],
)
def test_no_difference_between_predictors_is_no_failure(positive: int, negative: int, p: float, word: str) -> None:
    empty = pd.DataFrame()
    contest = Contest(empty, empty, ["a score"], empty, SignTest(positive, negative, 18 - positive - negative, p))
    live = ranking(3.5)
    proxy, better = anatomy_verdicts.verdicts(live, contest, "digits", "quick")
    assert (better.holds, better.decided_by) == (word, "published")
    assert (proxy.claim_ids, proxy.holds, proxy.decided_by) == (("variance-proxy",), "partly", "photographs")


def test_the_contest_judges_our_scores_and_leaves_t_stddev_out_of_the_rivals() -> None:
    found = anatomy_verdicts.contest()
    assert "T. stddev, our resnet56" in found.judged
    assert not [name for name in found.rivals if name == "T. stddev, our resnet56"]
    assert set(found.rivals) < set(found.judged)
    assert found.left_out["chosen"].isin(found.rivals).all()
    text = anatomy_verdicts.contest_in_words(found)
    assert f"better than T. stddev on {found.signs.positive} pairs" in text


def test_tables_show_each_teacher_and_way() -> None:
    teachers = {"ours": ranking(3.5), "risen": ranking(6.0, 6.0)}
    assert anatomy_verdicts.shares_table(teachers).loc["CutMix"].tolist() == ["27%", "–"]
    frame = pd.DataFrame({"scheme": ["flip", "cutmix"], "t_stddev": [5e-3, None], "t_stddev_se": [1e-4, None]})
    assert anatomy_verdicts.variants_table({"as released": frame}).to_dict() == {"as released": {"Flip": "5.00 ± 0.10"}}


def test_the_chapter_says_what_the_recorded_rankings_show() -> None:
    text, teachers = text_of(anatomy_verdicts.CHAPTER), anatomy_verdicts.recorded_teachers()
    assert "Most of the fall is coupling" in text
    shares = anatomy_verdicts.confidence_shares(teachers).loc["cutmix"]
    assert shares.max() < 0.5
    assert "the single variances fall too, and are a good share of it" in text
    assert shares.min() > 0.25
    assert "above the measurement near Identity if images are few" in text
    ratio = {name: frame.set_index("scheme").eval("t_stddev_pairs / t_stddev") for name, frame in teachers.items()}
    assert ratio["resnet20, 5,000 images"]["identity"] > 1.03
    assert "below it for AutoAugment" in text
    assert all(each["autoaugment"] < 1 for each in ratio.values())
    assert anatomy.closed_form(teachers).loc["resnet56", "furthest off"] == "autoaugment"
