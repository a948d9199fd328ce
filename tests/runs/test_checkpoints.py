"""Checkpoints come back bit for bit or are set aside, and never run code."""

import errno
import math
import os
from pathlib import Path

import pytest
import torch

from kdutils.errors import UserError
from kdutils.runs.store import CHECKPOINT
from tests.runs.contents import KEY


def test_a_checkpoint_comes_back_bit_for_bit(shelf):
    state = {"student": {"w": torch.randn(3, 3).to(torch.float32)}, "losses": [0.1, 0.2], "optimizer": {"lr": 0.05}}
    assert shelf.read_checkpoint(KEY) is None
    shelf.write_checkpoint(KEY, {"losses": []})
    shelf.write_checkpoint(KEY, state)
    found = shelf.read_checkpoint(KEY)
    assert torch.equal(found["student"]["w"], state["student"]["w"])
    assert (found["losses"], found["optimizer"]) == (state["losses"], state["optimizer"])
    assert found.keys() == state.keys()
    assert len(list((shelf.folder / KEY).iterdir())) == 1


def test_a_checkpoint_from_before_it_named_its_run_is_still_one(shelf):
    shelf.path(KEY, CHECKPOINT).parent.mkdir()
    torch.save({"losses": [1.0]}, shelf.path(KEY, CHECKPOINT))
    assert shelf.read_checkpoint(KEY) == {"losses": [1.0]}


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"key": "f" * 16, "losses": []}, "it is of another run"),
        ({"format": 2, "losses": []}, "another version of kdutils wrote it"),
        ({"format": torch.ones(2), "losses": []}, "another version of kdutils wrote it"),
        ({"student": {}}, "it does not say how far the run was"),
        ({"losses": 3}, "it does not say how far the run was"),
        ({"losses": ["1.0"]}, "it does not say how far the run was"),
        ({"losses": [math.nan]}, "it does not say how far the run was"),
        ([], "another version of kdutils wrote it"),
    ],
)
def test_a_checkpoint_of_another_run_or_form_is_set_aside(state, why, shelf):
    shelf.path(KEY, CHECKPOINT).parent.mkdir()
    torch.save(state, shelf.path(KEY, CHECKPOINT))
    with pytest.warns(UserWarning, match=rf"checkpoint\.pt cannot be used \({why}\)"):
        assert shelf.read_checkpoint(KEY) is None
    assert not shelf.path(KEY, CHECKPOINT).exists()


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_a_torn_checkpoint_is_set_aside(share, shelf):
    shelf.write_checkpoint(KEY, {"w": torch.randn(1000), "losses": []})
    path = shelf.path(KEY, CHECKPOINT)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.warns(UserWarning, match=r"checkpoint\.pt cannot be used"):
        assert shelf.read_checkpoint(KEY) is None
    assert path.with_name("checkpoint.pt.damaged").exists()


def test_a_checkpoint_with_a_flipped_bit_is_set_aside(shelf):
    """torch itself reads such a file without a word."""
    shelf.write_checkpoint(KEY, {"w": torch.zeros(1000), "losses": []})
    path = shelf.path(KEY, CHECKPOINT)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    assert torch.load(path, weights_only=True)["w"].count_nonzero() == 1
    with pytest.warns(UserWarning, match="its content does not match its own checksums"):
        assert shelf.read_checkpoint(KEY) is None


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
