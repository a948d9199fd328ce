"""The published tables: complete to the last digit, and what the text counts in them, counted again."""

import csv
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from kdutils import paper
from kdutils.augment import SCHEMES
from kdutils.errors import UserError

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
VALUES = {1: 70, 2: 70, 3: 54, 4: 72, 5: 54, 6: 72, 7: 18, 8: 18, 9: 81, 10: 81}


@pytest.mark.parametrize("number", VALUES)
def test_a_table_has_every_cell_once(number):
    cells = paper.table(number)
    assert len(cells) == VALUES[number]
    assert not cells.duplicated(["dataset", "teacher", "student", "label", "epochs", "metric"]).any()
    assert cells["mean"].gt(0).all()


@pytest.mark.parametrize("number", VALUES)
def test_numbers_are_kept_digit_by_digit(number):
    with open(paper.FOLDER / f"table{number:02d}.csv", newline="") as stream:
        printed = [(row["mean"], row["std"]) for row in csv.DictReader(stream)]
    cells = paper.table(number)
    assert list(zip(cells["mean_text"], cells["std_text"], strict=True)) == printed
    assert list(cells["mean"]) == [float(mean) for mean, _ in printed]


@pytest.mark.parametrize(
    ("metric", "digits"),
    [
        ("t_stddev", 3),
        ("test_loss", 4),
        ("test_accuracy", 2),
        ("teacher_accuracy", 2),
        ("mean_covariance", 8),
        ("mean_correlation", 8),
    ],
)
def test_a_metric_has_its_printed_number_of_digits(metric, digits):
    cells = pd.concat([paper.table(number) for number in VALUES])
    texts = cells.loc[cells["metric"] == metric, "mean_text"]
    assert len(texts) > 0
    assert set(texts.str.split(".").str[1].str.len()) == {digits}


@pytest.mark.parametrize(
    ("number", "dataset", "teacher", "student", "scheme", "metric", "mean", "std"),
    [  # read off the printed pages: a first, a last and an odd cell of each kind
        (3, "cifar100", "wrn_40_2", "", "identity", "t_stddev", "5.473", "0.002"),
        (3, "cifar100", "resnet56", "ShuffleV2", "cutmixpick_t", "test_loss", "0.9038", "0.0148"),
        (4, "cifar100", "ResNet50", "vgg8", "cutmixpick_t", "test_loss", "1.0069", "0.0027"),
        (5, "tinyimagenet", "resnet56", "", "crop_flip", "t_stddev", "2.893", "0.000"),
        (6, "tinyimagenet", "resnet32x4", "ShuffleV2", "identity", "test_loss", "1.7404", "0.2064"),
        (7, "imagenet100", "resnet34", "resnet18", "autoaugment", "test_loss", "0.6465", "0.0078"),
        (8, "imagenet", "resnet34", "resnet18", "cutmix", "test_loss", "1.1809", ""),
        (9, "cifar100", "vgg13", "", "cutmixpick_t", "mean_covariance", "0.00008676", ""),
        (10, "cifar100", "resnet56", "", "autoaugment", "mean_correlation", "0.01971744", ""),
    ],
)
def test_single_cells_are_as_printed(number, dataset, teacher, student, scheme, metric, mean, std):
    cells = paper.table(number)
    key = {"dataset": dataset, "teacher": teacher, "student": student, "scheme": scheme, "metric": metric}
    cell = cells.loc[(cells[list(key)] == pd.Series(key)).all(axis=1)]
    assert cell[["mean_text", "std_text"]].to_numpy().tolist() == [[mean, std]]


def test_scheme_names_are_those_of_the_registry():
    assert {name: SCHEMES[name].label for name in paper.SCHEME_LABELS} == paper.SCHEME_LABELS


def test_pairs_are_eighteen_and_each_has_the_nine_schemes_in_order():
    frame = paper.pairs()
    groups = list(frame.groupby(["dataset", "pair"], sort=False))
    assert len(groups) == 18
    assert frame["scheme"].tolist() == list(paper.SCHEME_LABELS) * 18
    assert frame["t_stddev"].between(1.9, 5.6).all()
    assert len(paper.pairs(large=True)) == 18


def test_pairs_put_each_loss_beside_its_own_teacher():
    frame = paper.pairs().set_index(["dataset", "pair", "scheme"])
    cell = frame.loc[("tinyimagenet", "vgg13/MobileNetV2", "mixup")]
    assert (cell["t_stddev"], cell["test_loss"], cell["test_loss_std"]) == (3.388, 1.8587, 0.0141)


