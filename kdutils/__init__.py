"""The package behind the book: rank augmentations for a teacher, distil students, test the paper's claims.

`import kdutils as kd` gives what `dir(kd)` lists: `kd.data`, `kd.augment`, `kd.models`, `kd.losses`, `kd.metrics`,
`kd.training`, `kd.theory`, `kd.runs`, `kd.sweep`, `kd.paper`, `kd.stats`, `kd.plots`, `kd.report` and some more.
"""

import importlib

from kdutils import _torchvision  # noqa: F401  (first: it lets torchvision import beside a CPU-only torch)

__version__ = "0.1.0"

PUBLIC = (
    "augment",
    "bench",
    "data",
    "errors",
    "inference",
    "losses",
    "metrics",
    "models",
    "paper",
    "plots",
    "report",
    "runs",
    "seeds",
    "stats",
    "sweep",
    "theory",
    "training",
)


def __getattr__(name: str) -> object:
    """Import a part of the package when it is first used, so that the command line starts at once."""
    if name in PUBLIC:
        return importlib.import_module(f"kdutils.{name}")
    raise AttributeError(f"module 'kdutils' has no attribute {name!r}; it has: {', '.join(PUBLIC)}")


def __dir__() -> list[str]:
    return list(PUBLIC)
