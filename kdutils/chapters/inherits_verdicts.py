"""The verdicts on what students have of their teacher, by the rules of the study's design; Holm-corrected together."""

import pandas as pd

from kdutils import report, stats
from kdutils.chapters import inherits, unseen
from kdutils.chapters.inherits import CLAIMS
from kdutils.report import Finding, Verdict, few_shot, rules

LEAST = 4  # schemes that a rank correlation needs
WHAT = "the few-shot study of 17 schemes"
NAMES = {"test_loss": "mean test loss", "entropy": "the entropy of x'"}


def verdicts(live: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """The chapter's five verdicts; `live`: this run's schemes (`inherits.points`) on `dataset`."""
    runs = inherits.students()
    found, short_of = inherits.points(runs, unseen.all_ranked()), unseen.state(runs, unseen.ALL)
    if found[list(inherits.NUMBERS)].notna().sum().min() < LEAST:
        recorded = {claim: report.awaited(WHAT, rule(claim), short_of) for claim in CLAIMS}
    else:
        rests = {"by": "photographs", "size": "laptop", "short_of": short_of}
        recorded = judged(found, f"{unseen.SEEDS} seeds", **rests)
    rests = {"by": report.kind_of(dataset), "size": size, "short_of": few_shot.ONE_PAIR}
    here = judged(live, "this run", **rests)
    return [report.verdict_on(claim, recorded[claim], here[claim]) for claim in CLAIMS]


def rule(claim: str) -> str:
    """How the words for a claim are chosen."""
    number, other, sign = CLAIMS[claim]
    side, against = ("above", "below") if sign > 0 else ("below", "above")
    return (
        f"Spearman's rho of mean {inherits.NUMBERS[number]} and {NAMES[other]} over the schemes is {side} zero, "
        f"p < 5 % by pairings, with Holm's correction for the five ({against} zero: fails)"
    )


def judged(points: pd.DataFrame, n: str, **rests: str) -> dict[str, Finding]:
    """What these schemes say of the five claims."""
    found = inherits.relations(points)
    words = rules.from_tests({claim: (CLAIMS[claim].sign * row["rho"], row["p"]) for claim, row in found.iterrows()})
    return {
        claim: Finding(
            says=words[claim], numbers=_told(row), n=f"{row['n']:.0f} schemes, {n}", test=rule(claim), **rests
        )
        for claim, row in found.iterrows()
    }


def in_words(runs: pd.DataFrame) -> str:
    """How many of the students are recorded."""
    found, short_of = inherits.points(runs, unseen.all_ranked()), unseen.state(runs, unseen.ALL)
    with_ace = int(found["ace"].notna().sum())
    if short_of:
        return f"State of the study: *{short_of}*; {len(found)} of {len(unseen.ALL)} schemes have all their seeds."
    return f"All students are recorded; {with_ace} of {len(found)} schemes have an ACE."


def _told(row: pd.Series) -> str:
    """`ρ -0.93 (-0.98 to -0.80), p < 0.001 after Holm's correction; with accuracy 0.95`"""
    told = (
        f"ρ {row['rho']:.2f} ({row['low']:.2f} to {row['high']:.2f}), {stats.p_text(row['holm_p'])} after Holm's "
        "correction"
    )
    return told if pd.isna(row["rho_accuracy"]) else f"{told}; with accuracy {row['rho_accuracy']:.2f}"