@pytest.mark.parametrize(
    ("number", "row", "base", "count"),
    [  # the counts that Sec. 5.2 states
        (1, ("KD+CutMix", 240), ("KD", 240), 7),
        (1, ("KD+CutMixPick", 240), ("KD+CutMix", 240), 6),
        (1, ("KD+CutMixPick", 960), ("KD+CutMixPick", 240), 7),
        (1, ("KD+CutMixPick", 960), ("CRD", 240), 6),
        (1, ("CRD+CutMixPick", 960), ("CRD", 240), 7),
        (2, ("KD+CutMix", 240), ("KD", 240), 7),
        (2, ("KD+CutMixPick", 240), ("KD+CutMix", 240), 6),
        (2, ("CRD+CutMixPick", 240), ("CRD", 240), 5),
        (2, ("CRD+CutMixPick", 480), ("CRD+CutMixPick", 240), 6),
    ],
)
def test_counts_of_the_text_follow_from_the_tables(number, row, base, count):
    gains = paper.gains(number, row, base)
    assert len(gains) == 7
    assert (gains["gain"] > 0).sum() == count


def test_gains_of_the_text_are_exact_to_the_printed_digit():
    shuffle = paper.gains(1, ("KD+CutMix", 240), ("KD", 240)).set_index("pair")["gain"]
    assert shuffle["resnet32x4/ShuffleV2"] == 2.16
    pick = paper.gains(2, ("KD+CutMixPick", 240), ("KD+CutMix", 240)).set_index("pair")["gain"]
    assert pick[pick < 0].to_dict() == {"resnet56/resnet20": -0.11}


def test_gains_name_the_rows_there_are():
    with pytest.raises(UserError, match=r"no row 'KD' with 480 epochs.*KD, 960"):
        paper.gains(1, ("KD", 480), ("KD", 240))
    with pytest.raises(UserError, match="only Tables 1 and 2"):
        paper.gains(3, ("KD", 240), ("KD", 240))


def test_discrepancies_are_the_seven_cells_that_tables_9_and_10_print_differently():
    frame = paper.discrepancies()
    assert set(frame["other_table"]) == {9, 10}
    nine = frame[frame["other_table"] == 9].set_index(["teacher", "student", "scheme"])
    assert set(nine.index) == {
        ("wrn_40_2", "wrn_16_2", "mixup"),
        ("wrn_40_2", "wrn_16_2", "cutmix"),
        ("wrn_40_2", "wrn_16_2", "cutmixpick_t"),
        ("resnet56", "resnet20", "cutmix"),
        ("resnet56", "resnet20", "cutmixpick_t"),
        ("vgg13", "vgg8", "cutmix"),
        ("vgg13", "vgg8", "cutmixpick_t"),
    }
    cell = nine.loc[("wrn_40_2", "wrn_16_2", "mixup")]
    assert (cell["mean"], cell["other_mean"], cell["difference"]) == (1.0486, 1.0507, 0.0021)
    assert cell["in_std"] == pytest.approx(0.0021 / 0.0225)


def test_claims_are_complete_and_name_a_chapter():
    claims = paper.claims()
    assert claims["id"].is_unique
    assert claims[["id", "topic", "where", "statement"]].ne("").all(axis=None)
    assert claims["chapter"].str.fullmatch(r"\d\d_[a-z0-9_]+").all()


def test_an_unknown_table_is_refused():
    with pytest.raises(UserError, match="from 1 to 10"):
        paper.table(11)


def test_missing_tables_are_explained(monkeypatch, tmp_path):
    monkeypatch.setattr(paper, "FOLDER", tmp_path)
    with pytest.raises(UserError, match="They come with the clone and with the wheel"):
        paper.table(3)


@pytest.mark.parametrize("notebook", sorted(NOTEBOOKS.glob("[0-9]*.ipynb")), ids=lambda path: path.stem)
def test_a_number_in_a_quoted_claim_is_one_that_the_paper_prints(notebook: Path) -> None:
    cells = json.loads(notebook.read_text(encoding="utf8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    quoted = "\n".join(line for line in text.splitlines() if line.startswith(">"))
    known = " ".join([*paper.claims()["number"], *paper.claims()["where"], *paper.claims()["statement"]])
    for number in re.findall(r"\d+\.\d+", quoted):
        assert number in known, f"{notebook.stem} quotes {number}, which is in no row of claims.csv"
