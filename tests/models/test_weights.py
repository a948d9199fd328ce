"""Weights on disk: what others publish loads, and what is saved comes back."""

import argparse

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from kdutils import inference, models
from kdutils.errors import UserError
from tests.models.states import assert_equal, fresh, prefixed


def without_counters(weights):
    return {name: tensor for name, tensor in weights.items() if not name.endswith("num_batches_tracked")}


def crd_checkpoint(weights):
    """What RepDistiller's training scripts save: options, an optimiser's state, the accuracy as they had it."""
    parameter = torch.nn.Parameter(torch.zeros(3))
    optimiser = torch.optim.SGD([parameter], lr=0.05, momentum=0.9)
    parameter.sum().backward()
    optimiser.step()
    options = argparse.Namespace(model="tiny", lr_decay_epochs=[150, 180, 210], learning_rate=0.05)
    accuracies = {"best_acc": torch.tensor(72.3), "accuracy": np.float64(72.3), "top5": np.float32(91.0)}
    return {"opt": options, "epoch": 240, "model": weights, "optimizer": optimiser.state_dict(), **accuracies}


WRAPPINGS = {
    "bare": lambda weights: weights,
    "model": lambda weights: {"model": weights},
    "state_dict": lambda weights: {"state_dict": weights, "epoch": 3},
    "module": prefixed,
    "model, module": lambda weights: {"model": prefixed(weights)},
    "no counters": without_counters,
    "crd": crd_checkpoint,
    "crd, several GPUs": lambda weights: crd_checkpoint(prefixed(weights)),
    "pytorch-cifar": lambda weights: {"net": weights, "acc": 92.0, "epoch": 3},
    "PyTorch's tutorial": lambda weights: {"model_state_dict": weights, "optimizer_state_dict": {"lr": 0.1}},
    "torch.compile": lambda weights: prefixed(weights, "_orig_mod."),
    "torch.compile of several GPUs": lambda weights: prefixed(weights, "_orig_mod.module."),
    "Lightning": lambda weights: {"state_dict": prefixed(weights, "model."), "epoch": 1},
    "Lightning of net": lambda weights: {"state_dict": prefixed(weights, "net._orig_mod."), "model": "resnet"},
    "averaged, AveragedModel": lambda weights: {"n_averaged": torch.tensor(3), **prefixed(weights)},
    "averaged, alone": lambda weights: {"ema": {"state_dict": weights}},
    "averaged, beside": lambda weights: {"ema": spoiled(weights), "model": weights},
    "thop": lambda weights: {**weights, "total_ops": torch.zeros(1), "conv1.total_params": torch.zeros(1)},
    "averaged, counters too": lambda weights: {name: tensor.float() for name, tensor in weights.items()},
    "doubles": lambda weights: {name: t.double() if t.is_floating_point() else t for name, t in weights.items()},
}


def spoiled(weights):
    """The same names, other values."""
    return {name: tensor + 1 for name, tensor in weights.items()}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_published_forms_load(model, tmp_path, wrapping, zipped):
    path = tmp_path / "weights.pth"
    torch.save(WRAPPINGS[wrapping](model.state_dict()), path, _use_new_zipfile_serialization=zipped)
    assert_equal(models.load_weights(fresh(), path), model)


@pytest.mark.parametrize("name", models.NETWORKS)
def test_a_classifier_cut_to_some_classes_keeps_their_logits(tmp_path, name):
    torch.manual_seed(0)
    size = 96 if 96 in models.NETWORKS[name](2).image_sizes else 32
    whole, x = models.build(name, 6, size).eval(), torch.randn(2, 3, size, size)
    models.save_weights(whole, tmp_path / "six.safetensors")
    cut = models.load_weights(models.build(name, 2, size), tmp_path / "six.safetensors", classes=[5, 1]).eval()
    with torch.no_grad():
        torch.testing.assert_close(cut(x), whole(x)[:, [5, 1]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([0, 1, 2], "3 different classes of .* are named for 2"),
        ([1, 1], "1 different classes of .* are named for 2"),
        ([1, 6], "has 6 classes, 0 to 5; asked for 1 to 6"),
        ([-1, 2], "has 6 classes, 0 to 5; asked for -1 to 2"),
    ],
)
def test_classes_that_cannot_be_kept_are_refused(tmp_path, classes, message):
    models.save_weights(models.build("tiny", 6), tmp_path / "six.safetensors")
    with pytest.raises(UserError, match=message):
        models.load_weights(models.build("tiny", 2), tmp_path / "six.safetensors", classes=classes)


