"""What publishes the project: workflows, containers and metadata agree with the package; the list of changed pages."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in (ROOT / ".github/workflows").glob("*.yml")}


def test_the_tests_run_on_every_system_and_from_the_oldest_python_on() -> None:
    jobs = WORKFLOWS["tests"]["jobs"]
    matrix = jobs["systems"]["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert f">={matrix['python'][0]}" == PROJECT["requires-python"]
    assert {each["python"] for each in jobs["bounds"]["strategy"]["matrix"]["include"]} == {
        matrix["python"][0],
        matrix["python"][-1],
    }
    assert set(WORKFLOWS["tests"]["env"]["EXTRAS"].split(",")) == set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_no_more_than_it_says_and_ends(name: str) -> None:
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        if any("make" in step.get("run", "") or "pytest" in step.get("run", "") for step in job["steps"]):
            assert job["timeout-minutes"] <= 90


def test_containers_use_the_oldest_python_and_the_editor_an_existing_stage() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stages = dict(re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE))
    assert f">={next(iter(stages)).removeprefix('python:').removesuffix('-slim')}" == PROJECT["requires-python"]
    editor = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    names = re.findall(r" AS (\S+)$", text, re.MULTILINE)
    assert names == ["installed", "book", "grading"]
    assert editor["build"]["target"] in names


def test_the_archive_s_metadata_are_those_of_the_citation() -> None:
    archive = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (archive["title"], archive["license"]) == (citation["title"], citation["license"])
    assert [each["name"] for each in archive["creators"]] == [each["name"] for each in citation["authors"]]


def test_changed_pages_are_those_whose_article_differs(tmp_path: Path) -> None:
    books = {
        "old": {"same.html": "one", "changed.html": "two", "gone.html": "three", "search.html": "x"},
        "new": {"same.html": "one", "changed.html": "2", "notebooks/added.html": "four", "search.html": "y"},
    }
    for book, content in books.items():
        for name, text in content.items():
            page = tmp_path / book / name
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(f"<html><nav>{book}</nav><article>{text}</article></html>", encoding="utf-8")
    command = [sys.executable, ROOT / ".ci/changed_pages.py", tmp_path / "old", tmp_path / "new"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "2 pages changed or new, 1 gone",
        "",
        "- changed.html",
        "- notebooks/added.html",
        "- gone.html (gone)",
    ]
    assert 'href="notebooks/added.html"' in (tmp_path / "new/_changed.html").read_text(encoding="utf-8")
