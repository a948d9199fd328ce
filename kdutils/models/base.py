"""What every network offers: logits when called, its feature maps on request."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Features(NamedTuple):
    """What a network computes on the way: `maps` (N, C, H, W) from first to last, `pooled` (N, D), `logits` (N, K)."""

    maps: tuple[Tensor, ...]
    pooled: Tensor
    logits: Tensor


class Network(nn.Module):
    """A classifier of images (N, 3, H, W): calling it gives logits (N, K); its family defines `features`."""

    name: str | None = None  # set by `build`, so that messages can name the network
    image_sizes = range(16, 65)  # sides of the square images that the architecture is meant for

    def features(self, x: Tensor) -> Features:
        """All features of normalised images `x` (N, 3, H, W), the logits among them."""
        raise NotImplementedError(f"{type(self).__name__} defines no features")

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x).logits


def pool(x: Tensor) -> Tensor:
    """Mean over all positions: (N, C, H, W) -> (N, C), whatever the size of the map."""
    return x.mean((2, 3))


def initialise(model: nn.Module) -> None:
    """Draw CRD's starting weights: normal convolutions of variance 2 / fan-out, BatchNorm at 1 and 0."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


def small_classifier(linear: nn.Linear) -> nn.Linear:
    """Start a classifier near zero (standard deviation 0.01, no bias), as CRD's VGG and MobileNetV2 do."""
    with torch.no_grad():
        linear.weight.normal_(0, 0.01)
        linear.bias.zero_()
    return linear
