"""Wide ResNets (Zagoruyko and Komodakis, 2016) in CRD's form: BatchNorm and ReLU come before each convolution."""

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from kdutils.models.base import Features, Network, initialise, pool


class PreActivationBlock(nn.Module):
    """Two normalised, rectified 3 x 3 convolutions; where the width changes, the shortcut is projected too."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.convShortcut = None  # CRD's name
        if channels_in != channels:
            self.convShortcut = nn.Conv2d(channels_in, channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.bn1(x), inplace=True)
        shortcut = x if self.convShortcut is None else self.convShortcut(active)
        x = self.conv2(F.relu(self.bn2(self.conv1(active)), inplace=True))
        x += shortcut
        return x


def stage(channels_in: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    """`blocks` residual blocks under the name `layer`; the first one changes the width and takes the stride."""
    first = PreActivationBlock(channels_in, channels, stride)
    layer = nn.Sequential(first, *(PreActivationBlock(channels, channels, 1) for _ in range(blocks - 1)))
    return nn.Sequential(OrderedDict(layer=layer))


class WideResNet(Network):
    """Wide ResNet of depth 6n + 4: a stem and three stages of n blocks, `widen` times 16, 32 and 64 channels wide."""

    def __init__(self, depth: int, widen: int, num_classes: int) -> None:
        super().__init__()
        blocks = (depth - 4) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.block1 = stage(16, 16 * widen, blocks, stride=1)
        self.block2 = stage(16 * widen, 32 * widen, blocks, stride=2)
        self.block3 = stage(32 * widen, 64 * widen, blocks, stride=2)
        self.bn1 = nn.BatchNorm2d(64 * widen)
        self.fc = nn.Linear(64 * widen, num_classes)
        initialise(self)
        nn.init.zeros_(self.fc.bias)

    def features(self, x: Tensor) -> Features:
        """Maps after the stem and after each stage, as the sums leave them: before BatchNorm and ReLU."""
        stem = self.conv1(x)
        first = self.block1(stem)
        second = self.block2(first)
        third = self.block3(second)
        pooled = pool(F.relu(self.bn1(third), inplace=True))
        return Features((stem, first, second, third), pooled, self.fc(pooled))
