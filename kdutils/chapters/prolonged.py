"""Prolonged training: test error over the budget of epochs, where its optimum lies, and what moves it (Sec. 5.2)."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from kdutils import augment, paper, plots, report, stats
from kdutils.chapters import tables
from kdutils.specs import NO_SCHEME

CHAPTER = "06_prolonged"
STANDARD_LABELS = {"flip": "Flip", "crop_flip": "Flip+Crop", "none": "no DA"}
VALUES = {"test_loss": "S. test loss", "test_error": "S. test error (%)"}

LATER_RULE = (
    "the budget of lowest test loss is larger for the stronger one: holds if in every seed; fails if in none, and "
    "never are both at the same end of the budgets tried; cannot tell otherwise"
)
FURTHER_RULE = (
    "Flip+Crop moves the budget of lowest test loss by more doublings for KD than for CE: holds if in every seed, "
    "fails if in none; cannot tell otherwise, nor where one of the four is at an end of the budgets tried"
)
LOWER_RULE = "paired over seeds, a 95 % t interval of the difference between the lowest test losses leaves zero out"
LONGER_RULE = (
    "published Tables 1 and 2: prolonging gains more with CutMixPick than without, the paired 95 % t interval "
    "over pairs being above zero (on one table only: partly)"
)

RULES = {
    "stronger-needs-longer": LATER_RULE,
    "stronger-admits-longer": LONGER_RULE,
    "later-for-kd-than-ce": FURTHER_RULE,
    "stronger-lower-optimum": LOWER_RULE,
}
"""Claim -> the rule that decides it."""


class Answer(NamedTuple):
    """A verdict's word and the numbers behind it."""

    holds: str
    text: str


def name(method: str, standard: str, scheme: str) -> str:
    """What a line is called: `KD, Flip+Crop, CutMix`."""
    parts = [method.upper(), STANDARD_LABELS[standard]]
    return ", ".join(parts if scheme == NO_SCHEME else [*parts, augment.SCHEMES[scheme].label])


def lines(students: pd.DataFrame) -> pd.DataFrame:
    """Runs of `sweep` with the `line` that each belongs to and its `test_error` in per cent."""
    kinds = students[["method", "standard", "scheme"]].itertuples(index=False)
    return students.assign(line=[name(*kind) for kind in kinds], test_error=100 - students["test_accuracy"])


