"""The book's notebooks: their parameters, and running one with papermill.

A notebook's `parameters` cell is its interface: one literal a line, with a comment that explains it. papermill reads
it, but only logs a parameter that the notebook does not have and takes any value; here both are refused before work.
"""

import ast
import difflib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
import papermill
import yaml
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError, strip_color
from traitlets.config import Config

from kdutils import files
from kdutils.errors import UserError, choose

ROOT = Path(__file__).parents[1]
# Without it every kernel warns on the reader's terminal that it talks to this process in plain text.
ENCRYPTED = Config({"KernelManager": {"transport_encryption": "auto"}})
Value = bool | int | float | str | list
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell: its name, its default (which sets the type), its comment, its choices if any."""

    name: str
    default: Value
    help: str
    choices: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """The type's name, as in the default's literal."""
        return type(self.default).__name__

    def read(self, value: object) -> Value:
        """The typed value of `value`, text from a command line or a Python value; UserError where it does not fit."""
        try:
            typed = _convert(value, self.default)
        except ValueError as error:
            raise UserError(f"parameter {self.name!r} is {_article(self.type)}, not {value!r}: {self.help}") from error
        if self.choices:
            for one in typed if isinstance(typed, list) else [typed]:
                choose(f"{self.name} (a notebook parameter)", one, self.choices)
        return typed


def _article(type_name: str) -> str:
    return {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}.get(
        type_name, f"a {type_name}"
    )


def _convert(value: object, default: Value) -> Value:
    """`value` in the type of `default`; ValueError where it cannot be. Text is read as a command line gives it."""
    if isinstance(default, list):
        items = _items(value) if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            raise ValueError(value)
        return [_convert(item, default[0]) if default else item for item in items]
    if isinstance(value, str) and isinstance(default, bool):
        if value.lower() not in TRUTH:
            raise ValueError(value)
        return TRUTH[value.lower()]
    if isinstance(value, str) and not isinstance(default, str):
        return type(default)(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise ValueError(value)
    return value


def _items(text: str) -> list:
    """A list from a command line: Python's own form, or words between commas."""
    if text.lstrip().startswith("["):
        try:
            return ast.literal_eval(text)
        except SyntaxError as error:
            raise ValueError(text) from error
    return [word.strip() for word in text.split(",") if word.strip()]


def chapters(root: Path = ROOT) -> list[Path]:
    """The notebooks that `_toc.yml` names, in its order."""
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf8"))
    parts = contents.get("parts", [contents])
    entries = [chapter["file"] for part in parts for chapter in part.get("chapters", [])]
    notebooks = [root / f"{entry}.ipynb" for entry in entries if entry.startswith("notebooks/")]
    for notebook in notebooks:
        if not notebook.is_file():
            raise UserError(f"_toc.yml names {notebook.relative_to(root)}, which is not there")
    return notebooks


def find(chapter: str, root: Path = ROOT) -> Path:
    """The notebook that `chapter` means: a number ("4", "04"), a name ("04_correlation") or a path."""
    if Path(chapter).suffix == ".ipynb":
        if not Path(chapter).is_file():
            raise UserError(f"no notebook at {chapter}")
        return Path(chapter)
    by_name = {path.stem: path for path in chapters(root)}
    numbers = {name.split("_")[0].lstrip("0"): path for name, path in by_name.items() if name[0].isdigit()}
    if chapter.isdigit() and chapter.lstrip("0") in numbers:
        return numbers[chapter.lstrip("0")]
    return by_name[choose("chapter", chapter, by_name)]


