"""What a test cell is when it is run, and whether it passed.

nbgrader takes a test cell without an error for a pass. Here a test passes only if it comes to its own last line: that
shows a random word, which the notebook cannot know before.
"""

import ast
import inspect

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from kdutils.book.course import guard

UNFINISHED, UNRESTORED = "NotFinished", "NotRestored"
UNDONE = "How cells are run had been changed; that was undone before this test"
SHOWN = "application/vnd.kdutils.shown"
NAME, CHANGED = "_kdutils_guard", "_kdutils_changed"
CELL_OUTPUT = 5 * 10**6  # letters that a cell may show
START = f"""
shell = get_ipython()
limit_output(shell, {CELL_OUTPUT})
shell.{NAME} = restore, snapshot(shell)
"""
GUARD = inspect.getsource(guard) + START
SHELL = "__import__('IPython').get_ipython()"  # whatever names the notebook has taken
VALUE = f"{SHELL}.{CHANGED}"


def restoring(word: str, test: str = "") -> str:
    """Code that undoes what was changed in how cells are run; VALUE is then `word` and the names of the changes.

    Built-ins that the cell `test` names are what it gets, also where the notebook has a number `sum` or a `list`.
    """
    return f"{VALUE} = (lambda shell: ['{word}', *shell.{NAME}[0](shell, shell.{NAME}[1], {_names(test)})])({SHELL})"


def _names(source: str) -> list[str]:
    """The names in a cell."""
    return sorted({each.id for each in ast.walk(_tree(source)) if isinstance(each, ast.Name)})


def _tree(source: str) -> ast.Module:
    """A cell as Python reads it, which is an empty one if it is no Python."""
    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError:
        return ast.parse("")


def finishing(source: str, word: str) -> str:
    """The cell with a last line that shows `word`; the value of a last expression stays the value of the cell."""
    show = f"__import__('IPython').display.display({{'{SHOWN}': '{word}'}}, raw=True)"
    plain = TransformerManager().transform_cell(source)
    if not ends_in_value(source):
        return f"{source}\n{show}"
    last = ast.parse(plain).body[-1]
    lines = plain.split("\n")
    line = lines[last.lineno - 1].encode()
    lines[last.lineno - 1] = (line[: last.col_offset] + b"_kdutils_value = " + line[last.col_offset :]).decode()
    return "\n".join([*lines, show, "_kdutils_value"])


def ends_in_value(source: str) -> bool:
    """Whether the last statement of a cell is an expression."""
    body = _tree(source).body
    return bool(body) and isinstance(body[-1], ast.Expr)


def judged(outputs: list[NotebookNode], word: str, valued: bool) -> list[NotebookNode]:
    """The outputs of a test without `word`; an error comes first, and is added if `word` was not shown.

    nbgrader reads a result that comes before an error as points, so only the cell's own value stays a result; and it
    takes what is written to stderr, as a progress bar is, for an error.
    """
    shown = [each for each in outputs if each.get("data", {}).get(SHOWN) == word]
    rest = [each for each in outputs if SHOWN not in each.get("data", {})]
    for each in rest:
        each.update({"name": "stdout"} if each.output_type == "stream" else {})
    results = [each for each in rest if each.output_type == "execute_result"]
    for each in results[: -1 if valued and shown else None]:
        each.output_type = "display_data"
        each.pop("execution_count", None)
    errors = [each for each in rest if each.output_type == "error"]
    if not errors and not shown:
        errors = failed(NotebookNode(outputs=[]), UNFINISHED, "this test did not come to its end").outputs
    for each in errors:
        each.traceback = ["\n".join(line for line in part.split("\n") if word not in line) for part in each.traceback]
    return [*errors, *(each for each in rest if each.output_type != "error")]


def words(reply: dict) -> list[str]:
    """The list of words that the kernel was asked for; none if it does not answer as it should."""
    try:
        value = ast.literal_eval(reply["user_expressions"]["value"]["data"]["text/plain"])
        return [word for word in value if isinstance(word, str)]
    except Exception:  # the kernel may be the student's by now
        return []


def undone(names: list[str]) -> NotebookNode:
    """An output that tells what had been changed before a test."""
    return nbformat.v4.new_output("stream", name="stdout", text=f"{UNDONE} ({', '.join(names)})\n")


def failed(cell: NotebookNode, name: str, why: str) -> NotebookNode:
    """The cell with an error of its own."""
    cell.outputs.append(nbformat.v4.new_output("error", ename=name, evalue=why, traceback=[f"{name}: {why}"]))
    return cell
