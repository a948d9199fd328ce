"""The verdicts on Tables 1 and 2: recounts with Holm's correction, and our own students as they come."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp
from statsmodels.stats.multitest import multipletests

from kdutils import paper, report, stats
from kdutils.chapters import tables_1_2, tables_1_2_verdicts
from kdutils.report import recorded_runs

ROWS = [("kd", s, e) for s in ("none", "cutmix", "cutmixpick_t") for e in (20, 80)] + [
    ("crd", "none", 20),
    ("crd", "cutmixpick_t", 20),
    ("crd", "cutmixpick_t", 80),
]
"""What the study of Table 1's rows trains: method, scheme, epochs; three seeds of each are its 27 runs."""


def study(seeds: int = 3, gain: float = 1.0, noise: float = 0.01) -> pd.DataFrame:
    """Runs of which each scheme, more epochs and CRD gain about `gain` points; in the form that is recorded."""
    rng = np.random.default_rng(0)
    rows = []
    for method, scheme, epochs in ROWS:
        steps = ("none", "cutmix", "cutmixpick_t").index(scheme) + (method == "crd") / 2 + (epochs == 80)
        for seed in range(seeds):
            accuracy = 20 + gain * steps + rng.normal(0, noise)
            rows.append(("cifar100", "resnet20", "resnet8", method, scheme, epochs, seed, 3.0, accuracy))
    columns = ["dataset", "teacher", "student", "method", "scheme", "epochs", "seed", "test_loss", "test_accuracy"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    return tmp_path


def by_claim(dataset: str = "digits") -> dict[str, report.Verdict]:
    found = tables_1_2_verdicts.verdicts(tables_1_2.recorded(), dataset, "quick")
    return {verdict.claim_ids[0]: verdict for verdict in found}


def test_every_claim_of_the_chapter_gets_a_verdict_and_the_paper_decides(results: Path) -> None:
    claims = paper.claims()
    report.write_recorded("few_table1", study(), {"runs": 27, "planned_runs": 27})
    found = by_claim()
    assert set(found) == set(claims[claims["chapter"] == "07_tables_1_2"]["id"])
    assert {verdict.decided_by for verdict in found.values()} == {"published"}


def test_a_whole_study_answers_six_claims_but_is_one_pair(results: Path) -> None:
    report.write_recorded("few_table1", study(), {"runs": 27, "planned_runs": 27})
    ours = {name: verdict.found("photographs") for name, verdict in by_claim().items()}
    assert {name for name, findings in ours.items() if findings} == set(tables_1_2_verdicts.SIX)
    assert [f.says for (f,) in (ours[name] for name in tables_1_2_verdicts.SIX)] == ["holds"] * 6
    assert {(f.short_of, f.n) for (f,) in (ours[name] for name in tables_1_2_verdicts.SIX)} == {
        ("one pair of networks", "1 pair, 3 seeds")
    }


def test_a_partial_study_says_how_much_there_is_and_single_seeds_tell_nothing(results: Path) -> None:
    whole = study()
    started = whole[(whole["epochs"] == 20) & ((whole["method"] == "kd") | (whole["seed"] == 0))]
    report.write_recorded("few_table1", started, {"runs": len(started), "planned_runs": 27})
    found = by_claim()
    (both,) = found["cutmix-all-pairs-cifar100"].found("photographs")
    assert (both.says, both.short_of) == ("holds", "one pair of networks; 11 of 27 runs recorded")
    (one,) = found["inputs-as-promising"].found("photographs")
    assert (one.says, one.n) == ("cannot tell", "1 pair, 1 seed")
    assert found["pick-960-higher"].found("photographs") == ()


def test_a_study_that_is_not_there_yet_is_no_failure(results: Path) -> None:
    found = by_claim()
    (awaited,) = found["inputs-as-promising"].found("photographs")
    assert (awaited.says, awaited.short_of) == ("not tested", "not recorded yet")
    assert found["cutmix-all-pairs-cifar100"].holds == "holds"
    assert found["crd-pick-tinyimagenet"].found("photographs") == (), "our CIFAR-100 says nothing of Tiny ImageNet"


def test_our_seeds_are_paired_and_corrected_for_six_claims() -> None:
    ours = tables_1_2.labelled(study(noise=0.25))
    found = tables_1_2_verdicts.from_seeds(ours)
    gains = [tables_1_2.our_gain(ours, *rows) for rows in tables_1_2_verdicts.SIX.values()]
    p = np.array([ttest_1samp(gain, 0).pvalue for gain in gains])
    corrected = multipletests(p, method="holm")[1]
    expected = ["cannot tell" if each >= 0.05 else "holds" for each in corrected]
    assert [word for word, *_ in found.values()] == expected
    for (_, told, _), each in zip(found.values(), corrected, strict=True):
        assert told.endswith(f", corrected {stats.p_text(each)})")
    assert ((p < 0.05) & (corrected >= 0.05)).any(), "the noise is such that the correction matters"


def test_losing_students_speak_against_a_claim() -> None:
    found = tables_1_2_verdicts.from_seeds(tables_1_2.labelled(study(gain=-1)))
    assert {word for word, *_ in found.values()} == {"fails"}


def test_recounts_are_corrected_for_all_tests_of_the_chapter(results: Path) -> None:
    found = by_claim()
    p = [*tables_1_2.recount()["t_p"], *(test.t_p for test in tables_1_2_verdicts.inputs_against_losses().values())]
    corrected = multipletests(p, method="holm")[1]
    words = [found[name].holds for name in tables_1_2.COUNTED]
    assert words == ["holds" if each < 0.05 else "cannot tell" for each in corrected[:-2]]
    assert found["pick-beats-cutmix-cifar100"].holds == found["pick-960-beats-crd"].holds == "cannot tell"
    assert found["cutmix-all-pairs-cifar100"].holds == "holds"


def test_inputs_lose_to_losses_at_equal_epochs_on_tiny_imagenet() -> None:
    found = tables_1_2_verdicts.inputs_against_losses()
    assert [(test.positive, test.n, round(test.mean, 2)) for test in found.values()] == [(3, 7, -0.07), (0, 7, -1.29)]


def test_turned_tables_fail(monkeypatch: pytest.MonkeyPatch, results: Path) -> None:
    turned = {number: paper.table(number).assign(mean=lambda f: 100 - f["mean"]) for number in (1, 2)}
    monkeypatch.setattr(paper, "table", turned.get)
    words = {name: verdict.holds for name, verdict in by_claim().items()}
    assert words.pop("inputs-as-promising") == "cannot tell", "now CRD loses surely on one table, not on the other"
    assert set(words.values()) == {"fails"}


def test_a_run_on_other_images_stands_beside_no_claim_of_cifar100(results: Path) -> None:
    live = {"this run": tables_1_2.labelled(study())}
    for dataset, expected in (("digits", "digits"), ("cifar100", "photographs"), ("tinyimagenet", None)):
        verdict, *_ = tables_1_2_verdicts.verdicts(live, dataset, "laptop")
        kinds = {found.by for found in verdict.findings if found.says != "not tested"} - {"published"}
        assert kinds == ({expected} if expected else set())
