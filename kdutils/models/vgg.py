"""VGG (Simonyan and Zisserman, 2015) for small images in CRD's form: BatchNorm, one classifier after mean pooling."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdutils.models.base import Features, Network, initialise, pool, small_classifier


def block(channels_in: int, channels: int, convolutions: int) -> nn.Sequential:
    """3 x 3 convolutions, each with BatchNorm and, but for the last, ReLU."""
    layers: list[nn.Module] = []
    for i in range(convolutions):
        layers += [nn.Conv2d(channels_in if i == 0 else channels, channels, 3, padding=1), nn.BatchNorm2d(channels)]
        layers += [nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


@torch.fx.wrap  # one step for torch.fx, which cannot follow the condition
def halve_large(x: Tensor) -> Tensor:
    """Halve the maps that images of 64 pixels give; those of smaller images are small enough."""
    return F.max_pool2d(x, 2) if x.shape[-1] >= 8 else x


class VGG(Network):
    """VGG of five blocks with `convolutions` layers each, and with BatchNorm."""

    def __init__(self, convolutions: tuple[int, int, int, int, int], num_classes: int) -> None:
        super().__init__()
        widths = (3, 64, 128, 256, 512, 512)
        for i, n in enumerate(convolutions):
            self.add_module(f"block{i}", block(widths[i], widths[i + 1], n))
        self.classifier = nn.Linear(512, num_classes)
        initialise(self)
        small_classifier(self.classifier)

    def features(self, x: Tensor) -> Features:
        """Maps after each block, past its ReLU."""
        first = F.relu(self.block0(x), inplace=True)
        second = F.relu(self.block1(F.max_pool2d(first, 2)), inplace=True)
        third = F.relu(self.block2(F.max_pool2d(second, 2)), inplace=True)
        fourth = F.relu(self.block3(F.max_pool2d(third, 2)), inplace=True)
        fifth = F.relu(self.block4(halve_large(fourth)), inplace=True)
        pooled = pool(fifth)
        return Features((first, second, third, fourth, fifth), pooled, self.classifier(pooled))
