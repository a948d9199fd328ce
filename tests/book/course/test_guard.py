"""Whatever a cell does to IPython or to Python's built-ins, the next test runs as at the start."""

import ast
import builtins
import sys
from collections.abc import Iterator

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from kdutils.book.course import guard


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    made = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    kept = guard.snapshot(made)
    yield made
    guard.restore(made, kept)


class Drop(ast.NodeTransformer):
    """Drops every assert."""

    def visit_Assert(self, node: ast.Assert) -> None:
        return None


class Blank(TransformerManager):
    """Makes nothing of any cell."""

    def transform_cell(self, cell: str) -> str:
        return "pass\n"


def nothing(*_: object, **__: object) -> None:
    """Instead of any method."""


def skip_asserts(frame: object, *_: object) -> None:
    """A trace function, which could jump over a line."""


TAMPERINGS = {
    "ast_transformers": lambda shell: shell.ast_transformers.append(Drop()),
    "cleanup_transforms": lambda shell: shell.input_transformers_cleanup.append(lambda lines: ["pass\n"]),
    "input_transformers_post": lambda shell: shell.input_transformers_post.append(lambda lines: ["pass\n"]),
    "input_transformer_manager": lambda shell: setattr(shell, "input_transformer_manager", Blank()),
    "transform_cell": lambda shell: setattr(shell, "transform_cell", lambda source: "pass"),
    "run_cell": lambda shell: setattr(type(shell), "run_cell", nothing),
    "run_ast_nodes": lambda shell: setattr(shell, "run_ast_nodes", nothing),
    "showtraceback": lambda shell: setattr(shell, "showtraceback", nothing),
    "pre_run_cell": lambda shell: shell.events.register(
        "pre_run_cell", lambda info: shell.ast_transformers.append(Drop())
    ),
    "ast_node_interactivity": lambda shell: setattr(shell, "ast_node_interactivity", "none"),
    "print": lambda shell: setattr(builtins, "print", nothing),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_what_was_changed_is_put_back_and_named(shell: InteractiveShell, name: str) -> None:
    kept, before = guard.snapshot(shell), print
    TAMPERINGS[name](shell)
    assert name in guard.restore(shell, kept)
    assert guard.restore(shell, kept) == []
    assert not shell.run_cell("assert False").success
    assert shell.run_cell("1 + 1").result == 2
    assert print is before


def test_nothing_is_named_where_nothing_was_changed(shell: InteractiveShell) -> None:
    kept = guard.snapshot(shell)
    shell.run_cell("import json\nx = 3\ndef f():\n    return x")
    assert guard.restore(shell, kept) == []
    assert shell.user_ns["x"] == 3


def test_a_test_has_the_built_ins_that_it_names_and_the_notebook_its_own_variables(shell: InteractiveShell) -> None:
    kept = guard.snapshot(shell)
    shell.run_cell("sum, max = 7, 8\ndef sorted(values):\n    return 'own'")
    assert guard.restore(shell, kept, ["sum", "sorted", "shell"]) == []
    assert shell.run_cell("sum([1, 2]), sorted([1]), max").result == (3, "own", 8)
    assert shell.run_cell("sum").result == 7
    guard.restore(shell, kept, ["sum"])
    assert not shell.run_cell("assert sum([1]) == 2").success
    assert shell.run_cell("sum").result == 7


def test_tracing_ends(shell: InteractiveShell) -> None:
    kept, before = guard.snapshot(shell), sys.gettrace()
    try:
        sys.settrace(skip_asserts)
        guard.restore(shell, kept)
        assert sys.gettrace() is None
    finally:
        sys.settrace(before)


def test_a_cell_that_prints_without_end_fails_and_the_next_one_does_not(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Stream(written))
    guard.limit_output(shell, 1000)
    result = shell.run_cell("while True:\n    print('x' * 99)")
    assert isinstance(result.error_in_exec, guard.OutputLimit)
    assert shell.run_cell("print('y' * 999)").success
    assert sum(map(len, written)) < 10_000


class Stream:
    """A stream that IPython can patch."""

    def __init__(self, written: list[str]) -> None:
        self.written = written

    def write(self, text: str) -> int:
        self.written.append(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        return False
