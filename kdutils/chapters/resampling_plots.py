"""Figures of the chapter on how sure the correlations are."""

import numpy as np
import pandas as pd

from kdutils import plots, stats
from kdutils.chapters import resampling


@plots.style()
def intervals(whole: pd.DataFrame, rest: pd.DataFrame) -> plots.Chart:
    """Pearson's r with Fisher's 95 % interval for every pair, for two sets of schemes side by side."""
    names = list(whole[["dataset", "pair"]].drop_duplicates().itertuples(index=False, name=None))
    chart = plots.Chart(figsize=(plots.WIDTH, 0.4 * len(names) + 1.2), layout="constrained")
    ax = chart.subplots()
    for offset, frame, colour in ((-0.15, whole, plots.COLOURS[0]), (0.15, rest, plots.COLOURS[1])):
        found = [
            stats.correlation(group["t_stddev"], group["test_loss"], interval="none")
            for _, group in frame.groupby(["dataset", "pair"], sort=False)
        ]
        low, high = np.transpose([resampling.fisher_interval(each.r, each.n) for each in found])
        r = np.array([each.r for each in found])
        ax.errorbar(
            r, np.arange(len(r)) + offset, xerr=[r - low, high - r], fmt="o", ms=4, color=colour,
            label=f"{found[0].n} schemes",
        )  # fmt: skip
    ax.axvline(0, color=plots.INK, lw=1)
    labels = {"cifar100": "CIFAR-100", "tinyimagenet": "Tiny ImageNet"}
    ax.set_yticks(range(len(names)), [f"{pair} ({labels[dataset]})" for dataset, pair in names], fontsize=9)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("Pearson's r, T. stddev and S. test loss")
    chart.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return chart
