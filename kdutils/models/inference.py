"""A network made ready for reading it only: the same logits and features, sooner."""

import copy

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from kdutils.errors import UserError, choose
from kdutils.models.base import Features, Network

CPU_CHUNK = 64  # images a forward: more at once fall out of a CPU's cache and take longer each
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# On a CPU, maps of about 64 images of 32 x 32 still fit its caches, and larger ones cost a fresh allocation each.
PIXELS_A_PIECE = 64 * 32 * 32


class FrozenNetwork(Network):
    """A network that only reads: in eval mode, without gradients, and on a CPU in pieces that suit its caches.

    Inside it computes in its own precision; what it takes and gives is float32.
    """

    def __init__(self, network: Network, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.network = network
        self.precision = precision
        self.name = network.name
        self.image_sizes = network.image_sizes
        self.eval()

    def train(self, mode: bool = True) -> "FrozenNetwork":
        """Stay in eval mode, whatever is asked: BatchNorm is folded away."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.network(piece) for piece in _pieces(x.to(self.precision))]).float()

    @torch.no_grad()
    def features(self, x: Tensor) -> Features:
        maps, pooled, logits = zip(*map(self.network.features, _pieces(x.to(self.precision))), strict=True)
        whole = tuple(torch.cat(pieces).float() for pieces in zip(*maps, strict=True))
        return Features(whole, torch.cat(pooled).float(), torch.cat(logits).float())


def for_inference(model: Network, precision: str = "float32") -> FrozenNetwork:
    """A frozen copy, each BatchNorm folded into the convolution that feeds it, channels last in memory.

    Its logits and features equal those of `model.eval()` up to rounding; `model` itself is left as it was.
    `precision` "bfloat16" keeps weights and activations in 16 bits: about twice as fast, with 8 bits of mantissa.
    """
    choose("precision", precision, PRECISIONS)
    network = copy.deepcopy(model).eval().requires_grad_(False)
    for conv, norm in foldable(network):
        network.set_submodule(conv, fuse_conv_bn_eval(network.get_submodule(conv), network.get_submodule(norm)))
        network.set_submodule(norm, nn.Identity())
    return FrozenNetwork(network.to(PRECISIONS[precision], memory_format=torch.channels_last), PRECISIONS[precision])


def reader(model: nn.Module, precision: str = "float32") -> nn.Module:
    """`model` made ready for reading: a network frozen, any other module as it is but in eval mode."""
    if isinstance(model, Network):
        return for_inference(model, precision)
    if choose("precision", precision, PRECISIONS) != "float32":
        raise UserError(f"precision {precision!r} is for the networks of kdutils, not for {type(model).__name__}")
    return model.eval()


@torch.inference_mode()
def read(model: nn.Module, x: Tensor) -> Tensor:
    """Logits float32 [N, C] of normalised images [N, 3, H, W], on a CPU in forwards of CPU_CHUNK images."""
    x = x.contiguous(memory_format=torch.channels_last)
    return torch.cat([model(part) for part in x.split(len(x) if x.is_cuda else CPU_CHUNK)]).float()


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
