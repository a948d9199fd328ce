"""A notebook's parameters: the literals of its cell tagged `parameters`, one per line, each with a comment."""

import ast
import difflib
import io
import re
import tokenize
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from kdutils._files import is_file
from kdutils.errors import UserError, choose

TAG = "parameters"
BOUNDS = re.compile(r"\b(at least|at most|a multiple of) (\d+)\b")  # in a comment
OF_RUNS = {  # the book's names for several values of a run's field, or for one more run
    "seeds": "seed",
    "sizes": "images_per_class",
    "methods": "method",
    "prolong": "method",
    "schemes": "scheme",
    "compared": "scheme",
    "without": "scheme",
    "taught_by": "scheme",
    "judge": "student",
    "judge_epochs": "epochs",
    "student_epochs": "epochs",
    "prolonged": "epochs",
}
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
        """The typed value of `value`, text from a command line or a Python value; UserError if it does not fit."""
        try:
            typed = _convert(value, self.default)
        except ValueError as error:
            raise UserError(f"parameter {self.name!r} is {_article(self.type)}, not {value!r}: {self.help}") from error
        if self.choices:
            for one in typed if isinstance(typed, list) else [typed]:
                choose(f"{self.name} (a notebook parameter)", one, self.choices)
        if isinstance(typed, int | float) and not self._within(typed):
            raise UserError(f"parameter {self.name!r} is not to be {typed!r}: {self.help}")
        return typed

    def _within(self, number: float) -> bool:
        """Whether it keeps the bounds that the comment names, such as "at least 7"."""
        said = {word: int(bound) for word, bound in BOUNDS.findall(self.help)}
        least, most, part = (said.get(word) for word in ("at least", "at most", "a multiple of"))
        return (
            (least is None or number >= least)
            and (most is None or number <= most)
            and (part is None or (number > 0 and number % part == 0))
        )


def read_notebook(path: Path) -> NotebookNode:
    """The notebook at `path` in nbformat 4; UserError, in one line, for a file that holds none."""
    if not is_file(path):
        raise UserError(f"no notebook at {path}")
    try:
        notebook = nbformat.convert(nbformat.reader.reads(path.read_text(encoding="utf-8")), 4)
        notebook.nbformat_minor = 5  # the newest: Colab writes cell ids into older ones
        for cell in notebook.cells:
            if cell.cell_type == "code":  # what an earlier run left is not read
                cell.outputs, cell.execution_count = [], None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of cell ids that are missing or stand there twice
            notebook = nbformat.validator.normalize(notebook)[1]
        nbformat.validate(notebook)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no notebook: it is not in UTF-8") from error
    except Exception as error:  # nbformat has its own errors, and stumbles over some files
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path} is no notebook that can be read: {said[:120]}") from error
    return notebook


def parameters(notebook: Path) -> dict[str, Parameter]:
    """The notebook's parameters by name, in the order of its parameters cell; empty if it has none."""
    tagged = [cell.source for cell in read_notebook(notebook).cells if TAG in cell.metadata.get("tags", [])]
    source = tagged[0] if tagged else ""
    try:
        statements = ast.parse(source).body
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (SyntaxError, ValueError) as error:
        line = source.splitlines()[(getattr(error, "lineno", None) or 1) - 1 :][:1]
        raise UserError(f"{notebook.name}: its parameters cell is not plain Python: {''.join(line).strip()}") from error
    comments = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    return {
        target.id: _parameter(notebook, target.id, statement.value, comments.get(statement.end_lineno, ""))
        for statement in statements
        if (target := _target(statement)) is not None
    }


def _target(statement: ast.stmt) -> ast.Name | None:
    """The name that a statement gives a value to, if it does that and nothing else."""
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        found = [statement.target]
    else:
        found = statement.targets if isinstance(statement, ast.Assign) else []
    return found[0] if len(found) == 1 and isinstance(found[0], ast.Name) else None


def _parameter(notebook: Path, name: str, default: ast.expr, help: str) -> Parameter:
    shown = ast.unparse(default)
    try:
        value = ast.literal_eval(default)
    except (ValueError, TypeError) as error:
        raise UserError(f"{notebook.name}: the default of {name!r} is not a literal: {shown}") from error
    if not isinstance(value, Value):
        raise UserError(f"{notebook.name}: the default of {name!r} is none of bool, int, float, str, list: {shown}")
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


def validate_ours(notebook: Path, given: Mapping[str, object]) -> dict[str, Value]:
    """As `validate`, for a notebook of the book: its parameters are named as a run's fields, and can be no others.

    A UserError then comes before a teacher is trained, and before an assignment is handed out.
    """
    values = validate(notebook, given)
    if not values:
        return values
    from kdutils import metrics, runs  # these take seconds to load

    known = parameters(notebook)
    for name, value in values.items():
        field = OF_RUNS.get(name, name)
        if field in runs.RunSpec.model_fields and (value != "" or "empty:" not in known[name].help):
            for one in value if isinstance(value, list) else [value]:
                runs.RunSpec(**{"teacher": "tiny", "student": "tiny", field: one})
    whole = {name: parameter.default for name, parameter in known.items()} | values
    if "steps" in whole:  # of a measurement, in windows of k images; without k, in the smallest windows at least
        size = runs.RankSpec.model_fields["batch_size"].default
        metrics.check_sizes(size, whole.get("k", 2 * size), whole["steps"])
    return values


def _article(type_name: str) -> str:
    return {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}.get(
        type_name, f"a {type_name}"
    )


def _convert(value: object, default: Value) -> Value:
    """`value` in the type of `default`; ValueError if it cannot be. Text is read as a command line gives it."""
    if isinstance(value, str):
        value.encode()  # half a character, or bytes that are no UTF-8: a UnicodeEncodeError, which is a ValueError
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
            return ast.literal_eval(text.strip())
        except (SyntaxError, TypeError, RecursionError, MemoryError) as error:
            raise ValueError(text) from error
    return [word.strip() for word in text.split(",") if word.strip()]
