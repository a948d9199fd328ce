"""When to stop a ranking: which schemes are told apart by now, and how many more steps would do it for the others."""

import math
from itertools import combinations, pairwise

import pandas as pd
import scipy

from kdutils import augment
from kdutils.metrics.ranking import Ranking
from kdutils.metrics.running_stats import GROUPS
from kdutils.stats import holm

HOPELESS = 100  # times the steps so far: differences that would take more are called a tie


def told_apart(ranking: Ranking, confidence: float = 0.95, power: float = 0.8) -> pd.DataFrame:
    """Every two measured schemes: the difference of their T. stddev, its error, and the steps that would resolve it.

    Columns: better, worse, difference (worse - better, never negative), se, margin (half the interval's width), apart
    (zero lies outside the interval), p_holm (corrected for all the comparisons), more_steps (`more`: 0 if apart).
    Both schemes saw the same mini-batches. The error is a jackknife over at most 50 groups of windows, so the interval
    takes Student's t with one degree of freedom less: with the normal's quantile three windows would see a difference
    in one of eight pairs of equal schemes.
    """
    measured = {name: row.u.stddev() for name, row in ranking.rows.items() if row.u.n}
    rows = []
    for better, worse in combinations(sorted(measured, key=measured.get), 2):
        difference, se = ranking.difference(worse, better)
        t = scipy.stats.t(min(ranking.rows[better].u.n, GROUPS) - 1)
        margin = t.ppf((1 + confidence) / 2) * se
        p = 2 * t.sf(difference / se) if se > 0 else float(difference == 0)
        needed = more(difference, se, ranking.x.n, margin, power)
        rows.append((better, worse, difference, se, margin, difference > margin, p, needed))
    columns = ["better", "worse", "difference", "se", "margin", "apart", "p_holm", "more_steps"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(p_holm=holm(table["p_holm"])) if rows else table


def more(difference: float, se: float, steps: int, margin: float, power: float = 0.8) -> float:
    """Steps beyond `steps` after which a true `difference` would be resolved with the chance `power`.

    Error and margin fall as one over the root of the steps. At the steps where the margin alone has fallen to the
    difference the chance is one half; the normal quantile of `power` asks for more. 0 if it is resolved now, inf if it
    would take over a hundred times the steps.
    """
    if difference > margin:
        return 0
    reach = margin + scipy.stats.norm.ppf(power) * se
    if difference <= 0 or (reach / difference) ** 2 > HOPELESS:
        return math.inf
    return math.ceil(steps * (reach / difference) ** 2) - steps


def neighbours(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `told_apart` that compare schemes next to each other in the ranking, best first."""
    order = list(dict.fromkeys([*table["better"], *table["worse"]]))
    keys = table.set_index(["better", "worse"])
    return keys.loc[list(pairwise(order))].reset_index()


def in_words(table: pd.DataFrame) -> str:
    """One line per row, as advice: what is settled, and "cannot be told apart at this cost; N more steps would"."""
    return "\n".join(f"- {_sentence(row)}" for row in table.itertuples())


def _sentence(row: tuple) -> str:
    first, second = map(augment.label, (row.better, row.worse))
    if row.apart:
        return f"{first} is better than {second}."
    if math.isinf(row.more_steps):
        return f"{first} and {second} cannot be told apart at any reasonable cost: treat them as equal."
    return f"{first} and {second} cannot be told apart at this cost; about {row.more_steps:,.0f} more steps would."
