"""Fixtures of the tests of the metrics: many independent images, and an untrained student."""

from dataclasses import replace

import pytest
import torch

from kdutils import models
from kdutils.data import MemorySplit
from tests.metrics.teachers import CLASSES, SIZE, Linear


@pytest.fixture(scope="module")
def student():
    """An untrained network: what it finds surprising is not what the teacher does."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return models.build("tiny", 10, 16)


@pytest.fixture(scope="module")
def patches(digits):
    """20,000 images of one grey value, which crop and flip leave at the centre: class c is 25 c + 10 plus noise."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(20_000) % CLASSES
    grey = 25 * labels + torch.randint(21, (20_000,), generator=generator)
    images = grey.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, SIZE, SIZE).contiguous()
    split = MemorySplit(images, labels)
    return replace(digits, name="patches", train=split, test=split, image_size=SIZE)


@pytest.fixture(scope="module")
def noise(digits):
    """20,000 images of noise: as good as independent draws."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (20_000, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator)
    split = MemorySplit(images, Linear()(digits.normalise(images)).argmax(1))
    return replace(digits, name="noise", train=split, test=split, image_size=SIZE)
