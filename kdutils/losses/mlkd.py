"""Multi-level logit distillation (Jin et al., 2023): images, pairs of images, pairs of classes."""

from torch import Tensor

from kdutils.losses.base import Outputs, Targets
from kdutils.losses.kd import kd_divergence
from kdutils.losses.logit import LogitMethod

TEMPERATURES = (2.0, 3.0, 4.0, 5.0, 6.0)


def batch_distance(p_s: Tensor, p_t: Tensor) -> Tensor:
    """|p_s p_s^T - p_t p_t^T|^2 / N: how alike the network finds each two images. Probabilities [N, C]; a scalar."""
    return (p_s @ p_s.T - p_t @ p_t.T).square().sum() / len(p_s)


def class_distance(p_s: Tensor, p_t: Tensor) -> Tensor:
    """|p_s^T p_s - p_t^T p_t|^2 / C: which classes it takes for one another. Probabilities [N, C]; a scalar."""
    return (p_s.T @ p_s - p_t.T @ p_t).square().sum() / p_s.shape[1]


class MultiLevel(LogitMethod):
    """0.1 CE + 0.9 times `kd_divergence`, `batch_distance` and `class_distance`, summed over temperatures 2 to 6.

    See `LogitMethod`. Weights and temperatures are those of the authors' release, which always sees RandAugment's x' as
    well, with its label: that is this loss with the scheme randaugment and `x_prime="all"`. There some terms of x are
    halved and those of x' differ in detail; here both are what the three levels say.
    """

    label_weight, weight = 0.1, 0.9

    def term(self, student: Outputs, teacher: Outputs, targets: Targets) -> Tensor:
        return sum(self._at(student.logits, teacher.logits, tau) for tau in TEMPERATURES)

    def _at(self, student: Tensor, teacher: Tensor, tau: float) -> Tensor:
        p_s, p_t = (student / tau).softmax(1), (teacher / tau).softmax(1)
        return kd_divergence(student, teacher, tau) + batch_distance(p_s, p_t) + class_distance(p_s, p_t)
