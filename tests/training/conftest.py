"""Fixtures of the tests of training."""

import pytest

from kdutils import data


@pytest.fixture(scope="module")
def few(digits):
    """100 training images: three batches of 32 and a last one of 4."""
    return data.first_per_class(digits, 10)
