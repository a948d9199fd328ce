"""The way of the paper's released code, written down plainly for the bench: what the fast paths are held against.

One scheme at a time. Images come one by one through torchvision's transforms; the networks read them as they were
trained; the teacher is asked again for every batch, picked images included; the student answers even where only the
teacher is measured. That both ways give the same numbers is the tests' business.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import to_pil_image

from kdutils import augment, seeds
from kdutils.augment import NINE, SCHEMES, Scheme
from kdutils.data import Dataset, MemorySplit
from kdutils.losses import kd_divergence
from kdutils.models import Network

BATCH = 64
TAU, ALPHA = 4.0, 0.9


class Step(NamedTuple):
    """What a step on one mini-batch ends in: the student's loss, and the teacher's logits of x and of x'."""

    loss: Tensor
    teacher_x: Tensor
    teacher_x_prime: Tensor


class Photos:
    """A dataset's training images as PIL images, cropped and flipped one at a time."""

    def __init__(self, dataset: Dataset) -> None:
        split = dataset.train
        if not isinstance(split, MemorySplit):
            raise TypeError("photos are made of images in memory")
        self.dataset = dataset
        self.images = [to_pil_image(image) for image in split.images]
        self.labels = split.labels
        crop = v2.RandomCrop(dataset.image_size, padding=dataset.crop_padding)
        self.transform = v2.Compose([crop, v2.RandomHorizontalFlip(), v2.PILToTensor()])

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """x, uint8 [64, 3, H, W], and labels: an epoch in order."""
        for index in torch.arange(len(self.images)).split(BATCH):
            yield torch.stack([self.transform(self.images[i]) for i in index.tolist()]), self.labels[index]


def step(teacher: Network, student: Network, dataset: Dataset, scheme: Scheme, x: Tensor, labels: Tensor) -> Step:
    """One mini-batch of KD with x': two forward passes of each network, one more of the picker, on the whole pool."""
    pool = scheme(x, seeds.generator(0), augment.settings(dataset), _runs(scheme)).x
    x_in, x_prime = dataset.normalise(x), dataset.normalise(pool)
    s = student(x_in)
    with torch.no_grad():
        t = teacher(x_in)
        if scheme.pick:
            picker = teacher if scheme.pick == "teacher" else student
            x_prime = x_prime[augment.pick(picker(x_prime), len(x))]
        t_prime = teacher(x_prime)
    divergence = kd_divergence(s, t, TAU) + kd_divergence(student(x_prime), t_prime, TAU)
    return Step((1 - ALPHA) * F.cross_entropy(s, labels) + ALPHA * divergence, t, t_prime)


def rank(teacher: Network, student: Network, photos: Photos) -> None:
    """One mini-batch of each scheme: "training" at learning rate 0, and the covariances that ours gives too."""
    student.eval()
    for scheme in map(SCHEMES.get, NINE):
        x, labels = next(photos.batches())
        made = step(teacher, student, photos.dataset, scheme, x, labels)
        made.loss.item()
        p = torch.cat([made.teacher_x_prime, made.teacher_x]).softmax(1)
        for matrix in (np.cov(p.numpy()), np.corrcoef(p.numpy())):
            matrix.mean()


def train(teacher: Network, student: Network, photos: Photos, scheme: Scheme) -> None:
    """An epoch of KD with x' by one scheme; the loss is read after every step."""
    optimizer = torch.optim.SGD(student.train().parameters(), 0.05, 0.9, weight_decay=5e-4)
    for x, labels in photos.batches():
        loss = step(teacher, student, photos.dataset, scheme, x, labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()


def _runs(scheme: Scheme) -> int:
    return augment.pool_runs(augment.PICK_RATIO) if scheme.pick else 1
