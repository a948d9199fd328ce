"""A run has one holder at a time, and a store that cannot be locked or written is named."""

import errno
import fcntl
import os
import warnings
from pathlib import Path

import pytest

from kdutils.errors import UserError
from kdutils.runs import Store, default_store
from kdutils.runs.store import RESULT, Busy
from tests.runs.contents import CONTENT, KEY


def test_a_run_has_one_holder_at_a_time(shelf):
    with shelf.lock(KEY):
        with (
            pytest.raises(Busy, match=f"another process is working on {KEY}"),
            Store(shelf.folder).lock(KEY, 0),
        ):
            pytest.fail("held twice")
        with Store(shelf.folder).lock("f" * 16, 0):  # another run is free
            pass
    with Store(shelf.folder).lock(KEY, 0):
        pass


def fail_inside(shelf, error):
    with shelf.lock(KEY):
        raise error


@pytest.mark.parametrize("error", [KeyError("x"), OSError(errno.ENOENT, "x"), KeyboardInterrupt()])
def test_a_lock_ends_with_its_block_and_lets_the_blocks_error_through(error, shelf):
    with pytest.raises(type(error)):
        fail_inside(shelf, error)
    with shelf.lock(KEY, 0):
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_that_cannot_lock_is_named_at_once_whatever_lock_files_lie_there(number, shelf, monkeypatch):
    """A store copied from elsewhere brings its empty lock files along; they must not read as locks that are held."""

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    with shelf.lock(KEY):
        pass
    monkeypatch.setattr(fcntl, "flock", refuse)
    for key in (KEY, "b" * 16):
        with (
            warnings.catch_warnings(action="error"),
            pytest.raises(UserError, match=r"cannot lock files \(.*\).*KDUTILS_STORE") as told,
            shelf.lock(key),
        ):
            pytest.fail("held")
        assert not isinstance(told.value, Busy)


def test_what_a_killed_process_left_half_written_is_cleared_away(shelf):
    shelf.write(KEY, CONTENT)
    (shelf.folder / KEY / ".checkpoint.pt.abc.pt").write_bytes(b"half")
    with shelf.lock(KEY):
        assert {path.name for path in (shelf.folder / KEY).iterdir()} == {RESULT, "lock"}


def test_a_store_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    shelf = Store(tmp_path / "taken")
    with pytest.raises(UserError, match=r"cannot write to the store .*taken.*KDUTILS_STORE"), shelf.lock(KEY):
        pytest.fail("held")
    with pytest.raises(UserError, match="cannot write to the store"):
        shelf.check()


def test_setting_aside_on_a_read_only_disk_is_an_error_for_people(shelf, monkeypatch):
    def read_only(*args):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    shelf.write(KEY, CONTENT)
    shelf.path(KEY, RESULT).write_text("{")
    monkeypatch.setattr(os, "replace", read_only)
    with pytest.raises(UserError, match=r"cannot be used \(.*\), and not set aside either: Read-only file system"):
        shelf.read(KEY)


def test_the_store_is_the_parameter_else_the_variable_else_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("KDUTILS_STORE", str(tmp_path))
    assert Store("here").folder == Path("here")
    assert Store().folder == default_store() == tmp_path
    monkeypatch.delenv("KDUTILS_STORE")
    assert default_store().parts[-2:] == ("kdutils", "store")
