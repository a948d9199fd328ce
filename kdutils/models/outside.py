"""Networks from elsewhere, teachers or students: timm's and torchvision's by name, any by a function in a file."""

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType

import torch
from torch import Tensor, nn

from kdutils.errors import UserError, choose
from kdutils.models.base import Features, Network

FORMS = "timm:NAME, torchvision:NAME or FILE.py:FUNCTION"


class OutsideNetwork(Network):
    """A network that another library or a user's function has built: logits only, under its own weights' names."""

    image_sizes = range(8, 1025)

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def features(self, x: Tensor) -> Features:
        """Its logits; it has no maps, and nothing is pooled."""
        logits = logits_in(self.network(x))
        return Features((), logits[:, :0], logits)


def constructor(name: str) -> Callable[..., nn.Module]:
    """The function of `num_classes` that builds the network `name`, written as FORMS; UserError if there is none."""
    source, _, wanted = name.rpartition(":")
    if not source:
        raise UserError(f"no network {name}: a network from elsewhere is written {FORMS}")
    if source == "timm":
        return _of_timm(wanted)
    if source == "torchvision":
        return _of_torchvision(wanted)
    return _of_file(source, wanted)


def build(name: str, num_classes: int, image_size: int) -> OutsideNetwork:
    """The network `name`, freshly initialised, once it has been seen to map such images to logits; else a UserError.

    It is built on the CPU even where others have only shapes, on `meta`: not all code runs there.
    """
    make = constructor(name)
    try:
        with torch.device("cpu"):
            network = make(num_classes=num_classes)
    except (Exception, SystemExit) as error:  # code that is not ours can fail in any way
        raise UserError(f"{name} cannot be built for {num_classes} classes: {_first_line(error)}") from error
    if not isinstance(network, nn.Module):
        raise UserError(f"{name} returns a {type(network).__name__}; expected a torch.nn.Module")
    model = OutsideNetwork(network)
    model.name = name
    _try(model, num_classes, image_size)
    return model


def inner(model: nn.Module) -> nn.Module:
    """The network itself, under whose own names its weights are kept: of one from elsewhere, the one within."""
    return model.network if isinstance(model, OutsideNetwork) else model


def in_file(name: str) -> bool:
    """Whether `name` is one of a function in a file."""
    return name.rpartition(":")[0].endswith(".py")


def portable(name: str) -> str:
    """`name` without the folder of its file: what a result's key and table hold."""
    return os.path.basename(name) if in_file(name) else name


def logits_in(output: object) -> Tensor:
    """The tensor in a network's output: itself, `.logits`, the entry "logits" or the first of a sequence."""
    if isinstance(output, Mapping) and "logits" in output:
        found = output["logits"]
    else:
        found = getattr(output, "logits", output)
    if isinstance(found, tuple | list) and found:
        found = found[0]
    if not isinstance(found, Tensor):
        keys = f" with {', '.join(map(repr, output))}" if isinstance(output, Mapping) else ""
        raise UserError(
            f"the network returns a {type(output).__name__}{keys}; expected logits [N, C]: a tensor, as .logits, under "
            "'logits' or first in a tuple"
        )
    return found


def _try(model: OutsideNetwork, num_classes: int, image_size: int) -> None:
    """Refuse a network that does not map images of this size to logits, as one of a fixed input size."""
    was_training = model.training
    try:
        with torch.no_grad(), torch.device("cpu"):
            found = model.eval()(torch.zeros(2, 3, image_size, image_size))
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(
            f"{model.name} takes no images of {image_size} x {image_size} pixels: {_first_line(error)}"
        ) from error
    model.train(was_training)
    if found.shape != (2, num_classes):
        raise UserError(f"{model.name} gives {tuple(found.shape)} for 2 images; expected logits (2, {num_classes})")


def normalisation(name: str) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and std of images in 0..1 that timm states for its network `name`; None for other networks."""
    source, _, wanted = name.rpartition(":")
    if source != "timm":
        return None
    _of_timm(wanted)
    stated = _timm().models.get_pretrained_cfg(wanted)
    return stated and (stated.mean, stated.std)


def _of_timm(name: str) -> Callable[..., nn.Module]:
    """The function that builds timm's network `name`, with or without the tag of its weights (resnet50.a1_in1k)."""
    timm = _timm()
    choose("network of timm", timm.models.split_model_name_tag(name)[0], timm.list_models())
    try:
        timm.models.get_pretrained_cfg(name)
    except RuntimeError as error:
        raise UserError(f"timm:{name} is unknown: {error}") from error
    return partial(timm.create_model, name)


def _timm() -> ModuleType:
    try:
        import timm  # takes seconds
    except ImportError as error:
        raise UserError("networks of timm need the package timm: pip install 'kdutils[timm]'") from error
    return timm


def _of_torchvision(name: str) -> Callable[..., nn.Module]:
    import torchvision  # takes seconds

    known = torchvision.models.list_models(module=torchvision.models)
    return torchvision.models.get_model_builder(choose("network of torchvision", name, known))


def _of_file(file: str, function: str) -> Callable[..., nn.Module]:
    if not file.endswith(".py") or not os.path.isfile(file):
        raise UserError(f"no network {file}:{function}: a network from elsewhere is written {FORMS}")
    found = getattr(_module(file, os.stat(file).st_mtime_ns), function, None)
    if not callable(found):
        raise UserError(f"{file} defines no function {function!r}: expected one of num_classes that returns a module")
    try:
        inspect.signature(found).bind(num_classes=2)
    except TypeError as error:
        raise UserError(f"{file}:{function} cannot be called with num_classes=...: {error}") from error
    return found


@lru_cache(maxsize=16)
def _module(file: str, changed: int) -> ModuleType:
    """The module that a file holds, run once for each time of change; it may import its neighbours."""
    path = Path(file).resolve()
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    name = f"{path.stem} of {path.parent}"
    module = module_from_spec(spec_from_loader(name, _Source(name, str(path))))
    sys.modules[name] = module  # where `inspect` and `runs.identities` look for the file of a function
    try:
        module.__spec__.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UserError(f"{file} cannot be imported: {_first_line(error)}") from error
    return module


class _Source(SourceFileLoader):
    """Compiles what the file says now: Python's cache takes a file of equal length and second for unchanged."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
