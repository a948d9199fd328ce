"""Images for the tests of schemes, and what a scheme may draw for them."""

import numpy as np
import torch

from kdutils import augment, seeds

N, SIZE = 12, 16
GRANULARITIES = ["batch", "sample"]


def noise(n=N, size=SIZE, seed=0):
    """Images without two equal windows."""
    return torch.randint(256, (n, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def numbered(n=N, size=SIZE):
    """Image i is i everywhere, so that a pixel tells where it came from."""
    return torch.arange(n, dtype=torch.uint8).view(-1, 1, 1, 1).expand(n, 3, size, size).contiguous()


def stream(seed=0):
    return seeds.generator(seed, "test")


def draw(settings, n=N, generator=None):
    """What a scheme may draw for n images."""
    return augment.Draw(generator or stream(), settings.draws(n), settings)


def spread(values, n):
    """What was drawn, for each of n images: one draw for all, or one each."""
    return (values * n)[:n] if len(values) == 1 else values


def box(height, width, centre_y, centre_x, size):
    """The pixels inside a box that is clipped at the border, asked one by one."""
    return np.array(
        [
            [
                centre_y - height // 2 <= i < centre_y + height // 2
                and centre_x - width // 2 <= j < centre_x + width // 2
                for j in range(size)
            ]
            for i in range(size)
        ]
    )
