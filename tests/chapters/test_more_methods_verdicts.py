"""Whether gains combine, and whether five methods gain: made-up students as they are recorded, whole and in part."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp
from statsmodels.stats.multitest import multipletests

from kdutils import paper, report
from kdutils.chapters import more_methods
from kdutils.chapters import more_methods_verdicts as verdicts_of
from kdutils.report import recorded_runs

LIVE = pd.DataFrame({"method": ["at", "cc"], "seed": [0, 0], "accuracy_gain": [1.0, -1.0], "loss_gain": [0.1, 0.1]})


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    return tmp_path


def study(gains: dict[str, float], seeds: int = 3, noise: float = 0.05) -> pd.DataFrame:
    """Runs of methods without x' and with CutMix, which gains so many points, in the form that is recorded."""
    draws = np.random.default_rng(0)
    rows = [
        (method, scheme, seed, 20 + seed + (gain if scheme == "cutmix" else 0) + draws.normal(0, noise), 3.0)
        for method, gain in gains.items()
        for scheme in ("none", "cutmix")
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows, columns=["method", "scheme", "seed", "test_accuracy", "test_loss"])


def table_1(pick: float, crd: float, together: float) -> pd.DataFrame:
    """Students of Table 1's rows: what CutMixPick and CRD gain over KD alone, and what both gain together."""
    gains = {("kd", "none"): 0, ("kd", "cutmixpick_t"): pick, ("crd", "none"): crd, ("crd", "cutmixpick_t"): together}
    draws = np.random.default_rng(0)
    rows = [
        (method, scheme, 20, seed, 20 + gain + draws.normal(0, 0.02))
        for (method, scheme), gain in gains.items()
        for seed in range(3)
    ]
    return pd.DataFrame(rows, columns=["method", "scheme", "epochs", "seed", "test_accuracy"])


def by_claim(dataset: str = "digits") -> dict[str, report.Verdict]:
    return {verdict.claim_ids[0]: verdict for verdict in verdicts_of.verdicts(LIVE, dataset, "quick")}


def test_every_claim_of_the_chapter_gets_a_verdict_and_what_is_not_recorded_is_no_failure(results: Path) -> None:
    claims, found = paper.claims(), by_claim()
    assert set(found) == set(claims[claims["chapter"] == "08_more_methods"]["id"])
    assert {v.found("photographs")[0].short_of for v in found.values()} == {"not recorded yet"}
    assert [found[f"cutmix-five-methods-{name}"].holds for name in ("gain", "half")] == ["not tested"] * 2
    assert (found["inputs-and-losses-combine"].holds, found["inputs-and-losses-combine"].decided_by) == (
        "partly",
        "published",
    )


FIVE = dict.fromkeys(verdicts_of.METHODS, 2.0)


@pytest.mark.parametrize(
    ("gains", "gain", "half"),
    [
        (FIVE, "holds", "holds"),
        (dict.fromkeys(FIVE, -2.0), "fails", "fails"),
        (FIVE | {"at": -2.0}, "partly", "holds"),
        (dict.fromkeys(FIVE, 0.5), "holds", "fails"),
        (FIVE | {"at": 0.0}, "cannot tell", "holds"),
        (dict.fromkeys(FIVE, 1.0), "holds", "cannot tell"),
    ],
)
def test_five_methods_of_one_pair(results: Path, gains: dict, gain: str, half: str) -> None:
    report.write_recorded("few_methods", study(gains), {"runs": 30, "planned_runs": 30})
    found = [by_claim()[f"cutmix-five-methods-{name}"].found("photographs")[0] for name in ("gain", "half")]
    assert [each.says for each in found] == [gain, half]
    assert {each.short_of for each in found} == {"one pair of networks"}


