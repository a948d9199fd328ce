"""Weights on disk: what others publish loads, what does not fit is refused and why, and no file runs code."""

import argparse
import pickle
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from kdutils import models
from kdutils.errors import UserError


@pytest.fixture
def model():
    torch.manual_seed(1)
    model = models.build("tiny", 10, 16)
    model(torch.randn(4, 3, 16, 16))  # moves BatchNorm's statistics from where they start
    return model


def fresh():
    torch.manual_seed(2)
    return models.build("tiny", 10, 16)


def assert_equal(ours, theirs, **tolerance):
    for name, tensor in theirs.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(ours.state_dict()[name], tensor, **(tolerance or {"rtol": 0, "atol": 0}))


def prefixed(weights):
    return {f"module.{name}": tensor for name, tensor in weights.items()}


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
}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_published_forms_load(model, tmp_path, wrapping, zipped):
    path = tmp_path / "weights.pth"
    torch.save(WRAPPINGS[wrapping](model.state_dict()), path, _use_new_zipfile_serialization=zipped)
    assert_equal(models.load_weights(fresh(), path), model)


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


def test_half_weights_take_half_the_room_and_come_back_nearly(model, tmp_path):
    models.save_weights(model, tmp_path / "whole.safetensors")
    models.save_weights(model, tmp_path / "half.safetensors", half=True)
    tensors = safetensors.torch.load_file(tmp_path / "half.safetensors")
    assert tensors["fc.weight"].dtype == torch.float16
    assert sum(t.nbytes for t in tensors.values()) < 0.55 * sum(t.nbytes for t in model.state_dict().values())
    ours = models.load_weights(fresh(), tmp_path / "half.safetensors")
    assert ours.fc.weight.dtype == torch.float32
    assert_equal(ours, model, rtol=2**-10, atol=1e-7)


def test_weights_that_half_cannot_hold_are_not_saved(model, tmp_path):
    model.bn1.running_var[0] = 1e6
    with pytest.raises(UserError, match=r"cannot save as 16-bit floats: bn1\.running_var"):
        models.save_weights(model, tmp_path / "weights.safetensors", half=True)
    assert not list(tmp_path.iterdir())


def test_only_safetensors_are_written(model, tmp_path):
    with pytest.raises(UserError, match=r"must end in \.safetensors"):
        models.save_weights(model, tmp_path / "weights.pth")


class Payload:
    """A pickle that creates a file when it is read as pickles are."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_file_is_refused_and_not_run(model, tmp_path, how):
    path, mark = tmp_path / "weights.pth", tmp_path / "it ran"
    content = {"model": model.state_dict(), "payload": Payload(mark)}
    torch.save(content, path) if how == "torch" else path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(UserError, match=r"holds more than weights \([\w.]+\), and reading that could run code"):
        models.load_weights(fresh(), path)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Payload(mark)))  # the payload is a real one
    assert mark.exists()


def damaged(content: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "cut short": content[: len(content) // 2],
        "its end only": content[len(content) // 2 :],
        "a web page": b"<!DOCTYPE html><html>404</html>",
        "noise": np.random.default_rng(0).bytes(5000),
    }


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("damage", damaged(b""))
def test_damaged_files_are_named_as_such(model, tmp_path, suffix, damage):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(model.state_dict(), path)
    else:
        models.save_weights(model, path)
    path.write_bytes(damaged(path.read_bytes())[damage])
    with pytest.raises(UserError, match=f"weights{suffix} cannot be read as weights"):
        models.load_weights(fresh(), path)


REFUSALS = {
    "a tensor less": (
        lambda w: {name: tensor for name, tensor in w.items() if name != "fc.bias"},
        r"weights of tiny: it lacks fc\.bias$",
    ),
    "a tensor more": (lambda w: {**w, "head.weight": torch.zeros(2)}, r"of tiny: it also has head\.weight$"),
    "other names": (
        lambda w: {name.replace("layer", "stage"): tensor for name, tensor in w.items()},
        r"it lacks layer1\.0\.conv1\.weight, .* and \d+ more and also has stage1\.0\.conv1\.weight",
    ),
    "other classes": (
        lambda w: {**w, "fc.weight": torch.zeros(100, 32), "fc.bias": torch.zeros(100)},
        r"does not fit tiny: fc\.weight is \(100, 32\) in the file, and tiny expects \(10, 32\)",
    ),
    "not a number": (
        lambda w: {**w, "layer2.0.conv1.weight": w["layer2.0.conv1.weight"] * float("nan")},
        r"layer2\.0\.conv1\.weight holds values that are not finite",
    ),
    "no tensors": (lambda w: {"epoch": 3}, "holds no weights"),
    "a list": (lambda w: list(w.values()), "holds no weights"),
    "nothing": (lambda w: {}, "holds no weights"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_does_not_fit_is_refused_and_leaves_the_model_alone(model, tmp_path, case):
    change, sentence = REFUSALS[case]
    torch.save(change(model.state_dict()), tmp_path / "weights.pth")
    ours = fresh()
    with pytest.raises(UserError, match=sentence):
        models.load_weights(ours, tmp_path / "weights.pth")
    assert_equal(ours, fresh())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no weights at .*nowhere\.pth"):
        models.load_weights(fresh(), tmp_path / "nowhere.pth")
    with pytest.raises(UserError, match="no weights at"):
        models.load_weights(fresh(), tmp_path)


def test_real_published_weights_classify_real_images(cifar100_dir, resnet56_weights):
    """chenyaofo's resnet56 reaches 72.63 % on the whole test set; 1,000 images give that within two standard errors."""
    archive = np.load(cifar100_dir / "cifar100.npz")
    images = torch.tensor(archive["x_test"][:1000]).permute(0, 3, 1, 2) / 255
    mean, std = torch.tensor([0.5071, 0.4867, 0.4408]), torch.tensor([0.2675, 0.2565, 0.2761])
    teacher = models.for_inference(models.load_weights(models.build("resnet56", 100), resnet56_weights))
    predicted = teacher((images - mean.view(3, 1, 1)) / std.view(3, 1, 1)).argmax(1)
    accuracy = (predicted.numpy() == archive["y_test"][:1000].ravel()).mean()
    assert accuracy == pytest.approx(0.7263, abs=2 * (0.7263 * 0.2737 / 1000) ** 0.5)
