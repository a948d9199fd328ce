"""The zoo against facts from CRD's own definitions: names, shapes, counts, maps and outputs; and that it learns.

`crd_models.json` holds, for networks of RepDistiller with 100 classes, the names and shapes of the state
dictionary, the number of parameters and the feature maps for two 32 x 32 images. `crd_outputs.json` holds what
RepDistiller's definitions computed (torch 2.13, CPU) with the weights of `fill` on the images of `waves`, at 32 and
64 pixels: the second image's first five logits, and each feature's mean and standard deviation.
"""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from kdutils import models
from kdutils.errors import UserError
from kdutils.models.base import Network

DATA = Path(__file__).parent
CRD = json.loads((DATA / "crd_models.json").read_text())
CRD_OUTPUTS = json.loads((DATA / "crd_outputs.json").read_text())
LARGE = {"resnet10": 65, "resnet18": 65, "resnet34": 65, "EfficientNetLite0": 64}  # and the smallest images they take


def noise(count: int, seed: int) -> torch.Tensor:
    """Numbers in [-1/2, 1/2) from exact integer arithmetic: the same on every machine and with every version."""
    i = torch.arange(count)
    return ((i * i * 7919 + seed * 104729 + i) % 10007) / 10007 - 0.5


def fill(model: torch.nn.Module) -> torch.nn.Module:
    """Give a model weights and BatchNorm statistics that are all different and keep the signal's size."""
    names = [name for name in model.state_dict() if not name.endswith("num_batches_tracked")]
    for seed, name in enumerate(names):
        tensor = model.state_dict()[name]
        value = noise(tensor.numel(), seed).reshape(tensor.shape)
        if tensor.ndim > 1:
            value *= (12 / tensor[0].numel()) ** 0.5
        elif name.endswith(("running_var", "weight")):
            value += 1
        tensor.copy_(value)
    return model


def waves(size: int) -> torch.Tensor:
    """Two images of normalised size, smooth but for noise."""
    return 2 * noise(2 * 3 * size * size, seed=1).reshape(2, 3, size, size) + torch.linspace(-1, 1, size)


def size_for(name: str) -> int:
    return LARGE.get(name, 16)


@pytest.mark.parametrize("name", CRD)
def test_names_shapes_and_counts_are_crds(name):
    model = models.build(name, 100)
    shapes = {key: list(t.shape) for key, t in model.state_dict().items() if not key.endswith("num_batches_tracked")}
    assert shapes == CRD[name]["state_dict"]
    assert sum(p.numel() for p in model.parameters()) == CRD[name]["parameters"]


@pytest.mark.parametrize("name", CRD)
def test_feature_maps_are_crds(name):
    shapes = models.feature_shapes(models.build(name, 100), image_size=32)
    assert [list(shape) for shape in (*shapes.maps, shapes.pooled)] == [
        shape[1:] for shape in CRD[name]["feature_shapes_for_batch_2"]
    ]
    assert shapes.logits == (100,)


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("name", CRD_OUTPUTS)
def test_the_same_weights_compute_what_crds_definition_does(name, size):
    expected = CRD_OUTPUTS[name][str(size)]
    with torch.no_grad():
        maps, pooled, logits = fill(models.build(name, 10, size)).eval().features(waves(size))
    scale = logits.std().item()
    assert logits[1, :5].tolist() == pytest.approx(expected["logits"], abs=1e-4 * scale)
    moments = [[f.mean().item(), f.std().item()] for f in (*maps, pooled)]
    for ours, theirs in zip(moments, expected["moments"], strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4 * theirs[1])


@pytest.mark.parametrize("name", ["resnet18", "resnet34"])
def test_large_networks_are_torchvisions(name):
    import torchvision  # after kdutils, which lets it import beside a CPU-only torch

    ours = models.build(name, 10, image_size=224).eval()
    theirs = torchvision.models.get_model(name, weights=None, num_classes=10).eval()
    theirs.load_state_dict(fill(ours).state_dict(), strict=True)
    x = waves(96)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x))
    shapes = models.feature_shapes(ours, image_size=224)
    assert shapes.maps == ((64, 112, 112), (64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7))
    assert shapes.pooled == (512,)


@pytest.mark.parametrize("name", models.NETWORKS)
def test_features_agree_with_the_call_and_with_the_promised_shapes(name):
    model = models.build(name, 7, size_for(name)).eval()
    x = waves(size_for(name))
    with torch.no_grad():
        features = model.features(x)
        assert torch.equal(features.logits, model(x))
    shapes = models.feature_shapes(model, size_for(name))
    assert tuple(tuple(m.shape[1:]) for m in features.maps) == shapes.maps
    assert (tuple(features.pooled.shape[1:]), tuple(features.logits.shape[1:])) == (shapes.pooled, shapes.logits)


def test_shapes_of_a_map_of_one_pixel():
    assert models.feature_shapes(models.build("MobileNetV2", 10), image_size=16).maps[-1] == (160, 1, 1)


@pytest.mark.parametrize("name", ["tiny", "vgg8", "ShuffleV2", "MobileNetV2"])
def test_asking_for_shapes_changes_nothing(name):
    model = models.build(name, 7)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    models.feature_shapes(model)
    assert model.training
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())


@pytest.mark.parametrize("name", models.NETWORKS)
def test_overfits_a_small_batch(name):
    torch.manual_seed(0)
    model = models.build(name, 8, size_for(name))
    x, y = torch.randn(8, 3, size_for(name), size_for(name)), torch.arange(8)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(40):
        optimiser.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters() if p.ndim > 1)
        if loss.item() < 0.3:
            return
        optimiser.step()
    pytest.fail(f"loss still {loss.item():.2f} after 40 steps")


@pytest.mark.parametrize("name", ["resnet20", "wrn_40_1", "vgg8", "MobileNetV2", "ResNet50"])
def test_starting_weights_follow_crds_rule(name):
    torch.manual_seed(0)
    for key, weight in models.build(name, 10).named_parameters():
        if weight.ndim == 4 and weight.numel() > 2000:
            fan_out = weight.shape[0] * weight[0, 0].numel()
            assert weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.08), key


@pytest.mark.parametrize(
    ("name", "image_size", "sentence"),
    [
        (
            "resnet56",
            224,
            "resnet56 takes square images of 16 to 64 pixels, not 224.*one of: resnet10, resnet18, resnet34",
        ),
        ("resnet18", 32, "resnet18 takes square images of 65 to 512 pixels, not 32.*one of: tiny"),
        ("vgg8", 8, "vgg8 takes .* not 8.*resize"),
        ("resnet57", 32, "unknown network 'resnet57'. Did you mean 'resnet56'"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(name, image_size, sentence):
    with pytest.raises(UserError, match=sentence):
        models.build(name, 10, image_size)


def test_too_few_classes_are_refused():
    with pytest.raises(UserError, match="at least 2 classes"):
        models.build("tiny", 1)


def test_a_network_of_ones_own_needs_one_line(monkeypatch):
    class Mean(Network):
        def __init__(self, num_classes):
            super().__init__()
            self.linear = torch.nn.Linear(3, num_classes)

        def features(self, x):
            return models.Features((x,), x.mean((2, 3)), self.linear(x.mean((2, 3))))

    monkeypatch.setitem(models.NETWORKS, "mean", Mean)
    assert models.build("mean", 5)(torch.zeros(2, 3, 32, 32)).shape == (2, 5)
