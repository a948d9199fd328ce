"""The page on speed says what was recorded, and nothing where nothing was."""

from pathlib import Path

import pandas as pd
import pytest

from kdutils import recordings, report, speed_pages


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder of recorded runs."""
    monkeypatch.setattr(recordings, "RESULTS", tmp_path)


def test_without_a_recorded_run_the_page_says_so(results: None) -> None:
    assert speed_pages.bench_page() == "No bench has been recorded yet.\n"


def test_the_bench_page_shows_each_ratio_with_its_aim_and_whether_it_is_met(results: None) -> None:
    rows = [
        ("one", 1, 5.5, 6.0, None, False),
        ("one", 2, 6.5, 6.0, None, True),
        ("two", 2, 1.3, None, 1.2, False),
        ("three", 1, 2.0, None, None, True),
    ]
    frame = pd.DataFrame(rows, columns=["name", "threads", "ratio", "least", "most", "met"])
    facts = {"machine": "M", "date": "D", "versions": "V", "load_before": 0.1, "statistics_bytes": [1000, 1000]}
    report.write_recorded("bench", frame, facts)
    page = speed_pages.bench_page()
    assert "| What is compared | 1 thread | 2 threads | Aim |" in page
    assert "| one | 5.50, missed | 6.50 | at least 6 |" in page
    assert "| two | – | 1.30, missed | at most 1.2 |" in page
    assert "| three | 2.00 | – | – |" in page
    assert "on D on this machine: M; V" in page
    assert "took 1,000 bytes after 60 windows" in page
