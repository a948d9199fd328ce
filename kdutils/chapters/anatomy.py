"""How near the closed form of Var(u) comes to measured rankings, what mixed images add to it, and other predictors.

A candidate predictor of S. test loss, none of which trains a student, gives every scheme a number, oriented so that
lower means a better scheme: a series over schemes, the same for all pairs, or a frame pairs x schemes.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import nn

from kdutils import augment, paper, seeds
from kdutils.data import Dataset
from kdutils.metrics import responses
from kdutils.metrics.responses import read_logits, reader


def closed_form(rankings: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Predicted over measured T. stddev, the prediction being without the batch part: a row per ranking.

    `rankings`: title -> frame of `rank_schemes`. Columns: windows (n_u), schemes measured, the mean of the ratio over
    them and its standard deviation, the scheme that is furthest off with its ratio, and `beyond`: how many schemes are
    off by more than two standard errors of the measured value.
    """
    rows = {}
    for name, frame in rankings.items():
        measured = frame.reset_index().dropna(subset=["t_stddev"]).set_index("scheme")
        ratio = measured["t_stddev_pairs"] / measured["t_stddev"]
        off = (measured["t_stddev_pairs"] - measured["t_stddev"]).abs()
        furthest = (ratio - 1).abs().idxmax()
        rows[name] = {
            "windows": int(measured["n_u"].iloc[0]),
            "schemes": len(measured),
            "mean ratio": ratio.mean(),
            "std": ratio.std(ddof=1),
            "furthest off": furthest,
            "its ratio": ratio[furthest],
            "beyond": int((off > 2 * measured["t_stddev_se"]).sum()),
        }
    return pd.DataFrame(rows).T.infer_objects()


def shared_source(
    teacher: nn.Module, dataset: Dataset, scheme: str, steps: int, k: int = 640, batch_size: int = 64, seed: int = 0
) -> float:
    """What two x' of a mini-batch that show the same image add to Var(u), mean over classes, one transform per image.

    A mixed x'_i shows a partner, whose own x'_j shows it too: of n = K/2 such couples per window each adds
    2 Cov[p(x'_i), p(x'_j)] / 4n. Zero for schemes that mix nothing. (If two images are each other's partner the
    couple counts twice: one couple in 64 images, on average.)
    """
    settings, read = augment.settings(dataset, "sample"), reader(teacher)
    couples = []
    for step in range(steps):
        generator = seeds.generator(seed, "shared source", step)
        index = torch.randperm(len(dataset.train), generator=generator)[:batch_size]
        x = augment.standard(dataset.for_standard(dataset.train, index, generator), generator, settings)
        made = augment.SCHEMES[scheme](x, generator, settings)
        p = read_logits(read, dataset, made.x).softmax(1).double()
        mixed = made.partner != made.own
        position = torch.empty_like(made.own)
        position[made.own] = torch.arange(len(made.own))
        couples.append(torch.stack([p[mixed], p[position[made.partner[mixed]]]]))
    first, second = torch.cat(couples, dim=1)
    if not len(first):
        return 0.0
    covariance = ((first - first.mean(0)) * (second - second.mean(0))).mean(0)
    return float(2 * covariance.mean() / (2 * k))


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
    if apart == "pair":  # a pair of networks on two datasets is two pairs
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
    for seen in responses.views(teacher, dataset, scheme, steps, seed=seed):
        log_p, log_q = (p.clamp(min=1e-12).log() for p in (seen.p, seen.p_prime))
        own = log_q.gather(1, seen.label[:, None])[:, 0]
        partner = log_q.gather(1, seen.partner_label[:, None])[:, 0]
        mixed = seen.lam * own + (1 - seen.lam) * partner
        gaps.append((log_p.gather(1, seen.label[:, None])[:, 0] - mixed).double().mean())
    found = torch.stack(gaps)
    return Gap(float(found.mean()), float(found.std() / len(found) ** 0.5))
