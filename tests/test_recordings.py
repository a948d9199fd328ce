"""Recorded runs that are there are handed on; those that are not are said to be missing, by name."""

from pathlib import Path

import pandas as pd
import pytest

from kdutils import recordings, report


@pytest.fixture(autouse=True)
def one_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "RESULTS", tmp_path)
    report.write_recorded("one", pd.DataFrame({"a": [1, 2]}), {"command": "none"})


def test_what_is_there_is_made() -> None:
    assert recordings.read(lambda frame: frame["a"].sum(), "one") == 3
    found = recordings.there(lambda frame: frame * 2, {"One": ("one",), "Two": ("one", "two")})
    assert list(found) == ["One"], "a title whose files are not all there is left out"
    assert found["One"]["a"].tolist() == [2, 4]


def test_what_is_not_there_is_named() -> None:
    missing = recordings.read(lambda *_: pytest.fail("made of nothing"), "one", "two")
    assert missing == "not recorded yet: two"
    assert missing._repr_markdown_() == "*not recorded yet: two*"
