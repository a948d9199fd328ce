"""Correlation congruence (Peng et al., 2019), in the form of its authors that Tian et al. (2020) released."""

from torch import Tensor, nn

from kdutils.losses.base import Facts, Outputs, Targets, Terms
from kdutils.losses.feature import DIMENSIONS, FeatureMethod


def correlation_congruence(f_s: Tensor, f_t: Tensor) -> Tensor:
    """Mean over neighbours i, i + 1 in the batch of sum_d delta_i delta_(i+1), delta = |f_s - f_t|: a scalar.

    Features [N, D], N at least 2.
    """
    delta = (f_s - f_t).abs()
    return (delta[:-1] * delta[1:]).sum(1).mean()


class CorrelationCongruence(FeatureMethod):
    """CE + 0.02 times `correlation_congruence` on the pooled features (see `FeatureMethod`).

    Each network's feature first passes a linear map to 128 dimensions, trained with the student.
    """

    name, weight = "cc", 0.02
    needs_facts = True

    def __init__(self, terms: Terms, facts: Facts) -> None:
        super().__init__(terms, facts)
        self.embed_s = nn.Linear(facts.student.pooled[0], DIMENSIONS)
        self.embed_t = nn.Linear(facts.teacher.pooled[0], DIMENSIONS)

    def term(self, student: Outputs, teacher: Outputs, targets: Targets) -> Tensor:
        return correlation_congruence(self.embed_s(student.pooled), self.embed_t(teacher.pooled))
