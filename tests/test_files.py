"""Files that are whole or not there, and what a full disk or a folder that cannot be written to is called."""

import errno
import hashlib
import os
import tempfile

import pytest

from kdutils import files
from kdutils.errors import UserError


def fail_with(number):
    def fail(*args, **options):
        raise OSError(number, os.strerror(number))

    return fail


def test_text_is_written_as_utf8_with_its_folders_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a" / "b" / "naïve.txt"
    files.write_text(path, "τ = 4, x′\n")
    assert path.read_bytes() == "τ = 4, x′\n".encode()
    assert [p.name for p in path.parent.iterdir()] == ["naïve.txt"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_file_changes_only_when_the_block_has_succeeded(tmp_path):
    path = tmp_path / "result.json"
    files.write_text(path, "old")
    with files.atomic(path) as partial:
        partial.write_text("new, half")
        assert path.read_text() == "old"
        assert partial.suffix == path.suffix  # some writers choose the format by it
    assert path.read_text() == "new, half"


def write_half(path, error):
    with files.atomic(path) as partial:
        partial.write_text("half of the n")
        raise error


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "result.json"
    files.write_text(path, "old")
    with pytest.raises(error):
        write_half(path, error)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_while_writing_is_one_line_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "result.json"
    files.write_text(path, "old")
    with pytest.raises(UserError, match=r"cannot write .*result\.json: No space left on device") as told:
        write_half(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert "\n" not in str(told.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_rename_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", fail_with(errno.EROFS))
    with pytest.raises(UserError, match="Read-only file system"):
        files.write_text(tmp_path / "result.json", "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "mkstemp", fail_with(errno.EACCES))
    with pytest.raises(UserError, match=r"cannot write .*Permission denied\. Name a folder"):
        write_half(tmp_path / "result.json", AssertionError("the block must not run"))


def test_a_file_where_a_folder_should_be_is_an_error_for_people(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        files.write_text(tmp_path / "taken" / "result.json", "new")


def test_sha256_is_that_of_the_content(tmp_path):
    content = bytes(range(256)) * 5000
    files.write_bytes(tmp_path / "blob", content)
    assert files.sha256(tmp_path / "blob") == hashlib.sha256(content).hexdigest()