def test_a_partial_study_says_how_much_there_is_and_holds_nothing(results: Path) -> None:
    runs = study({"at": 2.0, "cc": 2.0})
    report.write_recorded("few_methods", runs, {"runs": len(runs), "planned_runs": 30})
    found = [by_claim()[f"cutmix-five-methods-{name}"].found("photographs")[0] for name in ("gain", "half")]
    assert [each.says for each in found] == ["cannot tell"] * 2
    assert {each.short_of for each in found} == {"one pair of networks; 12 of 30 runs recorded"}
    assert found[0].numbers.startswith("few-shot: 2 of 2 methods gain on average, 2 surely")


def test_all_draws_of_seeds_are_counted() -> None:
    wide = pd.DataFrame({"a": [3.0, 0.0], "b": [0.0, 0.0], "c": [3.0, 3.0]})
    assert verdicts_of.share_of_draws(wide, 1.0) == 0.75, "without seed 0, one of four draws, only c gains"
    assert verdicts_of.share_of_draws(wide.head(1), 1.0) is None
    assert verdicts_of.share_of_draws(wide.assign(d=[1.0, None]), 1.0) is None


@pytest.mark.parametrize(
    ("pick", "crd", "together", "says"),
    [
        (2.0, 1.0, 3.0, "cannot tell"),  # they add up, which no test can show
        (2.0, 1.0, 2.5, "partly"),  # both add, but less together
        (-1.0, -1.0, -4.0, "fails"),
    ],
)
def test_our_students_are_asked_whether_gains_combine(
    results: Path, pick: float, crd: float, together: float, says: str
) -> None:
    report.write_recorded("few_table1", table_1(pick, crd, together), {"runs": 12, "planned_runs": 27})
    (found,) = by_claim()["inputs-and-losses-combine"].found("photographs")
    assert (found.says, found.short_of) == (says, "one pair of networks; 12 of 27 runs recorded")
    assert verdicts_of.ours_in_words().endswith(f"*{says}*.")
    assert found.numbers.count("corrected p") == 3


def test_seeds_without_all_four_rows_say_so(results: Path) -> None:
    runs = table_1(2.0, 1.0, 3.0).query("method == 'kd' or seed == 0")
    report.write_recorded("few_table1", runs, {"runs": len(runs), "planned_runs": 27})
    assert "1 of 3 seeds have all four rows" in verdicts_of.ours_in_words()


def test_holm_counts_every_part() -> None:
    rows = [("cifar100", "pick_under_crd", 0.4, 0.03), ("cifar100", "crd_under_pick", 0.4, 0.03)]
    found = pd.DataFrame([*rows, ("cifar100", "less", 0.0, 0.9)], columns=["dataset", "quantity", "mean", "p"])
    assert verdicts_of.combine(found) == "cannot tell"
    assert verdicts_of.combine(found.assign(p=[0.01, 0.01, 0.01], mean=[0.4, 0.4, -0.4])) == "partly"
    assert verdicts_of.combine(found.assign(p=[0.03, 0.03, 0.01], mean=[0.4, 0.4, -0.4])) == "cannot tell", "corrected"


def test_five_methods_are_corrected_together() -> None:
    gained = more_methods.gains(study(FIVE, noise=0.35), "cutmix")
    p = [ttest_1samp(each["accuracy_gain"], 0).pvalue for _, each in gained.groupby("method")]
    corrected = multipletests(p, method="holm")[1]
    assert max(p) < 0.05 <= max(corrected), "the noise is such that the correction matters"
    assert verdicts_of._all_gain(gained, "", by="photographs").says == "cannot tell"


def test_this_run_says_what_digits_show_and_decides_nothing(results: Path) -> None:
    (found,) = by_claim()["cutmix-five-methods-gain"].found("digits")
    assert found.numbers == "this run: 1 of 2 methods gain on average, 0 surely; AT +1.00, CC -1.00 points"
    assert (found.says, found.n) == ("cannot tell", "1 pair, up to 1 seed")
    assert more_methods.our_combination().empty
