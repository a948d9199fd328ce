"""A data set written as files is read back with its images, its labels and its classes."""

from pathlib import Path

import pytest
import torch

from kdutils import data
from kdutils.chapters import folders


def test_a_folder_holds_what_was_written(tmp_path: Path) -> None:
    digits = data.first_per_class(data.load("digits"), 3)
    found = data.load("folder", folders.write(digits, tmp_path))
    assert (len(found.train), len(found.test)) == (len(digits.train), len(digits.test))
    assert found.classes == tuple(str(name) for name in digits.classes)
    _, labels = found.train.batch(torch.arange(len(found.train)))
    assert labels.bincount().tolist() == [3] * len(digits.classes)
    means = [split.batch(torch.arange(len(split)))[0].float().mean().item() for split in (found.train, digits.train)]
    assert means[0] == pytest.approx(means[1], rel=0.02)
