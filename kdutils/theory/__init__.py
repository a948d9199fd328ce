"""Proposition 3.1: its closed forms, and `risk`, which measures it on a pool of images."""

from kdutils.theory import risk
from kdutils.theory.proposition import (
    CONSTANT_IMAGE_FACTOR,
    STRUCTURES,
    ar1,
    distilled_loss,
    equicorrelated,
    first_image_factor,
    first_image_factor_measured,
    gap_curves,
    one_hot_identity_stddev,
    pairs,
    variance_of_mean,
)

__all__ = [
    "CONSTANT_IMAGE_FACTOR",
    "STRUCTURES",
    "ar1",
    "distilled_loss",
    "equicorrelated",
    "first_image_factor",
    "first_image_factor_measured",
    "gap_curves",
    "one_hot_identity_stddev",
    "pairs",
    "risk",
    "variance_of_mean",
]
