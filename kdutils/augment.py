"""The nine schemes that make x' from x, as small pure functions on a batch of images in 0..255.

Images are uint8 or float32 [N, 3, H, W] before normalisation; every function draws only from the `torch.Generator` it
is given. As in the paper's released code one transform is drawn for the whole mini-batch (`granularity="batch"`); with
`"sample"` each image gets its own. `SCHEMES` is the registry, and `register` adds a scheme of your own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms import v2

from kdutils.errors import UserError, choose

Granularity = Literal["batch", "sample"]
POLICIES = {"cifar10": v2.AutoAugmentPolicy.CIFAR10, "imagenet": v2.AutoAugmentPolicy.IMAGENET}


class Augmented(NamedTuple):
    """x' and what it was made of: image i shows x[own[i]] with weight lam[i] and x[partner[i]] with 1 - lam[i]."""

    x: Tensor
    own: Tensor
    partner: Tensor
    lam: Tensor

    def take(self, index: Tensor) -> "Augmented":
        """The images at the positions `index`."""
        return Augmented(*(part[index] for part in self))


@dataclass(frozen=True)
class Settings:
    """What the schemes need to know of a data set; pixels, and channel means in 0..255. See `settings`."""

    crop_padding: int
    cutout_size: int
    policy: str
    fill: tuple[float, float, float]
    granularity: Granularity = "batch"

    def draws(self, n: int) -> int:
        """How many transforms are drawn for a batch of `n`."""
        return 1 if self.granularity == "batch" else n


class _ImageFacts(Protocol):
    crop_padding: int
    cutout_size: int
    policy: str
    mean: tuple[float, float, float]


def settings(dataset: _ImageFacts, granularity: Granularity = "batch") -> Settings:
    """The scheme settings that fit `dataset` (a `data.Dataset`)."""
    choose("granularity", granularity, ("batch", "sample"))
    fill = tuple(255 * m for m in dataset.mean)
    return Settings(dataset.crop_padding, dataset.cutout_size, dataset.policy, fill, granularity)


Function = Callable[[Tensor, int, torch.Generator, Settings], Tensor | Augmented]


@dataclass(frozen=True)
class Scheme:
    """One row of the paper's tables: `fn` makes x', and `pick` says whose entropy chooses among a pool of it."""

    name: str
    label: str
    fn: Function
    pick: Literal["", "teacher", "student"] = ""

    def __call__(self, x: Tensor, generator: torch.Generator, settings: Settings, runs: int = 1) -> Augmented:
        """x' for `x`, `runs` times over: `runs` x N images, from which a picking scheme keeps N."""
        made = [_lift(self.fn(x, settings.draws(len(x)), generator, settings), x) for _ in range(runs)]
        return made[0] if runs == 1 else Augmented(*(torch.cat(parts) for parts in zip(*made, strict=True)))


def _lift(made: Tensor | Augmented, x: Tensor) -> Augmented:
    """A scheme that mixes nothing may return x' alone: every image is then its own."""
    if isinstance(made, Augmented):
        return made
    if made.shape != x.shape:
        raise UserError(f"a scheme must keep the batch's shape {tuple(x.shape)}, and returned {tuple(made.shape)}")
    own = torch.arange(len(x), device=x.device)
    return Augmented(made, own, own, torch.ones(len(x), device=x.device))


def identity(x: Tensor, draws: int, generator: torch.Generator, settings: Settings) -> Tensor:
    """x' = x, the lower bound of all schemes."""
    return x


def flip(x: Tensor, draws: int, generator: torch.Generator, settings: Settings) -> Tensor:
    """Horizontal flip with probability one half."""
    flips = torch.rand(draws, generator=generator).lt(0.5).to(x.device)
    return torch.where(flips.view(-1, 1, 1, 1), x.flip(3), x)


def crop(x: Tensor, draws: int, generator: torch.Generator, settings: Settings) -> Tensor:
    """Random crop after padding every side with `crop_padding` zeros."""
    padding, (n, _, height, width) = settings.crop_padding, x.shape
    top, left = torch.randint(2 * padding + 1, (2, draws), generator=generator).to(x.device)
    windows = F.pad(x, [padding] * 4).unfold(2, height, 1).unfold(3, width, 1)  # a view of all possible crops
    return windows[torch.arange(n, device=x.device), :, top.expand(n), left.expand(n)]


def crop_flip(x: Tensor, draws: int, generator: torch.Generator, settings: Settings) -> Tensor:
    """Random crop, then random flip."""
    return flip(crop(x, draws, generator, settings), draws, generator, settings)


def standard(x: Tensor, generator: torch.Generator, settings: Settings) -> Tensor:
    """The standard augmentation that makes x from the stored image: crop and flip, drawn per image."""
    return crop_flip(x, len(x), generator, settings)


def cutout(x: Tensor, draws: int, generator: torch.Generator, settings: Settings) -> Tensor:
    """One square of `cutout_size`, clipped at the border, filled with what normalises to zero (DeVries & Taylor)."""
    side = torch.full((draws,), settings.cutout_size)
    inside = _box(x, side, side, generator)
    fill = torch.tensor(settings.fill, device=x.device).view(3, 1, 1)
    return torch.where(inside, fill, x.float())