def summary(students: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over seeds of test loss and error: a row a line and budget of runs of `sweep`."""
    each = lines(students).groupby(["line", "epochs"], sort=False)[["test_loss", "test_error"]]
    return each.agg(["mean", "std"])


def optima(students: pd.DataFrame) -> pd.DataFrame:
    """The budget of lowest test loss of each line and seed: columns line, seed, epochs, test_loss, at_start, at_edge.

    `at_start` (`at_edge`) is true where the smallest (largest) budget tried is the best, so that the optimum may lie
    beyond.
    """
    done = students.dropna(subset=["test_loss"])
    best = done.loc[done.groupby(["line", "seed"], sort=False)["test_loss"].idxmin()]
    ends = {"at_start": best["epochs"] == done["epochs"].min(), "at_edge": best["epochs"] == done["epochs"].max()}
    return best[["line", "seed", "epochs", "test_loss"]].assign(**ends).reset_index(drop=True)


def shift(best: pd.DataFrame, weaker: str, stronger: str) -> pd.Series:
    """By how many doublings the optimum of `stronger` lies later than that of `weaker`, by seed."""
    epochs = best.pivot(index="seed", columns="line", values="epochs")
    return np.log2(epochs[stronger] / epochs[weaker]).dropna()


def later(best: pd.DataFrame, weaker: str, stronger: str) -> Answer:
    """Is the optimum of `stronger` later than that of `weaker`? By `LATER_RULE`."""
    moved = shift(best, weaker, stronger)
    alike = moved[moved == 0].index
    hidden = best[(best["line"] == weaker) & best["seed"].isin(alike) & (best["at_start"] | best["at_edge"])]
    return Answer(_each_seed(moved > 0, unsure=len(hidden) > 0), f"{stronger} after {weaker}: {_doublings(moved)}")


def later_for_kd(best: pd.DataFrame, weaker: tuple[str, str], stronger: tuple[str, str]) -> Answer:
    """Does KD's optimum move further than CE's? Each tuple holds the lines of CE and KD; by `FURTHER_RULE`."""
    ce, kd = (shift(best, *pair) for pair in zip(weaker, stronger, strict=True))
    ends = best[best["line"].isin([*weaker, *stronger])][["at_start", "at_edge"]]
    holds = "cannot tell" if ends.any(axis=None) else _each_seed((kd - ce).dropna() > 0)
    return Answer(holds, f"KD: {_doublings(kd)}; CE: {_doublings(ce)}")


def lower(best: pd.DataFrame, weaker: str, stronger: str) -> Answer:
    """Is the lowest test loss of `stronger` below that of `weaker`? By `LOWER_RULE`."""
    loss = best.pivot(index="seed", columns="line", values="test_loss")
    gap = (loss[stronger] - loss[weaker]).dropna()
    low, high = stats.t_interval(gap.mean(), gap.std(ddof=1), len(gap)) if len(gap) > 1 else (-np.inf, np.inf)
    holds = "holds" if high < 0 else "fails" if low > 0 else "cannot tell"
    return Answer(holds, f"{stronger} less {weaker}: {gap.mean():+.3f} nats ({low:.3f} to {high:.3f}), n = {len(gap)}")


def combine(answers: list[Answer]) -> Answer:
    """One answer for several steps of a claim: their common word; partly where some hold and others fail."""
    words = {answer.holds for answer in answers}
    mixed = "partly" if {"holds", "fails"} <= words else "cannot tell"
    holds = mixed if len(words) > 1 else words.pop()
    return Answer(holds, "; ".join(answer.text for answer in answers))


def published() -> pd.DataFrame:
    """What prolonging gains in Tables 1 and 2, in percentage points: dataset, pair, alone (KD), picked (CutMixPick)."""
    frames = []
    for table in tables.EPOCHS:
        alone = tables.gains(tables.Comparison(table, tables.KD_LONG, (tables.KD,)))
        picked = tables.gains(tables.Comparison(table, tables.PICK_LONG, (tables.PICK,)))
        frames.append(alone[["dataset", "pair"]].assign(alone=alone["gain"], picked=picked["gain"]))
    return pd.concat(frames, ignore_index=True)


def admits_longer(gains: pd.DataFrame) -> Answer:
    """Does prolonging gain more with CutMixPick than without, on `published()`? By `LONGER_RULE`."""
    texts, above = [], []
    for dataset, group in gains.groupby("dataset", sort=False):
        test = stats.paired_test(group["picked"], group["alone"])
        above.append(test.low > 0)
        texts.append(f"{dataset}: {test.mean:+.2f} points more ({test.low:.2f} to {test.high:.2f})")
    return Answer("holds" if all(above) else "partly" if any(above) else "fails", "; ".join(texts))


def prolonging(students: pd.DataFrame, weaker: str, stronger: str) -> str:
    """By how much more `stronger` lowers the test error from the smallest budget to the largest, in words."""
    ends = students[students["epochs"].isin([students["epochs"].min(), students["epochs"].max()])]
    error = ends.pivot(index=["line", "seed"], columns="epochs", values="test_error")
    fall = (error.iloc[:, 0] - error.iloc[:, -1]).dropna()
    return f"prolonging lowers the test error by {report.mean_std(fall[stronger])} points for {stronger}, by " + (
        f"{report.mean_std(fall[weaker])} for {weaker}"
    )


@plots.style()
def curves(students: pd.DataFrame, value: str) -> plots.Chart:
    """Fig. 2 and 7: `value` ("test_loss" or "test_error") over the budget of epochs, a line a way of training."""
    budgets = sorted(students["epochs"].unique())
    chart = plots.lines_with_bands(students, "epochs", value, "line", "epochs of training", VALUES[value], True)
    (ax,) = chart.axes
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator(budgets))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(ScalarFormatter())
    return chart


def compared(scheme: str) -> list[str]:
    """The five lines that the claims compare: CE and KD with Flip and Flip+Crop, and KD with `scheme` as well."""
    weak = [name(method, standard, NO_SCHEME) for method in ("ce", "kd") for standard in ("flip", "crop_flip")]
    return [*weak, name("kd", "crop_flip", scheme)]


def answers(students: pd.DataFrame, scheme: str) -> dict[str, Answer]:
    """What `lines` answer to each claim, the stronger `scheme` being that of KD's third line.

    "stronger-admits-longer" is decided by the published tables, here as anywhere.
    """
    ce_flip, ce_crop, kd_flip, kd_crop, kd_strong = compared(scheme)
    best, ladder = optima(students), [(kd_flip, kd_crop), (kd_crop, kd_strong)]
    return {
        "stronger-needs-longer": combine([later(best, *step) for step in [(ce_flip, ce_crop), *ladder]]),
        "stronger-admits-longer": Answer(admits_longer(published()).holds, prolonging(students, kd_crop, kd_strong)),
        "later-for-kd-than-ce": later_for_kd(best, (ce_flip, kd_flip), (ce_crop, kd_crop)),
        "stronger-lower-optimum": combine([lower(best, *step) for step in ladder]),
    }


def verdicts(
    students: pd.DataFrame, scheme: str, size: str, recorded: pd.DataFrame | None = None
) -> list[report.Verdict]:
    """The chapter's four verdicts for `lines`; where `recorded` ones hold all that is `compared`, these decide."""
    ours, full = answers(students, scheme), {}
    if recorded is not None and set(compared(scheme)) <= set(recorded["line"]):
        full = answers(recorded, scheme)
    told = {"stronger-admits-longer": admits_longer(published()).text}
    statements = paper.claims().set_index("id")["statement"]
    return [
        report.Verdict(
            chapter=CHAPTER,
            claim_ids=(claim,),
            claim=statements[claim],
            paper=told.get(claim, "drawn in Fig. 2 and 7, no numbers printed"),
            recorded=full[claim].text if full else "",
            this_run=answer.text,
            holds=(full or ours)[claim].holds,
            test=RULES[claim],
            size=size,
        )
        for claim, answer in ours.items()
    ]


def _each_seed(yes: pd.Series, unsure: bool = False) -> str:
    """holds where every seed says yes, fails where none does, unless that is `unsure` or there is no seed."""
    if len(yes) and yes.all():
        return "holds"
    return "cannot tell" if yes.any() or unsure or yes.empty else "fails"


def _doublings(moved: pd.Series) -> str:
    """`0.5 ± 0.7 (n = 2) doublings of the epochs`"""
    return f"{report.mean_std(moved)} doublings of the epochs" if len(moved) else "no seed in common"
