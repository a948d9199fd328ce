"""Many runs at once: `sweep(grid(...))` makes what the store does not hold yet, and returns all of it as one table."""

import importlib

PLACES = {"grid": "grids", "plan": "driver", "sweep": "driver"}  # name -> its module

__all__ = ["grid", "plan", "sweep"]


def __getattr__(name: str) -> object:
    """Import a name's module when it is first used: a worker starts as `python -m kdutils.sweep.worker`."""
    if name in PLACES:
        return getattr(importlib.import_module(f"kdutils.sweep.{PLACES[name]}"), name)
    raise AttributeError(f"module 'kdutils.sweep' has no attribute {name!r}")
