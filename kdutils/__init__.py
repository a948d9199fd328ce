"""The package behind the book: rank augmentations for a teacher, distil students, test the paper's claims.

`import kdutils as kd` gives the modules by name: `kd.data`, `kd.augment`, `kd.models`, `kd.losses`, `kd.metrics`,
`kd.training`, `kd.theory`, `kd.runs`, `kd.paper`, `kd.stats`, `kd.plots`, `kd.report`.
"""

import importlib

from kdutils import _torchvision  # noqa: F401  (first: it lets torchvision import beside a CPU-only torch)

__version__ = "0.1.0"

_MODULES = "augment data losses metrics models paper plots report risk runs stats store study sweep theory training".split()


def __getattr__(name: str) -> object:
    """Import a module of the package when it is first used, so that the command line answers at once."""
    if name in _MODULES:
        return importlib.import_module(f"kdutils.{name}")
    raise AttributeError(f"module 'kdutils' has no attribute {name!r}; it has: {', '.join(_MODULES)}")


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]
