"""Convolutions that add a shortcut and apply ReLU while their result is still in the cache, on a CPU.

PyTorch's own compiler uses these kernels; called directly, they need no C++ compiler on the reader's machine.
"""

import operator

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from kdutils.models.base import Features, Network

ADDITIONS = (operator.add, operator.iadd, torch.add)


class Fused(Network):
    """A network as the graph of its features, some of whose convolutions do more than convolve."""

    def __init__(self, network: Network, graph: fx.GraphModule) -> None:
        super().__init__()
        self.graph = graph
        self.name = network.name
        self.image_sizes = network.image_sizes

    def features(self, x: Tensor) -> Features:
        return Features(*self.graph(x))


class ConvReLU(nn.Module):
    """relu(conv(x)) in one pass, the weights once for all in the layout that the kernel wants."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.bias = conv.bias
        self.geometry = conv.padding, conv.stride, conv.dilation, conv.groups
        weight = conv.weight.detach()
        self.weight = torch._C._nn.mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), *self.geometry)

    def forward(self, x: Tensor) -> Tensor:
        return self._convolve(x, "relu")

    def _convolve(self, x: Tensor, then: str) -> Tensor:
        return torch.ops.mkldnn._convolution_pointwise.default(x, self.weight, self.bias, *self.geometry, then, [], "")


class ConvAddReLU(ConvReLU):
    """relu(conv(x) + other) in one pass, for an `other` of any shape that can be added."""

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        if other.shape != self._shape(x):  # the kernels do not know every way of broadcasting
            return F.relu(self._convolve(x, "none") + other)
        return self._sum(x, other)

    def _sum(self, x: Tensor, other: Tensor) -> Tensor:
        binary = torch.ops.mkldnn._convolution_pointwise.binary
        return binary(x, other, self.weight, self.bias, *self.geometry, "add", 1.0, "relu", [], "")

    def _shape(self, x: Tensor) -> tuple[int, ...]:
        channels, _, *kernel = self.weight.shape
        sizes = zip(x.shape[2:], kernel, *self.geometry[:3], strict=True)
        return len(x), channels, *((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, p, s, d in sizes)


class ConvAddReLUOver(ConvAddReLU):
    """relu(conv(x) + other) in one pass, written over `other`."""

    def _sum(self, x: Tensor, other: Tensor) -> Tensor:
        binary = torch.ops.mkldnn._convolution_pointwise_.binary
        return binary(other, x, self.weight, self.bias, *self.geometry, "add", 1.0, "relu", [], "")


def fuse(network: Network) -> Network:
    """The network in its fused form; as it is on a GPU, without oneDNN, or where no graph can follow its Python.

    For a network in eval mode, without gradients, whose convolutions have their final weights.
    """
    weights = list(network.parameters())
    if not all(weight.device.type == "cpu" and _has_kernels(weight.dtype) for weight in weights):
        return network
    graph = trace(network)
    if graph is None:
        return network
    for node in graph.graph.nodes:
        if _is(graph, node, nn.Identity):  # where a BatchNorm was folded
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    for node in graph.graph.nodes:
        if _is(graph, node, nn.ReLU) or (node.op == "call_function" and node.target is F.relu):
            _fuse_into(graph, node)
    graph.delete_all_unused_submodules()
    graph.recompile()
    return Fused(network, graph)


def trace(network: Network) -> fx.GraphModule | None:
    """Its features as a graph, or None where no graph can follow its Python, as that depends on the values."""
    try:
        return fx.symbolic_trace(_AllFeatures(network))
    except (ValueError, TypeError, RuntimeError):
        return None


class _AllFeatures(nn.Module):
    """A network whose output is all of its features, so that its graph shows every reader of every value."""

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> tuple:
        return tuple(self.model.features(x))


def _flops(x: torch.Size, second: torch.Size, third: torch.Size | None, *_: object, out_shape: torch.Size, **__) -> int:
    """Two for each multiply-add; the weights are the third argument of a kernel that adds, of others the second."""
    weight = third if third is not None and len(third) == 4 else second
    return 2 * out_shape.numel() * weight[1:].numel()


# For torch's FlopCounterMode, which does not know these kernels by itself.
FLOP_FORMULAS = (
    dict.fromkeys((torch.ops.mkldnn._convolution_pointwise, torch.ops.mkldnn._convolution_pointwise_), _flops)
    if torch.backends.mkldnn.is_available()
    else {}
)


def _has_kernels(dtype: torch.dtype) -> bool:
    mkldnn = torch.backends.mkldnn
    return mkldnn.is_available() and (dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _fuse_into(graph: fx.GraphModule, relu: fx.Node) -> None:
    """Replace a ReLU and what it alone reads: a convolution, or the sum of one and of a value not needed any more."""
    before = relu.all_input_nodes[0]
    if before.users.keys() != {relu}:
        return
    if _is_plain(graph, before):
        _replace(graph, relu, before, ConvReLU, before.args)
    elif before.op == "call_function" and before.target in ADDITIONS and not before.kwargs:
        for conv, other in (before.args, before.args[::-1]):
            if _is_plain(graph, conv) and conv.users.keys() == {before} and isinstance(other, fx.Node):
                over = _is_spent(graph, other, before) and other not in conv.args
                _replace(graph, relu, conv, ConvAddReLUOver if over else ConvAddReLU, (*conv.args, other))
                return


def _is_plain(graph: fx.GraphModule, value: object) -> bool:
    """Whether a value comes from a convolution that pads with zeros, by numbers: the kernels know no other."""
    if not _is(graph, value, nn.Conv2d) or value.kwargs:
        return False
    conv = graph.get_submodule(value.target)
    return conv.padding_mode == "zeros" and not isinstance(conv.padding, str)


def _is_spent(graph: fx.GraphModule, value: fx.Node, addition: fx.Node) -> bool:
    """Whether a value is a convolution's own result, read by the addition last and otherwise by convolutions only.

    What reads it in other ways may be a view of it, with readers of its own.
    """
    kinds = (nn.Conv2d, ConvReLU)
    readers = [user for user in value.users if user is not addition]
    return _is(graph, value, kinds) and all(user < addition and _is(graph, user, kinds) for user in readers)


def _replace(graph: fx.GraphModule, relu: fx.Node, conv: fx.Node, kind: type[ConvReLU], arguments: tuple) -> None:
    name = f"fused_{conv.name}"
    graph.add_submodule(name, kind(graph.get_submodule(conv.target)))
    with graph.graph.inserting_before(relu):
        fused = graph.graph.call_module(name, arguments)
    relu.replace_all_uses_with(fused)
    before = relu.all_input_nodes[0]
    graph.graph.erase_node(relu)  # a reader that is no more must not count as one
    graph.graph.erase_node(before)
    if before is not conv:
        graph.graph.erase_node(conv)


def _is(graph: fx.GraphModule, node: object, kind: type | tuple[type, ...]) -> bool:
    """Whether a value is the output of such a module."""
    return isinstance(node, fx.Node) and node.op == "call_module" and isinstance(graph.get_submodule(node.target), kind)
