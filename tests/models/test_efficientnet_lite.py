"""EfficientNet-Lite0 against what was published of it, and against its public weights where they are there."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from kdutils import data, models
from kdutils.models.efficientnet_lite import same

IMAGENETTE = (0, 217, 482, 491, 497, 566, 569, 571, 574, 701)
"""ImageNet's numbers of Imagenette's ten classes, in the order of their WordNet names."""


def test_it_has_the_published_numbers_of_parameters_and_operations():
    """4.65 million parameters and 407 million multiply-adds at 224 pixels (TensorFlow's page on EfficientNet-Lite)."""
    with torch.device("meta"):
        network = models.build("EfficientNetLite0", 1000, 224).eval()
        assert sum(p.numel() for p in network.parameters()) == 4_652_008
        with FlopCounterMode(display=False) as counter:
            network(torch.empty(1, 3, 224, 224))
    assert counter.get_total_flops() / 2e6 == pytest.approx(407, rel=0.06)  # without what is no multiply-add


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_it_pads_as_tensorflow_does(kernel, stride):
    """ceil(n / stride) positions; the first window begins floor(zeros / 2) before the image."""
    x = torch.zeros(1, 1, 8, 8)
    x[..., 0, 0] = 1
    weight = torch.arange(kernel * kernel, dtype=torch.float32).view(1, 1, kernel, kernel)
    found = F.conv2d(F.pad(x, same(kernel, stride)), weight, stride=stride)
    assert found.shape[-1] == 8 // stride
    before = max((8 // stride - 1) * stride + kernel - 8, 0) // 2
    assert found[0, 0, 0, 0] == weight[0, 0, before, before]


def test_with_its_public_weights_it_knows_imagenettes_photographs():
    folder = Path(os.environ.get("KDUTILS_DATA", "nowhere"))
    weights = folder / "efficientnet-lite0-57934424.pth"
    if not weights.is_file() or not (folder / "imagenette").is_dir():
        pytest.skip(f"no {weights.name} and imagenette/ in KDUTILS_DATA")
    network = models.load_weights(models.build("EfficientNetLite0", 10, 224), weights, IMAGENETTE).eval()
    images = data.load("folder", folder / "imagenette")
    x, y = images.test.batch(torch.arange(0, len(images.test), 20))
    with torch.no_grad():
        right = [float((network(images.normalise(x)).argmax(1) == y).float().mean())]
        swapped = replace(images, mean=images.mean[::-1], std=(1.0, 1.0, 1.0))
        right.append(float((network(swapped.normalise(x)).argmax(1) == y).float().mean()))
    assert right[0] >= 0.96 > right[1]
