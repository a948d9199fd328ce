"""The schemes by name: the paper's nine, a few more, a user's own, and chains of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from kdutils.augment import nine, transforms
from kdutils.augment.core import Augmented, Draw
from kdutils.augment.scheme import Pick, Scheme
from kdutils.errors import UserError, choose

SCHEMES: dict[str, Scheme] = {}


def register(name: str, label: str, fn: Callable, pick: Pick = "") -> Scheme:
    """Add a scheme of your own to `SCHEMES`, in the place of an earlier one of the same name.

    `fn` is a transform (see `from_transform`), or a function f(x) or f(x, draw) of a mini-batch. x is [N, 3, H, W],
    uint8 or float32 in 0..255 before normalisation (always uint8 for f(x)), and its own: it may be written into. It
    returns x' of the same shape and range, or `Augmented` if it mixes images. f(x, draw) takes its random numbers from
    `draw.generator`, for `draw.count` transforms (see `Draw`); those that f(x) takes from the global generators are
    seeded. `pick` makes it a picking scheme, by a score of `SCORES`: "teacher" or "student" for the entropy of either.
    UserError for a name of the package's own.
    """
    if name in SCHEMES and SCHEMES[name].built_in:
        raise UserError(f"{name!r} is a scheme of the package; choose another name for yours")
    if not name or name in ("all", "none") or set(name) & set("+, "):
        raise UserError(f"{name!r} cannot name a scheme: it must have no comma, plus or space, and not be all or none")
    SCHEMES[name] = Scheme(name, label, fn, pick)
    return SCHEMES[name]


def find(name: str | Scheme) -> Scheme:
    """The scheme of a name, or the chain that "a+b" stands for: b of a's x'. UserError for unknown names."""
    if isinstance(name, Scheme):
        return name
    if not isinstance(name, str):
        what = type(name).__name__
        raise UserError(f"a scheme is asked for by its name, and a {what} has none: give {{{what.lower()!r}: ...}}")
    parts = [SCHEMES[choose("scheme", part.strip(), SCHEMES)] for part in name.split("+")]
    return parts[0] if len(parts) == 1 else chain(parts)


def label(scheme: str) -> str:
    """The printed name of a scheme or of a chain; a name that no scheme has stays as it is."""
    try:
        return find(scheme).label
    except UserError:
        return scheme


def wanted(schemes: str | Sequence[str | Scheme] | Mapping[str, object]) -> list[Scheme]:
    """The schemes that are asked for: "all" (the paper's nine), names, schemes, or a mapping of names to either.

    In a mapping a transform or function may stand too: {"randaugment": v2.RandAugment(), "mine": f}.
    """
    if isinstance(schemes, Mapping):
        found = [_named(name, scheme) for name, scheme in schemes.items()]
    else:
        alone = isinstance(schemes, str) or not isinstance(schemes, Iterable)
        found = [find(name) for name in (NINE if schemes == "all" else [schemes] if alone else schemes)]
    if not found:
        raise UserError(f"no scheme to rank; choose from: {', '.join(SCHEMES)}")
    for name, times in Counter(scheme.name for scheme in found).items():
        if times > 1:
            raise UserError(f"the scheme {name!r} is named {times} times; each gives one row")
    return found


def _named(name: str, scheme: object) -> Scheme:
    if isinstance(scheme, str | Scheme):
        return replace(find(scheme), name=name)
    return Scheme(name, name, scheme)


def chain(parts: Sequence[Scheme]) -> Scheme:
    """The scheme that applies `parts` one after another; only the last may pick, only one may mix images."""
    name = "+".join(part.name for part in parts)
    if any(part.pick for part in parts[:-1]):
        raise UserError(f"in the chain {name!r} a scheme that picks must come last")
    label = " + ".join(part.label for part in parts)
    return Scheme(name, label, Chain(tuple(parts)), parts[-1].pick, all(part.built_in for part in parts))


@dataclass(frozen=True)
class Chain:
    """The function of a chain of schemes."""

    parts: tuple[Scheme, ...]

    def __call__(self, x: Tensor, draw: Draw) -> Tensor | Augmented:
        made = x
        for part in self.parts:
            mixed = isinstance(made, Augmented)
            following = part.make(made.x if mixed else made, draw)
            if mixed and isinstance(following, Augmented):
                names = "+".join(each.name for each in self.parts)
                raise UserError(f"the chain {names!r} mixes images twice; one of its parts may")
            made = made._replace(x=following) if mixed else following
        return made


NINE = ("identity", "flip", "crop_flip", "cutout", "autoaugment", "mixup", "cutmix", "cutmixpick_s", "cutmixpick_t")
BUILT_IN = (
    Scheme("identity", "Identity", nine.identity, built_in=True),
    Scheme("flip", "Flip", nine.flip, built_in=True),
    Scheme("crop_flip", "Crop+Flip", nine.crop_flip, built_in=True),
    Scheme("cutout", "Cutout", nine.cutout, built_in=True),
    Scheme("autoaugment", "AutoAugment", nine.autoaugment, built_in=True),
    Scheme("mixup", "Mixup", nine.mixup, built_in=True),
    Scheme("cutmix", "CutMix", nine.cutmix, built_in=True),
    Scheme("cutmixpick_s", "CutMixPick (S. ent.)", nine.cutmix, "student", built_in=True),
    Scheme("cutmixpick_t", "CutMixPick (T. ent.)", nine.cutmix, "teacher", built_in=True),
    Scheme("cutmixpick_d", "CutMixPick (disagreement)", nine.cutmix, "disagreement", built_in=True),
    Scheme("cutmixpick_gap", "CutMixPick (gap)", nine.cutmix, "gap", built_in=True),
    Scheme("cutmixpick_random", "CutMixPick (random)", nine.cutmix, "random", built_in=True),
    Scheme("randaugment", "RandAugment", transforms.randaugment, built_in=True),
    Scheme("trivialaugment", "TrivialAugment", transforms.trivialaugment, built_in=True),
    Scheme("augmix", "AugMix", transforms.augmix, built_in=True),
    Scheme("random_erasing", "Random Erasing", transforms.random_erasing, built_in=True),
    Scheme("greyscale", "Greyscale", transforms.greyscale, built_in=True),
    Scheme("gaussian_noise", "Gaussian Noise", transforms.gaussian_noise, built_in=True),
    Scheme("blank", "Blank", transforms.blank, built_in=True),
)
SCHEMES.update((scheme.name, scheme) for scheme in BUILT_IN)
