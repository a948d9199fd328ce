"""A sample of the table, one refusal and one right case of each kind; `python -m tests.faults` runs all of it."""

from pathlib import Path

import pytest

from tests.faults import case as cases
from tests.faults.case import Case, judge, run
from tests.faults.table import CASES

SAMPLE = {(case.kind, case.right is None): number for number, case in reversed(list(enumerate(CASES)))}


def test_the_table_is_large_and_names_each_case_once() -> None:
    assert len(CASES) > 900
    assert len({str(case) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("number", SAMPLE.values(), ids=lambda number: str(CASES[number]))
def test_a_bad_input_is_refused_in_three_lines_and_an_odd_one_is_right(number: int, tmp_path: Path) -> None:
    outcome = run(CASES[number], number, tmp_path)
    assert outcome.expected, outcome


REFUSED, ACCEPTED = Case("x"), Case("x", right=lambda out, here: out == "3")


@pytest.mark.parametrize(
    ("case", "status", "out", "err", "after", "name", "expected"),
    [
        (REFUSED, 1, "", "kdutils: no", {"a": b"1"}, "clear", True),
        (ACCEPTED, 1, "", "kdutils: no", {"a": b"1"}, "clear", False),
        (REFUSED, 1, "", "1\n2\n3\n4", {"a": b"1"}, "long", False),
        (REFUSED, 1, "", "", {"a": b"1"}, "long", False),
        (REFUSED, 1, "", "Traceback (most recent call last)", {"a": b"1"}, "traceback", False),
        (REFUSED, 1, "", "This is a fault of kdutils, not yours.", {"a": b"1"}, "traceback", False),
        (REFUSED, -11, "", "", {"a": b"1"}, "traceback", False),
        (REFUSED, 1, "", "kdutils: no", {"a": b"2"}, "silently wrong", False),
        (REFUSED, 1, "", "kdutils: no", {"a": b"1", "b": b""}, "silently wrong", False),
        (REFUSED, 0, "3", "", {"a": b"1"}, "silently wrong", False),
        (ACCEPTED, 0, "3", "", {"a": b"1", "b": b""}, "accepted", True),
        (ACCEPTED, 0, "4", "", {"a": b"1"}, "silently wrong", False),
        (ACCEPTED, 0, "3", "", {}, "silently wrong", False),
    ],
)
def test_the_judge(
    case: Case, status: int, out: str, err: str, after: dict[str, bytes], name: str, expected: bool, monkeypatch
) -> None:
    monkeypatch.setattr(cases, "listing", lambda here: after)
    outcome = judge(case, status, out, err, {"a": b"1"}, Path())
    assert (outcome.name, outcome.expected) == (name, expected)
