"""A plain modern loop, as a user would write it today: a second peer for the fast paths.

torchvision's v2 transforms on single images in a DataLoader with workers, channels last, `inference_mode` for the
teacher, and PyTorch's eager mode. The workers' own time does not count where the clock is the process's: that favours
this loop.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from kdutils import augment, seeds
from kdutils.augment import NINE, SCHEMES
from kdutils.bench.reference import ALPHA, BATCH, TAU
from kdutils.data import Dataset, MemorySplit
from kdutils.models import Network

WORKERS = 2
LAST = {"memory_format": torch.channels_last}


class Photos(torch.utils.data.Dataset):
    """A dataset's training images as uint8 tensors, cropped and flipped one at a time, with their labels."""

    def __init__(self, dataset: Dataset) -> None:
        split = dataset.train
        if not isinstance(split, MemorySplit):
            raise TypeError("photos are made of images in memory")
        self.images, self.labels = split.images, split.labels
        crop = v2.RandomCrop(dataset.image_size, padding=dataset.crop_padding)
        self.transform = v2.Compose([crop, v2.RandomHorizontalFlip()])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.transform(self.images[index]), self.labels[index]


def loader(dataset: Dataset) -> DataLoader:
    """Mini-batches of uint8 images and labels; the workers stay from one epoch to the next."""
    return DataLoader(Photos(dataset), BATCH, num_workers=WORKERS, persistent_workers=WORKERS > 0)


@torch.inference_mode()
def rank(teacher: Network, dataset: Dataset, batches: DataLoader) -> dict[str, Tensor]:
    """An epoch of each scheme: the mean probabilities of its windows of one mini-batch, [steps, C]."""
    teacher = teacher.eval().to(**LAST)
    settings, means = augment.settings(dataset), {}
    for scheme in (SCHEMES[name] for name in NINE):
        runs = augment.pool_runs(augment.PICK_RATIO) if scheme.pick else 1
        u = []
        for x, _ in batches:
            x_prime = scheme(x, seeds.generator(0), settings, runs).x
            logits = teacher(dataset.normalise(x_prime).to(**LAST))
            if scheme.pick:
                logits = logits[augment.pick(logits, len(x))]
            u.append(torch.cat([logits, teacher(dataset.normalise(x).to(**LAST))]).softmax(1).mean(0))
        means[scheme.name] = torch.stack(u)
    return means


def train(teacher: Network, student: Network, dataset: Dataset, batches: DataLoader) -> None:
    """An epoch of KD with CutMix; the loss is read after every step."""
    teacher, student = teacher.eval().to(**LAST), student.train().to(**LAST)
    optimizer = torch.optim.SGD(student.parameters(), 0.05, 0.9, weight_decay=5e-4)
    cutmix = v2.CutMix(num_classes=len(dataset.classes))
    for x, labels in batches:
        x_in, x_prime = (dataset.normalise(part).to(**LAST) for part in (x, cutmix(x, labels)[0]))
        with torch.inference_mode():
            t, t_prime = teacher(x_in), teacher(x_prime)
        s, s_prime = student(x_in), student(x_prime)
        loss = (1 - ALPHA) * F.cross_entropy(s, labels) + ALPHA * (_kd(s, t) + _kd(s_prime, t_prime))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()


def _kd(student: Tensor, teacher: Tensor) -> Tensor:
    return TAU**2 * F.kl_div((student / TAU).log_softmax(1), (teacher / TAU).softmax(1), reduction="batchmean")
