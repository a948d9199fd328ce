"""Tables 1 and 2: gains against the printed digits, intervals against scipy, counts against counting by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from kdutils import paper, recordings
from kdutils.chapters import tables


def test_welch_equals_scipy() -> None:
    draws = np.random.default_rng(0)
    a, b = draws.normal(0, 1, 3), draws.normal(0, 3, 3)
    interval = scipy_stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    half = tables.welch_half_width(np.array([a.std(ddof=1)]), np.array([b.std(ddof=1)]), 3, confidence=0.9)
    assert half[0] == pytest.approx((interval.high - interval.low) / 2)


@pytest.mark.parametrize("name", [name for name, compared in tables.COUNTED.items() if len(compared.bases) == 1])
def test_gains_are_those_of_the_printed_tables(name: str) -> None:
    table, row, (base,) = tables.COUNTED[name]
    ordinary, long = tables.EPOCHS[table]
    keys = [(label, long if prolonged else ordinary) for label, prolonged in (row, base)]
    found = tables.gains(tables.COUNTED[name])
    expected = paper.gains(table, *keys)
    assert found["pair"].tolist() == expected["pair"].tolist()
    assert found["gain"].tolist() == expected["gain"].tolist()
    assert (found["low"] < found["gain"]).all()


def test_the_best_of_several_bases_is_taken_pair_by_pair() -> None:
    compared = tables.COUNTED["pick-480-best"]
    each = [tables.gains(compared._replace(bases=(base,)))["gain"] for base in compared.bases]
    assert tables.gains(compared)["gain"].tolist() == pytest.approx(np.minimum.reduce(each).tolist())


def test_counts_by_hand_from_the_printed_digits() -> None:
    counted = tables.recount().set_index("id")["counted"]
    # Table 1: 74.78 < 74.91. Table 2: 53.66 < 53.77; 60.72 < 60.79 and 54.99 < 55.34; 62.60 < 62.85.
    assert counted["cutmix-all-pairs-cifar100"] == 7
    assert counted["pick-beats-cutmix-cifar100"] == 6
    assert counted["pick-beats-cutmix-tinyimagenet"] == 6
    assert counted["crd-pick-tinyimagenet"] == 5
    assert counted["crd-pick-480-tinyimagenet"] == 6


def test_every_claim_of_the_chapter_gets_a_verdict() -> None:
    claims = paper.claims()
    expected = set(claims[claims["chapter"] == "07_tables_1_2"]["id"])
    found = tables.verdicts({"this run": students()}, "digits", "quick")
    assert {name for verdict in found for name in verdict.claim_ids} == expected


def test_a_count_that_differs_fails_and_one_within_chance_holds_partly() -> None:
    assert tables.judge(counted=6, told=7, low=1.0) == "fails"
    assert tables.judge(counted=7, told=7, low=0.1) == "holds"
    assert tables.judge(counted=7, told=7, low=-0.1) == "partly"


def test_turned_tables_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    turned = {number: paper.table(number).assign(mean=lambda f: 100 - f["mean"]) for number in (1, 2)}
    monkeypatch.setattr(paper, "table", turned.get)
    assert {verdict.holds for verdict in tables.verdicts({"this run": students()}, "digits", "quick")} == {"fails"}


def test_our_gain_pairs_seeds() -> None:
    ours = tables.labelled(students())
    assert tables.our_gain(ours, tables.CUTMIX, tables.KD).tolist() == [2.0, 4.0]
    assert tables.our_gain(ours, tables.PICK_LONG, tables.PICK).tolist() == [1.0], "seed 1 has no prolonged run"
    assert tables.our_gain(ours, tables.CRD, tables.KD).empty
    rows = tables.beside_ours({"ours": ours}).query("source == 'ours'")
    assert rows["step"].tolist() == ["CutMix over KD", "CutMixPick over CutMix"], "one seed has no interval"
    assert rows["mean"].tolist() == [3.0, -1.0]


def test_identity_stands_in_for_plain_kd_in_the_few_shot_study() -> None:
    study = pd.DataFrame({"scheme": ["identity", "flip", "cutmix"], "seed": 0, "test_accuracy": [24.0, 30.0, 25.0]})
    assert tables.few_shot(study)["label"].tolist() == ["KD", "KD+CutMix"]
    table = tables.side_by_side(1, {"ours": tables.few_shot(study)})
    assert table.loc["ours", ["KD", "KD+CutMix"]].tolist() == [24.0, 25.0]
    assert table.loc["vgg13/vgg8", "KD+CutMixPick, long"] == 75.0
    assert len(table) == 8


def test_specs_are_the_rows_of_the_tables() -> None:
    shared = {"teacher": "resnet8", "student": "tiny", "seed": [0, 1]}
    asked = tables.specs(shared, ["kd", "crd"], 60, ["kd", "crd"], 120)
    runs = pd.DataFrame([spec.model_dump() for spec in asked])
    found = tables.labelled(runs)
    assert (runs["kl_on_x"] == 1).all()
    assert len(found) == len(asked), "every run has its row"
    printed = paper.table(1).query("metric == 'test_accuracy' and epochs.notna()")
    expected = set(zip(printed["label"], printed["epochs"] == 960, strict=True))
    assert set(zip(found["label"], found["long"], strict=True)) == expected
    assert (found.groupby(["label", "long"]).size() == 2).all()


def test_recorded_pairs_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [("vgg13", "vgg8", 1.0), ("resnet56", "resnet20", 3.0)]
    rows = [
        (teacher, student, "kd", scheme, 240, seed, 70 + (scheme == "cutmix") * (gain + seed))
        for teacher, student, gain in pairs
        for scheme in ("none", "cutmix")
        for seed in (0, 1)
    ]
    table = pd.DataFrame(rows, columns=["teacher", "student", "method", "scheme", "epochs", "seed", "test_accuracy"])
    monkeypatch.setattr(recordings, "recorded_names", lambda: ["table1"])
    monkeypatch.setattr(recordings, "recorded", {"table1": table}.get)
    found = tables.recorded()
    assert list(found) == ["table1: vgg13/vgg8", "table1: resnet56/resnet20"]
    assert [tables.our_gain(f, tables.CUTMIX, tables.KD).tolist() for f in found.values()] == [[1, 2], [3, 4]]
    verdict = tables.verdicts({"this run": students(), **found}, "digits", "quick")[0]
    assert verdict.recorded.startswith("table1: vgg13/vgg8: 1.5")
    assert verdict.this_run.startswith("digits: 3.0")


def test_runs_without_the_rows_of_a_claim_say_so() -> None:
    by_claim = {v.claim_ids[0]: v for v in tables.verdicts({"this run": students()}, "digits", "quick")}
    assert by_claim["crd-pick-tinyimagenet"].this_run == "not run at this size"
    assert by_claim["crd-pick-tinyimagenet"].recorded == "not recorded"


def test_forest_has_a_panel_a_data_set_and_four_dots_a_pair() -> None:
    chart = tables.forest(tables.steps())
    assert len(chart.axes) == 2
    for ax in chart.axes:
        assert [len(bars.lines[0].get_xdata()) for bars in ax.containers] == [7, 7, 7, 7]


def students() -> pd.DataFrame:
    rows = [
        ("none", 60, 0, 90.0),
        ("none", 60, 1, 90.0),
        ("cutmix", 60, 0, 92.0),
        ("cutmix", 60, 1, 94.0),
        ("cutmixpick_t", 60, 0, 92.0),
        ("cutmixpick_t", 60, 1, 92.0),
        ("cutmixpick_t", 120, 0, 93.0),
        ("mixup", 60, 0, 10.0),
    ]
    frame = pd.DataFrame(rows, columns=["scheme", "epochs", "seed", "test_accuracy"]).assign(method="kd")
    return tables.labelled(frame)
