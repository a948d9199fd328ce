"""The store: what is written comes back or is set aside, and a run has one holder at a time."""

import errno
import json
import math
import os
from pathlib import Path

import pytest
import torch

from kdutils import store
from kdutils.errors import UserError
from kdutils.store import CHECKPOINT, RESULT, Busy, Store, canonical, default_store, digest

KEY = "0123456789abcdef"
CONTENT = {"spec": {"seed": 0}, "result": {"loss": 0.1 + 0.2, "losses": [1e-300, 3.0], "none": None}}


@pytest.fixture
def shelf(tmp_path):
    return Store(tmp_path)


# --- Hashes -------------------------------------------------------------------------------------------------------


def test_equal_content_gives_equal_text_whatever_its_order():
    assert canonical({"b": 1, "a": [1.0, "x"]}) == canonical({"a": [1.0, "x"], "b": 1}) == '{"a":[1.0,"x"],"b":1}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1}) != digest({"a": 2, "b": 1.5})


def test_a_digest_survives_being_written_and_read():
    content = {"tuple": (1, 2), "float": 0.1, "nan": float("nan"), "text": "τ"}
    assert digest(json.loads(json.dumps(content))) == digest(content)


# --- Results ------------------------------------------------------------------------------------------------------


def test_a_result_comes_back_as_it_was_written(shelf):
    assert shelf.read(KEY) is None
    shelf.write(KEY, CONTENT)
    assert shelf.read(KEY) == CONTENT
    assert [path.name for path in (shelf.folder / KEY).iterdir()] == [RESULT]


def test_what_is_not_a_number_comes_back(shelf):
    shelf.write(KEY, {"rows": [{"t_stddev": float("nan")}]})
    assert math.isnan(shelf.read(KEY)["rows"][0]["t_stddev"])


def test_a_result_ends_the_checkpoint_that_led_to_it(shelf):
    shelf.write_checkpoint(KEY, {"losses": []})
    shelf.write(KEY, CONTENT)
    assert not shelf.path(KEY, CHECKPOINT).exists()


def edited(text):
    return text.replace("3.0", "2.0")


@pytest.mark.parametrize(
    "spoil",
    [
        edited,
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: '["digest"]',
        lambda text: "null",
        lambda text: '"text"',
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "digest"}),
        lambda text: text + "}",
    ],
)
def test_a_result_that_cannot_be_trusted_is_set_aside_with_a_warning(spoil, shelf):
    shelf.write(KEY, CONTENT)
    path = shelf.path(KEY, RESULT)
    spoiled = spoil(path.read_text())
    assert spoiled != path.read_text()
    path.write_text(spoiled)
    with pytest.warns(UserWarning, match=r"result\.json cannot be used \(.*set aside as result\.json\.damaged"):
        assert shelf.read(KEY) is None
    assert not path.exists()
    assert path.with_name("result.json.damaged").read_text() == spoiled
    assert shelf.read(KEY) is None


def test_bytes_that_are_no_text_are_set_aside(shelf):
    shelf.write(KEY, CONTENT)
    shelf.path(KEY, RESULT).write_bytes(b"\xff\xfe\x00")
    with pytest.warns(UserWarning, match="cannot be used"):
        assert shelf.read(KEY) is None


def test_all_results_are_listed_by_key_without_the_damaged(shelf):
    for key in ("b" * 16, "a" * 16, "c" * 16):
        shelf.write(key, {"result": key})
    shelf.path("b" * 16, RESULT).write_text("{")
    with pytest.warns(UserWarning, match="cannot be used"):
        assert list(shelf.results()) == [(k * 16, {"result": k * 16}) for k in "ac"]


def test_a_store_that_is_not_there_is_empty(tmp_path):
    assert list(Store(tmp_path / "nowhere").results()) == []


def test_a_store_that_cannot_be_read_is_an_error_for_people(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"cannot read .*result\.json: Not a directory"):
        Store(tmp_path / "taken").read(KEY)


# --- Checkpoints --------------------------------------------------------------------------------------------------


def test_a_checkpoint_comes_back_bit_for_bit(shelf):
    state = {"student": {"w": torch.randn(3, 3).to(torch.float32)}, "losses": [0.1, 0.2], "optimizer": {"lr": 0.05}}
    assert shelf.read_checkpoint(KEY) is None
    shelf.write_checkpoint(KEY, {"losses": []})
    shelf.write_checkpoint(KEY, state)
    found = shelf.read_checkpoint(KEY)
    assert torch.equal(found["student"]["w"], state["student"]["w"])
    assert (found["losses"], found["optimizer"]) == (state["losses"], state["optimizer"])
    assert len(list((shelf.folder / KEY).iterdir())) == 1


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_a_torn_checkpoint_is_set_aside(share, shelf):
    shelf.write_checkpoint(KEY, {"w": torch.randn(1000)})
    path = shelf.path(KEY, CHECKPOINT)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.warns(UserWarning, match=r"checkpoint\.pt cannot be used"):
        assert shelf.read_checkpoint(KEY) is None
    assert path.with_name("checkpoint.pt.damaged").exists()


class Code:
    def __reduce__(self):
        return os.system, ("touch ran",)


def test_a_checkpoint_never_runs_code(shelf, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shelf.path(KEY, CHECKPOINT).parent.mkdir()
    torch.save({"student": Code()}, shelf.path(KEY, CHECKPOINT))
    with pytest.warns(UserWarning, match="cannot be used"):
        assert shelf.read_checkpoint(KEY) is None
    assert not Path("ran").exists()


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("iostream error\nat")]
)
def test_a_full_disk_leaves_the_checkpoint_before(error, shelf, monkeypatch):
    """torch reports a full disk as a RuntimeError."""
    shelf.write_checkpoint(KEY, {"losses": [1.0]})

    def full(state, path):
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(
        UserError, match=r"cannot write .*checkpoint\.pt: (No space left|writing failed, is the disk)"
    ) as told:
        shelf.write_checkpoint(KEY, {"losses": [1.0, 2.0]})
    assert "\n" not in str(told.value)
    assert shelf.read_checkpoint(KEY) == {"losses": [1.0]}
    assert len(list((shelf.folder / KEY).iterdir())) == 1


# --- Locks --------------------------------------------------------------------------------------------------------


def test_a_run_has_one_holder_at_a_time(shelf):
    with shelf.lock(KEY):
        with (
            pytest.raises(Busy, match="another process is working on 0123456789abcdef"),
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
    monkeypatch.setattr(store.os, "replace", read_only)
    with pytest.raises(UserError, match=r"cannot be used \(.*\), and not set aside either: Read-only file system"):
        shelf.read(KEY)


def test_the_store_is_the_parameter_else_the_variable_else_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("KDUTILS_STORE", str(tmp_path))
    assert Store("here").folder == Path("here")
    assert Store().folder == default_store() == tmp_path
    monkeypatch.delenv("KDUTILS_STORE")
    assert default_store().parts[-2:] == ("kdutils", "store")
