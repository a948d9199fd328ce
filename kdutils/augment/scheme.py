"""A scheme: one row of a ranking. What comes with the package is trusted; what a user brings is checked."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from kdutils.augment.core import Augmented, Draw, Settings, lift
from kdutils.augment.transforms import Mixing, Transform, from_transform
from kdutils.errors import UserError
from kdutils.inference.devices import Findings

Function = Callable[[Tensor, Draw], Tensor | Augmented]
Pick = Literal["", "teacher", "student", "disagreement", "gap", "random"]
POSITIONS = "{}: own and partner of Augmented are positions in the mini-batch, int64 from 0 to {:.0f}"


@dataclass(frozen=True)
class Scheme:
    """How x' is made: by `fn`, a transform or a function f(x) or f(x, draw); see `register` for the contract.

    `pick` says by what x' are chosen from a pool (`picking.SCORES`). A scheme that is not `built_in` gets a copy of x,
    and what it returns is checked.
    """

    name: str
    label: str
    fn: Function
    pick: Pick = ""
    built_in: bool = False
    found: Findings = field(default_factory=Findings, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fn", as_function(self.name, self.fn))

    def __call__(self, x: Tensor, generator: torch.Generator, settings: Settings, runs: int = 1) -> Augmented:
        """x' for `x`, `runs` times over: `runs` x N images, from which a picking scheme keeps N."""
        draw = Draw(generator, settings.draws(len(x)), settings)
        made = [lift(self.make(x, draw), x) for _ in range(runs)]
        return made[0] if runs == 1 else Augmented(*(torch.cat(parts) for parts in zip(*made, strict=True)))

    def make(self, x: Tensor, draw: Draw) -> Tensor | Augmented:
        """x' once; UserError if a scheme of the user's own fails, or returns what cannot be x'."""
        if self.built_in:
            return self.fn(x, draw)
        try:
            made = self.fn(x.clone(), draw)  # a function may write into its input
        except UserError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}".splitlines()[0][:200]  # some errors show whole tensors
            raise UserError(f"the scheme {self.name!r} fails on {x.dtype} images {list(x.shape)}: {what}") from error
        return checked(self.name, made, x, self.found)

    def settle(self) -> None:
        """Look at what a GPU was not yet asked of the values of x'; UserError if some cannot be."""
        for part in getattr(self.fn, "parts", ()):
            part.settle()
        _refuse(f"the scheme {self.name!r}", self.found.read())

    @property
    def asks_teacher(self) -> bool:
        """Whether it picks by what the teacher says."""
        return self.pick not in ("", "student")

    @property
    def asks_student(self) -> bool:
        """Whether it picks by what a student says."""
        return self.pick in ("student", "disagreement", "gap")

    @property
    def own(self) -> object:
        """What makes x', as it was given: what `runs.identities.of_code` tells schemes of one name apart by."""
        return vars(self.fn) if isinstance(self.fn, Transform | Mixing) else self.fn


def as_function(name: str, fn: Callable) -> Function:
    """The function of (x, draw) that a transform, f(x) or f(x, draw) stands for."""
    if inspect.isclass(fn):
        raise UserError(f"the scheme {name!r} is a class: give what it makes, such as {fn.__name__}()")
    needed = _needed(fn) if callable(fn) else []
    if not needed:  # a transform, as torchvision's take any arguments
        return from_transform(fn)
    if len(needed) > 2:
        raise UserError(
            f"the function of the scheme {name!r} must be f(x) or f(x, draw), not f({', '.join(needed)}); the "
            "generator, the number of draws and the settings are draw.generator, draw.count and draw.settings"
        )
    return fn if len(needed) == 2 else Transform(fn, per="batch")


