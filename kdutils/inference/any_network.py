"""Any network or function as one that maps normalised images to logits."""

import warnings
from collections.abc import Callable, Sequence
from inspect import isclass

import torch
from torch import Tensor, nn

from kdutils.errors import UserError
from kdutils.inference.devices import Findings
from kdutils.models import logits_in


class AnyNetwork(nn.Module):
    """`network` in eval mode, its logits as float32 [N, C]; images go in as float32 and in its weights' own dtype.

    The network may return its logits in a tuple, a mapping or an object with `.logits`. If what it returns first are
    probabilities, their logarithms are taken as the logits, with a warning: softmax makes the same of both. UserError
    for what cannot be called, and for outputs in which no logits are found.
    """

    def __init__(self, network: Callable[[Tensor], object]) -> None:
        super().__init__()
        if not callable(network) or isclass(network):
            got = f"the class {network.__name__}" if isclass(network) else f"a {type(network).__name__}"
            raise UserError(f"a network is a torch.nn.Module, or a function of images [N, 3, H, W]; got {got}")
        self.network = network
        self.ends_in_softmax: bool | None = None  # not known before it has seen an image
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        given = logits_in(self.network(x.to(dtype_of(self.network)))).float()
        if self.ends_in_softmax is None:
            self.ends_in_softmax = are_probabilities(given)
            if self.ends_in_softmax:
                warnings.warn("the network returns probabilities; their logarithms are taken as logits", stacklevel=2)
            elif ((given >= 0) & (given <= 1)).all():
                warnings.warn(
                    "all that the network returns lies in 0..1: does it end in a sigmoid? Logits do not", stacklevel=2
                )
        return given.clamp(min=torch.finfo(torch.float32).tiny).log() if self.ends_in_softmax else given


def are_probabilities(rows: Tensor) -> bool:
    """Whether the rows of [N, C] are never negative and sum to 1, to the precision of 16 bits."""
    if rows.ndim != 2 or rows.shape[1] < 2:
        return False
    return bool((rows >= 0).all() and ((rows.sum(1) - 1).abs() < 1e-2).all())


def dtype_of(network: object) -> torch.dtype:
    """The dtype of the first floating-point weight, float32 if there is none."""
    weights = network.parameters() if isinstance(network, nn.Module) else ()
    return next((weight.dtype for weight in weights if weight.is_floating_point()), torch.float32)


def device_of(network: object) -> torch.device:
    """The device of the first weight, the CPU if there is none."""
    weights = network.parameters() if isinstance(network, nn.Module) else ()
    return next((weight.device for weight in weights), torch.device("cpu"))


def check_logits(who: str, logits: Tensor, images: int, classes: int, found: Findings | None = None) -> Tensor:
    """Return `logits` if they are finite and [images, classes]; else a UserError that names `who` gave them.

    With `found`, whether they are finite is looked at when it is time; the last of it by `refuse_infinite`.
    """
    if logits.shape != (images, classes):
        raise UserError(
            f"the {who} gives {tuple(logits.shape)} for {images} images; expected logits ({images}, {classes})"
        )
    infinite = (~torch.isfinite(logits)).any().float()
    refuse_infinite(who, (found or Findings(every=1)).add(infinite[None]))
    return logits


def refuse_infinite(who: str, worst: Sequence[float]) -> None:
    """UserError if among the logits that `who` gave were some that are not finite: a 1 in `worst`."""
    if any(worst):
        raise UserError(f"the {who} gives values that are not finite; are its weights and the normalisation right?")
