"""Fixtures of the tests of the course: one small assignment."""

from pathlib import Path

import nbformat
import pytest

from kdutils.book.course import assignments, grading
from tests.book.course.pupils import write_assignment


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one small assignment."""
    folder = tmp_path_factory.mktemp("course")
    write_assignment(folder)
    return folder


@pytest.fixture(scope="module")
def release(root: Path) -> Path:
    """Its student version."""
    return grading.student_versions(root / "handed-out", {}, root)[0]


@pytest.fixture(scope="module")
def source(root: Path) -> nbformat.NotebookNode:
    return assignments.variants({}, root)["sums"]
