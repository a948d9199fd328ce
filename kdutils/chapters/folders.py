"""A data set written out as a folder of image files, as `data.load("folder", ...)` reads them."""

from pathlib import Path

import torch
from PIL import Image

from kdutils.data import Dataset


def write(dataset: Dataset, folder: Path) -> Path:
    """Write every image to `<folder>/<train|test>/<class>/<number>.png`; returns `folder`."""
    for part, split in (("train", dataset.train), ("test", dataset.test)):
        images, labels = split.batch(torch.arange(len(split)))
        for name in dataset.classes:
            (folder / part / str(name)).mkdir(parents=True, exist_ok=True)
        for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
            path = folder / part / str(dataset.classes[label]) / f"{number:05d}.png"
            Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(path)
    return folder
