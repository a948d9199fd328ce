"""The digits that need no file."""

from dataclasses import replace

import pytest
import torch
from sklearn.datasets import load_digits

from kdutils import data


def test_digits_are_1000_and_797_images_of_ten_classes_in_equal_parts(digits):
    assert (len(digits.train), len(digits.test), digits.classes) == (1000, 797, tuple("0123456789"))
    for split in (digits.train, digits.test):
        assert split.images.shape == (len(split), 3, 16, 16)
        assert (split.images.dtype, split.labels.dtype) == (torch.uint8, torch.int64)
        assert torch.equal(split.images[:, 0], split.images[:, 1])
        assert torch.equal(split.images[:, 0], split.images[:, 2])
        share = torch.bincount(split.labels).float() / len(split)
        assert float((share - 0.1).abs().max()) < 0.004


def test_every_digit_is_there_once_with_its_label(digits):
    """Averaging 2 x 2 pixels of an enlarged image gives a slightly blurred original, nearest to itself of all."""
    original = load_digits()
    images = torch.cat([digits.train.images, digits.test.images])[:, 0].float()
    labels = torch.cat([digits.train.labels, digits.test.labels])
    small = torch.nn.functional.avg_pool2d(images.unsqueeze(1), 2).flatten(1) * 16 / 255
    blurred = torch.nn.functional.interpolate(torch.tensor(original.images).unsqueeze(1), size=16, mode="bilinear")
    blurred = torch.nn.functional.avg_pool2d(blurred, 2).flatten(1).float()
    nearest = torch.cdist(small, blurred).argmin(1)
    assert len(set(nearest.tolist())) == 1797
    assert labels.tolist() == original.target[nearest].tolist()


def test_digits_are_the_same_every_time_and_normalise_to_zero_and_one(digits):
    again = data.load("digits")
    assert torch.equal(again.train.images, digits.train.images)
    x = digits.normalise(digits.train.images)
    assert (x.dtype, x.shape) == (torch.float32, (1000, 3, 16, 16))
    assert abs(float(x.mean())) < 1e-4
    assert float(x.std()) == pytest.approx(1, abs=1e-3)


def test_normalising_is_the_same_for_whole_and_broken_values(digits):
    three = replace(digits, mean=(0.1, 0.5, 0.9), std=(0.2, 0.3, 0.4))
    x = torch.tensor([0, 128, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, 4, 4)
    expected = [(0 - 0.1) / 0.2, (128 / 255 - 0.5) / 0.3, (1 - 0.9) / 0.4]
    torch.testing.assert_close(three.normalise(x)[0, :, 0, 0], torch.tensor(expected))
    assert torch.equal(three.normalise(x), three.normalise(x.float()))
