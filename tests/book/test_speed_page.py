"""The page on speed says what was recorded, and nothing where nothing was."""

from pathlib import Path

import pandas as pd
import pytest

from kdutils import report
from kdutils.book import speed_page
from kdutils.report import recorded_runs


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder of recorded runs."""
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)


def test_without_a_recorded_run_the_page_says_so(results: None) -> None:
    assert speed_page.bench_page() == "No bench has been recorded yet.\n"


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
    page = speed_page.bench_page()
    assert "| What is compared | 1 thread | 2 threads | Aim |" in page
    assert "| one | 5.50, missed | 6.50 | at least 6 |" in page
    assert "| two | – | 1.30, missed | at most 1.2 |" in page
    assert "| three | 2.00 | – | – |" in page
    assert "on D on this machine: M; V" in page
    assert "took 1,000 bytes after 60 windows" in page


def test_each_instruction_set_has_columns_of_its_own(results: None) -> None:
    rows = [("one", isa, n, 2.0 + n, None, None, True) for isa in ("AVX512", "AVX2") for n in (1, 2)]
    frame = pd.DataFrame(rows, columns=["name", "isa", "threads", "ratio", "least", "most", "met"])
    facts = {"machine": "M", "date": "D", "versions": "V", "load_before": 0.1, "statistics_bytes": [1000, 1000]}
    report.write_recorded("bench", frame, facts)
    page = speed_page.bench_page()
    assert (
        "| What is compared | AVX512, 1 thread | AVX512, 2 threads | AVX2, 1 thread | AVX2, 2 threads | Aim |" in page
    )
    assert "| one | 3.00 | 4.00 | 3.00 | 4.00 | – |" in page
