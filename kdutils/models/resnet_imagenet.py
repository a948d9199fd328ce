"""torchvision's ResNets for large images (224 x 224), with features; parameter names and weights are torchvision's."""

from torch import Tensor
from torchvision.models import resnet as torchvision_resnet

from kdutils.models.base import Features, Network, pool


class ImageNetResNet(Network, torchvision_resnet.ResNet):
    """torchvision's ResNet of basic blocks, `blocks` a stage: (2, 2, 2, 2) is resnet18, (3, 4, 6, 3) resnet34."""

    image_sizes = range(65, 513)

    def __init__(self, blocks: tuple[int, int, int, int], num_classes: int) -> None:
        super().__init__(torchvision_resnet.BasicBlock, list(blocks), num_classes=num_classes)

    def features(self, x: Tensor) -> Features:
        """Maps after the stem (before its pooling) and after each stage, all past their ReLU."""
        stem = self.relu(self.bn1(self.conv1(x)))
        first = self.layer1(self.maxpool(stem))
        second = self.layer2(first)
        third = self.layer3(second)
        fourth = self.layer4(third)
        pooled = pool(fourth)
        return Features((stem, first, second, third, fourth), pooled, self.fc(pooled))
