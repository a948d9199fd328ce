"""Schemes that make x' from x: the paper's nine, a few more, and your own.

Images are uint8 or float32 [N, 3, H, W] in 0..255, before normalisation. A function draws only from the generator it is
given. As in the paper's released code one transform is drawn for the whole mini-batch (`granularity="batch"`); with
`"sample"` each image gets its own. `SCHEMES` is the registry, `register` adds a scheme of your own, "a+b" is a chain,
`from_transform` makes the function of a scheme from a torchvision transform.
"""

from kdutils.augment.core import Augmented, Draw, Granularity, Settings, settings
from kdutils.augment.nine import autoaugment, crop, crop_flip, cutmix, cutout, flip, identity, mixup, standard
from kdutils.augment.picking import PICK_RATIO, SCORES, CutMixPick, disagreement, entropy, gap, kept, pick, pool_runs
from kdutils.augment.registry import NINE, SCHEMES, chain, find, label, register, wanted
from kdutils.augment.rehearsal import rehearse
from kdutils.augment.scheme import Function, Scheme
from kdutils.augment.transforms import (
    augmix,
    blank,
    from_transform,
    gaussian_noise,
    greyscale,
    randaugment,
    random_erasing,
    trivialaugment,
)

__all__ = [
    "NINE",
    "PICK_RATIO",
    "SCHEMES",
    "SCORES",
    "Augmented",
    "CutMixPick",
    "Draw",
    "Function",
    "Granularity",
    "Scheme",
    "Settings",
    "augmix",
    "autoaugment",
    "blank",
    "chain",
    "crop",
    "crop_flip",
    "cutmix",
    "cutout",
    "disagreement",
    "entropy",
    "find",
    "flip",
    "from_transform",
    "gap",
    "gaussian_noise",
    "greyscale",
    "identity",
    "kept",
    "label",
    "mixup",
    "pick",
    "pool_runs",
    "randaugment",
    "random_erasing",
    "register",
    "rehearse",
    "settings",
    "standard",
    "trivialaugment",
    "wanted",
]
