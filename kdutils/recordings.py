"""Recorded runs where they are there, and plain words where they are not."""

from collections.abc import Callable

import pandas as pd

from kdutils import report

NOT_YET = "not recorded yet"


class Missing(str):
    """What a page shows in the place of a recorded run that is not there."""

    def _repr_markdown_(self) -> str:
        return f"*{self}*"


def read(make: Callable[..., object], *names: str) -> object:
    """`make(*tables)` of the recorded runs `names`; where one is not there, a text that says which."""
    absent = [name for name in names if name not in report.recorded_names()]
    return Missing(f"{NOT_YET}: {', '.join(absent)}") if absent else make(*map(report.recorded, names))


def there(make: Callable[..., pd.DataFrame], recordings: dict[str, tuple[str, ...]]) -> dict[str, pd.DataFrame]:
    """Title -> `make(*tables)` for those of `recordings` (title -> names) whose files are all there, in order."""
    return {
        title: make(*map(report.recorded, names))
        for title, names in recordings.items()
        if set(names) <= set(report.recorded_names())
    }
