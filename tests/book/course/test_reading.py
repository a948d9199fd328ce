"""Files as editors, browsers and platforms write them are read; what is no notebook is refused at once."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdutils.book.course import reading
from kdutils.errors import UserError

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
MARKS = {"nbgrader": {"grade_id": "answer"}}


def notebook(**cell: object) -> dict:
    """A notebook of one code cell, whose parts are given."""
    whole = {"cell_type": "code", "id": "answer", "metadata": {}, "outputs": [], "execution_count": None, "source": "x"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [whole | cell]}


def read(folder: Path, content: dict | bytes) -> tuple[list[reading.Cell], list[str]]:
    path = folder / "a.ipynb"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return reading.read(path)


SHOW = {"output_type": "display_data", "data": {"text/plain": "x"}}
STREAM = {"output_type": "stream", "name": "stdout", "text": "x", "metadata": {}}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (notebook(), ""),
        (notebook(source=["x"]), ""),
        (notebook() | {"nbformat_minor": 4}, "does not keep to the notebook format"),
        (notebook(outputs=[SHOW]), "does not keep to the notebook format"),
        (notebook(outputs=[STREAM]), "does not keep to the notebook format"),
        (notebook(outputs="none"), "does not keep to the notebook format"),
        (b"\xef\xbb\xbf" + json.dumps(notebook()).encode(), "not plain UTF-8"),
        (json.dumps(notebook()).encode("utf-16"), "not plain UTF-8"),
        (json.dumps(notebook(), ensure_ascii=False).encode("utf-16-le"), "not plain UTF-8"),
        (
            {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": []}, notebook(input="x")]},
            "format",
        ),
    ],
)
def test_every_layout_gives_the_same_cell(tmp_path: Path, content: dict | bytes, told: str) -> None:
    (cell,), trouble = read(tmp_path, content)
    assert (cell.kind, cell.source) == ("code", "x")
    assert "answer" in cell.names
    assert all(told in words for words in trouble)
    assert bool(trouble) == bool(told)


def test_line_ends_are_python_s(tmp_path: Path) -> None:
    (cell,), trouble = read(tmp_path, notebook(source=["x = 1\r\n", "y = 2\rz"]))
    assert (cell.source, trouble) == ("x = 1\ny = 2\nz", [])


def test_a_name_is_looked_for_in_the_marks_then_where_colab_writes_it_then_in_the_id(tmp_path: Path) -> None:
    (cell,), _ = read(tmp_path, notebook(id="c", metadata={"id": "b", "nbgrader": {"grade_id": "a"}}))
    assert cell.names == ("a", "b", "c")
    (cell,), _ = read(tmp_path, notebook(id=None, metadata={"nbgrader": []}))
    assert cell.names == ("", "", "")


def test_half_characters_and_bytes_of_no_encoding_are_replaced_and_told(tmp_path: Path) -> None:
    (cell,), trouble = read(tmp_path, notebook(source="half \ud83d, whole \U0001f600"))
    assert cell.source == "half \ufffd, whole \U0001f600"
    assert "half characters (lone surrogates) were replaced by \ufffd" in trouble
    (cell,), trouble = read(tmp_path, json.dumps(notebook(source="\xe9"), ensure_ascii=False).encode("latin-1"))
    assert cell.source == "\ufffd"
    assert "bytes that are not UTF-8 became \ufffd" in trouble


def test_pictures_are_kept_and_nothing_else_that_is_attached(tmp_path: Path) -> None:
    attached = {
        "a b.png": {"image/png": [PNG[:40] + "\n", PNG[40:]], "text/html": "PGI+"},
        "no.png": {"image/png": "<"},
    }
    (cell,), _ = read(tmp_path, notebook(cell_type="markdown", attachments=attached | {"odd": 3}))
    assert cell.attachments == {"a b.png": {"image/png": PNG}}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Expecting value"),
        (b"Dear teacher", "Expecting value"),
        (b"<<<<<<< HEAD\n{}", "Expecting value"),
        (b"[]", "no list of cells"),
        (b"null", "no list of cells"),
        (b'{"cells": {}}', "no list of cells"),
        (b'{"worksheets": [3]}', "no list of cells"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5000, "digits"),
    ],
)
def test_what_is_no_notebook_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(UserError, match=why):
        read(tmp_path, content)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_only_regular_files_of_bounded_size_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "zero.ipynb").symlink_to("/dev/zero")
    (tmp_path / "folder.ipynb").mkdir()
    for name in ("pipe", "zero", "folder"):
        with pytest.raises(UserError, match="not a file"):
            reading.read(tmp_path / f"{name}.ipynb")
    with pytest.raises(UserError, match="No such file"):
        reading.read(tmp_path / "missing.ipynb")
    monkeypatch.setattr(reading, "MEGABYTES", 1)
    with open(tmp_path / "large.ipynb", "wb") as stream:
        stream.truncate(10**6 + 1)
    with pytest.raises(UserError, match="larger than 1 MB"):
        reading.read(tmp_path / "large.ipynb")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["cells", "metadata", "source", "nbgrader", "grade_id", "id", "attachments", "cell_type"]),
            inner,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(content=st.fixed_dictionaries({"cells": JSON | st.lists(JSON, max_size=4)}))
def test_whatever_the_file_holds_it_is_read_or_refused(
    content: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.ipynb"
    path.write_text(json.dumps(content), encoding="utf-8")
    try:
        cells, trouble = reading.read(path)
    except UserError:
        return
    for cell in cells:
        "".join([cell.kind, cell.source, *cell.attachments]).encode()
    assert all(isinstance(words, str) for words in trouble)
