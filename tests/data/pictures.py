"""Pictures for the tests of what reads them."""

import io

import numpy as np
import torch
from PIL import Image


def picture(seed=0, size=(20, 24), mode="RGB"):
    """Noise of `size` (width, height)."""
    channels = {"RGB": (3,), "L": (), "RGBA": (4,)}[mode]
    pixels = np.random.default_rng(seed).integers(256, size=(size[1], size[0], *channels), dtype=np.uint8)
    return Image.fromarray(pixels, mode=None)


def jpeg(seed, size=(64, 64), mode="RGB"):
    """A smooth random image as the bytes of a JPEG file."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    small.convert(mode).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def pixels(content):
    """What PIL and numpy alone make of a file: uint8 [3, H, W]."""
    return torch.from_numpy(np.array(Image.open(io.BytesIO(content)).convert("RGB"))).permute(2, 0, 1)
