"""CutMixPick (Sec. 4.2): of a pool of CutMix images keep those that a network is least confident of.

Other scores of both networks' logits may pick as well: see `SCORES`.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdutils.augment.core import GRANULARITIES, Granularity
from kdutils.augment.nine import paste_boxes
from kdutils.augment.scheme import Pick, Scheme
from kdutils.errors import UserError, choose
from kdutils.inference import AnyNetwork

PICK_RATIO = 0.5  # the share r of its pool that CutMixPick keeps (Sec. 4.2)


def entropy(logits: Tensor) -> Tensor:
    """Shannon's entropy of softmax(logits), in nats, [N] (Eq. 11)."""
    log_p = F.log_softmax(logits.float(), dim=1)
    return -(log_p.exp() * log_p).sum(1)


def disagreement(teacher: Tensor, student: Tensor) -> Tensor:
    """KL(teacher || student) of each image in nats, [N], from logits [N, C] at temperature 1."""
    log_p, log_q = (F.log_softmax(logits.float(), dim=1) for logits in (teacher, student))
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(1)


def gap(teacher: Tensor, student: Tensor) -> Tensor:
    """How much surer the teacher is of its own prediction than the student, -1..1, [N]: what it knows and tells."""
    p, q = (logits.float().softmax(1) for logits in (teacher, student))
    best = p.max(1)
    return best.values - q.gather(1, best.indices[:, None])[:, 0]


def by_chance(logits: Tensor) -> Tensor:
    """A number for each place in the pool, [N], always the same: the images come to these places in random order."""
    return torch.rand(len(logits), generator=torch.Generator().manual_seed(0)).to(logits.device)


Asked = Callable[[], Tensor]
SCORES: dict[Pick, Callable[[Tensor | None, Asked], Tensor]] = {  # of the teacher's logits and, if asked, the student's
    "teacher": lambda teacher, student: entropy(teacher),
    "student": lambda teacher, student: entropy(student()),
    "disagreement": lambda teacher, student: disagreement(teacher, student()),
    "gap": lambda teacher, student: gap(teacher, student()),
    "random": lambda teacher, student: by_chance(teacher),
}


def highest(scores: Tensor, keep: int) -> Tensor:
    """Positions of the `keep` highest of `scores` [N], in their order in the pool."""
    return scores.topk(keep).indices.sort().values


def pick(logits: Tensor, keep: int) -> Tensor:
    """Positions of the `keep` images of highest entropy, in their order in the pool (CutMixPick, Sec. 4.2)."""
    return highest(entropy(logits), keep)


def kept(scheme: Scheme, n: int, teacher: Tensor | None, student: Asked) -> slice | Tensor:
    """Positions in a pool of the `n` x' that `scheme` takes: the first, or those of highest score (Eq. 11).

    `teacher`: the teacher's logits of the pool. `student()` reads the pool, and is called only if the student is asked.
    """
    return highest(SCORES[scheme.pick](teacher, student), n) if scheme.pick else slice(n)


def pool_runs(pick_ratio: float) -> int:
    """How often CutMix runs on a batch so that keeping the share r of the pool leaves one batch: 1 / r."""
    runs = round(1 / pick_ratio) if 0 < pick_ratio <= 1 else 0
    if runs == 0 or abs(runs * pick_ratio - 1) > 1e-6:
        raise UserError(f"pick_ratio {pick_ratio} must be 1 divided by a whole number, such as 0.5 or 0.25")
    return runs


class CutMixPick(nn.Module):
    """CutMixPick (T. ent.) for a training loop of your own: where torchvision's v2.CutMix stands, behind a DataLoader.

    `forward(images, labels=None)` takes a mini-batch as the teacher takes it, normalised, [N, C, H, W]. It returns N
    images, the share `r` of a CutMix pool of which the teacher is least confident, and the teacher's soft labels of
    them, probabilities [N, classes] at `temperature`. Labels are accepted and not used, as the teacher's take their
    place. The random numbers come from `generator` (on the CPU; default: PyTorch's global one). `granularity` "sample"
    draws a box per image, "batch" one per run of CutMix, as the paper's released code does.
    """

    def __init__(
        self,
        teacher: nn.Module,
        r: float = PICK_RATIO,
        temperature: float = 1.0,
        granularity: Granularity = "batch",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.runs, self.temperature = pool_runs(r), temperature
        self.granularity = choose("granularity", granularity, GRANULARITIES)
        self.generator = generator
        self._teacher = [AnyNetwork(teacher)]  # in a list: no part of this module, whose train() would reach it

    @torch.no_grad()
    def forward(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Picked images [N, C, H, W] and the teacher's soft labels of them [N, classes]."""
        count = 1 if self.granularity == "batch" else len(images)
        pool = torch.cat([paste_boxes(images, count, self.generator).x for _ in range(self.runs)])
        logits = self._teacher[0](pool)
        kept = pick(logits, len(images))
        return pool[kept], (logits[kept] / self.temperature).softmax(1)
