"""Weights on disk: read what others publish, strictly and without ever running code from a file; write safetensors."""

import argparse
import os
import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from kdutils import _files
from kdutils._files import open_regular
from kdutils.errors import UserError
from kdutils.models.outside import inner

# Beside the weights, published checkpoints keep their training options and their accuracy. These types only hold
# values: none of them runs code when it is read. NumPy 1 wrote its scalars under a name that NumPy 2 moved.
_scalar, _ = np.float64(0).__reduce__()
PLAIN_TYPES = [
    argparse.Namespace,
    np.dtype,
    np.dtypes.Float32DType,
    np.dtypes.Float64DType,
    np.dtypes.Int64DType,
    (_scalar, "numpy.core.multiarray.scalar"),
    (_scalar, "numpy._core.multiarray.scalar"),
]


# Where published checkpoints keep their weights; averaged ones count only where there are no others.
HOLDERS = ("model", "state_dict", "model_state_dict", "net", "network", "weights", "params")
AVERAGED = ("ema", "model_ema", "ema_state_dict", "state_dict_ema", "params_ema")
# What wrappers put before every name: DataParallel, torch.compile, Lightning and others.
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
NOT_WEIGHTS = re.compile(r"(.*\.)?(total_ops|total_params)|n_averaged")  # what thop and AveragedModel add
COUNTER = "num_batches_tracked"
FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def load_weights(model: nn.Module, path: str | Path, classes: Sequence[int] = ()) -> nn.Module:
    """Load the weights at `path` into `model`, strictly, and return it.

    With `classes`, numbers among the classes of the file, its classifier is cut to these, in this order: a teacher of
    ImageNet for images of ten of its classes.

    Takes safetensors, or torch's format, whatever the file's name: a state dictionary, bare or where HOLDERS say, with
    or without PREFIXES before its names. Only BatchNorm's step counters may be absent. UserError for a file that is
    missing, damaged or holds code, and for names, shapes, types or values that do not fit; the model is then as it was.
    """
    network = inner(model)
    weights = _without_prefix(read_weights(path), network.state_dict())
    weights = {n: t for n, t in weights.items() if not n.endswith(COUNTER) or t.dtype == torch.int64}  # or averaged
    if classes:
        weights |= _of_classes(network, weights, classes, Path(path))
    _check_fit(network, weights, Path(path))
    network.load_state_dict(weights, strict=False)  # strict but for the counters: _check_fit has compared every name
    return model


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write `model`'s weights to `path` as safetensors, atomically."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in inner(model).state_dict().items()}
    for name, tensor in weights.items():
        _check_finite(name, tensor, "cannot save")
    if Path(path).suffix != ".safetensors":
        raise UserError(f"cannot save weights as {Path(path).name}: the name must end in .safetensors")
    _files.write_bytes(path, safetensors.torch.save(weights))  # save_file hides a full disk's OSError


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The named tensors in a file, on the CPU; see `load_weights` for the formats and the errors."""
    path = Path(path)
    if not os.path.isfile(path):  # Path.is_file raises where a path is too long or not ours to see
        raise UserError(f"no weights at {path}: name a .pth, .pt or .safetensors file that exists")
    content = _read(path)
    weights = _held(content)
    if weights is None:
        named = isinstance(content, dict) and content
        found = _some([repr(name) for name in content]) if named else type(content).__name__
        raise UserError(
            f"{path} holds no weights: expected a state dictionary (name -> tensor), bare or under one of "
            f"{', '.join((*HOLDERS, *AVERAGED))}; found {found}"
        )
    for name, tensor in weights.items():
        if tensor.is_nested or tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            raise UserError(f"{path} is not loaded: {name} is no plain tensor. Save the dense, unquantized weights")
    return {name: tensor for name, tensor in weights.items() if not NOT_WEIGHTS.fullmatch(name)}


def _held(content: Any, depth: int = 3) -> dict[str, Tensor] | None:
    """The state dictionary that `content` is or holds, up to `depth` dictionaries down."""
    if not isinstance(content, dict) or not content or not depth:
        return None
    if all(isinstance(n, str) and n.isprintable() and isinstance(tensor, Tensor) for n, tensor in content.items()):
        return content
    found = (_held(content.get(key), depth - 1) for key in (*HOLDERS, *AVERAGED))
    return next((weights for weights in found if weights is not None), None)


def _read(path: Path) -> Any:
    """What a file holds, by its content and not by its name."""
    try:
        with open_regular(path) as stream:
            begin = stream.read(512)
    except OSError as error:
        raise UserError(f"cannot read the weights {path}: {error.strerror}") from error
    if begin.startswith(b"version https://git-lfs"):
        raise UserError(f"{path} is not loaded: it only points to the file that Git LFS keeps. Run `git lfs pull`")
    if begin[257:262] == b"ustar":
        raise UserError(
            f"{path} is not loaded: it is in PyTorch's oldest format, a tar archive. Load it with the PyTorch of then "
            "(torch.load) and save its state dictionary again"
        )
    return _read_safetensors(path) if begin[8:9] == b"{" else _read_torch(path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError, KeyError) as error:
        raise _damaged(path) from error


def _read_torch(path: Path) -> object:
    """torch.load that builds tensors and plain values only; whatever else a pickle asks for is refused."""
    try:
        with torch.serialization.safe_globals(PLAIN_TYPES), open(path, "rb") as stream:  # not by its name
            return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked_for = re.search(r"GLOBAL ([\w.]+)", str(error))
        if asked_for is None:
            raise _damaged(path) from error
        raise UserError(
            f"{path} is not loaded: it holds more than weights ({asked_for[1]}), and reading that could run code. "
            "Save the state dictionary alone (torch.save(model.state_dict(), ...)) or as .safetensors"
        ) from error
    except Exception as error:  # a damaged file can fail anywhere in torch's readers, with any exception
        if "TorchScript" in str(error):
            raise UserError(
                f"{path} is not loaded: it is a TorchScript program, which could run code. Save the state dictionary "
                "alone: torch.save(torch.jit.load(...).state_dict(), ...)"
            ) from error
        raise _damaged(path) from error


def _damaged(path: Path) -> UserError:
    return UserError(f"{path} cannot be read as weights: damaged, cut short, or not a weights file. Fetch it again")


def _without_prefix(weights: dict[str, Tensor], expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights under the names that the model has, where wrappers put PREFIXES before all of them."""
    while not weights.keys() & expected.keys():
        prefix = next((p for p in PREFIXES if all(name.startswith(p) for name in weights)), None)
        if prefix is None:
            break
        weights = {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    return weights


def _of_classes(model: nn.Module, weights: dict[str, Tensor], classes: Sequence[int], path: Path) -> dict[str, Tensor]:
    """The rows of `classes` of the classifier, the model's last linear layer."""
    layers = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    rows = {name: weights[name] for name in weights if layers and name.rpartition(".")[0] == layers[-1]}
    if not rows:
        raise UserError(f"the classes of {path} cannot be told apart: the network or the file has no last linear layer")
    known, expected = min(map(len, rows.values())), model.get_submodule(layers[-1]).out_features
    if len(classes) != expected or len(set(classes)) != expected:
        raise UserError(f"{len(set(classes))} different classes of {path} are named for {expected}: name one for each")
    if not 0 <= min(classes) <= max(classes) < known:
        raise UserError(f"{path} has {known} classes, 0 to {known - 1}; asked for {min(classes)} to {max(classes)}")
    return {name: tensor[list(classes)] for name, tensor in rows.items()}


def _check_fit(model: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """UserError unless `weights` has exactly the model's names and shapes, and types and values that it can have."""
    expected = model.state_dict()
    network = getattr(model, "name", None) or type(model).__name__
    missing = [n for n in expected if n not in weights and not n.endswith(COUNTER)]
    unexpected = [n for n in weights if n not in expected]
    if missing or unexpected:
        lists = [f"{kind} {_some(names)}" for kind, names in (("lacks", missing), ("also has", unexpected)) if names]
        raise UserError(f"{path} does not hold the weights of {network}: it {' and '.join(lists)}")
    for name in filter(weights.__contains__, expected):  # in the network's own order
        tensor = weights[name]
        if tensor.shape != expected[name].shape:
            raise UserError(
                f"{path} does not fit {network}: {name} is {tuple(tensor.shape)} in the file, "
                f"and {network} expects {tuple(expected[name].shape)}. {_advice(tensor, expected[name])}"
            )
        _check_values(name, tensor, expected[name].dtype, f"{path} is not loaded")


def _advice(found: Tensor, expected: Tensor) -> str:
    """What may be wrong if a tensor of a file and that of the network are of different shapes."""
    if found.shape[1:] == expected.shape[1:] and len(found) > len(expected):
        return f"If it knows {len(found)} classes, name those of your images among them (teacher_classes)"
    return "Check the network and its number of classes"


def _check_values(name: str, tensor: Tensor, dtype: torch.dtype, what: str) -> None:
    """UserError unless a tensor is what a weight, a statistic or a counter can be."""
    fitting = FLOATS if dtype.is_floating_point else (dtype,)
    if tensor.dtype not in fitting:
        found, *kinds = (str(each).removeprefix("torch.") for each in (tensor.dtype, *fitting))
        raise UserError(f"{what}: {name} is of type {found}; expected {' or '.join(kinds)}")
    _check_finite(name, tensor.to(dtype), what)
    if name.endswith("running_var") and (tensor < 0).any():
        raise UserError(f"{what}: {name} holds negative variances")


def _check_finite(name: str, tensor: Tensor, what: str) -> None:
    if not torch.isfinite(tensor).all():
        raise UserError(f"{what}: {name} holds values that are not finite (training diverged, or out of range)")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
