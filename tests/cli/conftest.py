"""Fixtures of the tests of the commands."""

from pathlib import Path

import pytest

from kdutils.runs import Store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store that the commands use by default, without worker processes."""
    monkeypatch.setenv("KDUTILS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("KDUTILS_WORKERS", "0")
    return Store()
