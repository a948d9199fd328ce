"""The statistics behind every verdict: correlations, paired tests, intervals and the standard error of T. stddev.

A thin layer over scipy and statsmodels that gives named numbers and refuses what has no answer. `import scipy` alone
brings `scipy.stats` when it is first used, which is slow to load, and which runs do not need.
"""

from kdutils.errors import UserError
from kdutils.stats._coefficients import (
    EXACT_UP_TO,
    Alternative,
    Correlation,
    Method,
    correlation,
    correlations,
    fisher_interval,
    permutation_p,
)
from kdutils.stats._estimates import adaptive_calibration_error, calibration_error, fit_line, stddev_standard_error
from kdutils.stats._ranks import Lead, Within, lead, rank_order, rank_order_within
from kdutils.stats._tests import (
    Combined,
    PairedTest,
    SignTest,
    combine_p,
    holm,
    p_text,
    paired_test,
    sign_test,
    t_interval,
)

__all__ = [
    "EXACT_UP_TO",
    "Alternative",
    "Combined",
    "Correlation",
    "Lead",
    "Method",
    "PairedTest",
    "SignTest",
    "UserError",
    "Within",
    "adaptive_calibration_error",
    "calibration_error",
    "combine_p",
    "correlation",
    "correlations",
    "fisher_interval",
    "fit_line",
    "holm",
    "lead",
    "p_text",
    "paired_test",
    "permutation_p",
    "rank_order",
    "rank_order_within",
    "sign_test",
    "stddev_standard_error",
    "t_interval",
]
