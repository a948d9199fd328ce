"""Does T. stddev order schemes that the paper does not have? The recorded prediction, and the students that judge it.

The design is in `book/results/README.md`. The ranking was recorded before any of these students was trained. T. stddev
is in 1e-3, losses in nats.
"""

import numpy as np
import pandas as pd

from kdutils import augment, plots, stats
from kdutils.report import campaigns, few_shot, recorded_runs, tables

EIGHT = (
    "randaugment",
    "trivialaugment",
    "augmix",
    "random_erasing",
    "autoaugment+cutout",
    "autoaugment+cutmix",
    "greyscale",
    "gaussian_noise",
)
"""The schemes that the paper does not have."""
ALL = (*augment.NINE, *EIGHT)
"""The 17 schemes of the study that have something to teach."""
FOOL = "blank"  # shows nothing of the image, and has a lower T. stddev than any scheme of the paper
RANKING, STUDY = "after_unseen_rank", "after_unseen"
SEEDS = 3  # students of each scheme, as planned
COLUMNS = ("scheme", "t_stddev", "t_stddev_se", "entropy", "label_disagreement")


def ranked(recording: str = RANKING) -> pd.DataFrame:
    """The recorded ranking of the teacher on the study's 5,000 images, T. stddev in the table's own units."""
    return recorded_runs.recorded(recording)


def all_ranked(this: str = RANKING, nine: str = "fewshot_rank") -> pd.DataFrame:
    """The recorded rankings of the paper's schemes and of the others in one, of the same teacher and images."""
    return pd.concat([ranked(this), ranked(nine)]).drop_duplicates("scheme")


def predicted(ranking: pd.DataFrame, schemes: tuple[str, ...] = EIGHT) -> list[str]:
    """The order that T. stddev predicts for these schemes, the one with the lowest test loss first."""
    measured = ranking.set_index("scheme")["t_stddev"]
    return list(measured[list(schemes)].sort_values().index)


def students() -> pd.DataFrame:
    """The recorded students of the study, a row per scheme and seed; none while it is not recorded."""
    return recorded_runs.or_empty(STUDY, "scheme", "seed", "test_loss", "test_accuracy")


def whole_seeds(runs: pd.DataFrame, schemes: tuple[str, ...]) -> pd.DataFrame:
    """Test losses, a row per seed that has a student of each of these schemes, a column per scheme."""
    wide = runs.pivot_table(index="seed", columns="scheme", values="test_loss").reindex(columns=list(schemes))
    return wide.dropna()


def points(runs: pd.DataFrame, schemes: tuple[str, ...]) -> pd.DataFrame:
    """T. stddev beside the mean test loss of these schemes over their whole seeds (`few_shot.beside_students`)."""
    seeds = whole_seeds(runs, schemes).index
    return few_shot.beside_students(all_ranked(), runs[runs["scheme"].isin(schemes) & runs["seed"].isin(seeds)])


def state(runs: pd.DataFrame, schemes: tuple[str, ...]) -> str:
    """Why the students of these schemes may not decide yet; "" once each has its three seeds."""
    done = len(runs[runs["scheme"].isin(schemes)].drop_duplicates(["scheme", "seed"]))
    return campaigns.lacking(done, SEEDS * len(schemes))


def prediction_table(ranking: pd.DataFrame) -> pd.DataFrame:
    """The predicted order of the eight as a reader wants it, with Identity and the scheme that must fool it."""
    shown = ranking.sort_values("t_stddev")
    return tables.table(shown.eval("t_stddev = 1e3 * t_stddev\nt_stddev_se = 1e3 * t_stddev_se"), list(COLUMNS))


def judged(found: pd.DataFrame) -> pd.DataFrame:
    """Predicted beside observed: the schemes by T. stddev, with their place by test loss."""
    place = found["test_loss"].rank().astype(int)
    shown = found.assign(place=place).sort_values("t_stddev")
    names = {name: tables.LABELS[name] for name in ("scheme", "t_stddev", "test_loss", "test_loss_std", "n")}
    return tables.table(shown, {**names, "place": "place by test loss"})


def off_the_line(nine: pd.DataFrame, eight: pd.DataFrame) -> pd.DataFrame:
    """How far the line through the paper's nine (T. stddev against test loss) misses each of the eight, in nats."""
    line = stats.fit_line(nine["t_stddev"], nine["test_loss"], eight["t_stddev"])
    return eight.assign(line=line["y"].to_numpy(), missed=eight["test_loss"].to_numpy() - line["y"].to_numpy())


def line_table(runs: pd.DataFrame) -> pd.DataFrame:
    """`off_the_line` as a reader wants it, or the state of the study while a seed lacks one of the 17 students."""
    if whole_seeds(runs, ALL).empty:
        return tables.nothing_yet(state(runs, ALL))
    found = off_the_line(points(runs, augment.NINE), points(runs, EIGHT)).sort_values("t_stddev")
    names = {"line": "by the line of the nine", "missed": "observed less that"}
    shown = {name: tables.LABELS[name] for name in ("scheme", "t_stddev", "test_loss")}
    return tables.table(found, {**shown, **names})


@plots.style()
def chart(found: pd.DataFrame) -> plots.Chart:
    """T. stddev against test loss of these schemes with their names, and the least-squares line with its 95 % band."""
    drawing = plots.Chart(figsize=(plots.WIDTH, 5.2), layout="constrained")
    ax = drawing.subplots()
    low, high = found["t_stddev"].agg(["min", "max"])
    line = stats.fit_line(found["t_stddev"], found["test_loss"], np.linspace(low, high, 50))
    ax.fill_between(line["x"], line["low"], line["high"], color="#8c8c8c", alpha=0.22, lw=0)
    ax.plot(line["x"], line["y"], color="#6e6e6e", lw=1.5)
    ax.plot(found["t_stddev"], found["test_loss"], "o", ms=8, color=plots.COLOURS[0], mec=plots.PANEL)
    for row in found.itertuples():
        ax.annotate(augment.label(row.scheme), (row.t_stddev, row.test_loss), xytext=(6, 4), textcoords="offset points")
    ax.set(xlabel="T. stddev (×10⁻³)", ylabel="S. test loss (nats)")
    ax.margins(0.12)
    return drawing
