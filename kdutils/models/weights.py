"""Weights on disk: read what others publish, strictly and without ever running code from a file; write safetensors."""

import argparse
import pickle
import re
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from kdutils import files
from kdutils.errors import UserError

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


def load_weights(model: nn.Module, path: str | Path) -> nn.Module:
    """Load the weights at `path` into `model`, strictly, and return it.

    Takes `.safetensors`, or torch's format: a state dictionary, bare or under "model" or "state_dict", with or without
    `module.` before its names. Only BatchNorm's step counters may be absent. UserError for a file that is missing,
    damaged or holds code, and for names, shapes or values that do not fit; the model is then as it was.
    """
    weights = _without_prefix(read_weights(path))
    _check_fit(model, weights, Path(path))
    model.load_state_dict(weights, strict=False)  # strict but for the counters: _check_fit has compared every name
    return model


def save_weights(model: nn.Module, path: str | Path, half: bool = False) -> None:
    """Write `model`'s weights to `path` as safetensors, atomically; `half` halves the file (16-bit floats)."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        weights = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in weights.items()}
    _check_finite(weights, "cannot save" + (" as 16-bit floats" if half else ""))
    if Path(path).suffix != ".safetensors":
        raise UserError(f"cannot save weights as {Path(path).name}: the name must end in .safetensors")
    files.write_bytes(path, safetensors.torch.save(weights))  # save_file hides a full disk's OSError


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The named tensors in a file, on the CPU; see `load_weights` for the formats and the errors."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no weights at {path}: name a .pth, .pt or .safetensors file that exists")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    for key in ("model", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content or not all(isinstance(t, Tensor) for t in content.values()):
        raise UserError(
            f"{path} holds no weights: expected a state dictionary (name -> tensor), "
            'bare or under "model" or "state_dict"'
        )
    return dict(content)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path) from error


def _read_torch(path: Path) -> object:
    """torch.load that builds tensors and plain values only; whatever else a pickle asks for is refused."""
    try:
        with torch.serialization.safe_globals(PLAIN_TYPES):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked_for = re.search(r"GLOBAL ([\w.]+)", str(error))
        if asked_for is None:
            raise _damaged(path) from error
        raise UserError(
            f"{path} is not loaded: it holds more than weights ({asked_for[1]}), and reading that could run code. "
            "Save the state dictionary alone (torch.save(model.state_dict(), ...)) or as .safetensors"
        ) from error
    except Exception as error:  # a damaged file can fail anywhere in torch's readers, with any exception
        raise _damaged(path) from error


def _damaged(path: Path) -> UserError:
    return UserError(f"{path} cannot be read as weights: damaged, cut short, or not a weights file. Fetch it again")


def _without_prefix(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names without the `module.` that training on several GPUs puts before all of them."""
    if all(name.startswith("module.") for name in weights):
        return {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    return weights


def _check_fit(model: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """UserError unless `weights` has exactly the model's names and shapes, and only finite values."""
    expected = model.state_dict()
    network = getattr(model, "name", None) or type(model).__name__
    missing = [n for n in expected if n not in weights and not n.endswith("num_batches_tracked")]
    unexpected = [n for n in weights if n not in expected]
    if missing or unexpected:
        lists = [f"{kind} {_some(names)}" for kind, names in (("lacks", missing), ("also has", unexpected)) if names]
        raise UserError(f"{path} does not hold the weights of {network}: it {' and '.join(lists)}")
    for name, tensor in expected.items():
        if name in weights and weights[name].shape != tensor.shape:
            raise UserError(
                f"{path} does not fit {network}: {name} is {tuple(weights[name].shape)} in the file, "
                f"and {network} expects {tuple(tensor.shape)}. Check the network and its number of classes"
            )
    _check_finite(weights, f"{path} is not loaded")


def _check_finite(weights: dict[str, Tensor], what: str) -> None:
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise UserError(f"{what}: {name} holds values that are not finite (training diverged, or out of range)")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
