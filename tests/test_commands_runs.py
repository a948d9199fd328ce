"""`kdutils rank`, `train`, `sweep` and `results`, as people type them."""

import contextlib
import json
import shlex
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from kdutils import cli, exchange, recordings, report, runs, training
from kdutils.commands import flags
from kdutils.commands.sweep import grids, read_duration
from kdutils.errors import UserError
from kdutils.specs import RankSpec, RunSpec
from kdutils.store import RESULT, WEIGHTS, Store

TINY = ["--student", "tiny", "--method", "ce", "--images-per-class", "13", "--epochs", "1"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store that the commands use by default, without worker processes."""
    monkeypatch.setenv("KDUTILS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("KDUTILS_WORKERS", "0")
    return Store()


def run(*words: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `kdutils words...`."""
    done = CliRunner().invoke(cli.app, [str(word) for word in words])
    return done.exit_code, done.stdout, done.stderr


def test_rank_prints_the_table_and_writes_it_with_its_provenance(store: Store, tmp_path: Path) -> None:
    words = ["--teacher", "tiny", "--teacher-epochs", "1", "--schemes", "identity,cutmix", "--steps", "15"]
    code, out, _ = run("rank", *words, "--out", tmp_path / "made" / "rank.csv")
    assert code == 0
    table = pd.read_csv(tmp_path / "made" / "rank.csv")
    spec = RankSpec(teacher="tiny", teacher_epochs=1, schemes=("identity", "cutmix"), steps=15)
    pd.testing.assert_frame_equal(table, runs.rank(spec), check_dtype=False)
    for value in table.t_stddev:
        assert f"{value:.4g}" in out
    facts = json.loads((tmp_path / "made" / "rank.json").read_text())
    assert shlex.split(facts["command"]) == ["kdutils", "rank", *words]
    assert facts["key"] == spec.key()
    assert {"date", "machine", "versions", "seed"} <= set(facts)


def test_rank_records_a_ranking_for_the_book_with_its_teachers_accuracy(store, teacher_file, tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "RESULTS", tmp_path)
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


def test_the_flags_are_the_fields_and_a_printed_line_asks_for_the_same() -> None:
    spec = RunSpec(teacher="tiny", student="tiny", scheme="cutmixpick_t", lr=0.01, seed=3, data_dir="a folder")
    line = shlex.split(flags.line("train", spec))
    assert line[:2] == ["kdutils", "train"]
    given = {name[2:].replace("-", "_"): text for name, text in zip(line[2::2], line[3::2], strict=True)}
    assert flags.read(RunSpec, given) == spec
    assert flags.read(RankSpec, {"teacher": "tiny", "schemes": "all"}) == RankSpec(teacher="tiny")


def test_train_prints_the_result_and_where_the_weights_lie(store: Store) -> None:
    code, out, _ = run("train", *TINY)
    spec = RunSpec(student="tiny", method="ce", images_per_class=13, epochs=1)
    result = runs.run(spec)
    assert code == 0
    assert f"{result.test_loss:.4f} nats" in out
    assert f"{result.test_accuracy:.2f} %" in out
    assert str(store.path(spec.key(), WEIGHTS)) in out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["rank", "--teacher", "tinny"], "unknown network 'tinny'. Did you mean 'tiny'?"),
        (["rank", "--teacher", "tiny", "--steps", "some"], "steps: Input should be a valid integer"),
        (["rank", "--teacher", "tiny", "--out", "rank.txt"], "rank.txt must end in .csv"),
        (["train"], "--student is missing"),
        (["sweep", "--scheme", "none"], "name at least one student"),
        (["sweep", *TINY, "--seed", ","], "the grid is empty: no value for seed"),
        (["sweep", *TINY, "--budget", "soon"], "'soon' is no time; write it as 90s, 25m"),
        (["sweep", *TINY, "--file", "none.toml"], "cannot read none.toml"),
        (["results", "import", "none.zip"], "cannot read none.zip"),
        (["results", "record", "x", "--where", "student"], "write it as field=value"),
        (["results", "record", "x"], "no result in the store fits: it is empty"),
    ],
)
def test_what_cannot_be_done_ends_in_one_line_and_exit_code_1(store: Store, words: list[str], complaint: str) -> None:
    code, out, error = run(*words)
    assert (code, out) == (1, "")
    assert error.startswith("kdutils: ")
    assert complaint in error
    assert len(error.splitlines()) == 1
    assert not store.folder.exists()


