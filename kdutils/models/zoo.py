"""The networks by name. A new one is a `Network` in a file of its own and one line here."""

import copy
from collections.abc import Callable

import torch
from torch import nn

from kdutils.errors import UserError, choose
from kdutils.models import outside
from kdutils.models.base import Features, Network
from kdutils.models.efficientnet_lite import EfficientNetLite0
from kdutils.models.mobilenetv2 import MobileNetV2
from kdutils.models.resnet import ResNet
from kdutils.models.resnet_bottleneck import ResNet50
from kdutils.models.shufflenetv2 import ShuffleNetV2
from kdutils.models.vgg import VGG
from kdutils.models.wrn import WideResNet

NARROW, WIDE = (16, 16, 32, 64), (32, 64, 128, 256)


def _imagenet_resnet(blocks: tuple[int, int, int, int], num_classes: int) -> Network:
    """One of torchvision's ResNets, which is loaded here: it takes seconds."""
    from kdutils.models.resnet_imagenet import ImageNetResNet

    return ImageNetResNet(blocks, num_classes)


NETWORKS: dict[str, Callable[[int], Network]] = {  # name -> constructor, which takes the number of classes
    "tiny": lambda num_classes: ResNet(8, (8, 8, 16, 32), num_classes),  # ours, for the quick size
    "resnet8": lambda num_classes: ResNet(8, NARROW, num_classes),
    "resnet20": lambda num_classes: ResNet(20, NARROW, num_classes),
    "resnet32": lambda num_classes: ResNet(32, NARROW, num_classes),
    "resnet44": lambda num_classes: ResNet(44, NARROW, num_classes),
    "resnet56": lambda num_classes: ResNet(56, NARROW, num_classes),
    "resnet110": lambda num_classes: ResNet(110, NARROW, num_classes),
    "resnet8x4": lambda num_classes: ResNet(8, WIDE, num_classes),
    "resnet32x4": lambda num_classes: ResNet(32, WIDE, num_classes),
    "ResNet50": ResNet50,
    "wrn_16_1": lambda num_classes: WideResNet(16, 1, num_classes),
    "wrn_16_2": lambda num_classes: WideResNet(16, 2, num_classes),
    "wrn_40_1": lambda num_classes: WideResNet(40, 1, num_classes),
    "wrn_40_2": lambda num_classes: WideResNet(40, 2, num_classes),
    "vgg8": lambda num_classes: VGG((1, 1, 1, 1, 1), num_classes),
    "vgg13": lambda num_classes: VGG((2, 2, 2, 2, 2), num_classes),
    "MobileNetV2": MobileNetV2,
    "ShuffleV2": ShuffleNetV2,
    "resnet10": lambda num_classes: _imagenet_resnet((1, 1, 1, 1), num_classes),  # ours, a student for large images
    "resnet18": lambda num_classes: _imagenet_resnet((2, 2, 2, 2), num_classes),  # torchvision's, for large images
    "resnet34": lambda num_classes: _imagenet_resnet((3, 4, 6, 3), num_classes),
    "EfficientNetLite0": EfficientNetLite0,
}


def build(name: str, num_classes: int, image_size: int = 32) -> Network:
    """A freshly initialised network (from torch's global generator) for square images of side `image_size` pixels.

    `name` is one of NETWORKS, or of a network from elsewhere (`outside.FORMS`). UserError for an unknown name, fewer
    than two classes, or a size that the network is not meant for.
    """
    make = constructor(name)
    if num_classes < 2:
        raise UserError(f"{name} needs at least 2 classes to tell apart, not {num_classes}")
    if name not in NETWORKS:
        return outside.build(name, num_classes, image_size)
    model = make(num_classes)
    sizes = model.image_sizes
    if image_size not in sizes:
        fitting = [other for other, sides in image_sizes().items() if image_size in sides]
        advice = f"choose one of: {', '.join(fitting)}" if fitting else "resize the images"
        raise UserError(
            f"{name} takes square images of {sizes[0]} to {sizes[-1]} pixels, not {image_size}. "
            f"For {image_size} pixels {advice}"
        )
    model.name = name
    return model


def constructor(name: str) -> Callable[..., nn.Module]:
    """The function that builds the network `name`; UserError for an unknown name."""
    if name not in NETWORKS and (":" in name or name.endswith(".py")):
        return outside.constructor(name)
    return NETWORKS[choose("network", name, NETWORKS)]


def image_sizes() -> dict[str, range]:
    """The image sizes that each network takes, by name."""
    with torch.device("meta"):  # the shape of a network without its memory
        return {name: construct(2).image_sizes for name, construct in NETWORKS.items()}


def feature_shapes(model: Network, image_size: int = 32) -> Features:
    """The shapes, without the batch dimension, of what `model.features` gives for images of this size.

    UserError for a network from elsewhere, which gives logits alone.
    """
    if isinstance(model, outside.OutsideNetwork):
        raise UserError(f"{model.name} gives logits and no features: choose a method that needs only these, such as kd")
    skeleton = copy.deepcopy(model).to("meta").eval()
    maps, pooled, logits = skeleton.features(torch.empty(1, 3, image_size, image_size, device="meta"))
    return Features(tuple(tuple(m.shape[1:]) for m in maps), tuple(pooled.shape[1:]), tuple(logits.shape[1:]))
