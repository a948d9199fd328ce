"""ResNet50 in CRD's CIFAR form: the ImageNet stages behind a 3 x 3 stem that does not pool."""

import torch.nn.functional as F
from torch import Tensor, nn

from kdutils.models.base import Features, Network, initialise, pool

EXPANSION = 4


class Bottleneck(nn.Module):
    """1 x 1 to `width` channels, 3 x 3 (with the stride), 1 x 1 to four times as many, beside a shortcut."""

    def __init__(self, channels_in: int, width: int, stride: int) -> None:
        super().__init__()
        channels = EXPANSION * width
        self.conv1, self.bn1 = nn.Conv2d(channels_in, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, channels, 1, bias=False), nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels_in != channels:
            projection = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.shortcut(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        x = self.bn3(self.conv3(x))
        x += shortcut
        return F.relu(x, inplace=True)


def stage(channels_in: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    """`blocks` bottlenecks; the first one changes the width and takes the stride."""
    first = Bottleneck(channels_in, width, stride)
    return nn.Sequential(first, *(Bottleneck(EXPANSION * width, width, 1) for _ in range(blocks - 1)))


class ResNet50(Network):
    """CRD's ResNet50: a stem and stages of 3, 4, 6 and 3 bottlenecks."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = stage(64, 64, 3, stride=1)
        self.layer2 = stage(256, 128, 4, stride=2)
        self.layer3 = stage(512, 256, 6, stride=2)
        self.layer4 = stage(1024, 512, 3, stride=2)
        self.linear = nn.Linear(2048, num_classes)
        initialise(self)

    def features(self, x: Tensor) -> Features:
        """Maps after the stem and after each stage, all past their ReLU."""
        stem = F.relu(self.bn1(self.conv1(x)), inplace=True)
        first = self.layer1(stem)
        second = self.layer2(first)
        third = self.layer3(second)
        fourth = self.layer4(third)
        pooled = pool(fourth)
        return Features((stem, first, second, third, fourth), pooled, self.linear(pooled))