def test_a_sweep_ends_with_a_table_and_the_plan_and_the_commands_name_what_is_left(
    store: Store, tmp_path: Path
) -> None:
    words = ["sweep", *TINY, "--seed", "0,1"]
    _, plan, _ = run(*words, "--dry-run")
    assert "2 runs asked for; 2 to make" in plan
    assert "PFLOPs" in plan
    assert not store.folder.exists()
    _, commands, _ = run(*words, "--print-commands")
    assert [shlex.split(line) for line in commands.splitlines()] == [
        ["kdutils", "train", "--images-per-class", "13", "--student", "tiny", "--method", "ce", "--epochs", "1"],
        ["kdutils", "train", "--images-per-class", "13", "--seed", "1", *TINY[:4], "--epochs", "1"],
    ]
    code, out, _ = run(*words, "--out", tmp_path / "sweep.csv")
    assert code == 0
    assert "2 done" in out
    assert list(pd.read_csv(tmp_path / "sweep.csv").seed) == [0, 1]
    assert run(*words, "--print-commands")[1] == ""
    assert "0 to make" in run(*words, "--dry-run")[1]


def test_a_failed_run_is_named_and_the_exit_code_is_1(store: Store) -> None:
    code, out, error = run("sweep", *TINY, "--lr", "1e30,0.05")
    assert code == 1
    assert "1 done" in out
    assert "1 failed" in out
    assert error.startswith("kdutils: 1 of 2 runs failed:\ntiny ce+none seed 0: the training loss became")


def test_grids_come_from_toml_and_yaml_and_flags_come_on_top(tmp_path: Path) -> None:
    (tmp_path / "g.toml").write_text(
        'dataset = "digits"\nseed = [0, 1]\n[[grid]]\nlr = 0.1\n[[grid]]\nscheme = "all"\n'
    )
    first, second = grids(tmp_path / "g.toml", {"seed": ["7"]})
    assert first == {"dataset": "digits", "seed": ["7"], "lr": 0.1}
    assert len(second["scheme"]) == 9
    several = grids(None, {"scheme": ["none", "all"]})[0]["scheme"]
    assert several == ["none", *second["scheme"]]
    (tmp_path / "g.yaml").write_text("pair: [tiny/tiny]\nseed: 3\n")
    assert grids(tmp_path / "g.yaml", {}) == [{"pair": ["tiny/tiny"], "seed": 3}]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("sede = 1", "Did you mean 'seed'"),
        ("seed = ", "is no readable TOML"),
        ("grid = 3", "must be a list of tables"),
    ],
)
def test_a_file_that_is_no_grid_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "g.toml").write_text(text)
    with pytest.raises(UserError, match=complaint):
        grids(tmp_path / "g.toml", {})


def test_durations() -> None:
    assert [read_duration(text) for text in ("90s", "25m", "2h", "1h30m5s")] == [90, 1500, 7200, 5405]
    for text in ("", "25", "m", "1.5h", "5m1h"):
        with pytest.raises(UserError, match="is no time"):
            read_duration(text)


def test_results_travel_and_are_never_overwritten(store: Store, tmp_path: Path) -> None:
    run("sweep", *TINY, "--seed", "0,1")
    assert "2 results" in run("results", "export", tmp_path / "packed.zip", "--weights")[1]
    other = Store(tmp_path / "other")
    assert "2 new, 0 known, 0 differ" in run("results", "import", tmp_path / "packed.zip", "--store", other.folder)[1]
    key, edited = sorted(key for key, _ in other.results())
    for name in (RESULT, WEIGHTS):
        assert other.path(key, name).read_bytes() == store.path(key, name).read_bytes()
    ours = other.read(edited)
    other.write(edited, {**ours, "result": {**ours["result"], "test_loss": 0.0}})
    code, out, error = run("results", "import", store.folder, "--store", other.folder)
    assert code == 1
    assert "0 new, 1 known, 1 differ" in out
    assert error == f"kdutils: these results differ from ours, which were kept: {edited}\n"
    assert other.read(edited)["result"]["test_loss"] == 0.0
    assert edited in run("results", "list", "--store", other.folder)[1]


