"""What Jupyter Book reads: the prose, the executed notebooks, and the pages that are made from data, in one folder."""

import re
import shutil
from pathlib import Path

import nbformat

from kdutils import files, generated, recordings, report


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
        _note_run(notebook, seconds, report.verdicts([executed]))
    return notebook


def _note_run(notebook: nbformat.NotebookNode, seconds: float, verdicts: list[report.Verdict]) -> None:
    """Under the chapter's title: how long this execution took, at which size, and what larger runs there are."""
    first = notebook.cells[0]
    took = f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"
    sizes = " and ".join(dict.fromkeys(verdict.size for verdict in verdicts))
    said = f"This page was executed in {took} when the book was built{f', at the {sizes} size' if sizes else ''}."
    if any(verdict.recorded not in ("", recordings.NOT_YET) for verdict in verdicts):
        said += " Larger runs, [recorded](/book/results.md) before, stand beside it."
    line = f"\n\n:::{{div}} chapter-head\n{said}\n:::\n"
    if first.cell_type == "markdown":
        first.source = re.sub(r"^(# .+)$", lambda heading: heading[1] + line, first.source, count=1, flags=re.MULTILINE)
