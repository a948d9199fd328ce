"""ShuffleNetV2 (Ma et al., 2018) as CRD has it for 32 x 32: a 1 x 1 stem without pooling, three stages."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdutils.models.base import Features, Network, pool


def pointwise(channels_in: int, channels: int) -> nn.Conv2d:
    """1 x 1 convolution, which mixes channels."""
    return nn.Conv2d(channels_in, channels, 1, bias=False)


def depthwise(channels: int, stride: int) -> nn.Conv2d:
    """3 x 3 convolution of each channel by itself."""
    return nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)


class BasicBlock(nn.Module):
    """Half of the channels pass, the other half is convolved; the two are then interleaved."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1, self.bn1 = pointwise(half, half), nn.BatchNorm2d(half)
        self.conv2, self.bn2 = depthwise(half, stride=1), nn.BatchNorm2d(half)
        self.conv3, self.bn3 = pointwise(half, half), nn.BatchNorm2d(half)

    def forward(self, x: Tensor) -> Tensor:
        passed, x = x.chunk(2, dim=1)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.bn2(self.conv2(x))
        x = F.relu(self.bn3(self.conv3(x)), inplace=True)
        return F.channel_shuffle(torch.cat((passed, x), dim=1), 2)


class DownBlock(nn.Module):
    """Halve the map in two branches, which see all channels, and interleave them."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1, self.bn1 = depthwise(channels_in, stride=2), nn.BatchNorm2d(channels_in)  # left
        self.conv2, self.bn2 = pointwise(channels_in, half), nn.BatchNorm2d(half)
        self.conv3, self.bn3 = pointwise(channels_in, half), nn.BatchNorm2d(half)  # right
        self.conv4, self.bn4 = depthwise(half, stride=2), nn.BatchNorm2d(half)
        self.conv5, self.bn5 = pointwise(half, half), nn.BatchNorm2d(half)

    def forward(self, x: Tensor) -> Tensor:
        left = self.bn1(self.conv1(x))
        left = F.relu(self.bn2(self.conv2(left)), inplace=True)
        right = F.relu(self.bn3(self.conv3(x)), inplace=True)
        right = self.bn4(self.conv4(right))
        right = F.relu(self.bn5(self.conv5(right)), inplace=True)
        return F.channel_shuffle(torch.cat((left, right), dim=1), 2)


def stage(channels_in: int, channels: int, blocks: int) -> nn.Sequential:
    """One halving block, then `blocks` basic ones."""
    return nn.Sequential(DownBlock(channels_in, channels), *(BasicBlock(channels) for _ in range(blocks)))


class ShuffleNetV2(Network):
    """CRD's ShuffleV2 (size 1); it starts from torch's default weights, as there."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = pointwise(3, 24), nn.BatchNorm2d(24)
        self.layer1 = stage(24, 116, blocks=3)
        self.layer2 = stage(116, 232, blocks=7)
        self.layer3 = stage(232, 464, blocks=3)
        self.conv2, self.bn2 = pointwise(464, 1024), nn.BatchNorm2d(1024)
        self.linear = nn.Linear(1024, num_classes)

    def features(self, x: Tensor) -> Features:
        """Maps after the stem and after each stage, past their ReLU."""
        stem = F.relu(self.bn1(self.conv1(x)), inplace=True)
        first = self.layer1(stem)
        second = self.layer2(first)
        third = self.layer3(second)
        pooled = pool(F.relu(self.bn2(self.conv2(third)), inplace=True))
        return Features((stem, first, second, third), pooled, self.linear(pooled))
