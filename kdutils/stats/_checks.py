"""What the statistics accept: finite values of the right number, without what rounding left in them."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kdutils.errors import UserError

DIGITS = 13
"""Values are told apart by this many digits of the largest; what is left of a double's 16 is rounding."""


def finite(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """A sequence as a float array, at least one value, none missing or infinite; else a UserError about `what`."""
    values = np.asarray(values, float)
    if values.ndim != 1 or not len(values):
        raise UserError(f"expected a sequence with at least one value, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise UserError(f"{what} is missing or infinite; drop its row first")
    return values


def points(x: ArrayLike, y: ArrayLike, at_least: int = 4) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both sequences as float arrays, without rounding; or a UserError that says what is wrong with them."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.ndim != 1 or x.shape != y.shape:
        raise UserError(f"expected two sequences of the same length, got shapes {x.shape} and {y.shape}")
    if len(x) < at_least:
        raise UserError(f"expected at least {at_least} points, got {len(x)}")
    x, y = (finite(values, "a value") for values in (x, y))
    return without_rounding(x, abs(x).max()), without_rounding(y, abs(y).max())


def without_rounding(values: NDArray, scale: float, digits: int = DIGITS) -> NDArray[np.float64]:
    """The values to so many digits of `scale`, so that what was equal before it was computed is equal again."""
    if scale == 0:
        return values
    decimals = digits - 1 - math.floor(math.log10(scale))
    return np.round(values, decimals) if abs(decimals) < 300 else values  # beyond, 10^decimals is no double


def probabilities(values: ArrayLike) -> NDArray[np.float64]:
    """p-values as a float array; a UserError if one is missing or outside 0..1."""
    values = finite(values, "a p-value")
    if values.min() < 0 or values.max() > 1:
        raise UserError(f"a p-value lies in 0..1; got {values.min():g} to {values.max():g}")
    return values


def level(confidence: float) -> float:
    """A confidence level as it is; a UserError for 95 where 0.95 is meant."""
    if not 0 < confidence < 1:
        raise UserError(f"a confidence level lies between 0 and 1, such as 0.95; got {confidence}")
    return confidence
