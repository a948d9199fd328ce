"""The package behind the book: rank augmentations for a teacher, distil students, test the paper's claims.

`import kdutils as kd` gives the modules by name: `kd.data`, `kd.augment`, `kd.models`, `kd.losses`, `kd.metrics`,
`kd.training`, `kd.theory`, `kd.runs`, `kd.sweep`, `kd.paper`, `kd.stats`, `kd.plots`, `kd.report` and the rest.
"""

import importlib
import pkgutil

from kdutils import _torchvision  # noqa: F401  (first: it lets torchvision import beside a CPU-only torch)

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import a module of the package when it is first used, so that the command line answers at once."""
    if name in __dir__():
        return importlib.import_module(f"kdutils.{name}")
    raise AttributeError(f"module 'kdutils' has no attribute {name!r}; it has: {', '.join(__dir__())}")


def __dir__() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
