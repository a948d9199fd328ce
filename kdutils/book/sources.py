"""What Jupyter Book reads: the prose, the executed notebooks, and the pages that are made from data, in one folder."""

import io
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from kdutils import _files, report
from kdutils.book import pages
from kdutils.book.runs_behind import runs_behind
from kdutils.report import campaigns


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
        _files.write_text(source / "notebooks" / notebook.name, nbformat.writes(clean(notebook)))
    for name, content in pages.pages(executed).items():
        _files.write_text(source / "book" / "_generated" / name, content)
    notebooks = {f"notebooks/{path.name}": path.read_bytes() for path in sorted(source.glob("notebooks/*.ipynb"))}
    _files.write_bytes(source / "book" / "_generated" / "notebooks.zip", packed(notebooks))
    _files.write_bytes(source / "book" / "_generated" / "figures.zip", packed(figures(executed)))
    return source


def packed(files: Mapping[str, bytes]) -> bytes:
    """A zip file of name -> content, the same bytes for the same contents: an unchanged book is not built again."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def figures(executed: Iterable[Path]) -> dict[str, bytes]:
    """The figures of the chapters by the names that their cells give them: `05_cutmixpick/fig-picked.svg` -> SVG."""
    return {
        f"{path.stem}/{cell.metadata.mystnb.figure.name}.svg": output.data["image/svg+xml"].encode()
        for path in executed
        for cell in nbformat.read(path, as_version=4).cells
        if "figure" in cell.metadata.get("mystnb", {})
        for output in cell.outputs
        if "image/svg+xml" in output.get("data", {})
    }


def clean(executed: Path) -> NotebookNode:
    """The executed notebook as a reader gets it: without this machine's paths and clock, with the time it took."""
    notebook = nbformat.read(executed, as_version=4)
    seconds = notebook.metadata.pop("kdutils", {}).get("seconds")
    for metadata in [notebook.metadata, *(cell.metadata for cell in notebook.cells)]:
        metadata.pop("papermill", None)
        metadata.pop("execution", None)
    if seconds is not None:
        _note_run(notebook, seconds, executed)
    notebook.cells = list(_with_provenance(notebook.cells, runs_behind(notebook.cells, report.reads(executed))))
    return notebook


def _with_provenance(cells: Iterable[NotebookNode], behind: Mapping[int, Sequence[str]]) -> Iterator[NotebookNode]:
    """The cells, and after each that shows recorded runs, folded: their tables, commands and commits."""
    for cell in cells:
        yield cell
        names = behind.get(cell.get("execution_count"), ())
        if names and _shows(cell):
            lines = [f"- {pages.how_made(name)}" for name in names]
            source = "\n".join([":::{dropdown} The runs behind this", ":class-container: runs-behind", *lines, ":::"])
            yield nbformat.v4.new_markdown_cell(source, id=f"{cell.id}-runs")  # a random id would change every build


def _shows(cell: NotebookNode) -> bool:
    """Whether a code cell has a figure or table, but for verdicts, which name their runs themselves."""
    return any(
        {"image/svg+xml", "text/html"} & output.get("data", {}).keys() and report.KEY not in output.metadata
        for output in cell.outputs
    )


def _note_run(notebook: NotebookNode, seconds: float, executed: Path) -> None:
    """Under the chapter's title: how long this execution took, at which size, and what larger runs there are."""
    first = notebook.cells[0]
    took = f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"
    sizes = "quick size" if report.verdicts([executed]) else ""  # the defaults, with which the book is built
    said = f"This page was executed in {took} when the book was built"
    said += f", at the {sizes} ({{ref}}`of four <four-sizes>`)." if sizes else "."
    larger = _sizes(filter(None, map(campaigns.size_of, report.sources([executed]))))
    if larger:
        said += f" Beside it stand runs [recorded](/book/results.md) before, at the {larger}."
    line = f"\n\n:::{{div}} chapter-head\n{said}\n:::\n"
    if first.cell_type == "markdown":
        first.source = re.sub(r"^(# .+)$", lambda heading: heading[1] + line, first.source, count=1, flags=re.MULTILINE)


def _sizes(names: Iterable[str]) -> str:
    """`quick and laptop size`, each once."""
    named = " and ".join(dict.fromkeys(names))
    return f"{named} size" if named else ""
