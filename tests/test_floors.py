"""The floors that CONTRIBUTING.md lists are those of the code."""

import ast
import math
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import kdutils

PACKAGE = Path(kdutils.__file__).parent
CONTRIBUTING = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


def floors(text: str) -> dict[str, int]:
    """Name -> floor, counted from the bottom, as the block under "Where things are" lists them."""
    block = re.search(r"^## Where things are\n.*?^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1]
    paragraphs = [[line.split()[0] for line in part.splitlines()] for part in reversed(block.split("\n\n"))]
    names = [name for part in paragraphs for name in part]
    assert len(names) == len(set(names)), "a name stands twice"
    return {name: floor for floor, part in enumerate(paragraphs) for name in part}


def modules(package: Path) -> dict[str, Path]:
    """Dotted name -> file of every module; a sub-package's face bears the sub-package's name."""
    paths = {path.relative_to(package.parent).with_suffix(""): path for path in package.rglob("*.py")}
    return {".".join(name.parts).removesuffix(".__init__"): path for name, path in paths.items()}


def imports(source: str, known: set[str]) -> set[str]:
    """The modules of the package that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            whole = [f"{node.module}.{each.name}" for each in node.names]
            found |= {name if name in known else node.module for name in whole}
        elif isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
    return {name for name in found if name.split(".")[0] == "kdutils"}


def unit(module: str) -> str:
    """The sub-package, or the module at the top, that a module is in; "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def upward(graph: dict[str, set[str]], floor: dict[str, int]) -> list[str]:
    """Imports that do not lead down, but for those inside a sub-package."""
    across = [(a, b) for a, others in sorted(graph.items()) for b in sorted(others) if unit(a) not in ("", unit(b))]
    return [f"{a} imports {b}" for a, b in across if floor.get(unit(b), math.inf) >= floor[unit(a)]]


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    found = modules(PACKAGE)
    return {name: imports(path.read_text(encoding="utf-8"), set(found)) for name, path in found.items()}


def test_the_list_names_every_part_of_the_package(graph: dict[str, set[str]]) -> None:
    assert set(floors(CONTRIBUTING)) == {unit(module) for module in graph} - {""}


def test_imports_lead_down(graph: dict[str, set[str]]) -> None:
    assert upward(graph, floors(CONTRIBUTING)) == []


def test_no_modules_import_each_other_in_a_circle(graph: dict[str, set[str]]) -> None:
    TopologicalSorter(graph).prepare()


def test_an_import_upward_is_seen() -> None:
    graph = {"kdutils.data.core": {"kdutils.errors", "kdutils.runs"}, "kdutils.runs": {"kdutils.data.core"}}
    assert upward(graph, floors(CONTRIBUTING)) == ["kdutils.data.core imports kdutils.runs"]


def test_users_see_only_what_they_may_use(graph: dict[str, set[str]]) -> None:
    top = {unit(module) for module in graph} - {""}
    assert set(dir(kdutils)) <= {name for name in top if not name.startswith("_")}
    assert len([name for name in top if not name.startswith("_")]) <= 20
    assert all(getattr(kdutils, name).__name__ == f"kdutils.{name}" for name in dir(kdutils))
