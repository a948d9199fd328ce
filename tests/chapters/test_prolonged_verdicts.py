"""The verdicts on prolonged training, by the rules of the study's design, on curves whose optima are known."""

from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import ttest_rel

from kdutils import paper, report
from kdutils.chapters import prolonged
from kdutils.chapters import prolonged_verdicts as verdicts_of
from kdutils.report import recorded_runs
from tests.chapters.test_prolonged import CE, CE_CROP, KD, KD_CROP, KD_MIX, students

PICK = "KD, Flip+Crop, CutMixPick (T. ent.)"
WIDE = (15, 30, 60, 120, 240, 480)
ALL = {
    "CE, no DA": [25, 26],
    CE: [40, 41],
    CE_CROP: [50, 51],
    "KD, no DA": [40, 41],
    KD: [70, 72],
    KD_CROP: [120, 121],
    KD_MIX: [170, 171],
    PICK: [220, 223],
}


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    return tmp_path


def as_recorded(lines: pd.DataFrame) -> pd.DataFrame:
    """Made-up lines in the columns of a recording."""
    parts = lines["line"].str.split(", ", expand=True).reindex(columns=range(3))
    labels = {label: name for name, label in prolonged.STANDARD_LABELS.items()}
    scheme = parts[2].map({"CutMix": "cutmix", "CutMixPick (T. ent.)": "cutmixpick_t"}).fillna("none")
    columns = {"method": parts[0].str.lower(), "standard": parts[1].map(labels), "scheme": scheme}
    return lines.assign(**columns, test_accuracy=100 - lines["test_error"]).drop(columns=["line", "test_error"])


def record(optima: dict[str, list[float]], done: int = 80) -> None:
    frame = as_recorded(students(optima, WIDE))
    report.write_recorded("few_prolonged", frame, {"runs": done, "planned_runs": 80})


def by_claim(dataset: str = "digits") -> dict[str, report.Verdict]:
    live = students({line: [60, 60] for line in (CE, CE_CROP, KD, KD_CROP, PICK)})
    found = verdicts_of.verdicts(live, "cutmixpick_t", dataset, "quick")
    return {verdict.claim_ids[0]: verdict for verdict in found}


def test_every_claim_of_the_chapter_gets_a_verdict_and_digits_decide_none(results: Path) -> None:
    claims, found = paper.claims(), by_claim()
    assert set(found) == set(claims[claims["chapter"] == "06_prolonged"]["id"])
    assert {claim: verdict.holds for claim, verdict in found.items()} == {
        **dict.fromkeys(verdicts_of.TESTS, "not tested"),
        "stronger-admits-longer": "cannot tell",
    }
    assert found["stronger-needs-longer"].found("digits")[0].says == "cannot tell", "all optima are the same"


def words(found: dict[str, report.Verdict]) -> dict[str, str]:
    """Claim -> the word of the recorded students."""
    return {claim: found[claim].found("photographs")[0].says for claim in verdicts_of.TESTS}


def test_a_whole_study_answers_and_being_of_one_pair_does_not_decide(results: Path) -> None:
    assert prolonged.recorded_optima().index.tolist() == ["not recorded yet"]
    record(ALL)
    assert prolonged.recorded_optima().loc["KD, Flip, 20 images per class"].tolist() == ["70", "72"]
    found = by_claim()
    assert {word for claim, word in words(found).items() if claim != "stronger-lower-optimum"} == {"holds"}
    (ours,) = found["stronger-needs-longer"].found("photographs")
    assert "CutMixPick (T. ent.) after KD, Flip+Crop, CutMix by" in ours.numbers
    assert (ours.short_of, found["stronger-needs-longer"].decided) == ("one pair of networks", None)


def test_reversed_optima_fail(results: Path) -> None:
    lines = list(ALL)
    record(
        dict(zip(lines[:3], reversed([ALL[line] for line in lines[:3]]), strict=True))
        | dict(zip(lines[3:], reversed([ALL[line] for line in lines[3:]]), strict=True))
    )
    found = by_claim()
    assert words(found)["augmentation-needs-longer"] == words(found)["stronger-needs-longer"] == "fails"


def test_a_partial_study_says_how_much_there_is_and_does_not_decide(results: Path) -> None:
    record({line: ALL[line] for line in (CE, CE_CROP, KD, KD_CROP)}, done=40)
    found = by_claim()
    (ours,) = found["later-for-kd-than-ce"].found("photographs")
    assert (ours.says, ours.short_of) == ("holds", "one pair of networks; 40 of 80 runs recorded")
    assert found["later-for-kd-than-ce"].holds == "not tested"
    assert found["augmentation-needs-longer"].found("photographs") == (), "its lines are not there"


@pytest.mark.parametrize(
    ("weaker", "stronger", "says"),
    [
        ([40, 60], [60, 120], "holds"),
        ([40, 60], [60, 60], "cannot tell"),  # one seed does not move
        ([60, 90], [45, 40], "fails"),
        ([65, 65], [70, 150], "cannot tell"),  # less than the seeds' spread
        ([240, 240], [240, 240], "cannot tell"),  # both may lie beyond
        ([30, 30], [90, 100], "holds"),  # wherever the weaker one's is, it is earlier
        ([60, 61], [30, 30], "fails"),
        ([60, 61], [240, 240], "holds"),  # at least that far
        ([240, 240], [100, 101], "fails"),
    ],
)
def test_later(weaker: list[float], stronger: list[float], says: str) -> None:
    best = prolonged.optima(students({KD: weaker, KD_CROP: stronger}))
    assert verdicts_of.later(best, KD, KD_CROP).says == says


