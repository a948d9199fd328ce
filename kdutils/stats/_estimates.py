"""Estimates with their errors: a line and its band, the standard error of T. stddev, calibration."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from kdutils.errors import UserError
from kdutils.stats._checks import finite, level, points


def fit_line(x: ArrayLike, y: ArrayLike, at: ArrayLike, confidence: float = 0.95) -> pd.DataFrame:
    """The least-squares line through (x, y) and its confidence band at the places `at`: columns x, y, low, high."""
    from statsmodels.regression.linear_model import OLS  # statsmodels takes a second to load
    from statsmodels.tools.tools import add_constant

    x, y = points(x, y)
    if np.ptp(x) == 0:
        raise UserError(f"all x are {x[0]:g}: no line goes through points above one another")
    at = finite(at, "a place on the line")
    prediction = OLS(y, add_constant(x)).fit().get_prediction(add_constant(at, has_constant="add"))
    band = prediction.conf_int(alpha=1 - level(confidence))
    return pd.DataFrame({"x": at, "y": prediction.predicted_mean, "low": band[:, 0], "high": band[:, 1]})


def stddev_standard_error(u: ArrayLike) -> float:
    """The standard error of T. stddev (Eq. 10), by the delete-one jackknife over windows.

    `u` is n_u x C: one mean probability a window, windows independent, n_u >= 3. Deleting window i takes
    n / (n - 1) (u_i - mean)^2 off a class's sum of squares, so all n_u values of T. stddev come in one pass. The error
    is that of the mean over repetitions with the same n_u: a standard deviation of few windows is itself a little low,
    by 1 / 4 n_u of its value (near-Gaussian u), and this is not in it.
    """
    u = np.asarray(u, float)
    if u.ndim != 2 or len(u) < 3:
        raise UserError(f"expected u as windows x classes with at least 3 windows, got shape {u.shape}")
    n = len(u)
    squares = (u - u.mean(axis=0)) ** 2
    left = np.maximum(squares.sum(axis=0) - n / (n - 1) * squares, 0)  # rounding may leave -1e-20
    without = np.sqrt(left / (n - 2)).mean(axis=1)
    return float(np.sqrt((n - 1) * np.var(without)))


def calibration_error(confidence: ArrayLike, right: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error, 0..1: |accuracy - mean confidence| of equal bins of confidence, weighted by images.

    `confidence` [N] in 0..1 of the predicted class, `right` [N] whether it is the label's (Guo et al., 2017, Eq. 5).
    """
    confidence, right = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    bin_of = np.ceil(confidence * bins).clip(1, bins).astype(int)  # (0, 1/M], ..., (1 - 1/M, 1]
    return float(np.abs(np.bincount(bin_of, right - confidence)).sum() / len(right))


def adaptive_calibration_error(probabilities: ArrayLike, labels: ArrayLike, ranges: int = 15) -> float:
    """Adaptive calibration error, 0..1: |share of the class - mean probability|, over ranges of equally many images.

    `probabilities` [N, C], `labels` int [N]. Unlike `calibration_error` it looks at every class: the probabilities of
    each are sorted and cut into `ranges` of N / ranges images; the mean is over all C x ranges (Nixon et al., 2019).
    """
    p = np.asarray(probabilities, dtype=float)
    gaps = (np.asarray(labels)[:, None] == np.arange(p.shape[1])) - p
    ordered = np.take_along_axis(gaps, p.argsort(axis=0, kind="stable"), axis=0)
    return float(np.mean([np.abs(part.mean(axis=0)) for part in np.array_split(ordered, min(ranges, len(p)))]))
