"""A fused network gives the plain one's features, and overwrites nothing that is still read."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from kdutils import models, risk
from kdutils.models.base import Features, Network
from kdutils.models.fusion import FLOP_FORMULAS, ConvAddReLU, ConvAddReLUOver, ConvReLU, Fused, fuse

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch without oneDNN")


class Block(Network):
    """Two convolutions with ReLU, and what `end` makes of the network and of their results."""

    def __init__(self, end: Callable[[nn.Module, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.stem, self.first, self.second = nn.Conv2d(3, 16, 3), *(nn.Conv2d(16, 16, 3, padding=1) for _ in range(2))
        self.thin, self.fc = nn.Conv2d(16, 1, 1), nn.Linear(16, 2)
        self.end = end

    def features(self, x: Tensor) -> Features:
        stem = F.relu(self.stem(x), inplace=True)
        out = self.end(self, stem, F.relu(self.first(stem), inplace=True))
        pooled = out.mean((2, 3))
        return Features((out,), pooled, self.fc(pooled))


def spent(net, stem, h):
    return F.relu(net.second(h) + stem)


def added_in_place(net, stem, h):
    out = net.second(h)
    out += stem
    return F.relu(out, inplace=True)


def of_one_channel(net, stem, h):
    return F.relu(net.second(h) + net.thin(h))


def read_again(net, stem, h):
    return F.relu(net.second(h) + stem) + stem


def read_by_a_convolution_later(net, stem, h):
    return F.relu(net.second(h) + stem) + net.thin(stem)


def read_through_a_view_later(net, stem, h):
    seen = stem[:]
    return F.relu(net.second(h) + stem) + seen


def read_by_the_convolution_itself(net, stem, h):
    return F.relu(net.second(h) + h)


def not_its_own_memory(net, stem, h):
    return F.relu(net.second(h) + stem.view_as(stem))


def to_be_broadcast(net, stem, h):
    return F.relu(stem.mean((2, 3), keepdim=True) + net.second(h))


def of_fewer_dimensions(net, stem, h):
    return F.relu(net.second(h) + stem.mean((0, 2, 3))[:, None, None])


def a_number(net, stem, h):
    return F.relu(net.second(h) + 1.0)


def times_two(net, stem, h):
    return F.relu(torch.add(net.second(h), stem, alpha=2))


def given_by_name(net, stem, h):
    return F.relu(net.second(input=h))


def read_before_relu(net, stem, h):
    out = net.second(h)
    return F.relu(out) + out


def sum_read_before_relu(net, stem, h):
    out = net.second(h) + stem
    return F.relu(out) + out


def read_before_the_sum(net, stem, h):
    out = net.second(h)
    return F.relu(out + stem) + out


OVER = (spent, added_in_place, of_one_channel)
BESIDE = (
    *(read_again, read_by_a_convolution_later, read_through_a_view_later, read_by_the_convolution_itself),
    *(not_its_own_memory, to_be_broadcast, of_fewer_dimensions),
)
APART = (a_number, times_two, given_by_name, read_before_relu, sum_read_before_relu, read_before_the_sum)
ENDS = dict.fromkeys(OVER, ConvAddReLUOver) | dict.fromkeys(BESIDE, ConvAddReLU) | dict.fromkeys(APART)


def kinds(network: Network) -> dict[type, int]:
    modules = list(network.modules())
    return {kind: sum(type(module) is kind for module in modules) for kind in (ConvReLU, ConvAddReLU, ConvAddReLUOver)}


@pytest.mark.parametrize(("end", "kind"), ENDS.items())
@torch.no_grad()
def test_it_gives_the_same_and_writes_only_over_what_is_spent(end, kind):
    torch.manual_seed(0)
    plain = Block(end).eval()
    x = torch.randn(4, 3, 12, 12)
    expected = plain.features(x)
    fused = fuse(plain)
    assert kinds(fused) == {ConvReLU: 2, ConvAddReLU: 0, ConvAddReLUOver: 0} | ({kind: 1} if kind else {})
    for _ in range(2):  # nothing that a second reading needs was overwritten
        features = fused.features(x)
        for ours, theirs in zip((*features.maps, *features[1:]), (*expected.maps, *expected[1:]), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("end", [spent, read_again, read_before_relu])
def test_it_takes_as_many_operations(end):
    plain, counted = Block(end).eval().requires_grad_(False), []
    for network in (plain, fuse(plain)):
        with FlopCounterMode(display=False, custom_mapping=FLOP_FORMULAS) as counter:
            network(torch.randn(4, 3, 12, 12))
        counted.append(counter.get_total_flops())
    assert counted[0] == counted[1]


def test_every_block_of_a_resnet_fuses_and_leaves_the_maps_that_are_asked_for():
    """resnet56: 27 blocks; one has the stem's map as its shortcut. Those of two others are projections of maps."""
    frozen = models.for_inference(models.build("resnet56", 10)).network
    assert isinstance(frozen, Fused)
    assert kinds(frozen) == {ConvReLU: 28, ConvAddReLU: 1, ConvAddReLUOver: 26}


def test_what_no_graph_can_follow_stays_as_it_is():
    class Branching(Block):
        def features(self, x: Tensor) -> Features:
            return super().features(x if x.sum() > 0 else -x)

    network = Branching(spent)
    assert fuse(network) is network


@pytest.mark.parametrize("padding", [{"padding": "same"}, {"padding": 1, "padding_mode": "reflect"}])
@torch.no_grad()
def test_padding_that_the_kernels_do_not_know_is_left_to_the_convolution(padding):
    plain = Block(spent)
    plain.first, plain.second = (nn.Conv2d(16, 16, 3, **padding) for _ in range(2))
    x = torch.randn(2, 3, 12, 12)
    expected, fused = plain.eval()(x), fuse(plain)
    assert kinds(fused) == {ConvReLU: 1, ConvAddReLU: 0, ConvAddReLUOver: 0}
    torch.testing.assert_close(fused(x), expected, rtol=1e-4, atol=1e-5)


def test_a_copy_for_another_device_is_not_fused_for_the_cpu():
    frozen = models.for_inference(models.build("resnet8", 10), device=torch.device("meta"))
    assert frozen(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, 10)


def test_a_network_without_weights_has_nothing_to_fuse():
    blind = risk.Blind(10)
    assert kinds(fuse(blind)) == {ConvReLU: 0, ConvAddReLU: 0, ConvAddReLUOver: 0}
    x = torch.randn(4, 3, 8, 8)
    torch.testing.assert_close(models.for_inference(blind)(x), blind(x))
