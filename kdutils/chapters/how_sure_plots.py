"""The figures of the chapter on how sure a correlation is."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kdutils import plots, stats
from kdutils.chapters.how_sure import Permutation
from kdutils.report import tables


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
        low, high = np.transpose([stats.fisher_interval(each.r, each.n) for each in found])
        r = np.array([each.r for each in found])
        ax.errorbar(
            r, np.arange(len(r)) + offset, xerr=[r - low, high - r], fmt="o", ms=4, color=colour,
            label=f"{found[0].n} schemes",
        )  # fmt: skip
    ax.axvline(0, color=plots.INK, lw=1)
    ax.set_yticks(range(len(names)), [f"{pair} ({tables.DATASETS[dataset]})" for dataset, pair in names], fontsize=9)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("Pearson's r, T. stddev and S. test loss")
    chart.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return chart


@plots.style()
def null_distributions(tests: Mapping[str, Mapping[str, Permutation]]) -> plots.Chart:
    """The mean r of all pairs under the null, a panel per set of schemes; the line is what was observed.

    `tests`: set of schemes -> what is permuted together -> its `how_sure.permutation_test`.
    """
    chart = plots.Chart(figsize=(plots.WIDTH, 2.3 * len(tests) + 0.9), layout="constrained")
    panels = chart.subplots(len(tests), 1, sharex=True, squeeze=False).ravel()
    for ax, (schemes, kinds) in zip(panels, tests.items(), strict=True):
        for colour, (shared, test) in zip(plots.COLOURS, kinds.items(), strict=False):
            ax.hist(
                test.null, np.linspace(-1, 1, 81), density=True, histtype="step", lw=1.5, color=colour, label=shared
            )
        ax.axvline(test.mean_r, color=plots.ACCENT, lw=2, label="observed")
        ax.set_title(schemes, loc="left")
        ax.set(ylabel="density", yticks=[])
    panels[-1].set_xlabel("mean Pearson's r over the pairs, if T. stddev had nothing to do with the schemes")
    chart.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return chart