def test_a_file_of_more_classes_is_told_how_to_name_those_of_the_images(tmp_path):
    models.save_weights(models.build("tiny", 20, 32), tmp_path / "twenty.safetensors")
    with pytest.raises(UserError, match=r"If it knows 20 classes, name those of your images among them \(teacher_cl"):
        models.load_weights(models.build("tiny", 10, 32), tmp_path / "twenty.safetensors")


def test_a_network_without_a_last_linear_layer_has_no_classes_to_choose_from(tmp_path):
    model = nn.Sequential(nn.Conv2d(3, 6, 1), nn.Flatten())
    models.save_weights(model, tmp_path / "six.safetensors")
    with pytest.raises(UserError, match="no last linear layer"):
        models.load_weights(model, tmp_path / "six.safetensors", classes=[1, 2])


def test_a_classifier_without_bias_can_be_cut(tmp_path):
    whole, cut = nn.Linear(3, 6, bias=False), nn.Sequential(nn.Linear(3, 2, bias=False))
    models.save_weights(nn.Sequential(whole), tmp_path / "six.safetensors")
    models.load_weights(cut, tmp_path / "six.safetensors", classes=[4, 1])
    assert torch.equal(cut[0].weight, whole.weight[[4, 1]])


def test_the_format_is_known_by_the_content_not_by_the_name(model, tmp_path):
    models.save_weights(model, tmp_path / "weights.safetensors")
    (tmp_path / "weights.safetensors").rename(tmp_path / "weights.pth")
    assert_equal(models.load_weights(fresh(), tmp_path / "weights.pth"), model)
    torch.save(model.state_dict(), tmp_path / "weights.safetensors")
    assert_equal(models.load_weights(fresh(), tmp_path / "weights.safetensors"), model)


def test_numpy_1_accuracies_load(model, tmp_path):
    """NumPy 1 pickled its scalars under numpy.core, a name that NumPy 2 only forwards."""
    path = tmp_path / "weights.pth"
    torch.save({"model": model.state_dict(), "best_acc": np.float64(72.3)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert b"numpy._core.multiarray" in content
    path.write_bytes(content.replace(b"cnumpy._core.multiarray", b"cnumpy.core.multiarray"))
    assert_equal(models.load_weights(fresh(), path), model)


def test_saved_weights_come_back_exactly(model, tmp_path):
    path = tmp_path / "new" / "weights.safetensors"
    models.save_weights(model, path)
    assert_equal(models.load_weights(fresh(), path), model)
    assert [file.name for file in path.parent.iterdir()] == ["weights.safetensors"]


def test_weights_in_16_bits_come_back_nearly(model, tmp_path):
    halved = {n: tensor.half() if tensor.is_floating_point() else tensor for n, tensor in model.state_dict().items()}
    safetensors.torch.save_file(halved, tmp_path / "half.safetensors")
    ours = models.load_weights(fresh(), tmp_path / "half.safetensors")
    assert ours.fc.weight.dtype == torch.float32
    assert_equal(ours, model, rtol=2**-10, atol=1e-7)


def test_only_safetensors_are_written(model, tmp_path):
    with pytest.raises(UserError, match=r"must end in \.safetensors"):
        models.save_weights(model, tmp_path / "weights.pth")


def test_real_published_weights_classify_real_images(cifar100_dir, resnet56_weights):
    """chenyaofo's resnet56 reaches 72.63 % on the whole test set; 1,000 images give that within two standard errors."""
    archive = np.load(cifar100_dir / "cifar100.npz")
    images = torch.tensor(archive["x_test"][:1000]).permute(0, 3, 1, 2) / 255
    mean, std = torch.tensor([0.5071, 0.4867, 0.4408]), torch.tensor([0.2675, 0.2565, 0.2761])
    teacher = inference.for_inference(models.load_weights(models.build("resnet56", 100), resnet56_weights))
    predicted = teacher((images - mean.view(3, 1, 1)) / std.view(3, 1, 1)).argmax(1)
    accuracy = (predicted.numpy() == archive["y_test"][:1000].ravel()).mean()
    assert accuracy == pytest.approx(0.7263, abs=2 * (0.7263 * 0.2737 / 1000) ** 0.5)
