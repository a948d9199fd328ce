"""What a student has of its teacher, scheme by scheme: agreement, divergence, calibration; and what goes with the loss.

The design is in `book/results/README.md`. Agreement, accuracy and calibration errors are in per cent, divergence and
losses in nats.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from kdutils import plots, stats
from kdutils.chapters import unseen
from kdutils.report import recorded_runs, tables
from kdutils.runs import NO_SCHEME, RunSpec, run

NUMBERS = {
    "agreement": "agreement (%)",
    "teacher_kl": "KL to the teacher (nats)",
    "ece": "ECE (%)",
    "ace": "ACE (%)",
}
"""What is measured of every student -> what stands above it."""
TEACHER = "after_predictors"  # the recorded measurement that holds the teacher's own calibration


class Relation(NamedTuple):
    """Two columns of `points`, and whether the claim about them is that they rise together (1) or not (-1)."""

    number: str
    other: str
    sign: int


CLAIMS = {
    "inherits-agreement": Relation("agreement", "test_loss", -1),
    "inherits-divergence": Relation("teacher_kl", "test_loss", 1),
    "inherits-ece": Relation("ece", "test_loss", 1),
    "inherits-ace": Relation("ace", "test_loss", 1),
    "inherits-strength": Relation("agreement", "entropy", -1),
}


def students() -> pd.DataFrame:
    """The recorded students of the study with what was measured of each; none while it is not recorded."""
    runs = unseen.students().drop_duplicates(["scheme", "seed"])
    return runs.reindex(columns=["scheme", "seed", "test_loss", "test_accuracy", *NUMBERS])


def made(specs: Sequence[RunSpec]) -> pd.DataFrame:
    """What was measured of the students of these specifications, which a sweep has made: from the store."""
    fields = {"test_loss", "test_accuracy", *NUMBERS}
    return pd.DataFrame(
        {"scheme": spec.scheme, "seed": spec.seed, **run(spec).model_dump(include=fields)} for spec in specs
    )


def means(runs: pd.DataFrame, seeds: int = unseen.SEEDS) -> pd.DataFrame:
    """Mean loss, accuracy and numbers of each scheme that has this many seeds; missing where a seed lacks a number."""
    groups = runs.groupby("scheme", sort=False)[["test_loss", "test_accuracy", *NUMBERS]]
    counts = groups.count()
    return groups.mean().where(counts >= seeds)[counts["test_loss"] >= seeds]


def points(runs: pd.DataFrame, ranking: pd.DataFrame, seeds: int = unseen.SEEDS) -> pd.DataFrame:
    """`means` beside the entropy of x' in a ranking of the teacher; without x alone and Blank, which are no schemes."""
    found = ranking[["scheme", "entropy"]].merge(means(runs, seeds), left_on="scheme", right_index=True)
    return found[found["scheme"] != unseen.FOOL].reset_index(drop=True)


