"""A Sphinx extension for the page of the package: docstrings as they are written, and the fields of specifications."""

import re
from typing import Any

from numpy.typing import ArrayLike
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

ARRAY_LIKE = stringify_annotation(ArrayLike, "smart")  # many lines of NumPy's inner names
FIELD_OF_TUPLE = "Alias for field number"  # what Python says of a NamedTuple's fields, which the docstring explains


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", escape)
    app.connect("autodoc-process-docstring", list_fields)
    app.connect("autodoc-process-signature", shorten)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def escape(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Keep |a - b| as it is, which Sphinx takes for a name to put something else for; not within backticks."""
    lines[:] = [re.sub(r"(`[^`]*`)|\|", lambda found: found[1] or r"\|", line) for line in lines]


def shorten(app: Sphinx, what: str, name: str, thing: Any, *given: Any) -> tuple[str | None, str | None]:
    """Leave out the arguments of a specification or result, whose fields are listed in words, and all of ArrayLike."""
    if isinstance(thing, type) and issubclass(thing, BaseModel):
        return "", None
    _, arguments, returned = given
    return arguments and arguments.replace(ARRAY_LIKE, "ArrayLike"), returned


def list_fields(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Add the fields of a specification or a result, with their defaults and meaning, below its docstring."""
    if not (isinstance(thing, type) and issubclass(thing, BaseModel)):
        return
    for field, about in thing.model_fields.items():
        if about.description:
            lines += ["", f"``{field}``{_default(about)}", f"    {about.description}"]
    lines.append("")


def _default(about: FieldInfo) -> str:
    return "" if about.is_required() else f" = ``{about.default!r}``"


def skip(app: Sphinx, what: str, name: str, thing: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out what has no words of ours; None leaves it to Sphinx."""
    said, module = getattr(thing, "__doc__", None) or "", getattr(thing, "__module__", None) or "kdutils"
    return True if said.startswith(FIELD_OF_TUPLE) or module.partition(".")[0] != "kdutils" else None
