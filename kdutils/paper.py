"""The paper's ten tables and its claims, as tidy data frames read from `book/paper/`.

paper.table(3)            # every value of Table 3, with its digits as printed
paper.pairs()             # Fig. 4: 18 teacher-student pairs x 9 schemes
paper.claims()            # what the text asserts, and the chapter that tests it
paper.later_claims()      # what has been asked or claimed since, from `book/later/`
"""

import pandas as pd

from kdutils._files import ROOT
from kdutils.errors import UserError

FOLDER = ROOT / "book" / "paper"
LATER = ROOT / "book" / "later" / "claims.csv"

SCHEME_LABELS = {
    "identity": "Identity",
    "flip": "Flip",
    "crop_flip": "Crop+Flip",
    "cutout": "Cutout",
    "autoaugment": "AutoAugment",
    "mixup": "Mixup",
    "cutmix": "CutMix",
    "cutmixpick_s": "CutMixPick (S. ent.)",
    "cutmixpick_t": "CutMixPick (T. ent.)",
}
"""Scheme -> its printed name, in the order of the paper's tables."""

_TABLES = range(1, 11)


def table(number: int) -> pd.DataFrame:
    """Published Table `number` (1 to 10), one row per printed value, in printed order.

    Columns: dataset, teacher, student ("" for a value of the teacher alone), label (the row as printed), method, scheme
    ("" where there is no x'), epochs (NA if not named), metric, mean, std (NaN if none is printed), unit, and
    mean_text, std_text: the digits as printed. T. stddev is in units of 1e-3, accuracies in per cent.
    """
    if number not in _TABLES:
        raise UserError(f"the paper has no Table {number!r}; choose a number from {_TABLES[0]} to {_TABLES[-1]}")
    texts = _read(f"table{number:02d}.csv").rename(columns={"mean": "mean_text", "std": "std_text"})
    return texts.assign(
        epochs=pd.to_numeric(texts["epochs"]).astype("Int64"),
        mean=texts["mean_text"].map(float),
        std=texts["std_text"].replace("", "nan").map(float),
    )


def pairs(large: bool = False) -> pd.DataFrame:
    """T. stddev beside S. test loss, for every teacher-student pair and scheme, as Fig. 4 draws them.

    18 pairs x 9 schemes (Tables 3-6: CIFAR-100 and Tiny ImageNet); with `large`, the two of Fig. 5 instead (Tables 7-8:
    ImageNet100 and ImageNet). Columns: dataset, teacher, student, pair, scheme, t_stddev (in 1e-3), t_stddev_std,
    test_loss, test_loss_std.
    """
    cells = pd.concat([table(number) for number in ((7, 8) if large else (3, 4, 5, 6))])
    teacher_key = ["dataset", "teacher", "scheme"]
    teachers = cells[cells["metric"] == "t_stddev"][[*teacher_key, "mean", "std"]]
    students = cells[cells["metric"] == "test_loss"][[*teacher_key, "student", "mean", "std"]]
    frame = students.rename(columns={"mean": "test_loss", "std": "test_loss_std"}).merge(
        teachers.rename(columns={"mean": "t_stddev", "std": "t_stddev_std"}), on=teacher_key, validate="many_to_one"
    )
    frame["pair"] = frame["teacher"] + "/" + frame["student"]
    in_order = pd.concat([group for _, group in frame.groupby(["dataset", "pair"], sort=False)], ignore_index=True)
    values = ["t_stddev", "t_stddev_std", "test_loss", "test_loss_std"]
    return in_order[["dataset", "teacher", "student", "pair", "scheme", *values]]


def gains(number: int, row: tuple[str, int], base: tuple[str, int]) -> pd.DataFrame:
    """By how much `row` of Table 1 or 2 beats `base` on each of the seven pairs: a test accuracy in percentage points.

    A row is (printed label, epochs), for example ("KD+CutMix", 240). Columns: dataset, teacher, student, pair, row and
    base (test accuracies in per cent), gain (rounded to the two digits printed). UserError for a row that is not there.
    """
    cells = table(number)
    key = ["dataset", "teacher", "student"]
    frame = _accuracies(cells, *row)[[*key, "mean"]].merge(_accuracies(cells, *base)[[*key, "mean"]], on=key)
    frame.columns = [*key, "row", "base"]
    frame.insert(3, "pair", frame["teacher"] + "/" + frame["student"])
    return frame.assign(gain=(frame["row"] - frame["base"]).round(2))


def discrepancies() -> pd.DataFrame:
    """The S. test losses that Tables 9 and 10 print differently from Tables 3 and 4, which they say they repeat.

    One row per cell: dataset, teacher, student, scheme, table, mean, std, other_table, other_mean, difference
    (other_mean - mean) and in_std, the same in units of the cell's own std.
    """
    first, second = (_losses(numbers) for numbers in ((3, 4), (9, 10)))
    second = second.rename(columns={"table": "other_table", "mean": "other_mean"}).drop(columns="std")
    both = first.merge(second, on=["dataset", "teacher", "student", "scheme"])
    differing = both[both["mean"] != both["other_mean"]].reset_index(drop=True)
    difference = (differing["other_mean"] - differing["mean"]).round(4)
    return differing.assign(difference=difference, in_std=difference / differing["std"])


def claims() -> pd.DataFrame:
    """What the paper's text asserts: id, topic, where, statement (in our words), number and chapter ("" if none)."""
    return _read("claims.csv")


def later_claims() -> pd.DataFrame:
    """What has been asked or claimed since, in the columns of `claims`, and `source`: keys of the bibliography."""
    return pd.read_csv(LATER, dtype=str, keep_default_na=False)


def _read(name: str) -> pd.DataFrame:
    """A CSV file of `book/paper/` as text, empty cells as ""."""
    path = FOLDER / name
    if not path.is_file():
        raise UserError(
            f"the published numbers are not here: no {name} in {FOLDER}. They come with the clone and with the wheel: "
            "install kdutils again"
        )
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _accuracies(cells: pd.DataFrame, label: str, epochs: int) -> pd.DataFrame:
    """The test accuracies of one row of Table 1 or 2."""
    accuracies = cells[(cells["metric"] == "test_accuracy") & cells["epochs"].notna()]
    rows = accuracies[(accuracies["label"] == label) & (accuracies["epochs"] == epochs)]
    if rows.empty:
        known = accuracies[["label", "epochs"]].drop_duplicates().itertuples(index=False, name=None)
        choices = "; ".join(f"{name}, {count}" for name, count in known) or "none: only Tables 1 and 2 have accuracies"
        raise UserError(f"no row {label!r} with {epochs} epochs in this table. Choose one of: {choices}")
    return rows


def _losses(numbers: tuple[int, ...]) -> pd.DataFrame:
    """The S. test losses of some tables, each with its table's number."""
    cells = pd.concat([table(number).assign(table=number) for number in numbers])
    return cells[cells["metric"] == "test_loss"][["dataset", "teacher", "student", "scheme", "table", "mean", "std"]]
