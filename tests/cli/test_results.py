"""`kdutils results`: what travels between stores and into the book."""

import contextlib
import copy
import zipfile
from pathlib import Path

import pytest

from kdutils import report, runs
from kdutils.errors import UserError
from kdutils.report import recorded_runs
from kdutils.runs import RunSpec, Store, transfer
from kdutils.runs.store import RESULT, WEIGHTS
from tests.cli.words import TINY, run


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


def test_an_empty_name_is_no_store_to_import(store: Store) -> None:
    code, _, error = run("results", "import", "")
    assert code == 2
    assert "it is empty: name a folder or a file" in error


def test_one_bad_result_is_a_line_and_not_the_end_of_a_listing(store: Store, tmp_path: Path) -> None:
    run("sweep", *TINY, "--seed", "0,1")
    bad, good = (key for key, _ in store.results())
    store.write(bad, {**store.read(bad), "result": "x"})
    code, out, error = run("results", "list")
    assert code == 0
    assert good in out
    assert bad not in out
    assert error.startswith("kdutils: ")
    assert "result: Input should be an object" in error
    assert len(error.splitlines()) == 1
    assert run("results", "list")[2] == ""  # it was set aside


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
    monkeypatch.setattr("kdutils._provenance.machine", lambda: "another machine")
    assert runs.run(spec) == runs.run(spec, stores[2])
    assert "0 new, 1 known, 0 differ" in run("results", "import", stores[2] / "packed.zip")[1]


def test_a_packed_file_cannot_write_outside_the_store(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        for name in ("../escaped", "/escaped", "0123456789abcdef/../../escaped", "notes.txt"):
            archive.writestr(name, "x")
    assert transfer.merge(tmp_path / "evil.zip", Store(tmp_path / "store")) == transfer.Merged()
    assert {path.name for path in tmp_path.rglob("*")} <= {"evil.zip", "store"}
    (tmp_path / "no.zip").write_text("no archive")
    with pytest.raises(UserError, match=r"no\.zip is no packed store"):
        transfer.merge(tmp_path / "no.zip", Store(tmp_path / "store"))


def test_a_store_becomes_a_recorded_run_of_the_book(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path / "results")
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


def test_results_evaluate_fills_in_what_was_not_measured(store: Store, teacher_file: Path) -> None:
    words = ["--teacher", "tiny", "--weights", teacher_file, "--student", "tiny", "--images-per-class", "5"]
    assert run("train", *words, "--epochs", "1")[0] == 0
    ((key, content),) = store.results()
    older = copy.deepcopy(content)
    del older["result"]["ace"], older["result"]["agreement"]
    store.write(key, older)
    code, _, error = run("results", "evaluate", "--weights", teacher_file.with_name("no_file.pth"))
    assert code != 0
    assert "1 not evaluated again. The first:" in error
    code, out, _ = run("results", "evaluate", "--weights", teacher_file)
    assert (code, f"ace {content['result']['ace']:.4g}, agreement" in out) == (0, True)
    assert store.read(key)["result"]["ace"] == pytest.approx(content["result"]["ace"], rel=1e-5)
    assert run("results", "evaluate") == (0, "", "")
