"""MobileNetV2 (Sandler et al., 2018) as CRD has it for 32 x 32: half the width, expansion 6, ReLU instead of ReLU6."""

from torch import Tensor, nn

from kdutils.models.base import Features, Network, initialise, pool, small_classifier

# expansion, channels, blocks, stride of the first block
STAGES = ((1, 8, 1, 1), (6, 12, 2, 1), (6, 16, 3, 2), (6, 32, 4, 2), (6, 48, 3, 1), (6, 80, 3, 2), (6, 160, 1, 1))
STEM, LAST = 16, 1280


def convolution(channels_in: int, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution that keeps the size (but for its stride), with BatchNorm and ReLU."""
    conv = nn.Conv2d(channels_in, channels, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


class InvertedResidual(nn.Module):
    """Expand by 1 x 1, filter each channel by 3 x 3, project by 1 x 1 without ReLU; a shortcut where shapes allow."""

    def __init__(self, channels_in: int, channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels_in * expansion
        expand = convolution(channels_in, inner, kernel=1)
        filters = convolution(inner, inner, kernel=3, stride=stride, groups=inner)
        project = convolution(inner, channels, kernel=1)[:-1]
        self.conv = nn.Sequential(*expand, *filters, *project)
        self.has_shortcut = stride == 1 and channels_in == channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


class MobileNetV2(Network):
    """CRD's MobileNetV2: the stem and three stages halve the image, so 32 pixels end in a 2 x 2 map."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(*convolution(3, STEM, kernel=3, stride=2))
        self.blocks = nn.ModuleList()
        channels_in = STEM
        for expansion, channels, blocks, stride in STAGES:
            stage = []
            for i in range(blocks):
                stage.append(InvertedResidual(channels_in, channels, stride if i == 0 else 1, expansion))
                channels_in = channels
            self.blocks.append(nn.Sequential(*stage))
        self.conv2 = nn.Sequential(*convolution(channels_in, LAST, kernel=1))
        self.classifier = nn.Sequential(nn.Linear(LAST, num_classes))
        initialise(self)
        small_classifier(self.classifier[0])

    def features(self, x: Tensor) -> Features:
        """Maps after the stem and after stages 2, 3, 5 and 7: the last one of each size, and the last one."""
        stem = self.conv1(x)
        second = self.blocks[1](self.blocks[0](stem))
        third = self.blocks[2](second)
        fifth = self.blocks[4](self.blocks[3](third))
        seventh = self.blocks[6](self.blocks[5](fifth))
        pooled = pool(self.conv2(seventh))
        return Features((stem, second, third, fifth, seventh), pooled, self.classifier(pooled))
