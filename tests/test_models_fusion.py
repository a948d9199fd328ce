"""A fused network gives the plain one's features, and overwrites nothing that is still read."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdutils import models, risk
from kdutils.models.base import Features, Network
from kdutils.models.fusion import ConvAddReLU, ConvAddReLUOver, ConvReLU, Fused, fuse

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch without oneDNN")


class Residual(Network):
    """relu(conv(x) + shortcut), where `shortcut(stem, h)` says what is added and `read_later` keeps it for later."""

    def __init__(self, shortcut, read_later: bool = False) -> None:
        super().__init__()
        self.stem, self.first, self.second = nn.Conv2d(3, 16, 3), *(nn.Conv2d(16, 16, 3, padding=1) for _ in range(2))
        self.fc = nn.Linear(16, 2)
        self.shortcut, self.read_later = shortcut, read_later

    def features(self, x: Tensor) -> Features:
        stem = F.relu(self.stem(x), inplace=True)
        h = F.relu(self.first(stem), inplace=True)
        out = self.second(h)
        out += self.shortcut(stem, h)
        out = F.relu(out, inplace=True)
        pooled = out.mean((2, 3)) + (stem.mean((2, 3)) if self.read_later else 0)
        return Features((out,), pooled, self.fc(pooled))


def kinds(network: Network) -> dict[type, int]:
    modules = list(network.modules())
    return {kind: sum(type(module) is kind for module in modules) for kind in (ConvReLU, ConvAddReLU, ConvAddReLUOver)}


@pytest.mark.parametrize(
    ("shortcut", "read_later", "kind"),
    [
        (lambda stem, h: stem, False, ConvAddReLUOver),  # the stem is spent: the sum may be written over it
        (lambda stem, h: stem, True, ConvAddReLU),  # it is read once more
        (lambda stem, h: h, False, ConvAddReLU),  # the convolution reads what it would write over
        (lambda stem, h: stem.roll(1, 0), False, ConvAddReLU),  # not a convolution's own memory
        (lambda stem, h: stem.view_as(stem), False, ConvAddReLU),
        (lambda stem, h: 1.0, False, None),
        (lambda stem, h: stem.mean((2, 3), keepdim=True), False, ConvAddReLU),  # to be broadcast
    ],
)
@torch.no_grad()
def test_it_gives_the_same_and_writes_only_over_what_is_spent(shortcut, read_later, kind):
    torch.manual_seed(0)
    plain = Residual(shortcut, read_later).eval()
    x = torch.randn(4, 3, 12, 12)
    expected = plain.features(x)
    fused = fuse(plain)
    assert kinds(fused) == {ConvReLU: 2, ConvAddReLU: 0, ConvAddReLUOver: 0} | ({kind: 1} if kind else {})
    for _ in range(2):  # nothing that a second reading needs was overwritten
        features = fused.features(x)
        for ours, theirs in zip((*features.maps, *features[1:]), (*expected.maps, *expected[1:]), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_every_block_of_a_resnet_fuses_and_leaves_the_maps_that_are_asked_for():
    """resnet56: 27 blocks; one has the stem's map as its shortcut. Those of two others are projections of maps."""
    frozen = models.for_inference(models.build("resnet56", 10)).network
    assert isinstance(frozen, Fused)
    assert kinds(frozen) == {ConvReLU: 28, ConvAddReLU: 1, ConvAddReLUOver: 26}


def test_what_no_graph_can_follow_stays_as_it_is():
    class Branching(Residual):
        def features(self, x: Tensor) -> Features:
            return super().features(x if x.sum() > 0 else -x)

    network = Branching(lambda stem, h: stem)
    assert fuse(network) is network


@pytest.mark.parametrize("padding", [{"padding": "same"}, {"padding": 1, "padding_mode": "reflect"}])
@torch.no_grad()
def test_padding_that_the_kernels_do_not_know_is_left_to_the_convolution(padding):
    plain = Residual(lambda stem, h: stem)
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
