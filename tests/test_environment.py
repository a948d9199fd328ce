"""One environment, said three times: ranges in pyproject.toml, pins in requirements.lock, environment.yml for conda."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import kdutils
from kdutils.book.notebooks import chapters

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCK_LINES = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
LOCK = {canonicalize_name(name): version for name, version in (line.split("==") for line in LOCK_LINES)}
# What pip adds by itself where torch has CUDA, or on another platform; no part of the lock.
PLATFORM = re.compile("nvidia|cuda|triton|colorama|appnope|pywin|intel|mkl|tbb")


def ranges(*extras: str) -> dict[str, Requirement]:
    """The direct requirements, those of some extras included, by canonical name."""
    lines = PROJECT["dependencies"] + [line for extra in extras for line in EXTRAS[extra]]
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


def imported(source: str) -> set[str]:
    """The top-level modules that a source text, or a notebook's cell with IPython's magics in it, imports."""
    found = set()
    for node in ast.walk(ast.parse(TransformerManager().transform_cell(source))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def third_party(sources: list[str]) -> set[str]:
    """The distributions behind the imports of some sources, the standard library and our own modules left out."""
    own = {"kdutils", "tests"}
    modules = set().union(*map(imported, sources)) - sys.stdlib_module_names - own
    owners = metadata.packages_distributions()
    missing = modules - owners.keys()
    assert not missing, f"imported, but not installed here: {missing}"
    return {canonicalize_name(owners[module][0]) for module in modules}


def python_files(folder: str) -> list[str]:
    return [path.read_text() for path in (ROOT / folder).rglob("*.py")]


def test_the_lock_is_plain_pins_that_resolve_anywhere() -> None:
    for line in LOCK_LINES:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line), f"{line}: name==version, no local version"
    assert not [name for name in LOCK if PLATFORM.match(name) or name == "kdutils"]
    assert len(LOCK) == len(LOCK_LINES)


def test_every_range_admits_the_locked_version() -> None:
    for name, requirement in ranges(*EXTRAS).items():
        assert name in LOCK, f"{name} is not in the lock: run `make lock`"
        assert requirement.specifier.contains(LOCK[name], prereleases=True), f"{requirement} against {LOCK[name]}"


def test_the_lock_is_complete() -> None:
    """Every package that a locked package needs here is locked itself, at a version that it admits."""
    for name in LOCK:
        for line in metadata.requires(name) or []:
            requirement = Requirement(line)
            needed = canonicalize_name(requirement.name)
            wanted_here = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if wanted_here and not PLATFORM.match(needed):
                assert needed in LOCK, f"{name} needs {needed}: run `make lock`"
                assert requirement.specifier.contains(LOCK[needed], prereleases=True), f"{name}: {line}"


def test_the_lock_installs_on_the_oldest_python_that_we_name() -> None:
    """Debian's Python is an early 3.11: a package that wants a later bug-fix release of it cannot be in the lock."""
    oldest = PROJECT["requires-python"].removeprefix(">=") + ".0"
    installed = {canonicalize_name(each.metadata["Name"]): each for each in metadata.distributions()}
    for name in LOCK.keys() & installed.keys():
        wanted = installed[name].metadata.get("Requires-Python")
        if wanted and installed[name].version == LOCK[name]:
            assert SpecifierSet(wanted).contains(oldest), f"{name}=={LOCK[name]} needs Python {wanted}"


def test_torch_and_torchvision_are_a_matched_pair() -> None:
    assert (LOCK["torch"], LOCK["torchvision"]) == ("2.13.0", "0.28.0")


def test_what_the_package_and_the_notebooks_import_is_a_direct_requirement() -> None:
    notebooks = [
        cell.source for path in chapters() for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"
    ]
    used = third_party(python_files("kdutils") + notebooks)
    known = ranges("book", "cluster", "course", "timm").keys()
    assert used <= known, f"add to pyproject.toml: {used - known}"


def test_what_ranking_and_training_import_needs_no_extra() -> None:
    """All but the parts behind an extra, and imports within a function, which say what they need where they fail."""
    behind = {"book", "cli/book.py", "cli/notebooks.py", "cli/courses.py"}
    files = list((ROOT / "kdutils").rglob("*.py"))
    free = [path for path in files if not any(path.is_relative_to(ROOT / "kdutils" / part) for part in behind)]
    at_once = ["\n".join(re.findall(r"^(?:import|from) .*[^(]$", path.read_text(), re.MULTILINE)) for path in free]
    used = third_party(at_once)
    assert used <= ranges().keys(), f"behind an extra: {used - ranges().keys()}"


def test_what_the_tests_import_is_a_direct_requirement() -> None:
    used = third_party(python_files("tests"))
    assert used <= ranges(*EXTRAS).keys(), f"add to pyproject.toml: {used - ranges(*EXTRAS).keys()}"


def test_conda_users_get_the_lock_and_every_extra() -> None:
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    *packages, pip = conda["dependencies"]
    assert pip == {"pip": ["-r requirements.lock", f"-e .[{','.join(EXTRAS)}]"]}
    python = next(package for package in packages if package.startswith("python="))
    assert SpecifierSet(PROJECT["requires-python"]).contains(python.removeprefix("python="))
    assert {package.split("=")[0] for package in packages} == {"python", "pip", "make"}, "versions stand in the lock"


def test_the_version_is_said_alike_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PROJECT["version"] == kdutils.__version__ == citation["version"]


def test_the_readme_begins_with_the_two_commands_and_knows_how_many_chapters_there_are() -> None:
    readme, n = (ROOT / "README.md").read_text(), len(chapters())
    assert re.findall(r"^    (make .*)$", readme, re.MULTILINE) == ["make book", "make test"]
    assert f"{n} notebooks, {n} to execute\n      1/{n} " in readme


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    listed = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^make (\w+)", listed, re.MULTILINE)) == targets


@pytest.mark.parametrize("page", [path.name for path in ROOT.glob("*.md")])
def test_links_between_the_projects_own_files_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()):
        assert target.startswith("https://") or (ROOT / target).exists(), f"{page} links to {target}"
