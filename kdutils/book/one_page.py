"""A Sphinx extension: the book as one page (`singlehtml`) knows every kind of box that its separate pages know.

Sphinx takes a builder's own list of how to write the kinds of nodes, and falls back to that of its format only where
the builder has none. One extension names `singlehtml` and others only `html`, and so the others' boxes are unknown.
"""

from typing import Any

from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("builder-inited", _share_handlers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _share_handlers(app: Sphinx) -> None:
    handlers = app.registry.translation_handlers
    handlers["singlehtml"] = {**handlers.get("html", {}), **handlers.get("singlehtml", {})}
