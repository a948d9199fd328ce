"""How times grow: each quantity beside its smallest number, with a counted clock; every way that is timed works."""

import itertools

import pandas as pd
import pytest

from kdutils import report
from kdutils.bench import growth
from kdutils.book import speed_page
from kdutils.report import recorded_runs


def test_each_time_stands_beside_that_of_the_smallest_number(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = [("a", 1, 2.0), ("a", 10, 3.0), ("b", 5, 4.0), ("b", 50, 1.0)]
    monkeypatch.setattr(growth, "_measured", lambda: measured)
    assert growth.bench()["ratio"].tolist() == [1, 1.5, 1, 0.25]


def test_the_shorter_of_two_times_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0, 5, 10, 13])
    monkeypatch.setattr(growth, "process_time", lambda: next(ticks))
    assert growth._seconds(lambda: None) == 3


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """The whole table, as small as it goes, by a clock that ticks once each time it is read."""
    monkeypatch.setattr(growth, "process_time", itertools.count().__next__)
    for name, numbers in {
        "STEPS": (15,),
        "CLASSES": (10, 11),
        "SCHEMES": (1, 2),
        "IMAGES": (64, 128),
        "RESULTS": (2, 4),
        "RUNS": (1, 2),
    }.items():
        monkeypatch.setattr(growth, name, numbers)
    monkeypatch.setattr(growth.ratios, "SIZE", 16)
    return growth.bench()


def test_every_quantity_is_measured_and_told_on_the_page(
    small: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    ratios = small.set_index(["what", "n"])["ratio"]
    assert ratios[growth.SWEPT, 2] == 0.5, "one tick for two runs"
    assert ratios["results in a store, list: time per result", 4] == 0.5
    assert small["what"].nunique() == 9
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    assert speed_page.growth_page() == "Not recorded yet.\n"
    report.write_recorded("growth", small, {"command": "kdutils bench"})
    page = speed_page.growth_page()
    assert f"| {growth.SWEPT} | 1: 1.00 | 2: 0.50 |" in page
    assert "took 1.00 times as long" in page
