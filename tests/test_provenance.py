"""What is written down of the machine that computed something."""

import torch

from kdutils import _provenance


def test_the_accelerator_is_named_and_what_was_computed_on(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: torch.device("mps"))
    assert ", mps, " in _provenance.machine()
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "a GPU")
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: torch.device("cuda"))
    assert ", a GPU, " in _provenance.machine()
    assert _provenance.made(torch.device("cpu"))["device"] == "cpu"
    assert "device" not in _provenance.made()
