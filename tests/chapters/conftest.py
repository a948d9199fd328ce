"""Fixtures of the tests of verdicts."""

from collections.abc import Callable
from types import ModuleType

import pandas as pd
import pytest

from kdutils.report import Verdict


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Verdict]]:
    """Claim -> verdict of a chapter, if its study had the students `runs` and this run shows what is in `live`."""

    def judge(
        chapter: ModuleType, verdicts_of: ModuleType, live: pd.DataFrame, runs: pd.DataFrame
    ) -> dict[str, Verdict]:
        monkeypatch.setattr(chapter, "students", lambda: runs)
        return {each.claim_ids[0]: each for each in verdicts_of.verdicts(live, "digits", "quick")}

    return judge
