"""The evidence matrix draws what its frame says."""

import pandas as pd

from kdutils import plots

CLAIMS = pd.DataFrame({"topic": ["A", "A", "B"], "id": ["one", "two-parts", "three"]})
KINDS = {"theorem": "maths", "arithmetic": "maths", "photographs": "photographs", "digits": "digits"}
FRAME = pd.DataFrame(
    [
        ("one", "arithmetic", "fails", True, False),
        ("one", "photographs", "holds", False, False),
        ("three", "digits", "cannot tell", False, True),
    ],
    columns=["claim", "by", "says", "decides", "short"],
)


def test_a_square_per_finding_filled_where_it_decides_and_small_where_it_falls_short() -> None:
    (ax,) = plots.evidence_matrix(FRAME, CLAIMS, KINDS).axes
    squares = {tuple(each.get_offsets()[0]): each for each in ax.collections}
    assert set(squares) == {(0, 1), (1, 1), (2, 4)}, "row 0 is topic A, row 3 topic B"
    filled = {place: bool(len(each.get_facecolor())) for place, each in squares.items()}
    assert filled == {(0, 1): True, (1, 1): False, (2, 4): False}
    sizes = {place: each.get_sizes()[0] for place, each in squares.items()}
    assert sizes[2, 4] < sizes[1, 1] == sizes[0, 1]


def test_rows_are_named_and_topics_stand_out() -> None:
    (ax,) = plots.evidence_matrix(FRAME, CLAIMS, KINDS).axes
    labels = {tick.get_text(): tick.get_fontweight() for tick in ax.get_yticklabels()}
    assert labels == {"A": "bold", "one": "normal", "two parts": "normal", "B": "bold", "three": "normal"}
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["maths", "photographs", "digits"]
