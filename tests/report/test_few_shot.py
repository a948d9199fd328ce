"""The few-shot studies: rankings joined to students by hand-made numbers, the two ends, and our pairs as they come."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, ttest_1samp

from kdutils import augment, report
from kdutils.report import few_shot, recorded_runs


@pytest.fixture
def ranked() -> pd.DataFrame:
    return pd.DataFrame(
        {"scheme": ["identity", "cutmix", "cutmixpick_s"], "t_stddev": [5e-3, 4e-3, None], "t_stddev_se": [1e-4] * 3}
    )


def test_points_hold_means_spreads_and_counts(ranked: pd.DataFrame) -> None:
    students = pd.DataFrame(
        {
            "scheme": ["cutmix", "cutmix", "identity", "identity", "cutmixpick_s", "identity"],
            "test_loss": [1.0, 3.0, 2.0, 4.0, 9.0, None],
            "test_accuracy": [70.0, 72.0, 60.0, 64.0, 1.0, None],
        }
    )
    points = few_shot.beside_students(ranked, students).set_index("scheme")
    assert list(points.index) == ["identity", "cutmix"], "a scheme without T. stddev is no point"
    assert points["n"].tolist() == [2, 2], "a run without a result does not count"
    assert points["test_loss"].tolist() == [3.0, 2.0]
    assert points["test_loss_std"].tolist() == pytest.approx([2**0.5, 2**0.5])
    assert points["test_accuracy"].tolist() == [62.0, 71.0]
    assert points["t_stddev"].tolist() == pytest.approx([5.0, 4.0])
    assert points["t_stddev_se"].tolist() == pytest.approx([0.1, 0.1])


def test_words_name_each_coefficient_with_its_sign() -> None:
    points = pd.DataFrame({"t_stddev": [1.0, 2, 3, 4, 5], "test_loss": [5.0, 4, 3, 1, 2]})
    words = few_shot.in_words(points)
    assert "Pearson's -0.9" in words
    assert "Spearman's -0.9" in words
    assert "Kendall's -0.8" in words


def runs_of(shift: float, seeds: int = 3) -> pd.DataFrame:
    """Runs of which CutMixPick saves `shift` and a little more with each seed; one seed more of Identity alone."""
    rows = [("identity", seed, 3.0 + seed, 20.0 + seed) for seed in range(seeds + 1)]
    rows += [("cutmixpick_t", seed, 3.0 + seed - shift - 0.1 * seed, 22.0 + 2 * seed) for seed in range(seeds)]
    return pd.DataFrame(rows, columns=["scheme", "seed", "test_loss", "test_accuracy"]).assign(key="k")


def test_the_two_ends_are_paired_by_seed() -> None:
    row = few_shot.two_ends({"50": runs_of(0.5)}).loc["50"]
    assert row["n"] == 3, "a seed without a partner does not count"
    assert row[["saved", "gained", "identity"]].tolist() == pytest.approx([0.6, 3.0, 4.0])
    saved = ttest_1samp([0.5, 0.6, 0.7], 0)
    assert row["saved_p"] == pytest.approx(saved.pvalue)
    assert row[["saved_low", "saved_high"]].tolist() == pytest.approx(list(saved.confidence_interval()))
    shown = few_shot.ends_table({"50": runs_of(0.5)}).loc["50"]
    assert shown["saved (nats)"].startswith("+0.60 (+0.35 to +0.85, p = 0.009")


def test_two_studies_are_compared_over_the_seeds_of_both() -> None:
    few, more = runs_of(0.5), runs_of(0.2, seeds=2)
    more.loc[more["scheme"].eq("cutmixpick_t") & more["seed"].eq(1), "test_loss"] -= 0.05
    found = few_shot.ends_compared(few, more)
    assert (found.n, found.mean) == (2, pytest.approx(0.275))
    words = few_shot.ends_in_words({"few": few, "more": more})
    assert "From few to more" in words
    assert "changes by -0.275 nats" in words
    assert "paired over 2 seeds" in words


def test_a_study_that_has_only_begun_stops_no_page() -> None:
    few, begun = runs_of(0.5), runs_of(0.2, seeds=1)
    assert list(few_shot.two_ends({"50": few, "100": begun}).index) == ["50"]
    assert "needs two seeds" in few_shot.ends_in_words({"50": few, "100": begun})


def test_subsets_leave_the_cutmix_family_out_and_agree_with_scipy() -> None:
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(2, 9))
    frame = pd.DataFrame({"scheme": list(augment.SCHEMES)[:9], "t_stddev": x, "test_loss": x + noise})
    found = few_shot.subsets(frame)
    assert found["schemes"].tolist() == [9, 7, 6]
    six = frame[~frame["scheme"].str.startswith("cutmix")]
    expected = pearsonr(six["t_stddev"], six["test_loss"])
    last = found.loc["without CutMix and its picks"]
    assert (last["r"], last["p"]) == pytest.approx(tuple(expected))


SCHEMES = ("identity", "flip", "cutmix")


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One study that is whole, and of the pairs one that is, one without a ranking and one with a scheme missing."""
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    one = pd.DataFrame([(s, k, 2.0 + k, 30.0) for s in SCHEMES for k in range(3)])
    one.columns = ["scheme", "seed", "test_loss", "test_accuracy"]
    report.write_recorded("fewshot", one, {"runs": 9, "planned_runs": 9})
    pairs = [("resnet32", "wrn_16_1", 3), ("resnet44", "vgg8", 3), ("resnet56", "resnet20", 2)]
    rows = [(t, s, scheme, 0, 3.0, 20.0) for t, s, many in pairs for scheme in (*SCHEMES[:many], "none")]
    columns = ["teacher", "student", "scheme", "seed", "test_loss", "test_accuracy"]
    report.write_recorded("few_pairs", pd.DataFrame(rows, columns=columns), {"runs": 8, "planned_runs": 90})
    ranking = pd.DataFrame({"scheme": SCHEMES, "t_stddev": [5e-3, 4e-3, 3e-3], "t_stddev_se": 1e-4})
    for name in ("fewshot_rank", "few_rank_resnet32", "few_rank_resnet56"):
        report.write_recorded(name, ranking, {})
    return tmp_path


