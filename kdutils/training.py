"""Train a network on labels, distil a student from a teacher, evaluate: one epoch at a time, resumable.

A step reads as Fig. 3(b) of the paper: x = crop+flip of the image, x' = scheme(x); the teacher sees both in one forward
pass, the student in two (so that BatchNorm sees them apart, as in the released code).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from kdutils import augment, seeds
from kdutils.augment import Augmented, Scheme
from kdutils.data import Dataset, Split, batches, shuffled
from kdutils.errors import UserError, choose
from kdutils.inference import PRECISIONS, for_inference, layers_in
from kdutils.inference.devices import double
from kdutils.losses import Method, Targets
from kdutils.models import Features, Network
from kdutils.stats import adaptive_calibration_error, calibration_error

MILESTONES = (150 / 240, 180 / 240, 210 / 240)  # of the epochs; the learning rate is divided by 10 after each
MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4
EVALUATION_BATCH = 500
STANDARD = {
    "crop_flip": augment.crop_flip,
    "flip": augment.flip,
    "none": augment.identity,
}


class Evaluation(NamedTuple):
    """Mean cross-entropy in nats; in per cent accuracy, expected and adaptive calibration error (15 bins, `stats`)."""

    loss: float
    accuracy: float
    ece: float
    ace: float


class Fidelity(NamedTuple):
    """What a student has of its teacher: same predictions in per cent, mean KL(teacher || student) in nats.

    And the teacher's accuracy in per cent, which says whether it is one for these images.
    """

    agreement: float
    teacher_kl: float
    teacher_accuracy: float


@dataclass(frozen=True)
class Schedule:
    """SGD as in CRD and the paper: momentum 0.9, weight decay 5e-4, `lr` / 10 after 5/8, 6/8 and 7/8 of the epochs."""

    epochs: int
    lr: float = 0.05
    batch_size: int = 64

    def learning_rate(self, epoch: int) -> float:
        """The learning rate of epoch number `epoch` (from 0)."""
        return self.lr * 0.1 ** sum(epoch >= round(m * self.epochs) for m in MILESTONES)


@torch.inference_mode()
def evaluate(model: Network, dataset: Dataset, split: Split) -> Evaluation:
    """Loss, accuracy and calibration of `model` in evaluation mode over the whole `split`, without augmentation."""
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    loss, seen = 0.0, []
    for x, y in _for_evaluation(split, dataset, device):
        logits = model(x)
        loss = loss + double(F.cross_entropy(logits, y, reduction="sum"))
        seen.append(logits.softmax(1))
    model.train(was_training)
    p, labels = torch.cat(seen).cpu().numpy(), split.labels.cpu().numpy()
    correct = p.argmax(1) == labels
    ece, ace = calibration_error(p.max(1), correct), adaptive_calibration_error(p, labels)
    return Evaluation(float(loss) / len(split), 100 * float(correct.mean()), 100 * ece, 100 * ace)


@torch.inference_mode()
def fidelity(student: Network, teacher: Network, dataset: Dataset, split: Split) -> Fidelity:
    """How closely `student` follows `teacher` over the whole `split`, at temperature 1 (Stanton et al., 2021)."""
    was_training, device = student.training, next(student.parameters()).device
    student.eval()
    agreed, right, divergence = 0, 0, 0.0
    for x, y in _for_evaluation(split, dataset, device):
        ours, theirs = student(x), teacher(x)
        agreed = agreed + (ours.argmax(1) == theirs.argmax(1)).sum()
        right = right + (theirs.argmax(1) == y).sum()
        apart = F.kl_div(ours.log_softmax(1), theirs.log_softmax(1), reduction="sum", log_target=True)
        divergence = divergence + double(apart)
    student.train(was_training)
    n = len(split)
    return Fidelity(100 * float(agreed) / n, float(divergence) / n, 100 * float(right) / n)


def _for_evaluation(split: Split, dataset: Dataset, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Normalised images and labels, all of a split in order, on `device`."""
    for x, y, _ in batches(split, torch.arange(len(split)).split(EVALUATION_BATCH)):
        yield dataset.normalise(x.to(device)), y.to(device)


