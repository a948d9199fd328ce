"""Files that are whole or not there, and what a full disk or a folder that cannot be written to is called."""

import ast
import errno
import hashlib
import os
import tempfile
from pathlib import Path

import pytest

from kdutils import _files
from kdutils.errors import UserError


def fail_with(number):
    def fail(*args, **options):
        raise OSError(number, os.strerror(number))

    return fail


def test_text_is_written_as_utf8_with_its_folders_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a" / "b" / "naïve.txt"
    _files.write_text(path, "τ = 4, x′\n")
    assert path.read_bytes() == "τ = 4, x′\n".encode()
    assert [p.name for p in path.parent.iterdir()] == ["naïve.txt"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_file_changes_only_when_the_block_has_succeeded(tmp_path):
    path = tmp_path / "result.json"
    _files.write_text(path, "old")
    with _files.atomic(path) as partial:
        partial.write_text("new, half")
        assert path.read_text() == "old"
        assert partial.suffix == path.suffix  # some writers choose the format by it
    assert path.read_text() == "new, half"


def write_half(path, error):
    with _files.atomic(path) as partial:
        partial.write_text("half of the n")
        raise error


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "result.json"
    _files.write_text(path, "old")
    with pytest.raises(error):
        write_half(path, error)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_while_writing_is_one_line_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "result.json"
    _files.write_text(path, "old")
    with pytest.raises(UserError, match=r"cannot write .*result\.json: No space left on device") as told:
        write_half(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert "\n" not in str(told.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_rename_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", fail_with(errno.EROFS))
    with pytest.raises(UserError, match="Read-only file system"):
        _files.write_text(tmp_path / "result.json", "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "mkstemp", fail_with(errno.EACCES))
    with pytest.raises(UserError, match=r"cannot write .*Permission denied\. Name a folder"):
        write_half(tmp_path / "result.json", AssertionError("the block must not run"))


def test_a_file_where_a_folder_should_be_is_an_error_for_people(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        _files.write_text(tmp_path / "taken" / "result.json", "new")


def test_a_link_stays_and_the_file_that_it_leads_to_is_written(tmp_path):
    (tmp_path / "real").mkdir()
    _files.write_text(tmp_path / "real" / "a.txt", "old")
    (tmp_path / "a.txt").symlink_to(tmp_path / "real" / "a.txt")
    _files.write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").is_symlink()
    assert (tmp_path / "real" / "a.txt").read_text(encoding="utf-8") == "new"


@pytest.mark.parametrize("check", [_files.check_place, lambda path: _files.write_text(path, "new")])
def test_a_folder_a_device_a_pipe_and_a_link_to_nowhere_are_never_replaced(tmp_path, check):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "link", "/dev/null", "/dev/full"):
        if os.path.lexists(path):
            with pytest.raises(UserError, match=r"cannot write .*: it is (a folder|not a regular file)"):
                check(path)
    assert (tmp_path / "link").is_symlink()


def test_a_place_that_can_be_written_to_is_left_as_it_is(tmp_path):
    _files.check_place(tmp_path / "below" / "a.csv")
    _files.write_text(tmp_path / "b.csv", "mine")
    _files.check_place(tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text(encoding="utf-8") == "mine"
    assert list((tmp_path / "below").iterdir()) == []
    with pytest.raises(UserError, match="cannot write"):
        _files.check_place(tmp_path / "b.csv" / "c.csv")
    with pytest.raises(UserError, match="File name too long"):
        _files.check_place(tmp_path / ("x" * 5000) / "c.csv")


def test_sha256_is_that_of_the_content(tmp_path):
    content = bytes(range(256)) * 5000
    _files.write_bytes(tmp_path / "blob", content)
    assert _files.sha256(tmp_path / "blob") == hashlib.sha256(content).hexdigest()


def test_text_has_the_encoding_utf8_whatever_the_locale():
    """Each reading and writing of text names it: the locale's own is another on Windows and older clusters."""
    for path in Path(_files.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and _is_text(call):
                assert "encoding" in {each.arg for each in call.keywords}, f"{path.name}:{call.lineno}"


def _is_text(call: ast.Call) -> bool:
    """Whether it reads or writes text through `open`, or through a path's own methods."""
    called = ast.unparse(call.func)
    if called == "open":
        return not any(isinstance(each, ast.Constant) and "b" in str(each.value) for each in call.args[1:2])
    return called.endswith((".read_text", ".write_text")) and called != "_files.write_text"
