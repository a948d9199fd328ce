"""How many images is an augmentation worth? As many as Identity needs for the test loss that a scheme has with fewer.

The design is in `book/results/README.md`. Images are counted per class, losses are in nats. Exchange rates are kept as
binary logarithms: 0 is worth nothing, 1 as much as twice the images. Plus infinity is "more than Identity's curve
reaches", minus infinity "less".
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy
from matplotlib.axes import Axes
from numpy.typing import NDArray

from kdutils import augment, plots
from kdutils.errors import UserError
from kdutils.report import recorded_runs
from kdutils.report.verdict import plus_minus

STUDY, SHARED = "after_images", "after_unseen"  # the second has the students of 50 images
BASE = "identity"
SCHEMES = ("randaugment", "cutmix", "cutmixpick_t")
SIZES = (10, 20, 50, 100, 200)
SEEDS = 3
AT = 50  # the number of images at which a scheme is judged
LEAST = 3  # sizes to tell a slope from
BOOTSTRAPS = 10_000
TAIL = 0.025
COLUMNS = ["scheme", "images_per_class", "seed", "test_loss", "test_accuracy"]


class Worth(NamedTuple):
    """The binary logarithms of exchange rates, NaN where a scheme has no student.

    `observed` has a row per scheme and a column per number of images; `drawn` [draws, schemes, sizes] has its
    bootstraps, none if a cell has one seed. `curve`: images per class -> mean test loss of Identity.
    """

    observed: pd.DataFrame
    drawn: NDArray[np.float64]
    curve: pd.Series


def students() -> pd.DataFrame:
    """The recorded students of the study, those that it shares included; none while nothing is recorded."""
    found = recorded_runs.there(lambda runs: runs[COLUMNS], {name: (name,) for name in (STUDY, SHARED)})
    runs = pd.concat([*found.values()]) if found else pd.DataFrame(columns=COLUMNS)
    ours = runs[runs["scheme"].isin((BASE, *SCHEMES))]
    return ours.drop_duplicates(["scheme", "images_per_class", "seed"], ignore_index=True)


def at_equal_steps(sizes: Sequence[int], epochs: int) -> dict[int, int]:
    """Images per class -> epochs with about the steps of `epochs` with the fewest images; UserError for one size."""
    if len(set(sizes)) < 2 or min(sizes) < 1:
        raise UserError(f"sizes: a curve needs two numbers of images per class or more, each at least 1, not {sizes}")
    return {size: max(1, round(epochs * min(sizes) / size)) for size in sorted(set(sizes))}


def fewest_seeds(runs: pd.DataFrame) -> int:
    """How many students the emptiest of the study's cells has."""
    cells = runs.groupby(["scheme", "images_per_class"]).size()
    whole = pd.MultiIndex.from_product([(BASE, *SCHEMES), SIZES])
    return int(cells.reindex(whole, fill_value=0).min())


def monotone(losses: NDArray) -> NDArray[np.float64]:
    """The falling sequence nearest to these losses by least squares."""
    return scipy.optimize.isotonic_regression(losses, increasing=False).x


def log_rates(losses: NDArray, sizes: NDArray) -> NDArray[np.float64]:
    """The binary logarithm of exchange rates, from mean losses [schemes, sizes] of which the first row is Identity's.

    `sizes` ascends. Identity's curve is monotone, and linear in log2(images) from size to size; where it is level, the
    fewest images count. A missing loss gives NaN. The result is [schemes, sizes], the first row included.
    """
    there, images = np.isfinite(losses[0]), np.log2(sizes)
    curve = monotone(losses[0][there])
    # np.interp wants what rises, and takes the last of equal points: here the one with the fewest images
    needed = np.interp(losses, curve[::-1], images[there][::-1], left=np.inf, right=-np.inf)
    return needed - images