def test_our_pairs_are_those_with_a_ranking_and_students_of_all_its_schemes(recorded: Path) -> None:
    points = few_shot.points()
    assert points["pair"].drop_duplicates().tolist() == ["resnet20/resnet8", "resnet32/wrn_16_1"]
    assert points["t_stddev"].tolist() == pytest.approx([5, 4, 3] * 2)
    assert few_shot.study()["n"].tolist() == [3, 3, 3]
    assert "none" not in set(few_shot.students()["scheme"]), "students without a scheme are no points"


def test_what_another_student_picked_is_no_point_of_a_pair(recorded: Path) -> None:
    """The S. ent. row of the study's teacher is that of its student, though the teacher has another one too."""
    rows = pd.DataFrame([(scheme, 0, 3.0, 30.0) for scheme in (*SCHEMES, "cutmixpick_s")])
    rows.columns = ["scheme", "seed", "test_loss", "test_accuracy"]
    report.write_recorded("fewshot", rows, {})
    report.write_recorded("few_pairs", rows.assign(teacher="resnet20", student="MobileNetV2"), {})
    names = [*SCHEMES, "cutmixpick_s"]
    ranking = pd.DataFrame({"scheme": names, "t_stddev": [5e-3, 4e-3, 3e-3, 2e-3], "t_stddev_se": 1e-4})
    report.write_recorded("fewshot_rank", ranking, {})
    schemes = few_shot.points().groupby("pair")["scheme"].agg(list)
    assert schemes["resnet20/resnet8"] == names
    assert schemes["resnet20/MobileNetV2"] == list(SCHEMES)


def test_a_partial_study_of_pairs_says_how_much_there_is(recorded: Path) -> None:
    assert few_shot.pairs_short_of() == "8 of 90 runs recorded"
    frame = report.recorded("few_pairs")
    report.write_recorded("few_pairs", frame, {"runs": 90, "planned_runs": 90})
    assert few_shot.pairs_short_of() == "no ranking yet of 1 teachers"
    (recorded / "few_pairs.csv").unlink()
    assert few_shot.pairs_short_of() == "not recorded yet"
    assert few_shot.points()["pair"].unique().tolist() == ["resnet20/resnet8"]


def test_without_any_recording_there_are_no_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    assert few_shot.points().empty
    assert few_shot.students().empty


def test_the_order_with_all_images_stands_beside_that_of_the_same_inputs_with_few(recorded: Path) -> None:
    assert few_shot.whole().empty
    assert few_shot.whole_in_words() == "state: not recorded yet."
    columns = ["scheme", "seed", "test_loss", "test_accuracy"]
    few = [("none", 0, 3.0, 20.0), ("none", 1, 4.0, 20.0), ("cutmix", 0, 3.25, 20.0), ("mixup", 0, 1.0, 20.0)]
    report.write_recorded("after_unseen", pd.DataFrame(few, columns=columns), {"runs": 4, "planned_runs": 57})
    many = [("none", 0, 1.75, 50.0), ("cutmix", 0, 1.875, 50.0)]
    report.write_recorded("whole", pd.DataFrame(many, columns=columns), {"runs": 2, "planned_runs": 12})
    assert few_shot.whole()["test_loss"].tolist() == [1.75, 1.875]
    assert few_shot.whole_in_words() == (
        "From the lowest test loss, with all images: x alone 1.750, CutMix 1.875; with 50 per class: "
        "CutMix 3.250, x alone 3.500; state: 2 of 12 runs recorded."
    )
    report.write_recorded("whole", pd.DataFrame(many, columns=columns), {"runs": 12, "planned_runs": 12})
    assert few_shot.whole_in_words().endswith("; state: all recorded.")
