"""Candidate predictors of S. test loss, none of which trains a student, judged pair by pair by rank correlation.

A score gives every scheme a number, oriented so that lower means a better scheme. It is a series over schemes, the same
for all pairs, or a frame pairs x schemes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import nn

from kdutils import paper, views
from kdutils.data import Dataset

CANDIDATES = {
    "T. stddev": ("t_stddev", 1),
    "confidence part alone": ("var_confidence", 1),
    "coupling part alone": ("var_coupling", 1),
    "mean entropy of x'": ("entropy", -1),
    "label disagreement": ("label_disagreement", -1),
    "mean covariance": ("mean_covariance", 1),
    "mean correlation": ("mean_correlation", 1),
}
"""Name -> the column of a `rank_schemes` frame and the sign that makes lower better."""


def scores(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Every candidate that a `rank_schemes` frame holds, as a series over schemes."""
    rows = frame.set_index("scheme")
    return {name: sign * rows[column] for name, (column, sign) in CANDIDATES.items()}


def published() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Losses and T. stddev of the 18 published pairs, each pairs x schemes; the index is (dataset, teacher, pair)."""
    frame = paper.pairs()
    index = ["dataset", "teacher", "pair"]
    return tuple(frame.pivot(index=index, columns="scheme", values=name) for name in ("test_loss", "t_stddev"))


def from_others(values: pd.DataFrame, apart: str = "pair") -> pd.DataFrame:
    """For each pair, the mean rank of each scheme in `values` over the pairs that do not share its `apart`.

    `apart` is a level of the index: "pair" leaves out the pair itself, "teacher" all pairs of its teacher and "dataset"
    all pairs on its data.
    """
    ranks = values.rank(axis=1)
    rows = {key: ranks[_others(values.index, key, apart)].mean() for key in values.index}
    return pd.DataFrame(rows).T.rename_axis(index=values.index.names)


def _others(index: pd.MultiIndex, key: tuple, apart: str) -> NDArray[np.bool_]:
    """Which pairs of the index do not share their `apart` with the pair `key`."""
    own = dict(zip(index.names, key, strict=True))
    same = index.get_level_values(apart) == own[apart]
    if apart == "pair":  # a pair of networks on two data sets is two pairs
        same &= index.get_level_values("dataset") == own["dataset"]
    return ~same


def judge(losses: pd.DataFrame, candidates: dict[str, pd.Series | pd.DataFrame]) -> pd.DataFrame:
    """Spearman's rank correlation of each candidate with the losses of each pair, pairs x candidates.

    Over the schemes that both hold; missing values are left out.
    """
    found = {}
    for name, score in candidates.items():
        rows = {}
        for key, loss in losses.iterrows():
            own = score.loc[key] if isinstance(score, pd.DataFrame) else score
            both = pd.concat([own.rename("score"), loss.rename("loss")], axis=1).astype(float).dropna()
            rows[key] = spearmanr(both["score"], both["loss"]).statistic
        found[name] = rows
    return pd.DataFrame(found).rename_axis(index=losses.index.names)


def chosen_on_others(judged: pd.DataFrame, names: Sequence[str], apart: str = "pair") -> pd.DataFrame:
    """The best of some scores, chosen for each pair on the others and judged on that pair alone.

    `judged` is pairs x candidates (`judge`); the choice is by the mean over the pairs that do not share the `apart` of
    the pair left out, and among equals the first. Columns: chosen, rho. Without this, the best of many scores on 18
    pairs looks better than it is.
    """
    rows = {}
    for key in judged.index:
        best = judged.loc[_others(judged.index, key, apart), list(names)].mean().round(9).idxmax()
        rows[key] = {"chosen": best, "rho": judged.loc[key, best]}
    return pd.DataFrame(rows).T.rename_axis(index=judged.index.names).astype({"rho": float})


def summary(judged: pd.DataFrame) -> pd.DataFrame:
    """Median and worst rank correlation over the pairs, and how many pairs a candidate orders better than T. stddev."""
    table = pd.DataFrame({"median": judged.median(), "worst": judged.min()})
    table["better than T. stddev"] = judged.gt(judged["T. stddev"] + 1e-9, axis=0).sum()
    table["worse"] = judged.lt(judged["T. stddev"] - 1e-9, axis=0).sum()
    return table.sort_values("median", ascending=False)


def changes(frame: pd.DataFrame, base: str = "identity") -> pd.DataFrame:
    """By which share each part of Var(u) accounts for the change from `base` to each other scheme; shares add up to 1.

    Columns: change (of Var(u), as a share of the base's), confidence, coupling, batch. A scheme that changes nothing
    beyond 5 % is left out, as its shares would be noise.
    """
    parts = frame.set_index("scheme")[["var_confidence", "var_coupling", "var_batch"]].dropna()
    parts.columns = ["confidence", "coupling", "batch"]
    difference = (parts - parts.loc[base]).drop(base)
    total = difference.sum(axis=1)
    table = difference.div(total, axis=0)
    table.insert(0, "change", total / parts.loc[base].sum())
    return table[table["change"].abs() > 0.05]


class Gap(NamedTuple):
    """A log-likelihood gap in nats and its standard error over mini-batches."""

    gap: float
    gap_se: float


def likelihood_gap(teacher: nn.Module, dataset: Dataset, scheme: str, steps: int, seed: int = 0) -> Gap:
    """How much less likely the teacher finds the labels of x' than those of x: mean log-likelihood, in nats.

    A mixed image has two labels, weighted by lambda, as CutMix and Mixup do.
    """
    gaps = []
    for seen in views.views(teacher, dataset, scheme, steps, seed=seed):
        log_p, log_q = (p.clamp(min=1e-12).log() for p in (seen.p, seen.p_prime))
        own = log_q.gather(1, seen.label[:, None])[:, 0]
        partner = log_q.gather(1, seen.partner_label[:, None])[:, 0]
        mixed = seen.lam * own + (1 - seen.lam) * partner
        gaps.append((log_p.gather(1, seen.label[:, None])[:, 0] - mixed).double().mean())
    found = torch.stack(gaps)
    return Gap(float(found.mean()), float(found.std() / len(found) ** 0.5))
