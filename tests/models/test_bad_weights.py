"""Files that do not hold fitting weights are refused and why, and none runs code."""

import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from kdutils import models
from kdutils.errors import UserError
from tests.models.states import assert_equal, fresh, prefixed


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
    "no tensors": (lambda w: {"epoch": 3}, "holds no weights: .*; found 'epoch'$"),
    "under another name": (lambda w: {"student": w, "acc": 3}, "under one of model, .*; found 'student', 'acc'$"),
    "a list": (lambda w: list(w.values()), "holds no weights: .*; found list"),
    "nothing": (lambda w: {}, "holds no weights: .*; found dict"),
    "names that are numbers": (lambda w: dict(enumerate(w.values())), "holds no weights: .*; found 0, 1, 2 and"),
    "names that are bytes": (lambda w: {name.encode(): t for name, t in w.items()}, r"; found b'conv1\.weight', "),
    "names for a terminal": (lambda w: {**w, "\x1b]0;": torch.zeros(1)}, "holds no weights"),
    "teacher and student": (lambda w: prefixed(w, "student.") | prefixed(w, "teacher."), "lacks .* student.conv1"),
    **{
        str(dtype): (
            lambda w, dtype=dtype: of_type(w, dtype),
            r"conv1\.weight is of type .*; expected float32 or float64",
        )
        for dtype in (torch.int64, torch.uint8, torch.bool, torch.complex64, torch.float8_e4m3fn)
    },
    "out of range": (
        lambda w: {**w, "fc.bias": torch.full((10,), 1e300, dtype=torch.float64)},
        "values that are not finite",
    ),
    "negative variances": (lambda w: {**w, "bn1.running_var": -w["bn1.running_var"]}, "holds negative variances"),
    "sparse": (lambda w: {**w, "fc.weight": w["fc.weight"].to_sparse()}, r"fc\.weight is no plain tensor"),
    "meta": (lambda w: {**w, "fc.weight": w["fc.weight"].to("meta")}, r"fc\.weight is no plain tensor"),
    "nested": (
        lambda w: {**w, "fc.weight": torch.nested.nested_tensor([*w["fc.weight"]], layout=torch.jagged)},
        "no plain tensor",
    ),
    "in itself": (lambda w: in_itself(), "holds no weights"),
}


def of_type(weights, dtype):
    return {**weights, "conv1.weight": weights["conv1.weight"].to(dtype)}


def nested(tensor):
    return torch.nested.nested_tensor([*tensor], layout=torch.jagged)


def in_itself():
    content = {"epoch": 3}
    content["model"] = content
    return content


@pytest.mark.parametrize("case", REFUSALS)
def test_what_does_not_fit_is_refused_and_leaves_the_model_alone(model, tmp_path, case):
    change, sentence = REFUSALS[case]
    torch.save(change(model.state_dict()), tmp_path / "weights.pth")
    ours = fresh()
    with pytest.raises(UserError, match=sentence):
        models.load_weights(ours, tmp_path / "weights.pth")
    assert_equal(ours, fresh())


@pytest.mark.parametrize("name", ["nowhere.pth", "", "x" * 300, "pipe", "link"])
def test_what_is_no_file_is_named(name, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match="no weights at"):
        models.load_weights(fresh(), tmp_path / name)


def old_tar(path):
    """The layout of PyTorch before 0.1.10."""
    with tarfile.open(path, "w") as archive:
        for name in ("storages", "tensors", "pickle"):
            archive.addfile(tarfile.TarInfo(name))


OTHER_FORMATS = {
    "a tar archive": old_tar,
    "Git LFS": lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    "TorchScript": lambda path: torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path),
    "more than weights": lambda path: torch.save(torch.nn.Linear(2, 2), path),
}


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.filterwarnings("ignore:.*TorchScript archive")
@pytest.mark.parametrize("kind", OTHER_FORMATS)
def test_whole_files_of_another_format_are_named_as_such(kind, tmp_path):
    OTHER_FORMATS[kind](tmp_path / "weights.pth")
    with pytest.raises(UserError, match=rf"weights\.pth is not loaded: .*{kind}"):
        models.load_weights(fresh(), tmp_path / "weights.pth")
