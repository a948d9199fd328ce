"""`kdutils rank`, as people type it."""

import copy
import json
import shlex
from pathlib import Path

import pandas as pd

from kdutils import metrics, models, report, runs, training
from kdutils.report import recorded_runs
from kdutils.runs import RankSpec, Store
from tests.cli.words import run


def test_rank_prints_the_table_and_writes_it_with_its_provenance(store: Store, tmp_path: Path) -> None:
    words = ["--teacher", "tiny", "--teacher-epochs", "1", "--schemes", "identity,cutmix", "--steps", "15"]
    code, out, told = run("rank", *words, "--out", tmp_path / "made" / "rank.csv")
    assert code == 0
    assert "no --weights: tiny is trained first (--teacher-epochs 1)" in told
    assert "no --weights" not in run("rank", *words)[2]
    table = pd.read_csv(tmp_path / "made" / "rank.csv")
    spec = RankSpec(teacher="tiny", teacher_epochs=1, schemes=("identity", "cutmix"), steps=15)
    pd.testing.assert_frame_equal(table, runs.rank(spec), check_dtype=False)
    for value, error in zip(table.t_stddev, table.t_stddev_se, strict=True):
        assert f"{1e3 * value:.4g} ± {1e3 * error:.2g}" in out
    facts = json.loads((tmp_path / "made" / "rank.json").read_text())
    assert shlex.split(facts["command"]) == ["kdutils", "rank", *words]
    assert facts["key"] == spec.key()
    assert {"date", "machine", "versions", "seed"} <= set(facts)
    digits = spec.load_data()
    right = training.evaluate(runs.load_teacher(spec), digits, digits.test).accuracy
    assert f"the teacher agrees with {right:.1f} % of the labels of 797 test images (chance 10 %)" in out
    assert f"images of {facts['images']}\n" in out
    assert facts["images"].startswith("digits, 16 x 16 pixels, normalised: mean 0.305 0.305 0.305, std")
    assert (facts["teacher_test_accuracy"], facts["teacher_test_images"]) == (round(right, 2), 797)


def test_rank_sorts_says_what_is_told_apart_and_why_a_row_is_missing(store: Store, teacher_file: Path) -> None:
    schemes = "identity,autoaugment,cutmix,cutmixpick_s"
    words = ("--teacher", "tiny", "--teacher-weights", teacher_file, "--schemes", schemes, "--steps", "60")
    code, out, _ = run("rank", *words)
    spec = RankSpec(teacher="tiny", teacher_weights=str(teacher_file), schemes=schemes.split(","), steps=60)
    table = runs.rank(spec).dropna(subset="t_stddev").sort_values("t_stddev")
    lines = [line for line in out.splitlines() if line.split()[:1] and line.split()[0] in list(table.scheme)]
    assert code == 0
    assert [line.split()[0] for line in lines] == table.scheme.tolist()
    assert max(map(len, out.splitlines())) <= 100
    assert "cutmixpick_s is not measured: it picks by what a student says (--student and --student-weights)" in out
    ranking = metrics.measure(runs.load_teacher(spec), spec.load_data(), table.scheme.tolist(), steps=60)
    for line, row in zip(lines, metrics.neighbours(metrics.told_apart(ranking)).itertuples(), strict=False):
        assert line.endswith("better") == row.apart
        assert row.apart or "not told apart" in line or "tie" in line
    assert run("rank", *words)[1] == out  # from the store


def test_rank_warns_of_a_teacher_near_chance_from_the_store_too(store: Store, teacher, tmp_path: Path) -> None:
    other, file = copy.deepcopy(teacher), tmp_path / "other.safetensors"
    other.fc.weight.copy_(teacher.fc.weight.roll(1, 0))  # the classes in another order
    models.save_weights(other, file)
    words = ("rank", "--teacher", "tiny", "--teacher-weights", file, "--schemes", "flip", "--steps", "15")
    for _ in range(2):
        code, out, told = run(*words)
        assert code == 0, told
        line = out.splitlines()[1]
        assert "agrees with" in line
        assert f"kdutils: {line}: does it have the same classes in the same order" in told


def test_rank_records_a_ranking_for_the_book_with_its_teachers_accuracy(store, teacher_file, tmp_path, monkeypatch):
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    words = ("--teacher", "tiny", "--teacher-weights", teacher_file, "--schemes", "identity", "--steps", "15")
    code, _, _ = run("rank", *words, "--record", "rank_tiny", "--note", "a teacher of the tests")
    assert code == 0
    spec = RankSpec(teacher="tiny", teacher_weights=str(teacher_file), schemes=("identity",), steps=15)
    pd.testing.assert_frame_equal(report.recorded("rank_tiny"), runs.rank(spec), check_dtype=False)
    facts, digits = report.recorded_provenance("rank_tiny"), spec.load_data()
    right = training.evaluate(runs.load_teacher(spec), digits, digits.test).accuracy
    assert (facts["note"], facts["teacher_test_accuracy"]) == ("a teacher of the tests", round(right, 2))
    code, _, told = run("rank", *words, "--record", "No Name")
    assert code == 1
    assert "small letters" in told


def test_a_folder_that_is_not_read_is_told(tmp_path: Path) -> None:
    told = run("rank", "--data-dir", tmp_path, "--teacher", "tiny", "--steps", "1")[2]
    assert told.startswith("--data-dir is not read: without --dataset (such as folder) the images are the digits\n")
