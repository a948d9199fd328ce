"""Tables 1 and 2: gains against the printed digits, intervals against scipy, counts against counting by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from kdutils import paper
from kdutils.chapters import tables_1_2
from kdutils.report import recorded_runs


def test_welch_equals_scipy() -> None:
    draws = np.random.default_rng(0)
    a, b = draws.normal(0, 1, 3), draws.normal(0, 3, 3)
    interval = scipy_stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    half = tables_1_2.welch_half_width(np.array([a.std(ddof=1)]), np.array([b.std(ddof=1)]), 3, confidence=0.9)
    assert half[0] == pytest.approx((interval.high - interval.low) / 2)


@pytest.mark.parametrize("name", [name for name, compared in tables_1_2.COUNTED.items() if len(compared.bases) == 1])
def test_gains_are_those_of_the_printed_tables(name: str) -> None:
    table, row, (base,) = tables_1_2.COUNTED[name]
    ordinary, long = tables_1_2.EPOCHS[table]
    keys = [(label, long if prolonged else ordinary) for label, prolonged in (row, base)]
    found = tables_1_2.gains(tables_1_2.COUNTED[name])
    expected = paper.gains(table, *keys)
    assert found["pair"].tolist() == expected["pair"].tolist()
    assert found["gain"].tolist() == expected["gain"].tolist()
    assert (found["low"] < found["gain"]).all()


def test_the_best_of_several_bases_is_taken_pair_by_pair() -> None:
    compared = tables_1_2.COUNTED["pick-480-best"]
    each = [tables_1_2.gains(compared._replace(bases=(base,)))["gain"] for base in compared.bases]
    assert tables_1_2.gains(compared)["gain"].tolist() == pytest.approx(np.minimum.reduce(each).tolist())


def test_counts_by_hand_from_the_printed_digits() -> None:
    counted = tables_1_2.recount().set_index("id")["counted"]
    # Table 1: 74.78 < 74.91. Table 2: 53.66 < 53.77; 60.72 < 60.79 and 54.99 < 55.34; 62.60 < 62.85.
    assert counted["cutmix-all-pairs-cifar100"] == 7
    assert counted["pick-beats-cutmix-cifar100"] == 6
    assert counted["pick-beats-cutmix-tinyimagenet"] == 6
    assert counted["crd-pick-tinyimagenet"] == 5
    assert counted["crd-pick-480-tinyimagenet"] == 6


def test_our_gain_pairs_seeds() -> None:
    ours = tables_1_2.labelled(students())
    assert tables_1_2.our_gain(ours, tables_1_2.CUTMIX, tables_1_2.KD).tolist() == [2.0, 4.0]
    assert tables_1_2.our_gain(ours, tables_1_2.PICK_LONG, tables_1_2.PICK).tolist() == [1.0], (
        "seed 1 has no prolonged run"
    )
    assert tables_1_2.our_gain(ours, tables_1_2.CRD, tables_1_2.KD).empty
    found = tables_1_2.beside_ours({"ours": ours})
    rows = found.query("source == 'ours'")
    assert rows["step"].tolist() == ["CutMix over KD", "CutMixPick over CutMix"], "one seed has no interval"
    assert rows["mean"].tolist() == [3.0, -1.0]
    table = tables_1_2.gains_table(found)
    assert table.loc["CutMix over KD", "ours"].startswith("+3.00 (")
    assert table.loc["KD, prolonged over not", "ours"] == "–"
    assert table.loc["CutMixPick over CRD, equal epochs", "paper, Tiny ImageNet"].startswith("-1.29 (-2.04 to -0.55)")


def test_identity_stands_in_for_plain_kd_in_the_few_shot_study() -> None:
    study = pd.DataFrame({"scheme": ["identity", "flip", "cutmix"], "seed": 0, "test_accuracy": [24.0, 30.0, 25.0]})
    assert tables_1_2.identity_for_kd(study)["label"].tolist() == ["KD", "KD+CutMix"]
    table = tables_1_2.side_by_side(1, {"ours": tables_1_2.identity_for_kd(study)})
    assert table.loc["ours", ["KD", "KD+CutMix"]].tolist() == [24.0, 25.0]
    assert table.loc["vgg13/vgg8", "KD+CutMixPick, long"] == 75.0
    assert len(table) == 8


def test_specs_are_the_rows_of_the_tables() -> None:
    shared = {"teacher": "resnet8", "student": "tiny", "seed": [0, 1]}
    asked = tables_1_2.specs(shared, ["kd", "crd"], 60, ["kd", "crd"], 120)
    runs = pd.DataFrame([spec.model_dump() for spec in asked])
    found = tables_1_2.labelled(runs)
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
    monkeypatch.setattr(recorded_runs, "recorded_names", lambda: ["table1"])
    monkeypatch.setattr(recorded_runs, "recorded", {"table1": table}.get)
    found = tables_1_2.recorded()
    assert list(found) == ["table1: vgg13/vgg8", "table1: resnet56/resnet20"]
    assert [tables_1_2.our_gain(f, tables_1_2.CUTMIX, tables_1_2.KD).tolist() for f in found.values()] == [
        [1, 2],
        [3, 4],
    ]


def test_forest_has_a_panel_per_dataset_and_four_dots_per_pair() -> None:
    chart = tables_1_2.forest(tables_1_2.steps())
    assert [ax.get_title() for ax in chart.axes] == ["CIFAR-100", "Tiny ImageNet"]
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
    return tables_1_2.labelled(frame)
