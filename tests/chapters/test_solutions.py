"""The code in the solutions of the exercises runs, in a chapter whose data are the published tables."""

import re

import nbformat
import pytest

from kdutils.book import notebooks

SOLUTIONS = [("07_tables_1_2", ()), ("09_large_images", ("panels", "coefficients"))]  # with the cells they build on


@pytest.mark.parametrize(("chapter", "before"), SOLUTIONS)
def test_the_code_of_the_solutions_runs(chapter: str, before: tuple[str, ...]) -> None:
    cells = {cell.id: cell.source for cell in nbformat.read(notebooks.find(chapter), 4).cells}
    blocks = re.findall(r"```python\n(.*?)```", cells["exercises"], re.DOTALL)
    assert blocks
    exec("\n".join([*(cells[name] for name in before), *blocks]), {})