def autoaugment(x: Tensor, draws: int, generator: torch.Generator, settings: Settings) -> Tensor:
    """AutoAugment's learned policy on uint8 images (Cubuk et al., 2019), as torchvision has it."""
    transform = v2.AutoAugment(POLICIES[settings.policy])
    parts = x.chunk(draws) if draws > 1 else [x]
    seed = int(torch.randint(2**62, (), generator=generator))
    with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
        torch.manual_seed(seed)
        return torch.cat([transform(part) for part in parts])


def mixup(x: Tensor, draws: int, generator: torch.Generator, settings: Settings) -> Augmented:
    """lam x + (1 - lam) x[partner] with lam ~ Beta(1, 1); an image may be its own partner (Zhang et al., 2018)."""
    n = len(x)
    lam = torch.rand(draws, generator=generator).to(x.device).expand(n)
    partner = torch.randperm(n, generator=generator).to(x.device)
    mixed = torch.lerp(x[partner].float(), x.float(), lam.view(-1, 1, 1, 1))
    return Augmented(mixed, torch.arange(n, device=x.device), partner, lam)


def cutmix(x: Tensor, draws: int, generator: torch.Generator, settings: Settings) -> Augmented:
    """A box of side sqrt(1 - lam) of another image pasted over x, lam ~ Beta(1, 1) (Yun et al., 2019).

    The box is clipped at the border; the returned lam is the share of x that is left to see.
    """
    n, _, height, width = x.shape
    side = torch.sqrt(1 - torch.rand(draws, generator=generator))
    inside = _box(x, (height * side).int(), (width * side).int(), generator)
    partner = _partners(n, generator).to(x.device)
    lam = 1 - inside.float().mean((1, 2, 3)).expand(n)
    return Augmented(torch.where(inside, x[partner], x), torch.arange(n, device=x.device), partner, lam)


def _box(x: Tensor, heights: Tensor, widths: Tensor, generator: torch.Generator) -> Tensor:
    """Masks [draws, 1, H, W] of boxes with a uniform centre, clipped at the border."""

    def inside(length: int, sizes: Tensor) -> Tensor:
        centre = torch.randint(length, sizes.shape, generator=generator)
        first, last = centre - sizes // 2, centre + sizes // 2
        position = torch.arange(length)
        return (position >= first[:, None]) & (position < last[:, None])

    rows, columns = inside(x.shape[2], heights), inside(x.shape[3], widths)
    return (rows[:, None, :, None] & columns[:, None, None, :]).to(x.device)


def _partners(n: int, generator: torch.Generator) -> Tensor:
    """A random permutation without fixed point (one random cycle): nobody is mixed with itself."""
    if n < 2:
        raise UserError("CutMix needs at least two images a batch")
    cycle = torch.randperm(n, generator=generator)
    partner = torch.empty_like(cycle)
    partner[cycle] = cycle.roll(1)
    return partner


def entropy(logits: Tensor) -> Tensor:
    """Shannon's entropy of softmax(logits), in nats, [N] (Eq. 11)."""
    log_p = F.log_softmax(logits.float(), dim=1)
    return -(log_p.exp() * log_p).sum(1)


def pick(logits: Tensor, keep: int) -> Tensor:
    """Positions of the `keep` images of highest entropy, in their order in the pool (CutMixPick, Sec. 4.2)."""
    return entropy(logits).topk(keep).indices.sort().values


def pool_runs(pick_ratio: float) -> int:
    """How often CutMix runs on a batch so that keeping the share r of the pool leaves one batch: 1 / r."""
    runs = round(1 / pick_ratio) if 0 < pick_ratio <= 1 else 0
    if runs == 0 or abs(runs * pick_ratio - 1) > 1e-6:
        raise UserError(f"pick_ratio {pick_ratio} must be 1 divided by a whole number, such as 0.5 or 0.25")
    return runs


SCHEMES: dict[str, Scheme] = {}


def register(name: str, label: str, fn: Function, pick: Literal["", "teacher", "student"] = "") -> Scheme:
    """Add a scheme to `SCHEMES`. `fn(x, draws, generator, settings)` returns x', or `Augmented` where it mixes."""
    if name in SCHEMES:
        raise UserError(f"a scheme named {name!r} exists already; choose another name")
    SCHEMES[name] = Scheme(name, label, fn, pick)
    return SCHEMES[name]


register("identity", "Identity", identity)
register("flip", "Flip", flip)
register("crop_flip", "Crop+Flip", crop_flip)
register("cutout", "Cutout", cutout)
register("autoaugment", "AutoAugment", autoaugment)
register("mixup", "Mixup", mixup)
register("cutmix", "CutMix", cutmix)
register("cutmixpick_s", "CutMixPick (S. ent.)", cutmix, pick="student")
register("cutmixpick_t", "CutMixPick (T. ent.)", cutmix, pick="teacher")
