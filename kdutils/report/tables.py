"""Frames as readers see them: columns under their names with units, schemes by their printed names, no row numbers."""

from collections.abc import Mapping

import pandas as pd

from kdutils import augment
from kdutils.runs import NO_SCHEME

LABELS = {
    "scheme": "scheme",
    "dataset": "dataset",
    "pair": "teacher/student",
    "t_stddev": "T. stddev (10⁻³)",
    "t_stddev_se": "its std. error",
    "n_u": "windows",
    "entropy": "entropy (nats)",
    "label_disagreement": "label disagreement",
    "test_loss": "S. test loss (nats)",
    "test_loss_std": "its std over seeds",
    "test_accuracy": "S. accuracy (%)",
    "test_accuracy_std": "its std",
    "n": "seeds",
    "label": "row",
    "method": "method",
    "line": "trained by",
    "epochs": "epochs",
    "r": "Pearson's r",
    "low": "95 % from",
    "high": "to",
    "p": "p",
    "exact_p": "exact p",
    "rho": "Spearman's ρ",
    "rho_p": "its exact p",
    "schemes": "schemes",
}
"""Column -> what stands above it."""
DATASETS = {
    "cifar100": "CIFAR-100",
    "tinyimagenet": "Tiny ImageNet",
    "imagenet100": "ImageNet100",
    "imagenet": "ImageNet",
}
"""Dataset -> its name in print."""


def over_seeds(students: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Students as a reader wants them, a row per group: mean and unbiased spread of accuracy and loss, how many."""
    groups = students.dropna(subset=["test_loss"]).groupby(by, sort=False)
    found = groups.agg(
        test_accuracy=("test_accuracy", "mean"),
        test_accuracy_std=("test_accuracy", "std"),
        test_loss=("test_loss", "mean"),
        test_loss_std=("test_loss", "std"),
        n=("test_loss", "size"),
    )
    digits = {"test_accuracy": 2, "test_accuracy_std": 2}
    return table(found.reset_index(), [*by, *found.columns], digits)


def table(
    frame: pd.DataFrame, columns: Mapping[str, str] | list[str], digits: int | Mapping[str, int] = 3
) -> pd.DataFrame:
    """These columns of `frame`, the first in front of each row, under their names (`LABELS`, or those of a mapping).

    Numbers are rounded to `digits`, for all or per column; whole numbers stay whole. A column may also be in the index.
    """
    names = dict(columns) if isinstance(columns, Mapping) else {name: LABELS[name] for name in columns}
    known = frame.reset_index() if set(names) - set(frame) else frame
    shown = known[list(names)].copy()
    for name in shown:
        if shown[name].dtype.kind == "f":
            places = digits if isinstance(digits, int) else digits.get(name, 3)
            shown[name] = [_number(value, places, is_p=name == "p" or name.endswith("_p")) for value in shown[name]]
    if "scheme" in shown:
        shown["scheme"] = shown["scheme"].map(scheme_label)
    shown = shown.replace({"dataset": DATASETS})
    first, *_ = names
    return shown.set_index(first).rename(columns=names).rename_axis(index=None, columns=names[first])


def scheme_label(scheme: str) -> str:
    """The printed name of a scheme, or of there being none."""
    return "x alone" if scheme == NO_SCHEME else augment.label(scheme)


def nothing_yet(state: str) -> pd.DataFrame:
    """What stands in the place of a table of recorded runs that are not there: one row with their state."""
    return pd.DataFrame({"recorded": ["–"]}, index=[state])


def _number(value: float, places: int, is_p: bool) -> str:
    """A number as text; a missing one is a dash, and a p-value is never zero."""
    if pd.isna(value):
        return "–"
    return "< 0.001" if is_p and value < 0.001 else f"{value:.{places}f}"
