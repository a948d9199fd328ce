"""Which recorded runs a cell's figure or table rests on: those it read, and those that reach it in names.

A chapter often reads a recorded run in one cell and draws it in another. The reading is known to the line; from there
the names are followed from statement to statement.
"""

import ast
import symtable
from collections.abc import Iterable, Iterator, Mapping, Sequence

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode


def runs_behind(cells: Iterable[NotebookNode], read: Mapping[int, Sequence[tuple[int, str]]]) -> dict[int, list[str]]:
    """The recorded runs behind each code cell, by its number and in the order in which they were read.

    `read` has, by the number of a cell, the line and the name of each run that it read (`report.reads`).
    """
    held: dict[str, list[str]] = {}  # a variable -> the runs that its value rests on
    behind: dict[int, list[str]] = {}
    for cell in cells:
        number = cell.get("execution_count")
        if cell.cell_type != "code" or not number:
            continue
        behind[number] = []
        for statement in ast.parse(TransformerManager().transform_cell(cell.source)).body:
            lines = range(statement.lineno, statement.end_lineno + 1)
            runs = [name for line, name in read.get(number, ()) if line in lines]
            needed, bound = _names(statement)
            runs += [name for variable in sorted(needed) for name in held.get(variable, ())]
            held |= dict.fromkeys(bound, runs)
            behind[number] += runs
    return {number: list(dict.fromkeys(runs)) for number, runs in behind.items()}


def _names(statement: ast.stmt) -> tuple[set[str], set[str]]:
    """The variables whose values a statement needs, and those that it sets or changes a part of."""
    outer = symtable.symtable(ast.unparse(statement), "cell", "exec")
    needed = {symbol.get_name() for symbol in outer.get_symbols() if symbol.is_referenced()}
    needed |= {name for inner in outer.get_children() for name in _from_outside(inner)}
    bound = {symbol.get_name() for symbol in outer.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    changed = set(_changed(statement))
    return needed | changed, bound | changed


def _from_outside(inner: symtable.SymbolTable) -> Iterator[str]:
    """The variables of the notebook that a function or a comprehension needs, but not its own."""
    yield from (symbol.get_name() for symbol in inner.get_symbols() if symbol.is_global())
    for child in inner.get_children():
        yield from _from_outside(child)


def _changed(statement: ast.stmt) -> Iterator[str]:
    """`a`, `b` and `c` of `a[0] = 1`, `b.field = 1` and `c += 1`."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield from (name.id for name in ast.walk(node.value) if isinstance(name, ast.Name))
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