def title(notebook: Path) -> str:
    """The notebook's first heading."""
    for cell in nbformat.read(notebook, as_version=4).cells:
        heading = re.search(r"^# +(.+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        if heading:
            return heading[1]
    return notebook.stem


def parameters(notebook: Path) -> dict[str, Parameter]:
    """The notebook's parameters by name, in the order of its parameters cell; empty where it has none."""
    return {name: _parameter(notebook, **found) for name, found in papermill.inspect_notebook(notebook).items()}


def _parameter(notebook: Path, name: str, inferred_type_name: str, default: str, help: str) -> Parameter:
    try:
        value = ast.literal_eval(default)
    except (ValueError, SyntaxError) as error:
        raise UserError(f"{notebook.name}: the default of {name!r} is not a literal: {default}") from error
    if not isinstance(value, Value):
        raise UserError(f"{notebook.name}: the default of {name!r} is none of bool, int, float, str, list: {default}")
    declared = re.search(r"one of: ([^.;]+)", help)
    choices = tuple(word.strip(" `'\"") for word in declared[1].split(",")) if declared else ()
    return Parameter(name, value, help, choices)


def validate(notebook: Path, given: Mapping[str, object]) -> dict[str, Value]:
    """The typed values of `given`, or a UserError for a name, a type or a choice that the notebook does not have."""
    known = parameters(notebook)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UserError(f"{notebook.stem} has no parameter {name!r}.{hint} It has: {', '.join(known) or 'none'}")
    return {name: known[name].read(value) for name, value in given.items()}


def run_notebook(chapter: str, given: Mapping[str, object], output: Path | None = None, root: Path = ROOT) -> Path:
    """Execute a chapter with parameters of the reader's own and return the path of the executed notebook.

    `given` is checked first (`validate`). `output` defaults to `<chapter>-run.ipynb` in the current folder; it is
    never a source notebook. A bar on a terminal shows the cells done and the time that the rest may take.
    """
    notebook = find(chapter, root)
    values = validate(notebook, given)
    output = Path(output or f"{notebook.stem}-run.ipynb")
    if output.suffix != ".ipynb":
        raise UserError(f"the output is a notebook: name it {output.name}.ipynb")
    if output.resolve() == notebook.resolve():
        raise UserError(f"{output} is the chapter itself; name another file for the executed notebook")
    execute(notebook, output, values)
    return output


def execute(notebook: Path, output: Path, values: Mapping[str, Value] | None = None, cwd: Path | None = None) -> None:
    """Execute `notebook` with checked `values` and write it to `output`, whole or not at all.

    A UserError says which cell failed and why; the notebook as far as it came then stands beside `output` as
    `<name>.failed.ipynb`.
    """
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel, whatever the user has elsewhere
    failed = output.with_suffix(".failed.ipynb")
    failed.unlink(missing_ok=True)
    with files.atomic(output) as partial:
        try:
            done = papermill.execute_notebook(
                notebook,
                str(partial),
                dict(values or {}),
                cwd=cwd,
                progress_bar=sys.stderr.isatty(),
                config=ENCRYPTED,
                shutdown_kernel="immediate",  # a graceful end may print an interrupt on the reader's terminal
            )
        except (PapermillExecutionError, DeadKernelError, CellTimeoutError) as error:
            os.replace(partial, failed)
            raise UserError(f"{_failure(notebook, error)}\nThe notebook as far as it came: {failed}") from error
        skipped = [number for number, cell in enumerate(done.cells, 1) if _not_executed(cell)]
        if skipped:
            raise UserError(f"{notebook.stem}: cell {skipped[0]} did not run, because an earlier cell left the kernel")


def _not_executed(cell: nbformat.NotebookNode) -> bool:
    return cell.cell_type == "code" and bool(cell.source.strip()) and cell.execution_count is None


def _failure(notebook: Path, error: Exception) -> str:
    """What failed, in a few lines: the notebook, the cell's number in it, the line, the error."""
    if not isinstance(error, PapermillExecutionError):
        return f"{notebook.stem}: the kernel stopped ({str(error).strip() or 'killed, perhaps for want of memory'})"
    cells = nbformat.read(notebook, as_version=4).cells
    number = next((str(i) for i, cell in enumerate(cells, 1) if cell.source == error.source), "with your parameters")
    trace = strip_color("\n".join(error.traceback))
    line = re.search(r"^-+> *\d+ (.*)$", trace, re.MULTILINE)
    where = f"\n  {line[1].strip()}" if line else ""
    return f"{notebook.stem}: cell {number} failed{where}\n  {error.ename}: {error.evalue}"
