"""Pictures of what schemes make of images and what the teacher says of them, and figures of single chapters."""

from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from matplotlib.ticker import LogLocator
from numpy.typing import ArrayLike

from kdutils.errors import UserError
from kdutils.paper import SCHEME_LABELS
from kdutils.plots import ACCENT, COLOURS, INK, PANEL, WIDTH, Chart, image_grid, mark, style
from kdutils.views import Views, top_answers

ANSWER_LABELS = {"own": "the image underneath", "neither": "neither of the two", "partner": "the image pasted in"}


def captioned(images: ArrayLike, captions: Sequence[str], columns: int = 8, row_labels: Sequence[str] = ()) -> Chart:
    """`plots.image_grid` with the text under each image instead of above it."""
    chart = image_grid(images, captions, columns, row_labels)  # as titles, the captions have made room for themselves
    for ax, caption in zip(chart.axes, captions, strict=False):
        ax.set_title("")
        ax.set_xlabel(caption, fontsize=9, labelpad=2)
    return chart


def scheme_rows(seen: Mapping[str, Views], classes: Sequence[str], columns: int = 5, top: int = 2) -> Chart:
    """A row a scheme: what it makes of the same `columns` images, the teacher's answers and their entropy below each.

    `seen`: scheme -> the views of one mini-batch. Only images that every scheme keeps are shown, which matters for
    CutMixPick; of two x' of one image the later one, so that its rows need not repeat the CutMix row.
    """
    kept = set.intersection(*(set(view.own.tolist()) for view in seen.values()))
    if len(kept) < columns:
        raise UserError(f"only {len(kept)} images of the mini-batch are kept by every scheme; ask for fewer columns")
    positions = sorted(kept)[:columns]
    places = [{own: place for place, own in enumerate(view.own.tolist())} for view in seen.values()]
    rows = [view.take([place[i] for i in positions]) for view, place in zip(seen.values(), places, strict=True)]
    captions = [
        f"{answers}\n{entropy:.2f} nats"
        for row in rows
        for answers, entropy in zip(top_answers(row.p_prime, classes, top), row.entropy().tolist(), strict=True)
    ]
    labels = [SCHEME_LABELS.get(name, name).replace(" (", "\n(") for name in seen]
    return captioned(torch.cat([row.x_prime.float() for row in rows]), captions, columns, labels)


@style()
def convergence(by_steps: pd.DataFrame, by_k: pd.DataFrame) -> Chart:
    """T. stddev with two standard errors: left against mini-batches measured, right against K (two log axes).

    Columns: scheme, t_stddev, t_stddev_se, and steps or k. The dotted lines on the right fall as 1 / sqrt(K) from the
    first point, as they would if mini-batches were independent.
    """
    chart = Chart(figsize=(WIDTH, 4.4), layout="constrained")
    left, right = chart.subplots(1, 2)
    for ax, frame, x in ((left, by_steps, "steps"), (right, by_k, "k")):
        for scheme, points in frame.groupby("scheme", sort=False):
            colour, marker = mark(scheme)
            drawn = {"color": colour, "marker": marker, "ms": 7, "mec": PANEL, "mew": 0.5, "capsize": 2}
            label = SCHEME_LABELS.get(scheme, scheme)
            ax.errorbar(points[x], 1e3 * points["t_stddev"], 2e3 * points["t_stddev_se"], label=label, **drawn)
            if ax is right:
                first = points.iloc[0]
                ax.plot(points[x], 1e3 * first["t_stddev"] * (first[x] / points[x]) ** 0.5, ":", color=colour)
    left.set(xlabel="mini-batches measured", ylabel="T. stddev (×10⁻³)")
    right.set(xlabel="K, images a window", xscale="log", yscale="log")
    right.set_xticks(by_k["k"].unique(), [f"{k}" for k in by_k["k"].unique()])
    right.yaxis.set(major_locator=LogLocator(subs=(1, 1.5, 2, 3, 5, 7)), major_formatter="{x:g}")
    right.minorticks_off()
    chart.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return chart


@style()
def answer_shares(table: pd.DataFrame) -> Chart:
    """What a network calls a mixed image at each lambda (`views.by_lambda`): stacked bars, and how often it disagrees
    with the label that lambda prefers, with the 95 % interval."""
    chart = Chart(figsize=(WIDTH, 5), layout="constrained")
    ax = chart.subplots()
    centre, width = (table["lam_low"] + table["lam_high"]) / 2, 0.92 * (table["lam_high"] - table["lam_low"])
    bottom = 0 * centre
    for (name, label), colour in zip(ANSWER_LABELS.items(), COLOURS, strict=False):
        ax.bar(centre, table[name], width, bottom, color=colour, alpha=0.55, label=label)
        bottom = bottom + table[name]
    around = [table["disagreement"] - table["low"], table["high"] - table["disagreement"]]
    ax.errorbar(
        centre, table["disagreement"], around, fmt="o-", color=INK, capsize=3, label="disagreement with the label"
    )
    ax.axvline(0.5, color=ACCENT, ls="--", lw=1)
    ax.set(xlabel="λ, the share of the image underneath", ylabel="share of the mixed images", xlim=(0, 1), ylim=(0, 1))
    chart.legend(loc="outside upper center", ncols=2)
    return chart


@style()
def fade_line(shares: Sequence[float], ranked: pd.DataFrame, levels: Mapping[str, float]) -> Chart:
    """T. stddev with two standard errors, as multiples of the first row's, against the share of a constant image.

    `ranked`: a row a share, with `t_stddev`, its error, and `warning`, which leaves a point hollow. `levels`: scheme ->
    the height of a dotted line.
    """
    chart = Chart(figsize=(WIDTH, 4.2), layout="constrained")
    ax = chart.subplots()
    value, error = (ranked[name] / ranked["t_stddev"].iloc[0] for name in ("t_stddev", "t_stddev_se"))
    ax.errorbar(shares, value, 2 * error, color=COLOURS[0], capsize=3, zorder=1)
    faces = [PANEL if hollow else COLOURS[0] for hollow in ranked["warning"]]
    ax.scatter(shares, value, 60, faces, edgecolors=COLOURS[0], linewidths=1.5, zorder=2)
    for scheme, level in levels.items():
        ax.axhline(level, ls=":", color=mark(scheme).colour, label=SCHEME_LABELS.get(scheme, scheme))
    ax.set(xlabel="share of the constant image in x'", ylabel="T. stddev, Identity = 1", ylim=(0, None))
    chart.legend(loc="outside upper center", ncols=2)
    return chart
