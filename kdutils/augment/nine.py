"""The functions behind the paper's nine schemes: each makes x' from a batch of images and a `Draw`."""

import torch
import torch.nn.functional as F
from torch import Tensor

from kdutils.augment.core import Augmented, Draw, Settings
from kdutils.augment.transforms import apply
from kdutils.errors import UserError


def identity(x: Tensor, draw: Draw) -> Tensor:
    """x' = x, the lower bound of all schemes."""
    return x


def flip(x: Tensor, draw: Draw) -> Tensor:
    """Horizontal flip with probability one half."""
    flips = torch.rand(draw.count, generator=draw.generator).lt(0.5)
    if not flips.any():
        return x
    return torch.where(flips.to(x.device).view(-1, 1, 1, 1), x.flip(3), x)


def crop(x: Tensor, draw: Draw) -> Tensor:
    """Random crop after padding every side with `crop_padding` zeros."""
    padding, (n, _, height, width) = draw.settings.crop_padding, x.shape
    top, left = torch.randint(2 * padding + 1, (2, draw.count), generator=draw.generator).to(x.device)
    windows = F.pad(x, [padding] * 4).unfold(2, height, 1).unfold(3, width, 1)  # a view of all possible crops
    return windows[torch.arange(n, device=x.device), :, top.expand(n), left.expand(n)]


def crop_flip(x: Tensor, draw: Draw) -> Tensor:
    """Random crop, then random flip."""
    return flip(crop(x, draw), draw)


def standard(x: Tensor, generator: torch.Generator, settings: Settings) -> Tensor:
    """The standard augmentation that makes x from the stored image: crop and flip, drawn per image.

    If `settings.resized_crops`, the images come cropped already, as the files were read.
    """
    return (flip if settings.resized_crops else crop_flip)(x, Draw(generator, len(x), settings))


def cutout(x: Tensor, draw: Draw) -> Tensor:
    """One square of `cutout_size`, clipped at the border, filled with what normalises to zero (DeVries & Taylor)."""
    side = torch.full((draw.count,), draw.settings.cutout_size)
    inside = _box(x, side, side, draw.generator)
    fill = torch.tensor(draw.settings.fill, device=x.device).view(3, 1, 1)
    return torch.where(inside, fill, x.float())


def autoaugment(x: Tensor, draw: Draw) -> Tensor:
    """AutoAugment's learned policy (Cubuk et al., 2019), as torchvision has it."""
    from torchvision.transforms import v2  # torchvision takes seconds to load

    return apply(v2.AutoAugment(v2.AutoAugmentPolicy(draw.settings.policy)), x, draw)


def mixup(x: Tensor, draw: Draw) -> Augmented:
    """lam x + (1 - lam) x[partner] with lam ~ Beta(1, 1); an image may be its own partner (Zhang et al., 2018)."""
    n = len(x)
    lam = torch.rand(draw.count, generator=draw.generator).to(x.device).expand(n)
    partner = torch.randperm(n, generator=draw.generator).to(x.device)
    mixed = torch.lerp(x[partner].float(), x.float(), lam.view(-1, 1, 1, 1))
    return Augmented(mixed, torch.arange(n, device=x.device), partner, lam)


def cutmix(x: Tensor, draw: Draw) -> Augmented:
    """A box of side sqrt(1 - lam) of another image pasted over x, lam ~ Beta(1, 1) (Yun et al., 2019).

    The box is clipped at the border; the returned lam is the share of x that is left to see.
    """
    return paste_boxes(x, draw.count, draw.generator)


def paste_boxes(x: Tensor, count: int, generator: torch.Generator | None) -> Augmented:
    """`cutmix` with `count` boxes for the images [N, C, H, W], raw or normalised."""
    n, _, height, width = x.shape
    side = torch.sqrt(1 - torch.rand(count, generator=generator))
    inside = _box(x, (height * side).int(), (width * side).int(), generator)
    partner = _partners(n, generator).to(x.device)
    lam = 1 - inside.float().mean((1, 2, 3)).expand(n)
    return Augmented(torch.where(inside, x[partner], x), torch.arange(n, device=x.device), partner, lam)


def _box(x: Tensor, heights: Tensor, widths: Tensor, generator: torch.Generator | None) -> Tensor:
    """Masks [count, 1, H, W] of boxes with a uniform centre, clipped at the border."""

    def inside(length: int, sizes: Tensor) -> Tensor:
        centre = torch.randint(length, sizes.shape, generator=generator)
        first, last = centre - sizes // 2, centre + sizes // 2
        position = torch.arange(length)
        return (position >= first[:, None]) & (position < last[:, None])

    rows, columns = inside(x.shape[2], heights), inside(x.shape[3], widths)
    return (rows[:, None, :, None] & columns[:, None, None, :]).to(x.device)


def _partners(n: int, generator: torch.Generator | None) -> Tensor:
    """A random permutation without fixed point (one random cycle): nobody is mixed with itself."""
    if n < 2:
        raise UserError("CutMix needs at least two images per mini-batch")
    cycle = torch.randperm(n, generator=generator)
    partner = torch.empty_like(cycle)
    partner[cycle] = cycle.roll(1)
    return partner
