"""Fixtures of the tests of augmentations: the settings of a scheme."""

import pytest

from kdutils import augment
from tests.augment.images import GRANULARITIES


@pytest.fixture(params=GRANULARITIES)
def settings(request, digits):
    return augment.settings(digits, request.param)


@pytest.fixture(scope="module")
def per_image(digits):
    return augment.settings(digits, "sample")
