"""Frames as readers see them."""

import pandas as pd

from kdutils.report import tables

FRAME = pd.DataFrame({"scheme": ["cutmix", "mine"], "t_stddev": [3.94763, None], "n": [3, 2], "key": ["a", "b"]})


def test_a_table_has_labels_with_units_and_no_row_numbers() -> None:
    shown = tables.table(FRAME, ["scheme", "t_stddev", "n"], 2)
    assert shown.columns.name == "scheme"
    assert list(shown.columns) == ["T. stddev (10⁻³)", "seeds"]
    assert list(shown.index) == ["CutMix", "mine"], "a scheme that is not the package's keeps its name"
    assert shown["T. stddev (10⁻³)"].tolist() == ["3.95", "–"]
    assert shown["seeds"].tolist() == [3, 2]
    assert shown.index.name is None


def test_digits_and_names_may_be_given_per_column_and_a_column_may_be_in_the_index() -> None:
    names = {"scheme": "what", "t_stddev": "value (s)"}
    shown = tables.table(FRAME.set_index("scheme"), names, {"t_stddev": 1})
    assert shown.columns.name == "what"
    assert shown["value (s)"].tolist() == ["3.9", "–"]


def test_schemes_have_their_printed_names_the_papers_or_not() -> None:
    shown = tables.table(pd.DataFrame({"scheme": ["cutmixpick_d", "randaugment", "none"], "n": 1}), ["scheme", "n"])
    assert list(shown.index) == ["CutMixPick (disagreement)", "RandAugment", "x alone"]


def test_datasets_have_their_printed_names() -> None:
    shown = tables.table(pd.DataFrame({"dataset": ["cifar100"], "r": [0.5]}), ["dataset", "r"])
    assert list(shown.index) == ["CIFAR-100"]


def test_the_frame_itself_stays() -> None:
    before = FRAME.copy()
    tables.table(FRAME, ["scheme", "n"])
    pd.testing.assert_frame_equal(FRAME, before)


def test_students_are_taken_together_over_seeds() -> None:
    runs = pd.DataFrame(
        {"method": ["at", "at", "cc", "cc"], "test_loss": [1.0, 3, 2, None], "test_accuracy": [70.0, 74, 80, None]}
    )
    shown = tables.over_seeds(runs, ["method"])
    assert shown.loc["at"].tolist() == ["72.00", "2.83", "2.000", "1.414", 2]
    assert shown.loc["cc"].tolist() == ["80.00", "–", "2.000", "–", 1], "a run without a result does not count"


def test_a_p_value_is_never_zero() -> None:
    frame = pd.DataFrame({"pair": ["a"], "p": [1e-9], "exact_p": [0.02], "r": [0.0]})
    shown = tables.table(frame, list(frame))
    assert shown.loc["a"].tolist() == ["< 0.001", "0.020", "0.000"]
