"""Should the teacher have seen it? Students of teachers trained with mixed images, beside those of a plain one.

The design is in `book/results/README.md`. Losses are in nats, accuracies in per cent, T. stddev in 1e-3.
"""

import pandas as pd

from kdutils import plots, stats
from kdutils.report import recorded_runs, tables
from kdutils.runs import NO_SCHEME

RECIPES = {"plain": NO_SCHEME, "Mixup": "mixup", "CutMix": "cutmix"}
"""Teacher -> the scheme of x' that it was trained with besides crop and flip."""
PLAIN, *MIXED = RECIPES
SCHEMES = ("identity", "randaugment", "cutmix", "cutmixpick_t")
TEACHERS = "after_teachers"  # recorded: the training of the three
STUDIES = {"plain": "after_taught", "Mixup": "after_taught_mixup", "CutMix": "after_taught_cutmix"}
RANKINGS = {name: study.replace("after_taught", "after_taught_rank") for name, study in STUDIES.items()}
COLUMNS = ["taught_by", "scheme", "seed", "test_loss", "test_accuracy"]


def students() -> pd.DataFrame:
    """The recorded students of all three teachers; `taught_by` names the teacher. None while none is recorded."""
    frames = recorded_runs.there(lambda runs: runs, {name: (study,) for name, study in STUDIES.items()})
    parts = [runs.assign(taught_by=name)[COLUMNS] for name, runs in frames.items()]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


def rankings() -> pd.DataFrame:
    """T. stddev of the recorded rankings: taught_by, scheme, t_stddev in 1e-3."""
    frames = recorded_runs.there(lambda ranked: ranked, {name: (each,) for name, each in RANKINGS.items()})
    return ranked_by(frames)


def ranked_by(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Teacher -> frame of `metrics.rank_schemes`, as one frame: taught_by, scheme, t_stddev in 1e-3."""
    parts = [each[["scheme", "t_stddev"]].assign(taught_by=name) for name, each in frames.items()]
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["scheme", "t_stddev", "taught_by"])
    return whole.assign(t_stddev=whole["t_stddev"] * 1e3)


def teachers() -> pd.DataFrame:
    """The recorded teachers: test loss, accuracy and calibration error in per cent, a row per teacher."""
    found = recorded_runs.or_empty(TEACHERS, "scheme", "test_loss", "test_accuracy", "ece")
    names = {scheme: name for name, scheme in RECIPES.items()}
    return found.assign(teacher=found["scheme"].map(names)).set_index("teacher")[["test_loss", "test_accuracy", "ece"]]


def by_seed(runs: pd.DataFrame) -> pd.DataFrame:
    """The mean test loss over the four schemes, NaN if one is missing: a row per seed, a column per teacher."""
    wide = runs.pivot(index=["seed", "taught_by"], columns="scheme", values="test_loss").reindex(columns=list(SCHEMES))
    return wide.dropna().mean(axis=1).unstack("taught_by").reindex(columns=list(RECIPES))


def impaired(runs: pd.DataFrame) -> pd.DataFrame:
    """How much worse the students of each teacher with mixed images are than the plain one's, paired by seed.

    Rows: the teachers that share two seeds with the plain one at least. Columns: n (seeds), worse (nats) with its 95 %
    t interval (low, high) and p, and p_holm, corrected for the teachers that are there.
    """
    losses, rows = by_seed(runs), {}
    for name in MIXED:
        both = losses[[PLAIN, name]].dropna()
        if len(both) > 1:
            found = stats.paired_test(both[name], both[PLAIN])
            rows[name] = (found.n, found.mean, found.low, found.high, found.t_p)
    table = pd.DataFrame.from_dict(rows, "index", columns=["n", "worse", "low", "high", "p"]).rename_axis("teacher")
    return table.assign(p_holm=stats.holm(table["p"]) if len(table) else [])


def points(ranked: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """T. stddev beside the mean test loss, a row per teacher and scheme that have both; n students in each mean."""
    groups = runs.groupby(["taught_by", "scheme"])["test_loss"].agg(test_loss="mean", n="size").reset_index()
    return ranked.merge(groups, on=["taught_by", "scheme"])


def seen(points: pd.DataFrame) -> stats.Within:
    """Does T. stddev tell which teacher makes the better students of a scheme? Every teacher has every scheme."""
    wide = points.pivot(index="scheme", columns="taught_by", values=["t_stddev", "test_loss"])
    return stats.rank_order_within(wide["t_stddev"], wide["test_loss"])


def losses_table(runs: pd.DataFrame) -> pd.DataFrame:
    """The mean test loss in nats and its spread over seeds: a row per teacher, a column per scheme."""
    groups = runs.groupby(["taught_by", "scheme"])["test_loss"]
    spread = groups.std().map(lambda std: "" if pd.isna(std) else f" ± {std:.3f}")
    return _wide(groups.mean().map("{:.3f}".format) + spread)


def ranked_table(ranked: pd.DataFrame) -> pd.DataFrame:
    """T. stddev in 1e-3 (`ranked_by`): a row per teacher, a column per scheme."""
    return _wide(ranked.set_index(["taught_by", "scheme"])["t_stddev"].map("{:.3f}".format))


def _wide(texts: pd.Series) -> pd.DataFrame:
    """Texts by teacher and scheme as a table, both in their order."""
    wide = texts.unstack("scheme")
    shown = wide.reindex(index=[name for name in RECIPES if name in wide.index], columns=list(SCHEMES)).fillna("–")
    return shown.rename(columns=tables.scheme_label).rename_axis(index=None, columns="teacher trained with")


def chart(points: pd.DataFrame) -> plots.Chart:
    """S. test loss against T. stddev, a panel per teacher."""
    return plots.scatter_panels(points.rename(columns={"taught_by": "teacher"}), by=["teacher"])
