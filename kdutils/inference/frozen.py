"""A network made ready for reading it only: the same logits and features, sooner."""

import copy
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from kdutils.errors import UserError, choose
from kdutils.inference.any_network import AnyNetwork
from kdutils.inference.precision import PRECISIONS, layers_in
from kdutils.models import OutsideNetwork
from kdutils.models.base import Features, Network

# What one channel of a piece takes: 48 images of 32 x 32 in float32, 96 in bfloat16. Larger maps leave a CPU's caches.
BYTES_A_PIECE = 48 * 32 * 32 * 4

Read = TypeVar("Read")


class FrozenNetwork(Network):
    """A network that only reads: in eval mode, without gradients, and on a CPU in pieces, one per thread at a time.

    Inside it computes in its own precision; what it takes and gives is float32.
    """

    def __init__(self, network: Network, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.network = network
        self.precision = precision
        self.name = network.name
        self.image_sizes = network.image_sizes
        self.eval()

    def __deepcopy__(self, memo: dict) -> "FrozenNetwork":
        """Itself: nothing in it changes."""
        return self

    def train(self, mode: bool = True) -> "FrozenNetwork":
        """Stay in eval mode, whatever is asked: BatchNorm is folded away."""
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(_each(self.network, x.to(self.precision))).float()

    def features(self, x: Tensor) -> Features:
        maps, pooled, logits = zip(*_each(self.network.features, x.to(self.precision)), strict=True)
        whole = tuple(torch.cat(parts).float() for parts in zip(*maps, strict=True))
        return Features(whole, torch.cat(pooled).float(), torch.cat(logits).float())

    def embed(self, x: Tensor) -> Features:
        """Its features but the maps, which are large: `maps` is empty."""
        pooled, logits = zip(*_each(lambda piece: self.network.features(piece)[1:], x.to(self.precision)), strict=True)
        return Features((), torch.cat(pooled).float(), torch.cat(logits).float())


def for_inference(model: Network, precision: str = "float32", device: torch.device | None = None) -> FrozenNetwork:
    """A frozen copy, each BatchNorm folded into the convolution that feeds it; channels last.

    Its logits and features equal those of `model.eval()` up to rounding; `model` itself is left as it was.
    `precision` "bfloat16" keeps weights and activations in 16 bits, with 8 bits of mantissa: about twice as fast on a
    processor that has instructions for it; elsewhere the same arithmetic is done by rounding, about as fast as float32.
    The copy is made on `device`, by default the model's own. A frozen network is returned as it is; in another
    precision it is a UserError.
    """
    choose("precision", precision, PRECISIONS)
    if isinstance(model, FrozenNetwork):
        return _as_frozen(model, precision)
    device = device or next((weights.device for weights in model.parameters()), torch.device("cpu"))
    with torch.no_grad():  # TorchScript copies by operations, which would be recorded
        network = copy.deepcopy(model).eval().requires_grad_(False)
    for conv, norm in foldable(network):
        network.set_submodule(conv, fuse_conv_bn_eval(network.get_submodule(conv), network.get_submodule(norm)))
        network.set_submodule(norm, nn.Identity())
    network.to(device, PRECISIONS[precision], memory_format=torch.channels_last)
    return FrozenNetwork(network, PRECISIONS[precision])


def _as_frozen(network: FrozenNetwork, precision: str) -> FrozenNetwork:
    if network.precision != PRECISIONS[precision]:
        was = str(network.precision).removeprefix("torch.")
        raise UserError(f"{network.name} was frozen in {was} and cannot be read in {precision}; freeze the original.")
    return network


def reader(model: nn.Module | Callable[[Tensor], object], precision: str = "float32") -> nn.Module:
    """`model` made ready for reading: a network of kdutils frozen, any other module or function as `AnyNetwork`."""
    if isinstance(model, Network):
        return for_inference(model, precision)
    if choose("precision", precision, PRECISIONS) != "float32":
        raise UserError(f"precision {precision!r} is for the networks of kdutils, not for {type(model).__name__}")
    return model if isinstance(model, AnyNetwork) else AnyNetwork(model)


@torch.inference_mode()
def read(model: nn.Module, x: Tensor) -> Tensor:
    """Logits float32 [N, C] of normalised images [N, 3, H, W], on a CPU in pieces that suit its caches."""
    x = x.contiguous(memory_format=torch.channels_last)
    if isinstance(model, FrozenNetwork):  # which makes pieces itself; others may not be asked by several threads
        return model(x)
    return torch.cat([model(piece) for piece in pieces(x)]).float()


def foldable(model: Network) -> list[tuple[str, str]]:
    """The names of each convolution and BatchNorm where the second is the only reader of the first's output."""
    traced = _trace(model)
    pairs = []
    for norm in traced.graph.nodes if traced else ():
        if norm.op != "call_module" or norm.args[0].op != "call_module":
            continue
        conv = norm.args[0]
        names = tuple(node.target.removeprefix("model.") for node in (conv, norm))
        kinds = tuple(type(model.get_submodule(name)) for name in names)
        if kinds == (nn.Conv2d, nn.BatchNorm2d) and len(conv.users) == 1:
            pairs.append(names)
    return pairs


def _trace(network: Network) -> fx.GraphModule | None:
    """Its features as a graph, or None if no graph can follow its Python, as that depends on the values."""
    try:
        return fx.symbolic_trace(_AllFeatures(network))
    except Exception:  # of networks from elsewhere, any
        return None


class _AllFeatures(nn.Module):
    """A network whose output is all of its features, so that its graph shows every reader of every value."""

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> object:
        if isinstance(self.model, OutsideNetwork):  # a graph cannot look for the logits in what it returns
            return self.model.network(x)
        return tuple(self.model.features(x))


def pieces(x: Tensor, threads: int = 1) -> tuple[Tensor, ...]:
    """The batch as it is on a GPU; on a CPU in equal pieces of at most about BYTES_A_PIECE, as many for each thread.

    What fits into one piece stays whole.
    """
    images = max(1, BYTES_A_PIECE // x[0, 0].nbytes)
    if x.device.type != "cpu" or len(x) <= images:
        return (x,)
    return x.tensor_split(threads * math.ceil(len(x) / (threads * images)))


def _each(function: Callable[[Tensor], Read], x: Tensor) -> list[Read]:
    """What `function` makes of each piece of a batch, in order and without gradients.

    On a CPU each thread that PyTorch may use takes pieces of its own: sharing one, they would wait for each other
    after every layer.
    """

    def without_gradients(piece: Tensor) -> Read:
        with torch.no_grad(), layers_in(x.dtype, x.device):  # both hold for one thread only
            return function(piece)

    threads = torch.get_num_threads()
    parts = pieces(x, threads)
    if threads == 1 or len(parts) == 1:
        return [without_gradients(piece) for piece in parts]
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(without_gradients, parts))
    finally:
        torch.set_num_threads(threads)  # PyTorch gives the number that was set last to any thread begun later
