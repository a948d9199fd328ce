"""What Jupyter Book reads: the prose, the executed notebooks, and the pages that are made from data, in one folder."""

import re
import shutil
from pathlib import Path

import nbformat

from kdutils import files, generated


def stage(root: Path, executed: list[Path]) -> Path:
    """Write `_build/source` from `book/`, the two Jupyter Book files and the executed notebooks; return the folder."""
    source = root / "_build" / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(root / "book", source / "book", ignore=shutil.ignore_patterns("_static"))
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(root / name, source / name)
    if (root / "book" / "_static").is_dir():
        shutil.copytree(root / "book" / "_static", source / "_static")
    for notebook in executed:
        files.write_text(source / "notebooks" / notebook.name, nbformat.writes(clean(notebook)))
    for name, content in generated.pages(executed).items():
        files.write_text(source / "book" / "_generated" / name, content)
    return source


def clean(executed: Path) -> nbformat.NotebookNode:
    """The executed notebook as a reader gets it: without this machine's paths and clock, with the time it took."""
    notebook = nbformat.read(executed, as_version=4)
    seconds = notebook.metadata.pop("kdutils", {}).get("seconds")
    for metadata in [notebook.metadata, *(cell.metadata for cell in notebook.cells)]:
        metadata.pop("papermill", None)
        metadata.pop("execution", None)
    if seconds is not None:
        _note_time(notebook, seconds)
    return notebook


def _note_time(notebook: nbformat.NotebookNode, seconds: float) -> None:
    """Under the chapter's title: how long this execution took."""
    first = notebook.cells[0]
    took = f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"
    line = f"\n\n:::{{div}} chapter-head\nThis page was executed in {took} when the book was built.\n:::\n"
    if first.cell_type == "markdown":
        first.source = re.sub(r"^(# .+)$", lambda heading: heading[1] + line, first.source, count=1, flags=re.MULTILINE)
