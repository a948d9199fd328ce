"""Distillation losses, one file each, one interface (`base.Method`). `METHODS` is the registry."""

from collections.abc import Callable

from kdutils.errors import choose
from kdutils.losses.base import Method, Outputs, Targets
from kdutils.losses.ce import CrossEntropy
from kdutils.losses.kd import KnowledgeDistillation, kd_divergence

METHODS: dict[str, Callable[[float, float], Method]] = {  # name -> constructor, which takes tau and alpha
    "ce": lambda tau, alpha: CrossEntropy(),
    "kd": KnowledgeDistillation,
}

__all__ = ["METHODS", "CrossEntropy", "KnowledgeDistillation", "Method", "Outputs", "Targets", "build", "kd_divergence"]


def build(name: str, tau: float = 4.0, alpha: float = 0.9) -> Method:
    """The method `name`, at temperature `tau` and, where it has one, with the weight `alpha` of the teacher's term."""
    choose("method", name, METHODS)
    return METHODS[name](tau, alpha)
