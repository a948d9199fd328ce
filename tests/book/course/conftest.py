"""Fixtures of the tests of the course: one small assignment."""

import functools
from collections.abc import Iterator
from pathlib import Path

import nbformat
import nbgrader.api
import pytest

from kdutils.book.course import assignments, grading
from tests.book.course.pupils import write_assignment


@pytest.fixture(scope="session", autouse=True)
def _alembic_asked_once() -> Iterator[None]:
    """For each gradebook nbgrader asks alembic, in a process of its own, for a version that is always the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nbgrader.api, "get_alembic_version", functools.cache(nbgrader.api.get_alembic_version))
        yield


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
