"""A network made ready for reading it only: the same logits and features, sooner."""

import copy

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from kdutils.models.base import Features, Network

# On a CPU, maps of about 64 images of 32 x 32 still fit its caches, and larger ones cost a fresh allocation each.
PIXELS_A_PIECE = 64 * 32 * 32


class FrozenNetwork(Network):
    """A network that only reads: in eval mode, without gradients, and on a CPU in pieces that suit its caches."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.name = network.name
        self.image_sizes = network.image_sizes
        self.eval()

    def train(self, mode: bool = True) -> "FrozenNetwork":
        """Stay in eval mode, whatever is asked: BatchNorm is folded away."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.network(piece) for piece in _pieces(x)])

    @torch.no_grad()
    def features(self, x: Tensor) -> Features:
        maps, pooled, logits = zip(*map(self.network.features, _pieces(x)), strict=True)
        return Features(tuple(map(torch.cat, zip(*maps, strict=True))), torch.cat(pooled), torch.cat(logits))


def for_inference(model: Network) -> FrozenNetwork:
    """A frozen copy, each BatchNorm folded into the convolution that feeds it, channels last in memory.

    Its logits and features equal those of `model.eval()` up to rounding; `model` itself is left as it was.
    """
    network = copy.deepcopy(model).eval().requires_grad_(False)
    for conv, norm in foldable(network):
        network.set_submodule(conv, fuse_conv_bn_eval(network.get_submodule(conv), network.get_submodule(norm)))
        network.set_submodule(norm, nn.Identity())
    return FrozenNetwork(network.to(memory_format=torch.channels_last))


def foldable(model: Network) -> list[tuple[str, str]]:
    """The names of each convolution and BatchNorm where the second is the only reader of the first's output."""
    try:
        graph = fx.Tracer().trace(_AllFeatures(model))
    except (ValueError, TypeError, RuntimeError):  # a network whose Python depends on the values: it stays unfolded
        return []
    pairs = []
    for norm in graph.nodes:
        if norm.op != "call_module" or norm.args[0].op != "call_module":
            continue
        conv = norm.args[0]
        names = tuple(node.target.removeprefix("model.") for node in (conv, norm))
        kinds = tuple(type(model.get_submodule(name)) for name in names)
        if kinds == (nn.Conv2d, nn.BatchNorm2d) and len(conv.users) == 1:
            pairs.append(names)
    return pairs


class _AllFeatures(nn.Module):
    """A network whose output is all of its features, so that its graph shows every reader of every value."""

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> tuple:
        return tuple(self.model.features(x))


def _pieces(x: Tensor) -> tuple[Tensor, ...]:
    """The batch as it is on a GPU; on a CPU in pieces of about PIXELS_A_PIECE, at least one image each."""
    if x.device.type != "cpu":
        return (x,)
    return x.split(max(1, PIXELS_A_PIECE // x[0, 0].numel()))
