"""Distillation losses, one file each, one interface (`base.Method`). `METHODS` is the registry."""

from kdutils.errors import UserError, choose
from kdutils.losses.at import AttentionTransfer, attention_transfer
from kdutils.losses.base import Facts, Method, Outputs, Targets, Terms, XPrime
from kdutils.losses.cc import CorrelationCongruence, correlation_congruence
from kdutils.losses.ce import CrossEntropy
from kdutils.losses.crd import ContrastiveRepresentation
from kdutils.losses.dist import StrongerTeacher, correlation_distance
from kdutils.losses.dkd import DecoupledDistillation, decoupled_divergence
from kdutils.losses.feature import FeatureMethod
from kdutils.losses.kd import KnowledgeDistillation, kd_divergence
from kdutils.losses.logit import LogitMethod
from kdutils.losses.lskd import LogitStandardisation, standardise
from kdutils.losses.mlkd import MultiLevel, batch_distance, class_distance
from kdutils.losses.pkt import ProbabilisticTransfer, probabilistic_transfer
from kdutils.losses.sp import SimilarityPreserving, similarity_preserving
from kdutils.losses.vid import VariationalInformation

METHODS: dict[str, type[Method]] = {  # name -> class, whose constructor takes Terms and Facts
    "ce": CrossEntropy,
    "kd": KnowledgeDistillation,
    "crd": ContrastiveRepresentation,
    "at": AttentionTransfer,
    "cc": CorrelationCongruence,
    "sp": SimilarityPreserving,
    "pkt": ProbabilisticTransfer,
    "vid": VariationalInformation,
    "lskd": LogitStandardisation,
    "dkd": DecoupledDistillation,
    "dist": StrongerTeacher,
    "mlkd": MultiLevel,
}

__all__ = [
    "METHODS",
    "CrossEntropy",
    "Facts",
    "FeatureMethod",
    "KnowledgeDistillation",
    "LogitMethod",
    "Method",
    "Outputs",
    "Targets",
    "Terms",
    "attention_transfer",
    "batch_distance",
    "build",
    "class_distance",
    "correlation_congruence",
    "correlation_distance",
    "decoupled_divergence",
    "kd_divergence",
    "probabilistic_transfer",
    "similarity_preserving",
    "standardise",
]


def build(
    name: str,
    tau: float = 4.0,
    alpha: float = 0.9,
    kl_on_x: float = 0.0,
    x_prime: XPrime = "kl",
    facts: Facts | None = None,
) -> Method:
    """The method `name` at temperature `tau`, with the terms that `Terms` describes, as far as it has them.

    `facts` are needed by the methods that have `needs_facts`. UserError for an unknown name, and for networks whose
    features the method cannot compare.
    """
    method = METHODS[choose("method", name, METHODS)]
    if method.needs_facts and facts is None:
        raise UserError(f"the method {name!r} needs to know both networks' features and the labels: give it facts")
    return method(Terms(tau, alpha, kl_on_x, x_prime), facts)
