"""scikit-learn's 1,797 scanned handwritten digits: real images that need no download."""

import torch
import torch.nn.functional as F

from kdutils.data.core import Dataset, MemorySplit

TRAIN_IMAGES = 1000
IMAGE_SIZE = 16


def load() -> Dataset:
    """1,000 training and 797 test images, 10 classes, 8 x 8 grey enlarged to 3 x 16 x 16."""
    from sklearn.datasets import load_digits  # a second to load, and no other dataset needs it
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    grey = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) * (255 / 16)
    large = F.interpolate(grey, size=IMAGE_SIZE, mode="bilinear", align_corners=False)
    images = large.round().to(torch.uint8).repeat(1, 3, 1, 1)
    labels = torch.tensor(digits.target, dtype=torch.int64)
    train, test = train_test_split(range(len(labels)), train_size=TRAIN_IMAGES, random_state=0, stratify=labels)
    pixels = images[train].float() / 255
    mean, std = float(pixels.mean()), float(pixels.std())
    return Dataset(
        name="digits",
        train=MemorySplit(images[train], labels[train]),
        test=MemorySplit(images[test], labels[test]),
        classes=tuple(str(c) for c in range(10)),
        image_size=IMAGE_SIZE,
        mean=(mean,) * 3,
        std=(std,) * 3,
        crop_padding=2,
        cutout_size=4,
        policy="cifar10",
    )
