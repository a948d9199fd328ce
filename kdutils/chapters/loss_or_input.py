"""Is it the loss or the input? Six losses and four inputs at equal epochs, and an analysis of variance.

The design is in `book/results/README.md`. Accuracies are in per cent.
"""

import itertools

import numpy as np
import pandas as pd
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from kdutils.report import recorded_runs, tables
from kdutils.runs import NO_SCHEME

STUDY = "after_loss_or_input"
METHODS = ("kd", "crd", "lskd", "dkd", "dist", "mlkd")
SCHEMES = (NO_SCHEME, "randaugment", "cutmix", "cutmixpick_t")
TERMS = {"C(method)": "loss", "C(scheme)": "input", "C(method):C(scheme)": "both together", "C(seed)": "seed"}
PERMUTATIONS = 2000


def students() -> pd.DataFrame:
    """The recorded students of the study; none while it is not recorded."""
    return recorded_runs.or_empty(STUDY, "method", "scheme", "seed", "test_accuracy")


def whole(runs: pd.DataFrame) -> pd.DataFrame:
    """The students of those seeds that have every loss with every input, as the analysis of variance needs them."""
    cells = runs.drop_duplicates(["method", "scheme", "seed"])["seed"].value_counts()
    return runs[runs["seed"].isin(cells.index[cells == len(METHODS) * len(SCHEMES)])]


def table(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean test accuracy, a row per loss and a column per input, with the means of both at the margins.

    A margin is the mean of its cells, however many seeds each has. Without one of them it would be the mean of other
    inputs, or losses, than the margin beside it: it is a dash then, as is a cell without a student.
    """
    means = runs.pivot_table(index="method", columns="scheme", values="test_accuracy", sort=False)
    means["mean"] = means.mean(axis=1, skipna=False)
    means.loc["mean"] = means.mean(skipna=False)
    shown = means.rename(columns=tables.scheme_label, index=lambda name: name.upper() if name != "mean" else name)
    return shown.map("{:.2f}".format).replace("nan", "–").rename_axis(index=None, columns="loss")


def variance(runs: pd.DataFrame) -> pd.DataFrame:
    """The analysis of variance of test accuracy: loss, input, both together, with the seeds as blocks.

    `runs` has one student of each loss, input and seed, of two seeds at least. Rows: loss, input, both together, seed,
    residual; columns: sum_sq, df, mean_sq, F, p, and omega_sq, the share of the variance that a term accounts for
    beyond chance, 0 at least.
    """
    found = anova_lm(ols("test_accuracy ~ C(method) * C(scheme) + C(seed)", runs).fit()).rename(index=TERMS)
    found = found.rename(index={"Residual": "residual"}, columns={"PR(>F)": "p"})
    noise = found.loc["residual", "mean_sq"]
    share = (found["sum_sq"] - found["df"] * noise) / (found["sum_sq"].sum() + noise)
    return found.assign(omega_sq=share.clip(lower=0).drop("residual"))


def permuted_p(runs: pd.DataFrame, permutations: int = PERMUTATIONS) -> float:
    """The p-value of the interaction by shuffling the residuals of the additive model within seeds (Freedman and Lane).

    The observed order counts as one of them.
    """
    wide = _cube(runs)
    margins = [wide.mean(axes, keepdims=True) for axes in ((1, 2), (0, 2), (0, 1))]  # of seeds, losses, inputs
    rest = wide - (sum(margins) - 2 * wide.mean())
    draws = np.random.default_rng(0).permuted(
        np.broadcast_to(rest.reshape(1, len(rest), -1), (permutations, len(rest), rest[0].size)), axis=2
    )
    observed, by_chance = _interaction(rest[None]), _interaction(draws.reshape(permutations, *rest.shape))
    return float((1 + (by_chance >= observed[0] * (1 - 1e-9)).sum()) / (1 + permutations))


def input_first(runs: pd.DataFrame) -> tuple[float, float]:
    """By how much the mean square of the input exceeds that of the loss, and in what share of draws of seeds it does.

    The draws are all ways to draw the seeds again, with replacement.
    """
    wide = _cube(runs)
    draws = itertools.product(range(len(wide)), repeat=len(wide))
    excess = [_mean_squares(wide[list(draw)]) for draw in draws]
    by_input, by_loss = _mean_squares(wide)
    return by_input - by_loss, float(np.mean([one > other for one, other in excess]))


def drawn_together(runs: pd.DataFrame) -> pd.Series:
    """Per seed: the range of the losses without x' less that with CutMixPick, in percentage points."""
    wide = runs.pivot_table(index=["seed", "scheme"], columns="method", values="test_accuracy")
    spread = (wide.max(axis=1) - wide.min(axis=1)).unstack()
    return spread[NO_SCHEME] - spread["cutmixpick_t"]


def variance_table(found: pd.DataFrame) -> pd.DataFrame:
    """A frame of `variance` as a reader wants it."""
    names = {"term": "term", "df": "df", "mean_sq": "mean square", "F": "F", "p": "p", "omega_sq": "ω²"}
    return tables.table(found.assign(df=found["df"].astype(int)).rename_axis("term"), names, 3)


def _cube(runs: pd.DataFrame) -> np.ndarray:
    """Test accuracies [seeds, losses, inputs]."""
    ordered = runs.sort_values(["seed", "method", "scheme"])["test_accuracy"].to_numpy()
    return ordered.reshape(runs["seed"].nunique(), runs["method"].nunique(), runs["scheme"].nunique())


def _mean_squares(cube: np.ndarray) -> tuple[float, float]:
    """Mean squares of the input and of the loss from accuracies [seeds, losses, inputs]."""
    cells, (seeds, losses, inputs) = cube.mean(axis=0), cube.shape
    return seeds * losses * cells.mean(axis=0).var(ddof=1), seeds * inputs * cells.mean(axis=1).var(ddof=1)


def _interaction(rest: np.ndarray) -> np.ndarray:
    """F of the interaction for residuals [draws, seeds, losses, inputs], up to a constant."""
    cells = rest.mean(axis=1)
    both = cells - cells.mean(1, keepdims=True) - cells.mean(2, keepdims=True) + cells.mean((1, 2), keepdims=True)
    blocks = rest - rest.mean((2, 3), keepdims=True)
    left = (blocks - blocks.mean(axis=1, keepdims=True)) ** 2
    return rest.shape[1] * (both**2).sum((1, 2)) / left.sum((1, 2, 3))
