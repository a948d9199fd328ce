"""A test passes only if it comes to its own last line, and is worth what its own value says."""

from collections.abc import Iterator

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_output
from nbgrader.utils import determine_grade
from traitlets.config import Config

from kdutils.book.course import judging
from tests.book.course.pupils import graded_cell

ERROR = new_output("error", ename="AssertionError", evalue="", traceback=["a line\nwith a word", "another"])
WORD = new_output("display_data", data={judging.SHOWN: "word"})
VALUE = new_output("execute_result", data={"text/plain": "0.5"}, execution_count=1)
TEXT = new_output("stream", name="stdout", text="x")
WARNING = new_output("stream", name="stderr", text="100%")


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    quiet = Config({"HistoryManager": {"enabled": False}})
    yield InteractiveShell.instance(config=quiet, display_pub_class=CapturingDisplayPublisher)
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("assert True", None),
        ("1 + 1", 2),
        ("x = 2; x", 2),
        ("(1 +\n 1)  # two", 2),
        ("'ä' 'ö'", "äö"),
        ("s = 'ä'; s + '''\n'''", "ä\n"),
        ("if True:\n    x = 1", None),
        ("%%time\nx = 3", None),
        ("%alias_magic t timeit\n5", 5),
        ("", None),
        ("# nothing", None),
    ],
)
def test_the_word_is_shown_at_the_end_and_the_value_is_kept(
    shell: InteractiveShell, source: str, value: object
) -> None:
    shell.display_pub.outputs.clear()
    result = shell.run_cell(judging.finishing(source, "word"))
    assert result.success
    assert [each["data"] for each in shell.display_pub.outputs if judging.SHOWN in each["data"]] == [
        {judging.SHOWN: "word"}
    ]
    assert result.result == value


@pytest.mark.parametrize("source", ["assert False", "assert False\n3", "1 / 0", "x = (", "raise SystemExit", "exit()"])
def test_the_word_is_not_shown_if_the_test_fails(shell: InteractiveShell, source: str) -> None:
    shell.display_pub.outputs.clear()
    shell.run_cell(judging.finishing(source, "word"))
    assert not [each for each in shell.display_pub.outputs if judging.SHOWN in each["data"]]


@pytest.mark.parametrize(
    ("outputs", "valued", "points"),
    [
        ([WORD], False, 2),
        ([TEXT, WORD], False, 2),
        ([WARNING, WORD], False, 2),
        ([WARNING], False, 0),
        ([WORD, VALUE], True, 0.5),
        ([VALUE, WORD], False, 2),
        ([VALUE, ERROR], False, 0),
        ([VALUE, ERROR], True, 0),
        ([VALUE], True, 0),
        ([], False, 0),
        ([TEXT], False, 0),
        ([new_output("display_data", data={judging.SHOWN: "guess"})], False, 0),
        ([WORD, ERROR], False, 0),
    ],
)
def test_points_come_with_the_word_and_without_an_error(outputs: list, valued: bool, points: float) -> None:
    cell = graded_cell("assert True", points=2)
    cell.outputs = judging.judged([each.copy() for each in outputs], "word", valued)
    assert determine_grade(cell)[0] == points
    assert not [each for each in cell.outputs if judging.SHOWN in each.get("data", {})]
    assert "word" not in str(cell.outputs)


@pytest.mark.parametrize(
    "reply", [{}, {"user_expressions": {}}, {"user_expressions": {"value": {"data": {"text/plain": "3 +"}}}}]
)
def test_a_kernel_that_does_not_answer_as_it_should_says_nothing(reply: dict) -> None:
    assert judging.words(reply) == []
    assert judging.words({"user_expressions": {"value": {"data": {"text/plain": "['a', 3, 'b']"}}}}) == ["a", "b"]
