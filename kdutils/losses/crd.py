"""Contrastive representation distillation (Tian et al., 2020): tell the teacher's feature of an image from others'."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdutils import seeds
from kdutils.errors import UserError
from kdutils.losses.base import Facts, Outputs, Targets, Terms
from kdutils.losses.feature import DIMENSIONS, FeatureMethod

NEGATIVES = 16_384  # images of other classes that each image is told from; all of them if there are fewer
TEMPERATURE = 0.07
MOMENTUM = 0.5  # of the memories


def noise_contrastive(scores: Tensor, log_mean: Tensor) -> Tensor:
    """-log h(positive) - sum over negatives of log(1 - h), the batch mean in nats: a scalar (Tian et al., Eq. 17-19).

    `scores` [N, 1 + m], the positive first, are inner products over the temperature. h = e^s / (e^s + m e^log_mean)
    is P / (P + m / M) with P = e^s / Z for M training images; `log_mean` is log(Z / M), a constant.
    """
    log_odds = scores - log_mean - math.log(scores.shape[1] - 1)
    return (F.softplus(-log_odds[:, 0]) + F.softplus(log_odds[:, 1:]).sum(1)).mean()


class Memory(nn.Module):
    """One network's unit-length embeddings of all training images [M, 128], as they were when last seen.

    `log_mean` is set by the first scores: the log of the mean of e^score.
    """

    def __init__(self, images: int) -> None:
        super().__init__()
        bound = math.sqrt(3 / DIMENSIONS)
        self.register_buffer("bank", torch.empty(images, DIMENSIONS).uniform_(-bound, bound))
        self.register_buffer("log_mean", torch.tensor(math.nan))

    def contrast(self, anchors: Tensor, index: Tensor) -> Tensor:
        """The loss of `anchors` [N, 128] against the images `index` [N, 1 + m] in memory, the positive first."""
        scores = (anchors @ self.bank.T).gather(1, index) / TEMPERATURE
        first = scores.detach().logsumexp((0, 1)) - math.log(scores.numel())
        self.log_mean.copy_(torch.where(self.log_mean.isnan(), first, self.log_mean))
        return noise_contrastive(scores, self.log_mean)

    @torch.no_grad()
    def remember(self, embeddings: Tensor, index: Tensor) -> None:
        """Move what is remembered of the images `index` [N] half way to `embeddings` [N, 128]."""
        moved = F.normalize(MOMENTUM * self.bank[index] + (1 - MOMENTUM) * embeddings)
        self.bank = self.bank.index_copy(0, index, moved)  # not in place: the gradient still needs the old one


class ContrastiveRepresentation(FeatureMethod):
    """CE + 0.8 times the contrast of the pooled features, both ways (see `FeatureMethod`, also for Table 1).

    Each network's feature is mapped to a unit vector of 128 dimensions, by a linear map trained with the student, and
    told from the other network's memory of images of other classes. The memories are part of the state, so that a run
    resumes exactly; only x is remembered. x' under `x_prime="all"` counts as the image that it was made from.
    """

    name, weight = "crd", 0.8
    needs_facts = True

    def __init__(self, terms: Terms, facts: Facts) -> None:
        super().__init__(terms, facts)
        others = len(facts.labels) - facts.labels.bincount()
        self.negatives = min(NEGATIVES, int(others.min()))
        if self.negatives < 1:
            raise UserError("the method 'crd' tells images of different classes apart; the training set has but one")
        self.embed_s = nn.Linear(facts.student.pooled[0], DIMENSIONS)
        self.embed_t = nn.Linear(facts.teacher.pooled[0], DIMENSIONS)
        self.memory_s, self.memory_t = Memory(len(facts.labels)), Memory(len(facts.labels))
        self.register_buffer("labels", facts.labels.clone(), persistent=False)

    def term(self, student: Outputs, teacher: Outputs, targets: Targets) -> Tensor:
        v_s, v_t = self._embed(student, teacher)
        index = torch.cat([targets.index[:, None], self.draw_negatives(targets)], dim=1)
        return self.memory_t.contrast(v_s, index) + self.memory_s.contrast(v_t, index)

    def on_x(self, student: Outputs, teacher: Outputs | None, targets: Targets) -> Tensor:
        loss = super().on_x(student, teacher, targets)
        with torch.no_grad():
            v_s, v_t = self._embed(student, teacher)
        self.memory_s.remember(v_s, targets.index)
        self.memory_t.remember(v_t, targets.index)
        return loss

    def draw_negatives(self, targets: Targets) -> Tensor:
        """For each image, `negatives` different training images of other classes, uniformly: int64 [N, m]."""
        generator = seeds.on_device(self.labels.device, targets.generator)
        keys = torch.rand(len(targets.labels), len(self.labels), generator=generator, device=self.labels.device)
        keys[targets.labels[:, None] == self.labels] = -1  # never among the highest
        return keys.topk(self.negatives, sorted=False).indices

    def _embed(self, student: Outputs, teacher: Outputs) -> tuple[Tensor, Tensor]:
        return F.normalize(self.embed_s(student.pooled)), F.normalize(self.embed_t(teacher.pooled))
