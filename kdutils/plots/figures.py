"""The book's figures. Every function returns a `Chart` in the book's look (`theme`)."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from kdutils import augment, stats
from kdutils.errors import UserError
from kdutils.paper import SCHEME_LABELS
from kdutils.plots.theme import ACCENT, COLOURS, INK, PANEL, WIDTH, Chart, mark, style

METHOD_LABELS = {"pearson": "Pearson r", "spearman": "Spearman ρ", "kendall": "Kendall τ"}

ANATOMY = {
    "var_confidence": "confidence of p(x) and p(x')",
    "var_coupling": "coupling of x and x'",
    "var_batch": "what a batch has in common",
}
"""The columns of `rank_schemes` that add up to the variance of u, with what each means."""


@style()
def image_grid(
    images: ArrayLike, titles: Sequence[str] = (), columns: int = 8, row_labels: Sequence[str] = ()
) -> Chart:
    """Images [N, 3, H, W] in 0..255 (array or tensor) row by row, a title above each, a label beside each row."""
    images = np.clip(np.asarray(images), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    rows = math.ceil(len(images) / columns)
    if len(titles) not in (0, len(images)) or len(row_labels) not in (0, rows):
        raise UserError(
            f"{len(images)} images in {rows} rows, but {len(titles)} titles and {len(row_labels)} row labels"
        )
    lines = 1 + max((title.count("\n") for title in titles), default=-1)
    side = WIDTH / columns
    chart = Chart(figsize=(WIDTH, rows * (side + 0.17 * lines)), layout="constrained")
    axes = chart.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for ax, image, title in zip(axes, images, titles or [""] * len(images), strict=False):
        ax.imshow(image, interpolation="none")  # SVG then keeps the pixels themselves
        ax.set_title(title, fontsize=9, pad=3)
    for ax, label in zip(axes[::columns], row_labels, strict=False):
        ax.set_ylabel(label, fontsize=10, rotation=0, ha="right", va="center")
    return chart


@style()
def scatter_with_fit(
    frame: pd.DataFrame,
    x: str = "t_stddev",
    y: str = "test_loss",
    x_label: str = "T. stddev (×10⁻³)",
    y_label: str = "S. test loss",
    x_error: str | None = None,
    y_error: str | None = None,
    methods: Sequence[stats.Method] = ("pearson", "spearman", "kendall"),
) -> Chart:
    """Fig. 1b: one point per row, marked by its `scheme`; the least-squares line with its 95 % band; r, ρ and τ above.

    `x_error` and `y_error` name columns that hold a point's spread.
    """
    chart = Chart(figsize=(WIDTH, 5.2), layout="constrained")
    ax = chart.subplots()
    _scatter(ax, frame, x, y, x_error, y_error)
    ax.set(xlabel=x_label, ylabel=y_label)
    found = [
        _coefficient(METHOD_LABELS[name], stats.correlation(frame[x], frame[y], name, interval="none"))
        for name in methods
    ]
    lines = [f"{len(frame)} points, {found[0]}", ", ".join(found[1:])]
    ax.set_title("\n".join(line for line in lines if line))
    _scheme_legend(chart, frame["scheme"])
    return chart


@style()
def scatter_panels(
    frame: pd.DataFrame,
    by: Sequence[str] = ("pair",),
    x: str = "t_stddev",
    y: str = "test_loss",
    x_label: str = "T. stddev (×10⁻³)",
    y_label: str = "S. test loss",
    columns: int = 3,
) -> Chart:
    """Fig. 4: one small `scatter_with_fit` per group, Pearson's r and p above it, in red if p is 5 % or more."""
    groups = list(frame.groupby(list(by), sort=False))
    rows = math.ceil(len(groups) / columns)
    chart = Chart(figsize=(WIDTH, 2.15 * rows + 1.1), layout="constrained")
    axes = chart.subplots(rows, columns, squeeze=False).ravel()
    for ax, (key, group) in zip(axes, groups, strict=False):
        _scatter(ax, group, x, y, size=5)
        found = stats.correlation(group[x], group[y], interval="none")
        ax.set_title("\n".join([*map(str, key), _coefficient("r", found)]), fontsize=10.5)
        ax.title.set_color(ACCENT if found.p >= 0.05 else INK)
        ax.tick_params(labelsize=9.5)
    for ax in axes[len(groups) :]:
        ax.set_visible(False)
    chart.supxlabel(x_label, fontsize=12)
    chart.supylabel(y_label, fontsize=12)
    _scheme_legend(chart, frame["scheme"])
    return chart