def worth(runs: pd.DataFrame) -> Worth | None:
    """The exchange rates of all schemes but Identity; None until Identity has students of two sizes.

    `runs`: a row per student, with scheme, images_per_class, seed and test_loss.
    """
    means = runs.pivot_table(index="scheme", columns="images_per_class", values="test_loss")
    curve = means.loc[BASE].dropna() if BASE in means.index else pd.Series(dtype=float)
    if len(curve) < 2:
        return None
    means = _in_order(means)
    sizes = means.columns.to_numpy(float)
    observed = pd.DataFrame(log_rates(means.to_numpy(), sizes), means.index, means.columns).drop(index=BASE)
    drawn = [log_rates(losses, sizes)[1:] for losses in resampled(runs, means)]
    return Worth(observed, np.reshape(drawn, (-1, *observed.shape)), curve)


def resampled(runs: pd.DataFrame, means: pd.DataFrame) -> NDArray[np.float64]:
    """`means` [draws, schemes, sizes] with the seeds of each cell drawn again; no draws if a cell has one seed."""
    cells = dict(list(runs.groupby(["scheme", "images_per_class"])["test_loss"]))
    draws = BOOTSTRAPS if min(map(len, cells.values())) > 1 else 0
    found, generator = np.full((draws, *means.shape), np.nan), np.random.default_rng(0)
    for (scheme, size), losses in cells.items():
        again = generator.choice(losses.to_numpy(), (draws, len(losses)))
        found[:, means.index.get_loc(scheme), means.columns.get_loc(size)] = again.mean(axis=1)
    return found


def interval(drawn: NDArray) -> tuple[float, float]:
    """The 95 % interval of draws, NaN without any; its ends are draws themselves, since infinity has no neighbours."""
    if not len(drawn):
        return np.nan, np.nan
    low, high = np.quantile(drawn, (TAIL, 1 - TAIL), method="inverted_cdf")
    return float(low), float(high)


def rates(found: Worth) -> pd.DataFrame:
    """A row per scheme and size: log_rate and its 95 % interval, low and high."""
    rows = [
        (scheme, size, found.observed.iloc[i, j], *interval(found.drawn[:, i, j]))
        for i, scheme in enumerate(found.observed.index)
        for j, size in enumerate(found.observed.columns)
    ]
    return pd.DataFrame(rows, columns=["scheme", "images_per_class", "log_rate", "low", "high"]).dropna(
        subset="log_rate"
    )


def slopes(found: Worth) -> pd.DataFrame:
    """By how much the binary logarithm of a scheme's rate changes as the images double: slope, low and high.

    A least-squares line over the sizes at which the curve reaches the scheme's loss in every draw; a scheme with fewer
    than three of them has no row. A rate that is only known to lie beyond would pull the line towards the curve's end.
    """
    rows = {}
    for i, scheme in enumerate(found.observed.index):
        observed, drawn = found.observed.loc[scheme].to_numpy(), found.drawn[:, i]
        known = np.isfinite(observed) & np.isfinite(drawn).all(axis=0)
        if known.sum() >= LEAST:
            x = np.log2(found.observed.columns[known].to_numpy(float))
            weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
            rows[scheme] = (observed[known] @ weights, *interval(drawn[:, known] @ weights))
    return pd.DataFrame.from_dict(rows, "index", columns=["slope", "low", "high"]).rename_axis("scheme")


def times(log_rate: float, size: int, curve: pd.Series) -> str:
    """An exchange rate in print: `1.80`, or `more than 4.00` and `less than 0.20` where the curve does not reach."""
    first, last = curve.index[[0, -1]]
    if np.isposinf(log_rate):
        return f"more than {last / size:.2f}"
    return f"less than {first / size:.2f}" if np.isneginf(log_rate) else f"{2**log_rate:.2f}"


def with_interval(row: NamedTuple, curve: pd.Series) -> str:
    """`1.80 (1.50 to more than 4.00)`, of a row of `rates`; the rate alone without draws, or if all draws are so."""
    rate, low, high = (times(value, row.images_per_class, curve) for value in (row.log_rate, row.low, row.high))
    return rate if np.isnan(row.low) or rate == low == high else f"{rate} ({low} to {high})"


def slope_in_words(row: NamedTuple) -> str:
    """`-0.30 (-0.50 to -0.10)`, of a row of `slopes`; the slope alone where there are no draws."""
    return f"{row.slope:+.2f}" + ("" if np.isnan(row.low) else f" ({row.low:+.2f} to {row.high:+.2f})")


