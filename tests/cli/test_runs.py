"""`kdutils train` and `sweep`, as people type them."""

import shlex
from pathlib import Path

import pandas as pd
import pytest

from kdutils import report, runs
from kdutils.cli import flags
from kdutils.cli.sweep import grids, read_duration
from kdutils.errors import UserError
from kdutils.report import recorded_runs
from kdutils.runs import RankSpec, RunSpec, Store
from kdutils.runs.store import WEIGHTS
from tests.cli.words import TINY, run


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
        (["results", "list", "--store", "mistyped"], "no store at mistyped"),
        (["results", "export", "x.zip", "--store", "x" * 300], "no store at x"),
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


@pytest.mark.parametrize("words", [["results", "list"], ["train", *TINY], ["sweep", *TINY, "--dry-run"]])
def test_a_store_in_nobodys_home_is_a_line(store: Store, words: list[str]) -> None:
    code, out, error = run(*words, "--store", "~nobody-of-this-name/store")
    assert (code, out) == (1, "")
    assert error.splitlines() == [
        "kdutils: ~nobody-of-this-name/store: there is no such home folder. Write the path without ~"
    ]


def test_fewer_than_no_workers_are_refused_in_a_plan_too(store: Store) -> None:
    assert run("sweep", *TINY, "--workers", "-1", "--dry-run")[0] == 2


@pytest.mark.parametrize("words", [["results", "list"], ["train", *TINY], ["sweep", *TINY]])
def test_an_empty_store_is_not_the_current_folder(store: Store, words: list[str]) -> None:
    code, out, error = run(*words, "--store", "")
    assert (code, out) == (2, "")
    assert "it is empty: name a folder" in error


def test_a_home_folder_is_found_in_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KDUTILS_STORE", "~/mine")
    assert Store().folder == Store("~/mine").folder == tmp_path / "mine"


def test_a_recorded_sweep_says_what_it_was_asked_for_and_where_it_was_made(store, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path / "results")
    (tmp_path / "study.toml").write_text('pair = "tiny/tiny"\nteacher_epochs = 1\nepochs = 1\nimages_per_class = 13\n')
    words = ["sweep", "--file", tmp_path / "study.toml", "--seed", "0,1", "--record", "study"]
    code, out, _ = run(*words, "--budget", "0s")
    assert code == 1
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("kdutils._provenance.machine", lambda: "a GPU")
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