@style()
def bars_with_errors(
    frame: pd.DataFrame, value: str, error: str | None = None, hue: str | None = None, label: str = ""
) -> Chart:
    """One bar per `scheme` with its error, schemes from top to bottom as in `frame`; `hue` sets bars side by side.

    One row per scheme (and hue); a missing value leaves a gap, a missing error draws none.
    """
    schemes = list(frame["scheme"].drop_duplicates())
    groups = [("", frame)] if hue is None else list(frame.groupby(hue, sort=False))
    thickness = 0.8 / len(groups)
    chart = Chart(figsize=(WIDTH, len(schemes) * max(0.34, 0.2 * len(groups)) + 1.1), layout="constrained")
    ax = chart.subplots()
    for index, (name, group) in enumerate(groups):
        if group["scheme"].duplicated().any():
            raise UserError(f"more than one row per scheme{f' for {hue} {name}' if hue else ''}; average them first")
        group = group.set_index("scheme").reindex(schemes)
        ax.barh(
            np.arange(len(schemes)) + (index - (len(groups) - 1) / 2) * thickness,
            group[value],
            thickness,
            xerr=None if error is None else group[error].fillna(0),
            color=[mark(scheme).colour for scheme in schemes] if hue is None else COLOURS[index],
            error_kw={"ecolor": INK, "capsize": 2},
            label=str(name),
        )
    _scheme_rows(ax, schemes)
    ax.set_xlabel(label or value)
    if hue is not None:
        chart.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=min(3, len(groups)))
    return chart


@style()
def ranking(frame: pd.DataFrame) -> Chart:
    """T. stddev of each scheme with two standard errors, the best on top; `frame` is one of `metrics.rank_schemes`."""
    rows = frame.dropna(subset="t_stddev").sort_values("t_stddev")
    chart = Chart(figsize=(WIDTH, 0.38 * len(rows) + 1.0), layout="constrained")
    ax = chart.subplots()
    for place, row in enumerate(rows.itertuples()):
        colour, marker = mark(row.scheme)
        ax.errorbar(1e3 * row.t_stddev, place, xerr=2e3 * row.t_stddev_se, fmt=marker, ms=9, color=colour, capsize=3)
    _scheme_rows(ax, list(rows["scheme"]))
    ax.set_xlabel("T. stddev (×10⁻³), the lower, the better")
    return chart


@style()
def lines_with_bands(
    frame: pd.DataFrame,
    x: str,
    y: str,
    hue: str,
    x_label: str = "",
    y_label: str = "",
    mark_minimum: bool = False,
) -> Chart:
    """Fig. 2: a line a `hue` through the mean over the rows that share `x`, with a band of one standard deviation.

    `mark_minimum` rings the lowest mean of each line.
    """
    chart = Chart(figsize=(WIDTH, 4.8), layout="constrained")
    ax = chart.subplots()
    names = list(frame[hue].drop_duplicates())
    palette = dict(zip(names, COLOURS, strict=False))
    if len(palette) < len(names):
        raise UserError(
            f"at most {len(COLOURS)} lines can be told apart, got {len(names)}; draw fewer or split the figure"
        )
    sns.lineplot(frame, x=x, y=y, hue=hue, style=hue, palette=palette, markers=True, dashes=False, errorbar="sd", ax=ax)
    if mark_minimum:
        means = frame.groupby([hue, x], sort=False)[y].mean()
        for name in names:
            best = means[name].idxmin()
            ax.plot(best, means[name][best], "o", ms=15, mfc="none", mec=ACCENT, mew=2, label="_minimum")
    ax.set(xlabel=x_label or x, ylabel=y_label or y)
    handles, labels = ax.get_legend_handles_labels()
    ax.get_legend().remove()
    chart.legend(handles, labels, loc="outside upper center", ncols=2)
    return chart


