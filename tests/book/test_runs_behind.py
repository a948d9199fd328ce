"""The runs behind a figure are followed from the line that read them to the cell that draws them."""

import nbformat
import pytest

from kdutils.book.runs_behind import runs_behind

READ = 'few = report.recorded("few")'


def behind(*cells: str, read: dict[int, list[tuple[int, str]]] | None = None) -> list[list[str]]:
    """What stands behind each of these cells, of which the first has read `few` in its first line."""
    made = [nbformat.v4.new_code_cell(cell, execution_count=number) for number, cell in enumerate(cells, 1)]
    return [*runs_behind(made, {1: [(1, "few")]} if read is None else read).values()]


def test_a_cell_rests_on_what_it_has_read():
    assert behind(f"{READ}\ndraw(few)", "draw(other)") == [["few"], []]


@pytest.mark.parametrize(
    "uses",
    [
        "draw(few)",
        "[draw(row) for row in few]",
        "def later():\n    draw(few)\n\nlater()",
        "(lambda: draw(few))()",
        "f'{few}'",
        "if ready:\n    draw(few)",
        "%matplotlib inline\ndraw(few)",
    ],
)
def test_a_later_cell_rests_on_it_if_it_uses_its_name(uses):
    assert behind(READ, uses) == [["few"], ["few"]]


@pytest.mark.parametrize(
    "hands_on",
    [
        "means = few.mean()",
        "means: dict = average(few)",
        "means, rest = few, 1",
        "for means in few:\n    pass",
        "with few as means:\n    pass",
        "means = {}\nmeans['few'] = few",
        "means = plain()\nmeans.columns = few.columns",
        "means = 0\nmeans += few",
        "(means := few)",
        "means = 1\nmeans, part = part, few\nmeans = part",
        "def means():\n    return few",
    ],
)
def test_names_hand_it_on(hands_on):
    assert behind(READ, hands_on, "draw(means)")[2] == ["few"]


@pytest.mark.parametrize(
    "other",
    [
        "few = live()",
        "import few",
        "from live import table as few",
        "def few():\n    return 1",
    ],
)
def test_a_name_that_is_set_again_forgets_it(other):
    assert behind(READ, other, "draw(few)") == [["few"], [], []]


def test_what_a_cell_sets_beside_its_reading_does_not_rest_on_it():
    assert behind(f"{READ}\nlive = measure()\nnames = [few for few in 'ab']", "draw(live, names)") == [["few"], []]


def test_variables_inside_of_a_function_or_a_comprehension_are_their_own():
    assert behind(READ, "def later():\n    live = few\n\nlive = 1", "draw(live)")[2] == []
    assert behind(READ, "live = 1\nrows = [live for live in few]", "draw(live)")[2] == []


def test_a_statement_of_several_lines_has_read_what_any_of_them_read():
    cells = ("both = [\n    one(),\n    two(),\n]\nrest = 1", "draw(both)", "draw(rest)")
    assert behind(*cells, read={1: [(3, "few")]}) == [["few"], ["few"], []]


def test_runs_stand_once_in_the_order_in_which_they_were_read():
    read = {1: [(2, "more"), (1, "few")], 2: [(1, "few")]}
    assert behind("a = 1\nb = 2", "draw(a, b, read())", read=read)[1] == ["few", "more"]


def test_a_cell_that_was_not_executed_and_a_text_have_none():
    text, bare = nbformat.v4.new_markdown_cell("draw(few)"), nbformat.v4.new_code_cell("draw(few)")
    assert runs_behind([text, bare], {}) == {}
