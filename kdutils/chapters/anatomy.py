"""How near the closed form of Var(u) comes to measured rankings, and the part of it that mixed images add."""

from collections.abc import Mapping

import pandas as pd
import torch
from torch import nn

from kdutils import augment, seeds
from kdutils.data import Dataset
from kdutils.views import read_logits, reader


def closed_form(rankings: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Predicted over measured T. stddev, where the prediction leaves the batch part out: a row a ranking.

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
    """What two x' of a mini-batch that show the same image add to Var(u), mean over classes, one transform an image.

    A mixed x'_i shows a partner, whose own x'_j shows it too: of n = K/2 such couples a window each adds
    2 Cov[p(x'_i), p(x'_j)] / 4n. Zero for schemes that mix nothing. (Where two images are each other's partner the
    couple counts twice: one couple in 64 images, on average.)
    """
    settings, read = augment.settings(dataset, "sample"), reader(teacher)
    couples = []
    for step in range(steps):
        generator = seeds.generator(seed, "shared source", step)
        index = torch.randperm(len(dataset.train), generator=generator)[:batch_size]
        x = augment.standard(dataset.train.batch(index)[0], generator, settings)
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