def losses_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean test loss with its spread and, in brackets, the number of seeds: a row per scheme, a column per size."""
    groups = runs.groupby(["scheme", "images_per_class"])["test_loss"]
    cells = {cell: f"{plus_minus(losses.mean(), losses.std())} ({len(losses)})" for cell, losses in groups}
    return _shown(pd.Series(cells, dtype=object).unstack())


def rates_table(found: Worth) -> pd.DataFrame:
    """Exchange rates with their 95 % intervals: a row per scheme, a column per size, and the slope if any has one."""
    rows = rates(found)
    said = [with_interval(row, found.curve) for row in rows.itertuples()]
    shown = rows.assign(said=said).pivot(index="scheme", columns="images_per_class", values="said")
    lines = {row.Index: slope_in_words(row) for row in slopes(found).itertuples()}
    return _shown(shown.assign(slope=pd.Series(lines)) if lines else shown)


def _shown(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells under the schemes' printed names in the order of the study, a dash where there is none."""
    ordered = _in_order(cells).fillna("–")
    names = {name: "slope" if name == "slope" else f"{name} images" for name in ordered}
    return ordered.rename(index=augment.label, columns=names).rename_axis(index=None, columns="scheme")


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame with a row per scheme in the order of the study, Identity first."""
    return frame.loc[sorted(frame.index, key=(BASE, *SCHEMES, *frame.index).index)]


@plots.style()
def chart(runs: pd.DataFrame, found: Worth) -> plots.Chart:
    """Test losses with Identity's curve, and below them exchange rates with their intervals, over images per class.

    A rate that the curve does not reach is an open triangle at as far as it goes.
    """
    drawing = plots.Chart(figsize=(plots.WIDTH, 6.4), layout="constrained")
    above, below = drawing.subplots(2, 1, sharex=True)
    sizes = found.curve.index.to_numpy(float)
    above.plot(sizes, monotone(found.curve.to_numpy()), color=plots.mark(BASE).colour, lw=1.5)
    for scheme in (BASE, *found.observed.index):
        means = runs[runs["scheme"] == scheme].groupby("images_per_class")["test_loss"].mean()
        above.plot(means.index, means, **_look(scheme), label=augment.label(scheme))
    below.axhline(1, color=plots.mark(BASE).colour, lw=1.5)
    for place, (scheme, rows) in enumerate(rates(found).groupby("scheme", sort=False)):
        _draw_rates(below, scheme, rows.assign(shift=1 + 0.04 * (place - 1)), sizes)
    below.set_xscale("log")
    below.set_yscale("log", base=2)
    below.yaxis.set_major_formatter("{x:g}")
    below.set_xticks(sizes, [f"{size:g}" for size in sizes])
    below.minorticks_off()
    below.set(xlabel="images per class", ylabel="exchange rate")
    above.set_ylabel("S. test loss (nats)")
    drawing.legend(*above.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return drawing


def _draw_rates(ax: Axes, scheme: str, rows: pd.DataFrame, sizes: NDArray) -> None:
    """A scheme's exchange rates, moved aside by `shift`; where the curve does not reach them, triangles at its ends."""
    at, x = (values.to_numpy(float) for values in (rows["images_per_class"], rows["images_per_class"] * rows["shift"]))
    rate, low, high = (
        np.clip(2.0 ** rows[name].to_numpy(), sizes[0] / at, sizes[-1] / at) for name in ("log_rate", "low", "high")
    )
    look, known = _look(scheme), np.isfinite(rows["log_rate"].to_numpy())
    ax.vlines(x, low, high, color=look["color"], lw=1.5)
    ax.plot(x[known], rate[known], **look)
    for beyond, way in ((np.inf, "^"), (-np.inf, "v")):
        out = rows["log_rate"].to_numpy() == beyond
        ax.plot(x[out], rate[out], **look | {"marker": way, "ms": 11, "mfc": "none", "mec": look["color"], "mew": 1.5})


def _look(scheme: str) -> dict[str, object]:
    """How matplotlib draws a scheme's points."""
    colour, marker = plots.mark(scheme)
    size = 13 if marker == "*" else 8  # of equal weight to the eye
    return {"color": colour, "marker": marker, "ms": size, "mec": plots.PANEL, "mew": 0.5, "ls": "none"}
