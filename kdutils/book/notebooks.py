"""The book's notebooks: finding them, and running one with papermill and parameters of one's own.

A notebook's `parameters` cell is its interface (`parameters`). papermill only logs a parameter that the notebook does
not have and takes any value; here both are refused before work.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import papermill
import yaml
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError, strip_color
from traitlets.config import Config

from kdutils import _files
from kdutils._files import ROOT
from kdutils.book.parameters import Parameter, Value, parameters, read_notebook, validate, validate_ours
from kdutils.errors import UserError, choose

__all__ = [
    "ROOT",
    "Parameter",
    "chapters",
    "execute",
    "find",
    "parameters",
    "run_notebook",
    "title",
    "validate",
    "validate_ours",
]

# Without it every kernel warns on the reader's terminal that it talks to this process in plain text.
ENCRYPTED = Config({"KernelManager": {"transport_encryption": "auto"}})
KERNEL = {"kernel_name": "python3", "language": "python"}  # this environment's, whatever the notebook's is called


def chapters(root: Path = ROOT) -> list[Path]:
    """The notebooks that `_toc.yml` names, in its order; those of a wheel, which has none, by name."""
    contents = root / "_toc.yml"
    if root == _files.WHEEL:
        return sorted((root / "notebooks").glob("*.ipynb"))
    try:
        listed = yaml.safe_load(contents.read_text(encoding="utf-8"))
        entries = [chapter["file"] for part in listed.get("parts", [listed]) for chapter in part.get("chapters", [])]
        notebooks = [root / f"{entry}.ipynb" for entry in entries if entry.startswith("notebooks/")]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{contents} cannot be read as Jupyter Book's table of contents") from error
    for notebook in notebooks:
        if not notebook.is_file():
            raise UserError(f"_toc.yml names {notebook.relative_to(root)}, which is not there")
    return notebooks


def find(chapter: str, root: Path = ROOT) -> Path:
    """The notebook that `chapter` means: a number ("4", "04"), a name ("04_correlation") or a path."""
    if Path(chapter).suffix == ".ipynb":
        if not _files.is_file(chapter):
            raise UserError(f"no notebook at {chapter}")
        return Path(chapter)
    by_name = {path.stem: path for path in chapters(root)}
    numbers = {name.split("_")[0].lstrip("0"): path for name, path in by_name.items() if name[0].isdigit()}
    if chapter.isdigit() and chapter.lstrip("0") in numbers:
        return numbers[chapter.lstrip("0")]
    return by_name[choose("chapter", chapter, by_name)]


def title(notebook: Path) -> str:
    """The notebook's first heading."""
    for cell in read_notebook(notebook).cells:
        heading = re.search(r"^# +(.+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        if heading:
            return heading[1]
    return notebook.stem


def run_notebook(chapter: str, given: Mapping[str, object], output: Path | None = None, root: Path = ROOT) -> Path:
    """Execute a chapter with parameters of the reader's own and return the path of the executed notebook.

    `given` is checked first (`validate`). `output` defaults to `<chapter>-run.ipynb` in the current folder, and its
    name is taken as it is. It never replaces a file that is not an executed notebook. A bar on a terminal shows the
    cells done and the time that the rest may take.
    """
    notebook = find(chapter, root)
    ours = notebook.resolve().is_relative_to((root / "notebooks").resolve())
    values = (validate_ours if ours else validate)(notebook, given)
    output = Path(output or f"{notebook.stem}-run.ipynb")
    if output.suffix != ".ipynb":
        raise UserError(f"the output is a notebook: name it {output.name}.ipynb")
    if os.path.realpath(output) == os.path.realpath(notebook):  # Path.resolve raises if a name is too long
        raise UserError(f"{output} is the notebook itself; name another file for the executed one")
    for path in (output, _failed(output)):
        _files.check_place(path)
        if _files.is_file(path) and not _was_executed(path):
            raise UserError(f"{path} is not the output of an earlier run, so it is kept; name another file")
    execute(notebook, output, values)
    return output


def _failed(output: Path) -> Path:
    """Where a notebook that failed is put, as far as it came."""
    return output.with_suffix(".failed.ipynb")


def _was_executed(path: Path) -> bool:
    """True for a notebook that papermill wrote."""
    try:
        return "papermill" in json.loads(path.read_text(encoding="utf-8"))["metadata"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def execute(notebook: Path, output: Path, values: Mapping[str, Value] | None = None, cwd: Path | None = None) -> None:
    """Execute `notebook` with checked `values` and write it to `output`, whole or not at all.

    It runs in this environment's Python kernel. A UserError says which cell failed and why; the notebook as far as it
    came then stands beside `output` as `<name>.failed.ipynb`.
    """
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel, whatever the user has elsewhere
    logging.getLogger("papermill").setLevel(logging.ERROR)  # it counts "=" to find parameters, and says so
    _check_language(notebook)
    failed = _failed(output)
    failed.unlink(missing_ok=True)
    with _files.atomic(output) as partial:
        try:
            done = papermill.execute_notebook(
                _literal(notebook),
                _literal(partial),
                dict(values or {}),
                cwd=cwd,
                progress_bar=sys.stderr.isatty(),
                config=ENCRYPTED,
                shutdown_kernel="immediate",  # a graceful end may print an interrupt on the reader's terminal
                **KERNEL,
            )
        except (PapermillExecutionError, DeadKernelError, CellTimeoutError) as error:
            os.replace(partial, failed)
            raise UserError(f"{_failure(notebook, error)}\nThe notebook as far as it came: {failed}") from error
        except NoSuchKernel as error:
            raise UserError(f"there is no Jupyter kernel {error.name!r} here: pip install ipykernel") from error
        skipped = [number for number, cell in enumerate(done.cells, 1) if _not_executed(cell)]
        if skipped:
            raise UserError(f"{notebook.stem}: cell {skipped[0]} did not run, because an earlier cell left the kernel")


def _literal(path: Path) -> str:
    """The path as papermill reads it, which fills parameters into {braces}."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _check_language(notebook: Path) -> None:
    """UserError for a notebook that cannot be read or is not in Python."""
    metadata = read_notebook(notebook).metadata
    named = metadata.get("kernelspec", {}).get("language") or metadata.get("language_info", {}).get("name") or "python"
    if named.lower() not in ("python", "ipython", "python3"):
        raise UserError(f"{notebook.name} is written in {named}; only notebooks in Python can be run")


def _not_executed(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and bool(cell.source.strip()) and cell.execution_count is None


def _failure(notebook: Path, error: Exception) -> str:
    """What failed, in a few lines: the notebook, the cell's number in it, the line, the error."""
    if not isinstance(error, PapermillExecutionError):
        return f"{notebook.stem}: the kernel stopped ({str(error).strip() or 'killed, perhaps out of memory'})"
    cells = read_notebook(notebook).cells
    number = next((str(i) for i, cell in enumerate(cells, 1) if cell.source == error.source), "with your parameters")
    trace = strip_color("\n".join(error.traceback))
    line = re.search(r"^-+> *\d+ (.*)$", trace, re.MULTILINE)
    where = f" at  {line[1].strip()}" if line else ""
    return f"{notebook.stem}: cell {number} failed{where}\n  {error.ename}: {' '.join(error.evalue.split())}"
