"""Recorded runs that are there are handed on; those that are not are said to be missing, by name."""

import json
import platform
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from kdutils import report
from kdutils.errors import UserError
from kdutils.report import recorded_runs


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    return tmp_path


@pytest.fixture
def one_recorded(results: Path) -> None:
    report.write_recorded("one", pd.DataFrame({"a": [1, 2]}), {"command": "none"})


def test_what_is_there_is_made(one_recorded: None) -> None:
    assert recorded_runs.read(lambda frame: frame["a"].sum(), "one") == 3
    found = recorded_runs.there(lambda frame: frame * 2, {"One": ("one",), "Two": ("one", "two")})
    assert list(found) == ["One"], "a title whose files are not all there is left out"
    assert found["One"]["a"].tolist() == [2, 4]


def test_what_is_not_there_is_named(one_recorded: None) -> None:
    missing = recorded_runs.read(lambda *_: pytest.fail("made of nothing"), "one", "two")
    assert missing == "not recorded yet: two"
    assert missing._repr_markdown_() == "*not recorded yet: two*"


def test_a_recorded_run_comes_back_to_the_last_bit(results):
    values = np.random.default_rng(0).lognormal(0, 10, 1000)
    frame = pd.DataFrame({"scheme": ["cutmix", "mixup"] * 500, "t_stddev": values, "n_u": range(1000)})
    report.write_recorded("quick_rank", frame, {"command": "kdutils rank", "seed": 0})
    pd.testing.assert_frame_equal(report.recorded("quick_rank"), frame, check_exact=True)
    assert report.recorded_provenance("quick_rank") == {"command": "kdutils rank", "seed": 0}
    assert report.recorded_names() == ["quick_rank"]
    assert sorted(path.name for path in results.iterdir()) == ["quick_rank.csv", "quick_rank.json"]


def test_a_recorded_run_that_was_edited_is_refused(results):
    report.write_recorded("rank", pd.DataFrame({"value": [1.5]}), {})
    table = results / "rank.csv"
    table.write_text(table.read_text().replace("1.5", "1.4"))
    with pytest.raises(UserError, match="changed since it was written"):
        report.recorded("rank")


def test_a_recorded_run_survives_windows_line_ends(results):
    report.write_recorded("rank", pd.DataFrame({"value": [1.5]}), {})
    table = results / "rank.csv"
    table.write_bytes(table.read_bytes().replace(b"\n", b"\r\n"))
    assert report.recorded("rank")["value"].tolist() == [1.5]


@pytest.mark.parametrize("content", ["{", "[]", '{"seed": 0}'])
def test_damaged_provenance_is_refused(results, content):
    report.write_recorded("rank", pd.DataFrame({"value": [1.5]}), {})
    (results / "rank.json").write_text(content)
    with pytest.raises(UserError, match="provenance of 'rank' is damaged"):
        report.recorded_provenance("rank")


def test_unknown_and_incomplete_recorded_runs_are_named(results):
    with pytest.raises(UserError, match="no recorded runs"):
        report.recorded("rank")
    report.write_recorded("rank", pd.DataFrame({"value": [1.5]}), {})
    with pytest.raises(UserError, match="Did you mean 'rank'"):
        report.recorded("rnk")
    (results / "rank.json").unlink()
    with pytest.raises(UserError, match=r"no rank.json beside it"):
        report.recorded("rank")
    with pytest.raises(UserError, match="small letters"):
        report.write_recorded("../rank", pd.DataFrame(), {})


def test_a_run_that_cannot_be_written_leaves_the_old_one(results):
    report.write_recorded("rank", pd.DataFrame({"value": [1.5]}), {})
    with pytest.raises(TypeError):
        report.write_recorded("rank", pd.DataFrame({"value": [2.5]}), {"made": object()})
    assert report.recorded("rank")["value"].tolist() == [1.5]


def test_the_cells_and_lines_that_read_a_recorded_run_are_known(one_recorded: None) -> None:
    shell = InteractiveShell.instance(history_length=0)
    shell.history_manager.enabled = False
    read = "from kdutils.report import recorded_runs\nrecorded_runs.recorded('one')"
    within = "def read():\n    return (lambda: recorded_runs.recorded('one'))()\n\n[\n    1,\n    read()\n]"
    try:
        numbers = [shell.run_cell(cell, store_history=True).execution_count for cell in ("1", read, "2", within)]
        assert recorded_runs.used() == {"one": [(numbers[1], 2), (numbers[3], 6)]}
    finally:
        InteractiveShell.clear_instance()
    recorded_runs.recorded("one")
    assert recorded_runs.used() == {"one": [(0, 0), (numbers[1], 2), (numbers[3], 6)]}


def test_provenance_can_be_written_and_names_neither_host_nor_folder():
    facts = report.provenance(
        command="kdutils rank --data-dir /home/me/data --weights=~/nets/r56.pth --out C:\\me\\rank.csv $DATA/x",
        source="https://example.org/a/b, lr x0.1 at 5/8",
        steps=100,
    )
    assert facts["command"] == "kdutils rank --data-dir data --weights=r56.pth --out rank.csv $DATA/x"
    assert facts["source"] == "https://example.org/a/b, lr x0.1 at 5/8"
    assert facts["steps"] == 100
    assert facts["date"][:2] == "20"
    assert "torch" in facts["versions"]
    assert platform.node() not in json.dumps(facts)