def test_unfinished_runs_travel_with_the_weights_and_the_further_checkpoint_wins(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = RunSpec(student="tiny", method="ce", images_per_class=13, epochs=4)
    stores = [store.folder, tmp_path / "ahead", tmp_path / "done"]
    for stop, folder in zip((1, 3, 4), stores, strict=True):
        with contextlib.suppress(runs.Stopped):
            runs.run(spec, folder, watch=lambda done, stop=stop: done == stop)
        run("results", "export", folder / "packed.zip", "--weights", "--store", folder)
    assert "0 differ; 1 unfinished" in run("results", "import", stores[1] / "packed.zip")[1]
    assert store.epochs(spec.key()) == 3
    assert "; 1 unfinished" not in run("results", "import", stores[1] / "packed.zip")[1]  # not further than ours
    monkeypatch.setattr("kdutils.machine.machine", lambda: "another machine")
    assert runs.run(spec) == runs.run(spec, stores[2])
    assert "0 new, 1 known, 0 differ" in run("results", "import", stores[2] / "packed.zip")[1]


def test_a_recorded_sweep_says_what_it_was_asked_for_and_where_it_was_made(store, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(recordings, "RESULTS", tmp_path / "results")
    (tmp_path / "study.toml").write_text('pair = "tiny/tiny"\nteacher_epochs = 1\nepochs = 1\nimages_per_class = 13\n')
    words = ["sweep", "--file", tmp_path / "study.toml", "--seed", "0,1", "--record", "study"]
    code, out, _ = run(*words, "--budget", "0s")
    assert code == 1
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("kdutils.machine.machine", lambda: "a GPU")
        code, out, error = run(*words)
    assert (code, error) == (0, "")
    assert "2 of 2 runs recorded as study" in out
    table, facts = report.recorded("study"), report.recorded_provenance("study")
    assert list(table.seed) == [0, 1]
    assert facts["command"] == "kdutils sweep --file study.toml --seed 0,1"
    assert (facts["machine"], facts["planned_runs"]) == ("a GPU", 2)
    teacher = RunSpec(student="tiny", method="ce", epochs=1)
    accuracy = runs.run(teacher).test_accuracy
    assert facts["teacher_test_accuracy"] == f"tiny {round(accuracy, 2)}"
    run("results", "record", "again")  # here and now, of what was made there
    assert report.recorded_provenance("again")["machine"] == "a GPU"


def test_a_packed_file_cannot_write_outside_the_store(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        for name in ("../escaped", "/escaped", "0123456789abcdef/../../escaped", "notes.txt"):
            archive.writestr(name, "x")
    assert exchange.merge(tmp_path / "evil.zip", Store(tmp_path / "store")) == exchange.Merged()
    assert {path.name for path in tmp_path.rglob("*")} <= {"evil.zip", "store"}
    (tmp_path / "no.zip").write_text("no archive")
    with pytest.raises(UserError, match=r"no\.zip is no packed store"):
        exchange.merge(tmp_path / "no.zip", Store(tmp_path / "store"))


def test_a_store_becomes_a_recorded_run_of_the_book(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "RESULTS", tmp_path / "results")
    run("sweep", *TINY, "--seed", "0,1")
    code, out, error = run("results", "record", "my_runs", "--where", "seed=1")
    assert (code, error) == (0, "")
    assert "1 results recorded as my_runs" in out
    table = report.recorded("my_runs")
    assert list(table.seed) == [1]
    spec = RunSpec(student="tiny", method="ce", images_per_class=13, epochs=1, seed=1)
    assert table.test_loss[0] == pytest.approx(runs.run(spec).test_loss)
    assert report.recorded_provenance("my_runs")["seed"] == "1"
    assert run("results", "record", "my_runs", "--where", "seed=9")[0] == 1
