"""What is long is hard to read: no function over 40 lines, no file over 300, no notebook cell over 20."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = [path for folder in ("kdutils", "tests") for path in (ROOT / folder).rglob("*.py")]
NOTEBOOKS = [path for folder in ("", "assignments") for path in (ROOT / "notebooks" / folder).glob("*.ipynb")]


def functions() -> Iterator[tuple[str, int]]:
    """Each function's place and its number of lines, without decorators."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def cells() -> Iterator[tuple[str, int]]:
    """Each code cell's place and its number of lines."""
    for path in NOTEBOOKS:
        for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            if cell["cell_type"] == "code":
                yield f"{path.relative_to(ROOT)} cell {number}", len("".join(cell["source"]).splitlines())


def test_no_function_is_longer_than_40_lines() -> None:
    assert [(place, lines) for place, lines in functions() if lines > 40] == []


def test_no_module_is_longer_than_300_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert len(lengths) > 200
    assert {name: lines for name, lines in lengths.items() if lines > 300} == {}


def test_no_notebook_cell_is_longer_than_20_lines() -> None:
    lengths = dict(cells())
    assert len(lengths) > 200
    assert {place: lines for place, lines in lengths.items() if lines > 20} == {}
