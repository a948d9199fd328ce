"""Pick what? Half of a CutMix pool by four scores or by chance: what each saves, and which images it takes.

The design is in `book/results/README.md`. Losses are in nats, accuracies in per cent.
"""

from itertools import combinations

import pandas as pd
from torch import nn

from kdutils import augment, plots, stats
from kdutils.chapters import cutmixpick
from kdutils.data import Dataset
from kdutils.metrics.responses import read_logits, reader
from kdutils.report import recorded_runs

STUDY = "after_pick"
CHANCE = "cutmixpick_random"
SCORES = ("cutmixpick_t", "cutmixpick_s", "cutmixpick_d", "cutmixpick_gap")
SCHEMES = ("cutmix", CHANCE, *SCORES)
COLUMNS = ["scheme", "seed", "test_loss", "test_accuracy"]


def students() -> pd.DataFrame:
    """The recorded students of the study; none while it is not recorded."""
    return recorded_runs.or_empty(STUDY, *COLUMNS)


def by_seed(runs: pd.DataFrame, value: str = "test_loss", schemes: tuple[str, ...] = SCHEMES) -> pd.DataFrame:
    """A value of the students, a row per seed that has all of these schemes and a column per scheme."""
    wide = runs[runs["scheme"].isin(schemes)].pivot(index="seed", columns="scheme", values=value)
    return wide.reindex(columns=list(schemes)).dropna()


def against_chance(runs: pd.DataFrame) -> pd.DataFrame:
    """What CutMix without a choice and each score save against a random half, paired by seed.

    Rows: the schemes but chance that share two seeds with it at least. Columns: n (seeds), test_loss, saved with its
    95 % t interval (low, high) and p, p_holm (corrected for the scores that are there; CutMix is none), and gained, in
    points of accuracy.
    """
    rows = {}
    for scheme in SCHEMES:
        losses, accuracies = (by_seed(runs, value, (CHANCE, scheme)) for value in ("test_loss", "test_accuracy"))
        if scheme != CHANCE and len(losses) > 1:
            saved = stats.paired_test(losses[CHANCE], losses[scheme])
            gained = (accuracies[scheme] - accuracies[CHANCE]).mean()
            rows[scheme] = (saved.n, losses[scheme].mean(), saved.mean, saved.low, saved.high, saved.t_p, gained)
    columns = ["n", "test_loss", "saved", "low", "high", "p", "gained"]
    found = pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("scheme")
    scores = [name for name in SCORES if name in found.index]
    corrected = pd.Series(stats.holm(found.loc[scores, "p"]) if scores else [], scores, dtype=float)
    return found.assign(p_holm=corrected.reindex(found.index))


def chart(found: pd.DataFrame) -> plots.Chart:
    """What each way saves against chance (`against_chance`), with half the width of its 95 % interval."""
    rows = found.reset_index().assign(half=(found["high"] - found["low"]).to_numpy() / 2)
    return plots.bars_with_errors(rows, "saved", "half", label="test loss saved against a random half (nats)")


def scores(teacher: nn.Module, student: nn.Module, dataset: Dataset, size: int = 64, seed: int = 0) -> pd.DataFrame:
    """The four scores of each image of one pool of two runs of CutMix over `size` images: a column per scheme.

    The student is asked in evaluation mode, as it is when it picks.
    """
    pool = cutmixpick.pool(teacher, dataset, size, 2, seed)
    asked = read_logits(reader(student), dataset, pool.images)
    picked_by = {name: augment.SCORES[augment.find(name).pick] for name in SCORES}
    return pd.DataFrame({name: score(pool.logits, lambda: asked).numpy() for name, score in picked_by.items()})


def taken(scores: pd.DataFrame) -> pd.DataFrame:
    """Which half of a pool each score takes: True or False, a row per image."""
    return scores.rank(ascending=False, method="first") <= len(scores) // 2


def shared(scores: pd.DataFrame) -> pd.DataFrame:
    """The share of its half that a score has in common with another: 0.5 for two that choose by chance."""
    halves = taken(scores)
    table = pd.DataFrame(1.0, index=halves.columns, columns=halves.columns)
    for a, b in combinations(halves, 2):
        table.loc[a, b] = table.loc[b, a] = (halves[a] & halves[b]).sum() / halves[a].sum()
    return table


def shared_table(common: pd.DataFrame) -> pd.DataFrame:
    """`shared` as a reader wants it."""
    shown = common.map("{:.0%}".format).rename(index=augment.label, columns=augment.label)
    return shown.rename_axis(index=None, columns="picked by")


def shared_in_words(common: pd.DataFrame) -> str:
    """Which other score's picks those of the teacher's entropy are most alike, and least."""
    others = common["cutmixpick_t"].drop("cutmixpick_t")
    most, least = (augment.label(name) for name in (others.idxmax(), others.idxmin()))
    return (
        f"What the teacher's entropy picks, {most} picks to {others.max():.0%} as well, and {least} to "
        f"{others.min():.0%}."
    )
