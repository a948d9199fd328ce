"""Fixtures of the tests of models."""

import pytest
import torch

from kdutils import models


@pytest.fixture
def model():
    torch.manual_seed(1)
    model = models.build("tiny", 10, 16)
    model(torch.randn(4, 3, 16, 16))  # moves BatchNorm's statistics from where they start
    return model
