"""Schemes of a user's own, tried on one mini-batch before the long work."""

import warnings
from collections.abc import Iterable
from typing import Any, Protocol

import torch

from kdutils.augment.core import Granularity, ImageFacts, settings
from kdutils.augment.scheme import Scheme


class _Images(ImageFacts, Protocol):
    train: Any


def rehearse(
    schemes: Iterable[Scheme],
    dataset: _Images,
    granularity: Granularity,
    batch_size: int,
    device: torch.device | str = "cpu",
) -> None:
    """Let each scheme that is not the package's make x' of the first training images twice, from the same stream.

    UserError for what a scheme must not return (`register`). Warns if the two differ: it then draws random numbers
    that no seed governs, and what is measured with it cannot be repeated.
    """
    own = [scheme for scheme in schemes if not scheme.built_in]
    if not own:
        return
    x = dataset.train.batch(torch.arange(min(batch_size, len(dataset.train))))[0].to(device)
    for scheme in own:
        first, again = (scheme(x, torch.Generator().manual_seed(0), settings(dataset, granularity)).x for _ in range(2))
        scheme.settle()
        if not torch.equal(first, again):
            warnings.warn(
                f"the scheme {scheme.name!r} makes another x' of the same images and random numbers: the seed does "
                "not govern what it draws, or it remembers earlier images. Let it draw from draw.generator, or seed "
                "its own generator with draw.seed()",
                stacklevel=4,
            )