def _needed(fn: Callable) -> list[str]:
    """The names of the arguments without which `fn` cannot be called."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except ValueError:  # some functions written in C do not say
        return ["x"]
    return [
        p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]


def checked(name: str, made: object, x: Tensor, found: Findings) -> Tensor | Augmented:
    """`made` if it can be x' of `x`. UserError for another type, shape or dtype, and for bad values when it is time.

    Positions in an `Augmented` are kept within the mini-batch: one outside would end the process of a GPU before.
    """
    who = f"the scheme {name!r}"
    mixes = isinstance(made, Augmented)
    images = made.x if mixes else made
    if not isinstance(images, Tensor):
        what = "nothing" if images is None else f"a {type(images).__name__}"
        raise UserError(f"{who} returned {what}; expected x' as a tensor, or kd.augment.Augmented if it mixes images")
    if images.shape != x.shape:
        raise UserError(f"{who} must keep the shape of x, {tuple(x.shape)}; it returned {tuple(images.shape)}")
    if images.dtype != torch.uint8 and not images.dtype.is_floating_point:
        raise UserError(f"{who} returned {images.dtype}; expected uint8 or float32, in 0..255")
    if mixes:
        _check_sources(who, made)
    if mixes or images.dtype.is_floating_point:
        sources = _of_sources(made) if mixes else torch.zeros(2, device=x.device)
        _refuse(who, found.add(torch.stack([*_of_values(images, x), *sources])))
    last = len(images) - 1
    return made._replace(own=made.own.clamp(0, last), partner=made.partner.clamp(0, last)) if mixes else made


def _check_sources(who: str, made: Augmented) -> None:
    n = len(made.x)
    for part in made[1:]:
        if part.shape != (n,):
            raise UserError(f"{who}: own, partner and lam of Augmented are of shape ({n},), not {tuple(part.shape)}")
    if not made.own.dtype == made.partner.dtype == torch.int64:
        raise UserError(POSITIONS.format(who, n - 1))


def _of_values(images: Tensor, x: Tensor) -> tuple[Tensor, ...]:
    """Of x': images not finite, images in -1..1 where x is not, minus the lowest value, the highest value, all images.

    Per image, as one bad image in two already ruins a ranking.
    """
    low, high = images.flatten(1).float().aminmax(dim=1)
    finite = torch.isfinite(low) & torch.isfinite(high)
    unit = (low >= -1) & (high <= 1) & ((low < 0) | (high > 0)) & (x.flatten(1).amax(1) > 1)
    unit &= images.is_floating_point()  # bytes may be that dark
    lowest, highest = (torch.where(finite, side, 0) for side in (low, high))
    counts = (~finite).sum().float(), unit.sum().float()
    return *counts, -lowest.min(), highest.max(), torch.full_like(counts[0], len(images))


def _of_sources(made: Augmented) -> tuple[Tensor, Tensor]:
    """Of x' that mixes: images with a position outside the mini-batch, and with a share outside 0..1."""
    outside = [(part < 0) | (part >= len(made.x)) for part in (made.own, made.partner)]
    return (outside[0] | outside[1]).sum().float(), (~((made.lam >= 0) & (made.lam <= 1))).sum().float()


def _refuse(who: str, worst: list[float]) -> None:
    """UserError for the figures (`_of_values`, `_of_sources`) of what cannot be x'."""
    if not worst:
        return
    infinite, unit, below, high, n, positions, shares = worst
    if infinite:
        raise UserError(f"{who}: {infinite:.0f} of {n:.0f} images of x' have values that are not finite")
    if unit:
        span, how = ("-1..1", "before normalisation") if below > 0 else ("0..1", "so multiply by 255")
        raise UserError(f"{who}: x' lies in {span} in {unit:.0f} of {n:.0f} images; images are 0..255, {how}")
    if below > 1 or high > 256:
        raise UserError(
            f"{who}: x' has values from {-below:.4g} to {high:.4g}; images are 0..255, before normalisation. If it is "
            "noise that leaves the range, end with .clamp(0, 255)"
        )
    if positions:
        raise UserError(POSITIONS.format(who, n - 1))
    if shares:
        raise UserError(f"{who}: lam of Augmented is the share of x, from 0 to 1")
