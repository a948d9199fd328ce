"""The CIFAR ResNets of He et al. (2016), in CRD's form and with CRD's parameter names."""

import torch.nn.functional as F
from torch import Tensor, nn

from kdutils.models.base import Features, Network, initialise, pool


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, which is projected where the shape changes."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or channels_in != channels:
            projection = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.bn2(self.conv2(x))
        x += shortcut
        return F.relu(x, inplace=True)


def stage(channels_in: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    """`blocks` residual blocks; the first changes the number of channels and, with stride 2, halves the map."""
    first = BasicBlock(channels_in, channels, stride)
    return nn.Sequential(first, *(BasicBlock(channels, channels, 1) for _ in range(blocks - 1)))


class ResNet(Network):
    """ResNet of depth 6n + 2: a stem and three stages of n blocks; `widths` are the channels of these four."""

    def __init__(self, depth: int, widths: tuple[int, int, int, int], num_classes: int) -> None:
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.layer1 = stage(widths[0], widths[1], blocks, stride=1)
        self.layer2 = stage(widths[1], widths[2], blocks, stride=2)
        self.layer3 = stage(widths[2], widths[3], blocks, stride=2)
        self.fc = nn.Linear(widths[3], num_classes)
        initialise(self)

    def features(self, x: Tensor) -> Features:
        """Maps after the stem and after each stage, all past their ReLU."""
        stem = F.relu(self.bn1(self.conv1(x)), inplace=True)
        first = self.layer1(stem)
        second = self.layer2(first)
        third = self.layer3(second)
        pooled = pool(third)
        return Features((stem, first, second, third), pooled, self.fc(pooled))
