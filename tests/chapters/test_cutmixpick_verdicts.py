"""The verdicts on picking: photographs before a recount, and words that turn with the numbers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel
from statsmodels.stats.multitest import multipletests

from kdutils import paper, report, stats
from kdutils.chapters import cutmixpick, cutmixpick_verdicts
from kdutils.report import recorded_runs

LIVE = pd.DataFrame({"cutmix": [1.0, 1.2], "cutmixpick_s": [0.9, 1.0], "cutmixpick_t": [0.8, 1.1]})


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    return tmp_path


def study(step: float, noise: float = 0.005) -> pd.DataFrame:
    """Three seeds of which CutMixPick (S. ent.) saves `step` against CutMix, and T. ent. twice that."""
    draws = np.random.default_rng(0)
    schemes = ["cutmix", "cutmixpick_s", "cutmixpick_t"]
    rows = [
        ("cifar100", scheme, seed, 3 + seed / 10 - step * place + draws.normal(0, noise), 20.0)
        for place, scheme in enumerate(schemes)
        for seed in range(3)
    ]
    return pd.DataFrame(rows, columns=["dataset", "scheme", "seed", "test_loss", "test_accuracy"])


def ranking(fall: float) -> pd.DataFrame:
    values = {"t_stddev": [4e-3, 4e-3 - fall], "t_stddev_se": [2e-5, 2e-5], "n_u": 80}
    return pd.DataFrame({"scheme": ["cutmix", "cutmixpick_t"], **values})


def by_claim() -> dict[str, report.Verdict]:
    return {verdict.claim_ids[0]: verdict for verdict in cutmixpick_verdicts.verdicts(LIVE, "digits", "quick")}


def test_without_recordings_the_published_numbers_decide(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claims = paper.claims()
    assert set(by_claim()) == set(claims[claims["chapter"] == "05_cutmixpick"]["id"])
    assert {(v.holds, v.decided_by) for v in by_claim().values()} == {("holds", "published")}
    turned = paper.pairs().assign(test_loss=lambda f: -f["test_loss"], t_stddev=lambda f: -f["t_stddev"])
    monkeypatch.setattr(paper, "pairs", lambda: turned)
    assert {verdict.holds for verdict in by_claim().values()} == {"fails"}


@pytest.mark.parametrize(("step", "says"), [(0.1, "holds"), (-0.1, "fails"), (0.0, "cannot tell")])
def test_students_of_one_pair_are_paired_by_seed_and_stand_beside_the_published_pairs(
    results: Path, step: float, says: str
) -> None:
    report.write_recorded("fewshot", study(step), {})
    for name in cutmixpick_verdicts.ON_LOSSES:
        verdict = by_claim()[name]
        (found,) = verdict.found("photographs")
        assert (found.says, found.short_of) == (says, "one pair of networks")
        assert (verdict.holds, verdict.decided_by) == ("holds", "published")


def test_the_two_claims_on_losses_are_corrected_together(results: Path) -> None:
    frame = study(0.1, noise=0.045)
    report.write_recorded("fewshot", frame, {})
    losses = cutmixpick.losses(frame)
    p = np.array([ttest_rel(losses[name], losses["cutmixpick_t"]).pvalue for name in ("cutmix", "cutmixpick_s")])
    corrected = multipletests(p, method="holm")[1]
    found = [by_claim()[name].found("photographs")[0] for name in cutmixpick_verdicts.ON_LOSSES]
    assert [each.says for each in found] == ["holds" if each < 0.05 else "cannot tell" for each in corrected]
    for each, value in zip(found, corrected, strict=True):
        assert each.numbers.endswith(f", corrected {stats.p_text(value)})")
    assert ((p < 0.05) & (corrected >= 0.05)).any(), "the noise is such that the correction matters"


def test_every_teacher_counts_once_and_a_rise_is_no_fall(results: Path) -> None:
    for name in ("rank_resnet20", "rank_resnet32", "rank_resnet44", "fewshot_rank"):
        report.write_recorded(name, ranking(1e-3), {})
    (found,) = by_claim()["pick-lowers-t-stddev"].found("photographs")
    assert (found.says, found.n, found.size) == ("holds", "3 teachers, no student", "laptop")
    report.write_recorded("rank_resnet44", ranking(1e-5), {})
    assert by_claim()["pick-lowers-t-stddev"].holds == "partly", "one of three is within its errors"
    for name in ("rank_resnet20", "rank_resnet32"):
        report.write_recorded(name, ranking(-1e-3), {})
    assert by_claim()["pick-lowers-t-stddev"].holds == "fails"


def test_students_of_table_1_are_one_pair_too(results: Path) -> None:
    runs = study(0.1).assign(method="kd", epochs=20)
    long = runs.assign(epochs=80, test_loss=9.0)
    report.write_recorded("few_table1", pd.concat([runs, long]), {"runs": 18, "planned_runs": 27})
    (found,) = by_claim()["pick-lowers-test-loss"].found("photographs")
    assert (found.says, found.short_of, found.n) == ("holds", "one pair of networks", "1 pair, 3 seeds")
    assert by_claim()["teacher-entropy-better"].found("photographs") == ()


def test_our_pairs_of_networks_are_counted_once_there_are_several(results: Path) -> None:
    names = [f"s{number}" for number in range(6)]
    runs = [study(0.1).assign(teacher="resnet20", student=name) for name in names]
    runs[0]["test_loss"] *= -1  # on one pair picking costs
    report.write_recorded("few_pairs", pd.concat(runs), {"runs": 54, "planned_runs": 90})
    found = by_claim()["pick-lowers-test-loss"].found("photographs")[0]
    assert (found.numbers, found.says) == ("few-shot pairs: lower on 5 of 6, sign test p = 0.22", "cannot tell")
    assert found.short_of == "54 of 90 runs recorded"
    assert cutmixpick_verdicts._over_pairs(pd.concat(runs[:1]).assign(pair="one")) == {}
    eight = pd.concat([study(0.1).assign(pair=name) for name in [*names, "s6", "s7"]])
    assert {each["says"] for each in cutmixpick_verdicts._over_pairs(eight).values()} == {"holds"}