@style()
def anatomy_bars(frame: pd.DataFrame, label: str = "Var(u), mean over classes") -> Chart:
    """T. stddev's three parts (`ANATOMY`) stacked for each scheme, negative ones leftwards; a diamond at the sum."""
    schemes = list(frame["scheme"])
    chart = Chart(figsize=(WIDTH, len(schemes) * 0.36 + 1.7), layout="constrained")
    ax = chart.subplots()
    above, below = np.zeros(len(schemes)), np.zeros(len(schemes))
    for (column, meaning), colour in zip(ANATOMY.items(), COLOURS, strict=False):
        width = frame[column].to_numpy(float)
        left = np.where(width >= 0, above, below)
        ax.barh(np.arange(len(schemes)), width, 0.75, left=left, color=colour, label=meaning)
        above, below = above + width.clip(min=0), below + width.clip(max=0)
    ax.plot(above + below, np.arange(len(schemes)), "D", color=INK, mec=PANEL, ms=8, label="sum: Var(u)")
    ax.axvline(0, color=INK, lw=1)
    _scheme_rows(ax, schemes)
    ax.set_xlabel(label)
    ax.ticklabel_format(axis="x", scilimits=(-3, 4))
    chart.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return chart


def _scatter(
    ax: Axes,
    frame: pd.DataFrame,
    x: str,
    y: str,
    x_error: str | None = None,
    y_error: str | None = None,
    size: float = 8,
) -> None:
    """Points marked by scheme over the least-squares line and its 95 % band."""
    line = stats.fit_line(frame[x], frame[y], np.linspace(frame[x].min(), frame[x].max(), 50))
    ax.fill_between(line["x"], line["low"], line["high"], color="#8c8c8c", alpha=0.22, lw=0, label="_band")
    ax.plot(line["x"], line["y"], color="#6e6e6e", lw=1.5, label="_line")
    for scheme, points in frame.groupby("scheme", sort=False):
        ax.errorbar(
            points[x],
            points[y],
            xerr=None if x_error is None else points[x_error],
            yerr=None if y_error is None else points[y_error],
            **_marker(scheme, size),
            elinewidth=1,
        )


def _marker(scheme: str, size: float) -> dict[str, object]:
    """How matplotlib draws a point of a scheme."""
    colour, marker = mark(scheme)
    wide = {"*": 1.6, "P": 1.15, "X": 1.15}.get(marker, 1.0)  # of equal weight to the eye
    return {
        "color": colour,
        "marker": marker,
        "ms": size * wide,
        "mec": PANEL,
        "mew": 0.5,
        "ls": "none",
        "label": scheme,
    }


def _scheme_legend(chart: Chart, schemes: pd.Series) -> None:
    """One legend above the figure, the paper's schemes first and in its order."""
    present = list(dict.fromkeys(schemes))
    ordered = [name for name in SCHEME_LABELS if name in present] + [
        name for name in present if name not in SCHEME_LABELS
    ]
    handles = [Line2D([], [], **_marker(name, 8)) for name in ordered]
    labels = [augment.label(name) for name in ordered]
    chart.legend(handles, labels, loc="outside upper center", ncols=3, columnspacing=1.2, handletextpad=0.3)


def _scheme_rows(ax: Axes, schemes: Sequence[str]) -> None:
    """Schemes down the vertical axis, the first on top."""
    ax.set_yticks(range(len(schemes)), [augment.label(name) for name in schemes])
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")


def _coefficient(symbol: str, found: stats.Correlation) -> str:
    """`r = 0.94 (p < 0.001)`"""
    return f"{symbol} = {found.r:.2f} ({stats.p_text(found.p)})"