def test_a_bound_tells_nothing_of_an_order_that_it_could_turn() -> None:
    best = prolonged.optima(students({KD: [60, 61], KD_CROP: [120, 122]}))
    for line, end in ((KD, "at_edge"), (KD_CROP, "at_start")):
        bound = best.assign(**{end: best[end] | (best["line"] == line)})
        assert verdicts_of.later(bound, KD, KD_CROP).says == "cannot tell"
    assert verdicts_of.later(best, KD, KD_CROP).says == "holds"


@pytest.mark.parametrize(("kd_crop", "says"), [([240, 241], "holds"), ([70, 71], "fails"), ([250, 70], "cannot tell")])
def test_later_for_kd_compares_the_two_shifts(kd_crop: list[float], says: str) -> None:
    best = prolonged.optima(students({CE: [60, 60], CE_CROP: [110, 110], KD: [60, 60], KD_CROP: kd_crop}, WIDE))
    assert verdicts_of.later_for_kd(best, (CE, CE_CROP), (KD, KD_CROP)).says == says


def test_a_shift_from_or_to_an_end_of_the_budgets_is_unknown() -> None:
    inside = {CE: [60, 60], CE_CROP: [110, 110], KD: [60, 60], KD_CROP: [240, 240]}
    for line, end in ((CE, 15), (CE_CROP, 480), (KD, 15), (KD_CROP, 480)):
        best = prolonged.optima(students({**inside, line: [end, end]}, WIDE))
        assert verdicts_of.later_for_kd(best, (CE, CE_CROP), (KD, KD_CROP)).says == "cannot tell"


def test_without_two_common_seeds_nothing_is_told() -> None:
    best = prolonged.optima(students({KD: [60, 60], KD_CROP: [120, 120]}))
    for seeds in (best[(best["line"] == KD) == (best["seed"] == 0)], best[best["seed"] == 0]):
        assert verdicts_of.later(seeds, KD, KD_CROP).says == "cannot tell"
        assert verdicts_of.lower(seeds, KD, KD_CROP).says == "cannot tell"


@pytest.mark.parametrize(
    ("offsets", "says"),
    [([-0.2, -0.21, -0.19], "holds"), ([0.2, 0.21, 0.19], "fails"), ([-0.2, 0.2, 0], "cannot tell")],
)
def test_lower_asks_whether_the_difference_is_beyond_its_interval(offsets: list[float], says: str) -> None:
    frame = students({KD: [60, 60, 60], KD_CROP: [60, 60, 60]})
    shift = frame["seed"].map(dict(enumerate(offsets))).where(frame["line"] == KD_CROP, 0)
    best = prolonged.optima(frame.assign(test_loss=frame["test_loss"] + shift))
    assert verdicts_of.lower(best, KD, KD_CROP).says == says


def test_the_two_published_tables_are_corrected_together() -> None:
    gains = prolonged.published()
    assert verdicts_of._longer(gains).says == "cannot tell", "p = 0.035 on one table is no evidence after two tests"
    assert "p = 0.035, corrected p = 0.070)" in verdicts_of._longer(gains).numbers
    each = gains.assign(picked=gains["alone"] + (gains.groupby("dataset").cumcount() % 2 == 0))
    p = [ttest_rel(group["picked"], group["alone"]).pvalue for _, group in each.groupby("dataset")]
    assert 0.025 < min(p) <= max(p) < 0.05, "each by itself would be"
    assert verdicts_of._longer(each).says == "cannot tell"
    more = gains.assign(picked=gains["alone"] + 1 + gains.index % 3 / 10)
    assert verdicts_of._longer(more).says == "holds"
    assert verdicts_of._longer(more.assign(alone=more["picked"], picked=more["alone"])).says == "fails"


def test_our_students_of_table_1_stand_beside_the_published_tables(results: Path) -> None:
    rows = [
        (
            "resnet20",
            "resnet8",
            "kd",
            scheme,
            epochs,
            seed,
            20 + (epochs == 80) * gain + 0.01 * seed * (gain > 1),
        )
        for scheme, gain in (("none", 1), ("cutmixpick_t", 3))
        for epochs in (20, 80)
        for seed in range(3)
    ]
    columns = ["teacher", "student", "method", "scheme", "epochs", "seed", "test_accuracy"]
    runs = pd.DataFrame(rows, columns=columns)
    runs.loc[11, "test_accuracy"] += 0.1
    report.write_recorded("few_table1", runs, {"runs": 12, "planned_runs": 27})
    verdict = by_claim()["stronger-admits-longer"]
    (ours,) = verdict.found("photographs")
    assert (ours.says, ours.short_of) == ("holds", "one pair of networks; 12 of 27 runs recorded")
    assert verdict.decided_by == "published"
    report.write_recorded("few_table1", runs[runs["epochs"] == 20], {"runs": 6, "planned_runs": 27})
    (none,) = by_claim()["stronger-admits-longer"].found("photographs")
    assert (none.says, none.n) == ("not tested", "")
