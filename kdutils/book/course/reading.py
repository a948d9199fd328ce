"""A notebook file as a student hands it in, read leniently: the sources and pictures of its cells, and their names.

Nothing else of the file is used, so it need not keep to the schema: cell ids in nbformat 4.4, outputs with odd keys, a
byte order mark or UTF-16 do not matter.
"""

import base64
import binascii
import json
import re
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from kdutils.errors import UserError

MEGABYTES = 32  # the largest file that is read
SURROGATE, REPLACEMENT = re.compile("[\ud800-\udfff]"), "\ufffd"
LINE_END = re.compile("\r\n?")  # of Windows and of old Macs


@dataclass(frozen=True)
class Cell:
    """A cell of the file; `names`: what may be its name, the best first; `attachments`: name -> MIME type -> base64."""

    names: tuple[str, ...]
    kind: str
    source: str
    attachments: dict[str, dict[str, str]]


def read(path: Path) -> tuple[list[Cell], list[str]]:
    """The cells of the file at `path`, and what was wrong with it in words; UserError if it holds no notebook."""
    try:
        content, trouble = _parse(_content(path))
    except OSError as error:
        raise UserError(error.strerror or str(error)) from error
    except RecursionError as error:
        raise UserError("it is nested too deeply") from error
    except ValueError as error:
        raise UserError(str(error)) from error
    found = [_cell(cell) for cell in _cells(content) if isinstance(cell, dict)]
    trouble += _strictly(content)
    if any(replaced for _, replaced in found):
        trouble.append(f"half characters (lone surrogates) were replaced by {REPLACEMENT}")
    return [cell for cell, _ in found], trouble


def _content(path: Path) -> bytes:
    """The bytes of a regular file; a pipe, a device or a link is not even opened."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise UserError("it is a link, a pipe or a device, not a file")
    with open(path, "rb") as stream:
        content = stream.read(MEGABYTES * 10**6 + 1)
    if len(content) > MEGABYTES * 10**6:
        raise UserError(f"it is larger than {MEGABYTES} MB")
    return content


def _parse(content: bytes) -> tuple[Any, list[str]]:
    """The JSON in `content`, in any of JSON's encodings; bytes that belong to none of them are replaced."""
    try:
        told = [] if json.detect_encoding(content) == "utf-8" else ["the file is not plain UTF-8"]
        return json.loads(content), told
    except UnicodeDecodeError:
        return json.loads(content.decode(errors="replace")), [f"bytes that are not UTF-8 became {REPLACEMENT}"]


def _strictly(content: dict) -> list[str]:
    """What the notebook format itself has against the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of cell ids that are missing or stand there twice
            nbformat.validate(content)
    except Exception as error:  # the validator stumbles over some files instead of refusing them
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return [f"the file does not keep to the notebook format ({said[:80]}); its answers were read all the same"]
    return []


def _cells(content: Any) -> list:
    """The cells of nbformat 4, or of the sheets of nbformat 3."""
    sheets = content.get("worksheets") if isinstance(content, dict) else None
    holders = sheets if isinstance(sheets, list) else [content]
    lists = [
        holder["cells"] for holder in holders if isinstance(holder, dict) and isinstance(holder.get("cells"), list)
    ]
    if not lists:
        raise UserError("it has no list of cells")
    return [cell for cells in lists for cell in cells]


def _cell(cell: dict) -> tuple[Cell, bool]:
    """The cell, and whether a half character in its source was replaced."""
    metadata = _dict(cell.get("metadata"))
    candidates = (_dict(metadata.get("nbgrader")).get("grade_id"), metadata.get("id"), cell.get("id"))
    source = _text(cell.get("source", cell.get("input")))  # nbformat 3 says input
    clean = SURROGATE.sub(REPLACEMENT, source)
    attachments = _pictures(cell.get("attachments"))
    return Cell(tuple(map(_text, candidates)), _text(cell.get("cell_type")), clean, attachments), clean != source


def _dict(value: Any) -> dict:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A text as the format has it, a string or a list of lines, with the line ends of Python."""
    lines = value if isinstance(value, list) else [value]
    return LINE_END.sub("\n", "".join(line for line in lines if isinstance(line, str)))


def _pictures(attachments: Any) -> dict[str, dict[str, str]]:
    """The attachments that are pictures in proper base64."""
    found = {}
    for name, bundle in _dict(attachments).items():
        images = {kind: "".join(_text(data).split()) for kind, data in _dict(bundle).items() if _is_picture(kind)}
        if images := {kind: data for kind, data in images.items() if _is_base64(data)}:
            found[SURROGATE.sub(REPLACEMENT, name)] = images
    return found


def _is_picture(kind: str) -> bool:
    return re.fullmatch(r"image/[\w.+-]+", kind) is not None


def _is_base64(data: str) -> bool:
    try:
        return bool(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return False