@dataclass
class Training:
    """A student's training and all its state. `epoch()` advances it; `state()` and `restore()` make it resumable.

    `scheme` None trains on x alone (the original KD, or a teacher's training). All randomness comes from `seed` by
    name and epoch, so an epoch gives the same result whether or not the process was restarted before it. The network's
    own starting weights are the caller's. `teacher_precision` "bfloat16" lets the teacher answer sooner, in 16 bits;
    `student_precision` "bfloat16" trains under autocast: activations in 16 bits, weights and losses in 32.
    """

    student: Network
    method: Method
    dataset: Dataset
    schedule: Schedule
    teacher: Network | None = None
    scheme: Scheme | None = None
    granularity: augment.Granularity = "batch"
    standard: str = "crop_flip"
    pick_ratio: float = augment.PICK_RATIO
    seed: int = 0
    teacher_precision: str = "float32"
    student_precision: str = "float32"
    epochs_done: int = 0
    losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        choose("precision", self.student_precision, PRECISIONS)
        self.device = next(self.student.parameters()).device
        self.settings = augment.settings(self.dataset, self.granularity)
        self.runs = augment.pool_runs(self.pick_ratio) if self.scheme and self.scheme.pick else 1
        if self.teacher is not None:
            self.teacher = for_inference(self.teacher, self.teacher_precision, self.device)
        self.student.to(memory_format=torch.channels_last).train()
        weights = [*self.student.parameters(), *self.method.parameters()]
        self.optimizer = torch.optim.SGD(weights, self.schedule.lr, MOMENTUM, weight_decay=WEIGHT_DECAY)

    def epoch(self) -> float:
        """Train for one epoch and return its mean loss; a loss that is not finite is a UserError."""
        number = self.epochs_done
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.learning_rate(number)
        total, steps = torch.zeros((), device=self.device), 0
        for x0, targets, generator in self._batches(number):
            total += self._step(x0, targets, generator)
            steps += 1
        if self.scheme:
            self.scheme.settle()
        loss = float(total) / steps  # read once per epoch: a read-out per step would make a GPU wait
        if not loss < float("inf"):
            raise UserError(f"the training loss became {loss} in epoch {number + 1}; try a lower learning rate")
        self.losses.append(loss)
        self.epochs_done += 1
        return loss

    def _batches(self, epoch: int) -> Iterator[tuple[Tensor, Targets, torch.Generator]]:
        order = seeds.generator(self.seed, "order", epoch)
        index = shuffled(len(self.dataset.train), self.schedule.batch_size, order, drop_last=False)
        cropped_by = seeds.generator(self.seed, "crop", epoch) if self._resized_crops() else None
        reading = batches(self.dataset.train, index, cropped_by)
        bar = tqdm(reading, f"epoch {epoch + 1}/{self.schedule.epochs}", len(index), leave=False, disable=None)
        for step, (x0, y, positions) in enumerate(bar):
            x0, y = x0.to(self.device), y.to(self.device)
            own = torch.ones(len(y), device=self.device)
            generator = seeds.generator(self.seed, "step", epoch, step)
            yield x0, Targets(y, y, own, positions.to(self.device), generator), generator

    def _resized_crops(self) -> bool:
        return self.dataset.resized_crops and self.standard == "crop_flip"

    def _step(self, x0: Tensor, targets: Targets, generator: torch.Generator) -> Tensor:
        """One update of the student on a mini-batch of stored images; returns the loss, still on the device."""
        if self._resized_crops():  # the images were cropped as they were read
            x = augment.standard(x0, generator, self.settings)
        else:
            x = STANDARD[self.standard](x0, augment.Draw(generator, len(x0), self.settings))
        x_in = self._normalise(x)
        if self.scheme is None:
            loss = self.method.on_x(self._learn(x_in), self._teach(x_in), targets)
        else:
            pool = self.scheme(x, generator, self.settings, self.runs)
            same = pool.x is x  # Identity always, Flip every second time: the teacher need not look again
            pool_in = x_in if same else self._normalise(pool.x)
            seen = self._teach(x_in if same else torch.cat([x_in, pool_in]))
            of_x, of_pool = _part(seen, slice(len(x))), _part(seen, slice(-len(pool_in), None))
            kept = augment.kept(self.scheme, len(x), of_pool and of_pool.logits, lambda: self._own_logits(pool_in))
            loss = self.method.on_x(self._learn(x_in), of_x, targets)
            loss = loss + self.method.on_x_prime(
                self._learn(pool_in[kept]), _part(of_pool, kept), _mixed(targets, pool.take(kept))
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def _normalise(self, x: Tensor) -> Tensor:
        return self.dataset.normalise(x).contiguous(memory_format=torch.channels_last)

    def _learn(self, x: Tensor) -> Features:
        """The student's outputs for normalised images; for the losses they leave autocast's 16 bits."""
        if self.student_precision == "float32":
            return self.student.features(x)
        precision = PRECISIONS[self.student_precision]
        with torch.autocast(x.device.type, precision), layers_in(precision, x.device):
            maps, pooled, logits = self.student.features(x)
        used = maps if self.method.needs_maps else ()
        return Features(tuple(each.float() for each in used), pooled.float(), logits.float())

    @torch.no_grad()
    def _teach(self, x: Tensor) -> Features | None:
        """The teacher's outputs for a whole step; the maps, which are large, only if they are used."""
        if self.teacher is None:
            return None
        return self.teacher.features(x) if self.method.needs_maps else self.teacher.embed(x)

    @torch.no_grad()
    def _own_logits(self, x: Tensor) -> Tensor:
        """The student's logits in eval mode, by which it picks."""
        self.student.eval()
        logits = self._learn(x).logits
        self.student.train()
        return logits

    def state(self) -> dict:
        """Everything that the next epoch depends on, as tensors and plain values."""
        return {
            "student": self.student.state_dict(),
            "method": self.method.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "losses": list(self.losses),
        }

    def restore(self, state: dict) -> None:
        """Continue from what `state()` gave; ValueError if that is of another training, and this one is then spoilt."""
        try:
            self.student.load_state_dict(state["student"])
            self.method.load_state_dict(state["method"])
            self.optimizer.load_state_dict(state["optimizer"])
            fits = self._fits(self.optimizer) and len(state["losses"]) <= self.schedule.epochs
        except (KeyError, TypeError, AttributeError, RuntimeError, ValueError) as error:
            raise ValueError(f"it does not fit this run: {type(error).__name__}") from error
        if not fits:
            raise ValueError("it does not fit this run")
        self.losses = list(state["losses"])
        self.epochs_done = len(self.losses)

    @staticmethod
    def _fits(optimizer: torch.optim.Optimizer) -> bool:
        """Whether SGD has the settings and the momenta that its next step needs, which it does not check itself."""
        settings = all({"lr", "momentum", "dampening", "weight_decay"} <= set(g) for g in optimizer.param_groups)
        return settings and all(w.shape == kept["momentum_buffer"].shape for w, kept in optimizer.state.items())


def _part(teacher: Features | None, index: slice | Tensor) -> Features | None:
    """The teacher's outputs for some images of a batch."""
    if teacher is None:
        return None
    return Features(tuple(m[index] for m in teacher.maps), teacher.pooled[index], teacher.logits[index])


def _mixed(targets: Targets, made: Augmented) -> Targets:
    """The labels of x': those of the images that it was made of, by their shares."""
    return targets._replace(
        labels=targets.labels[made.own],
        partner=targets.labels[made.partner],
        lam=made.lam,
        index=targets.index[made.own],
    )
