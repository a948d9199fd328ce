"""What tells one question from another: the digest of its content, and of the code that a user's names stand for."""

import functools
import hashlib
import inspect
import json
import sys
import sysconfig
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from torch import Tensor, nn

LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def canonical(content: Any) -> str:
    """JSON with sorted keys and no spaces: equal content gives equal text."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=True)


def digest(content: Any) -> str:
    """The SHA-256 of the canonical JSON of `content`."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def of_code(thing: Any) -> str:
    """A hash of what a user's function, class or object does; "" for code of this package that captures nothing.

    It holds the bytecode with all values that are captured or global, and the `repr` of a library's objects, such as
    transforms. What has no lasting `repr` (one with an address) differs in each process, and is then computed again.
    """
    return "" if _is_ours(thing) else digest(_described(thing, ()))


def _is_ours(thing: Any) -> bool:
    """Whether the package's own source says all about `thing`."""
    module = getattr(thing, "__module__", None) or ""
    captures = not isinstance(thing, FunctionType | type) or getattr(thing, "__closure__", None)
    return module.partition(".")[0] == "kdutils" and not captures


def _is_known_by_name(thing: Any) -> bool:
    """Whether `thing` is code that is installed, or this package's: its name says what it does."""
    if isinstance(thing, ModuleType) or _is_ours(thing):
        return True
    if not isinstance(thing, FunctionType | type):
        return inspect.isroutine(thing) and not isinstance(thing, MethodType)
    module = sys.modules.get(thing.__module__)
    file = getattr(module, "__file__", None)
    return thing.__module__ != "__main__" and (file is None or file.startswith(LIBRARIES))


def _described(thing: Any, within: tuple[int, ...]) -> Any:
    """`thing` as plain values, equal if it does the same. `within`: what is being described, to end circles."""
    if _is_known_by_name(thing) or id(thing) in within:
        return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', type(thing).__name__)}"
    parts = _parts(thing)
    if parts is None:
        return repr(thing)
    return [type(thing).__name__, *(_described(part, (*within, id(thing))) for part in parts)]


def _parts(thing: Any) -> list | None:
    """What `thing` consists of; None if its `repr` says it all."""
    match thing:
        case functools.partial():
            return [thing.func, thing.args, thing.keywords]
        case MethodType():
            return [thing.__func__, thing.__self__]
        case FunctionType():
            used = inspect.getclosurevars(thing)
            return [thing.__code__, thing.__defaults__, thing.__kwdefaults__, used.nonlocals, used.globals]
        case CodeType():
            return [thing.co_code, thing.co_consts, thing.co_names]
        case dict():
            return [part for name in sorted(thing, key=repr) for part in (name, thing[name])]
        case list() | tuple():
            return list(thing)
        case set() | frozenset():
            return sorted(thing, key=repr)
        case nn.Module():  # a transform's repr leaves out functions, as that of v2.Lambda, and weights
            public = {name: value for name, value in vars(thing).items() if not name.startswith("_")}
            return [type(thing), public, dict(thing.named_children()), dict(thing.state_dict())]
        case Tensor() | np.ndarray():
            values = np.asarray(thing.detach().cpu() if isinstance(thing, Tensor) else thing)
            return [str(values.dtype), str(values.shape), hashlib.sha256(values.tobytes()).hexdigest()]
        case type():
            return [thing.__qualname__, thing.__bases__, {n: v for n, v in vars(thing).items() if _says_more(n, v)}]
    if _is_known_by_name(type(thing)):
        return None
    return [type(thing), vars(thing)] if hasattr(thing, "__dict__") else None


def _says_more(name: str, value: Any) -> bool:
    """Whether an attribute of a class is more than what Python gives every class."""
    return isinstance(value, FunctionType) or not name.startswith("__")