def relations(found: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rho for each of `CLAIMS` over the schemes of `points` that have both numbers, Holm-corrected together.

    Columns: rho, low, high (95 %), p (by pairings), holm_p, n (schemes), and rho_accuracy, the same with test accuracy
    in the place of a loss. Needs four schemes for each.
    """
    rows = {}
    for claim, (number, other, _) in CLAIMS.items():
        both = found.dropna(subset=[number])
        order = stats.rank_order(both[number], both[other])
        accuracy = both[number].corr(both["test_accuracy"], "spearman") if other == "test_loss" else float("nan")
        rows[claim] = (order.r, order.low, order.high, order.p, order.n, accuracy)
    table = pd.DataFrame.from_dict(rows, "index", columns=["rho", "low", "high", "p", "n", "rho_accuracy"])
    return table.assign(holm_p=stats.holm(table["p"]))


def changes(runs: pd.DataFrame, base: str = "identity") -> pd.DataFrame:
    """By how much each number changes from the students of `base` to those of a scheme: paired by seed, text.

    A row per scheme that shares two seeds with it, a column per number with a 95 % t interval; a dash where there are
    fewer pairs.
    """
    wide = runs.pivot_table(index="seed", columns="scheme", values=[*NUMBERS, "test_loss"], sort=False)
    rows = {
        name: {number: _change(wide, number, name, base) for number in NUMBERS}
        for name in (NO_SCHEME, *unseen.ALL)
        if name != base and ("test_loss", name) in wide and ("test_loss", base) in wide
    }
    found = pd.DataFrame.from_dict(rows, "index", columns=list(NUMBERS))
    shown = found.rename(index=tables.scheme_label, columns=NUMBERS)
    return shown[(shown != "–").any(axis=1)].rename_axis(columns="scheme")


def _change(wide: pd.DataFrame, number: str, scheme: str, base: str) -> str:
    """`+1.2 (+0.8 to +1.6)`"""
    if (number, scheme) not in wide or (number, base) not in wide:
        return "–"
    both = wide[number][[scheme, base]].dropna()
    if len(both) < 2:
        return "–"
    test = stats.paired_test(both[scheme], both[base])
    return f"{test.mean:+.2f} ({test.low:+.2f} to {test.high:+.2f})"


def table(runs: pd.DataFrame, seeds: int = unseen.SEEDS) -> pd.DataFrame:
    """`means` as a reader wants it, the lowest test loss first."""
    found = means(runs, seeds).sort_values("test_loss")
    shown = found.rename(index=tables.scheme_label).rename_axis("scheme")
    names = {name: tables.LABELS[name] for name in ("scheme", "test_loss", "test_accuracy")}
    digits = dict.fromkeys(("test_accuracy", "agreement", "ece"), 2)
    return tables.table(shown, {**names, **NUMBERS}, digits)


def relations_table(found: pd.DataFrame) -> pd.DataFrame:
    """A frame of `relations` as a reader wants it."""
    names = {"agreement": "agreement", "teacher_kl": "KL to the teacher", "ece": "ECE", "ace": "ACE"}
    others = {"test_loss": "test loss", "entropy": "entropy of x'"}
    pairs = [f"{names[CLAIMS[claim].number]}, {others[CLAIMS[claim].other]}" for claim in found.index]
    labels = {"pair": "which two", "n": "schemes", "rho": "Spearman's ρ", "low": "95 % from", "high": "to", "p": "p"}
    shown = {**labels, "holm_p": "p, Holm", "rho_accuracy": "ρ with accuracy"}
    return tables.table(found.assign(pair=pairs), shown, dict.fromkeys(("rho", "low", "high", "rho_accuracy"), 2))


def teacher_in_words() -> str:
    """The teacher's own accuracy and calibration on the test images, where they are recorded."""
    if TEACHER not in recorded_runs.recorded_names():
        return f"The teacher's own calibration on the test images: *{recorded_runs.NOT_YET}*."
    facts = recorded_runs.recorded_provenance(TEACHER)
    return (
        f"The teacher's own numbers on the test images: accuracy {facts['teacher_accuracy']:.1f} %, ECE "
        f"{facts['teacher_ece']:.1f} %, ACE {facts['teacher_ace']:.2f} %."
    )


@plots.style()
def chart(found: pd.DataFrame) -> plots.Chart:
    """A row per scheme, the lowest test loss on top; a panel each for test loss, agreement and ECE."""
    drawing = plots.Chart(figsize=(plots.WIDTH, 0.6 + 0.27 * max(len(found), 8)), layout="constrained")
    rows = found.sort_values("test_loss", ascending=False)
    panels = {"test_loss": "test loss (nats)", "agreement": NUMBERS["agreement"], "ece": NUMBERS["ece"]}
    axes = drawing.subplots(1, len(panels), sharey=True)
    for ax, (number, name) in zip(axes, panels.items(), strict=True):
        names = rows["scheme"].map(tables.scheme_label)
        ax.plot(rows[number], names, "o", ms=7, color=plots.COLOURS[0], mec=plots.PANEL)
        ax.set_xlabel(name)
        ax.margins(x=0.1)
        ax.locator_params(axis="x", nbins=3)
        ax.tick_params(axis="x", labelsize=9)
    return drawing
