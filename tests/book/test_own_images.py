"""The examples of the page on own images that need other libraries; tests/test_wheel.py runs the others."""

import re
from pathlib import Path

import pytest
import torch

import kdutils
from kdutils import data

PAGE = Path(__file__).parents[2] / "book" / "own_images.md"


def run(library, given):
    """Run the block of the page that imports `library`, with fewer steps; returns what it has defined."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (code,) = (block for block in blocks if f"import {library}" in block)
    exec(code.replace("steps=500", "steps=15"), given)
    return given


@pytest.mark.filterwarnings("ignore:the teacher agrees with", "ignore:a window of K=640")  # it is not trained
def test_from_a_network_of_timm_and_a_folder_to_a_plot(tmp_path, monkeypatch, digits):
    timm = pytest.importorskip("timm", reason="needs timm")
    monkeypatch.chdir(tmp_path)
    data.folder.write(data.first_per_class(digits, 20), tmp_path / "my_images")
    torch.save(timm.create_model("resnet18", num_classes=10).state_dict(), "teacher.pth")
    made = run("timm", {})
    assert (made["ranking"]["n_u"][:7] == 3).all()
    assert (tmp_path / "rank.svg").read_text().startswith("<?xml")


def test_transforms_of_kornia_and_albumentations_are_ranked_as_they_are(monkeypatch, teacher, digits):
    monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", "1")
    for library in ("kornia", "albumentations"):
        pytest.importorskip(library, reason=f"needs {library}")
    made = run("kornia", {"kd": kdutils, "teacher": teacher, "dataset": digits})
    assert made["ranking"]["scheme"].tolist() == list(made["schemes"])
    assert (made["ranking"]["t_stddev"] > 0).all()
