"""The verdicts on covariance and correlation: recounts of printed tables, and rankings and students of ours beside."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdutils import augment, paper, report
from kdutils.chapters import covariance
from kdutils.chapters import covariance_verdicts as verdicts_of
from kdutils.report import recorded_runs

SCHEMES = list(augment.NINE)


def ranking(
    above: float = 2.0, worse: tuple[str, ...] = tuple(verdicts_of.DEMOTED), noise: float = 0.1
) -> pd.DataFrame:
    """A ranking of which AutoAugment's mean covariance is so far above Cutout's, and these are behind CutMixPick."""
    value = np.linspace(9, 5, 9)
    frame = pd.DataFrame({"scheme": SCHEMES, "t_stddev": value * 1e-3, "t_stddev_se": 1e-4, "n_u": 80})
    frame = frame.assign(mean_covariance=value, mean_covariance_se=noise, mean_correlation=1.0, mean_correlation_se=0.1)
    cutout = frame.loc[frame["scheme"] == "cutout", "mean_covariance"].item()
    frame.loc[frame["scheme"] == "autoaugment", "mean_covariance"] = cutout + above
    frame.loc[frame["scheme"].isin(worse), "mean_correlation"] = 3.0
    frame.loc[frame["scheme"] == "cutmixpick_t", "mean_correlation"] = 2.0
    return frame


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    return tmp_path


def by_claim() -> dict[str, report.Verdict]:
    return {verdict.claim_ids[0]: verdict for verdict in verdicts_of.verdicts(ranking(), "digits", "quick")}


def test_every_claim_of_the_chapter_gets_a_verdict_without_recordings(results: Path) -> None:
    claims, found = paper.claims(), by_claim()
    assert set(found) == set(claims[claims["chapter"] == "11_covariance"]["id"])
    assert {name: (verdict.holds, verdict.decided_by) for name, verdict in found.items()} == {
        "covariance-misorders": ("holds", "published"),
        "correlation-worse": ("holds", "published"),
        "correlation-demotes-pick": ("holds", "published"),
        "autoaugment-loss-below-cutout": ("holds", "published"),
        "covariance-hard-to-estimate": ("not tested", None),
        "batch-count": ("fails", "arithmetic"),
    }
    assert found["covariance-hard-to-estimate"].found("digits")[0].says == "fails"
    assert found["covariance-hard-to-estimate"].size == ""


def test_recorded_rankings_measure_the_noise_and_stand_beside_the_tables(results: Path) -> None:
    for seed, above in ((0, 2.0), (1, 3.0)):
        report.write_recorded(f"rank_resnet56_seed{seed}", ranking(above), {})
    found = by_claim()
    assert (found["covariance-hard-to-estimate"].holds, found["covariance-hard-to-estimate"].decided_by) == (
        "fails",
        "photographs",
    )
    assert found["covariance-hard-to-estimate"].size == "laptop"
    for claim in ("covariance-misorders", "correlation-demotes-pick"):
        (ours,) = found[claim].found("photographs")
        assert (ours.says, ours.short_of) == ("holds", "a public resnet56, not the paper's")
        assert found[claim].decided_by == "published"


@pytest.mark.parametrize(
    ("above", "says"), [((2.0, 2.0), "holds"), ((-2.0, -2.0), "fails"), ((0.3, 0.3), "cannot tell")]
)
def test_single_schemes_are_compared_by_their_errors(above: tuple[float, float], says: str) -> None:
    rankings = {str(seed): ranking(value) for seed, value in enumerate(above)}
    assert verdicts_of._above(rankings, by="photographs").says == says


def test_two_rankings_are_corrected_for() -> None:
    error = 0.1 * 2**0.5
    assert verdicts_of._above({"one": ranking(2.1 * error)}, by="photographs").says == "holds"
    both = {"one": ranking(2.1 * error), "two": ranking(2.1 * error)}
    assert verdicts_of._above(both, by="photographs").says == "cannot tell"


def test_a_noisy_covariance_is_hard_to_estimate() -> None:
    noisy, fine = ranking(noise=9.0), ranking()
    words = [
        verdicts_of._hard(dict(enumerate(frames)), by="photographs").says
        for frames in ([noisy, noisy], [noisy, fine], [fine, fine])
    ]
    assert words == ["holds", "cannot tell", "fails"]


def test_another_order_by_correlation_is_said() -> None:
    other = ranking(worse=("identity", "autoaugment", "flip"))
    words = [
        verdicts_of._demotes(dict(enumerate(frames)), by="photographs").says
        for frames in ([ranking(), ranking()], [ranking(), other], [other, other])
    ]
    assert words == ["holds", "cannot tell", "fails"]


def test_more_red_arrows_are_a_sign_test(monkeypatch: pytest.MonkeyPatch) -> None:
    red = covariance.red_arrows()
    assert verdicts_of._worse(red).says == "holds"
    turned = red.rename(columns={"mean_covariance": "mean_correlation", "mean_correlation": "mean_covariance"})
    assert verdicts_of._worse(turned).says == "fails"
    assert verdicts_of._worse(red.assign(mean_correlation=red["mean_covariance"])).says == "cannot tell"
    assert verdicts_of._misorders(red).says == "holds"
    assert verdicts_of._misorders(red.assign(t_stddev=True)).says == "fails", "T. stddev then has more of them"
    one_less = red["mean_covariance"] & (red["mean_covariance"].cumsum() > 1)
    assert verdicts_of._misorders(red.assign(t_stddev=one_less)).says == "cannot tell", "one more is chance"


def test_losses_of_the_study_of_one_pair_stand_beside_the_published_pairs(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for gap, says in ((0.2, "holds"), (-0.2, "fails")):
        saved = {"cutout": 0.0, "autoaugment": gap}
        rows = [(s, k, 3 + k / 10 - saved[s] * (1 + k / 50)) for s in saved for k in range(3)]
        frame = pd.DataFrame(rows, columns=["scheme", "seed", "test_loss"]).assign(test_accuracy=20.0)
        report.write_recorded("fewshot", frame, {})
        verdict = by_claim()["autoaugment-loss-below-cutout"]
        (ours,) = verdict.found("photographs")
        assert (ours.says, ours.short_of) == (says, "one pair of networks")
        assert (verdict.holds, verdict.decided_by) == ("holds", "published")
    turned = paper.pairs().assign(test_loss=lambda f: -f["test_loss"])
    monkeypatch.setattr(paper, "pairs", lambda: turned)
    assert verdicts_of._published_loss().says == "fails"


def test_our_study_counts_its_own_arrows() -> None:
    (found,) = verdicts_of._study_arrows("mean_correlation")
    assert found.numbers.startswith("few-shot study: 6 of 8 steps go against the loss, by mean covariance 3")
    assert (found.says, found.short_of) == ("cannot tell", "one pair of networks")
