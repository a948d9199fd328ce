"""What the teacher alone says of a scheme: `rank_schemes` gives its T. stddev and the metrics beside it."""

from kdutils.augment import entropy
from kdutils.metrics import responses
from kdutils.metrics.comparison import in_words, neighbours, told_apart
from kdutils.metrics.one_pass import (
    LARGEST_TEMPERATURE,
    LEAST_TEMPERATURE,
    check_sizes,
    count_steps,
    measure,
    rank_schemes,
)
from kdutils.metrics.ranking import Ranking, mean_correlation, mean_covariance, t_stddev

__all__ = [
    "LARGEST_TEMPERATURE",
    "LEAST_TEMPERATURE",
    "Ranking",
    "check_sizes",
    "count_steps",
    "entropy",
    "in_words",
    "mean_correlation",
    "mean_covariance",
    "measure",
    "neighbours",
    "rank_schemes",
    "responses",
    "t_stddev",
    "told_apart",
]
