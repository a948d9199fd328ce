"""What a scheme is given and what it makes: images in, `Augmented` out, all randomness from a `Draw`."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from kdutils.errors import choose

Granularity = Literal["batch", "sample"]
GRANULARITIES = ("batch", "sample")


class Augmented(NamedTuple):
    """x' and what it was made of: image i shows x[own[i]] with weight lam[i] and x[partner[i]] with 1 - lam[i]."""

    x: Tensor
    own: Tensor
    partner: Tensor
    lam: Tensor

    def take(self, index: slice | Tensor) -> "Augmented":
        """The images at the positions `index`."""
        return Augmented(*(part[index] for part in self))


@dataclass(frozen=True)
class Settings:
    """What the schemes need to know of a dataset; pixels, and channel means in 0..255. See `settings`."""

    crop_padding: int
    cutout_size: int
    policy: str
    fill: tuple[float, float, float]
    granularity: Granularity = "batch"
    resized_crops: bool = False

    def draws(self, n: int) -> int:
        """How many transforms are drawn for a batch of `n`."""
        return 1 if self.granularity == "batch" else n


class ImageFacts(Protocol):
    """What the schemes ask of a dataset (a `data.Dataset`)."""

    crop_padding: int
    cutout_size: int
    policy: str
    mean: tuple[float, float, float]
    resized_crops: bool


def settings(dataset: ImageFacts, granularity: Granularity = "batch") -> Settings:
    """The scheme settings that fit `dataset` (a `data.Dataset`)."""
    choose("granularity", granularity, GRANULARITIES)
    fill = tuple(255 * m for m in dataset.mean)
    return Settings(dataset.crop_padding, dataset.cutout_size, dataset.policy, fill, granularity, dataset.resized_crops)


@dataclass(frozen=True)
class Draw:
    """What a scheme may use besides the images.

    `generator` (on the CPU) is its only source of random numbers; `count` is how many transforms to draw, one for the
    whole mini-batch or one per image; `settings` are the dataset's.
    """

    generator: torch.Generator
    count: int
    settings: Settings

    def seed(self) -> int:
        """A seed in 0..2^62 from the generator, for a library that has generators of its own."""
        return int(torch.randint(2**62, (), generator=self.generator))


def lift(made: Tensor | Augmented, x: Tensor) -> Augmented:
    """A scheme that mixes nothing may return x' alone: every image is then its own."""
    if isinstance(made, Augmented):
        return made
    own = torch.arange(len(x), device=x.device)
    return Augmented(made, own, own, torch.ones(len(x), device=x.device))
