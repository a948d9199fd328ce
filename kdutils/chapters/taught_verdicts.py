"""The verdicts on teachers that were trained with mixed images, by the rules of the study's design."""

import pandas as pd

from kdutils import report, stats
from kdutils.chapters import taught
from kdutils.chapters.taught import MIXED, RECIPES, SCHEMES
from kdutils.report import Finding, Verdict, campaigns, rules

SEEDS = 3
TESTS = {
    "taught-impaired": "the mean test loss over the four schemes less that of the plain teacher's students, paired by "
    "seed, is above zero for both teachers by a t test, p < 5 %, with Holm's correction for the two (below: fails)",
    "taught-seen": "Spearman's ρ over the twelve points is above zero, and above what remains of it if T. stddev "
    "changes teachers within schemes, exact p < 5 % (below: fails)",
}
WHAT = "the few-shot study of three teachers"


def verdicts(live: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """The chapter's two verdicts; `live`: this run's students on `dataset`, of all three teachers."""
    runs, ranked = taught.students(), taught.rankings()
    short = state(runs, ranked)
    if short:
        found = {name: report.awaited(WHAT, test, short) for name, test in TESTS.items()}
    else:
        found = judged(runs, taught.points(ranked, runs))
    means = live.groupby("taught_by")["test_loss"].mean()
    numbers = "; ".join(f"{name} {means[name] - means[taught.PLAIN]:+.3f} nats against plain" for name in MIXED)
    this_run = report.described(dataset, numbers, live["seed"].nunique(), size, TESTS["taught-impaired"])
    beside = {"taught-impaired": [this_run]}
    return [report.verdict_on(name, finding, *beside.get(name, [])) for name, finding in found.items()]


def state(runs: pd.DataFrame, ranked: pd.DataFrame) -> str:
    """Why the students may not decide yet; "" once all of them and their teachers' rankings are there."""
    unranked = len(RECIPES) - ranked["taught_by"].nunique()
    lacking = campaigns.lacking(len(runs), len(RECIPES) * len(SCHEMES) * SEEDS)
    return lacking or (f"no ranking yet of {unranked} of its teachers" if unranked else "")


def judged(runs: pd.DataFrame, points: pd.DataFrame) -> dict[str, Finding]:
    """What all students, and T. stddev beside them, say of the two claims."""
    worse = taught.impaired(runs)
    words = rules.from_tests({row.Index: (row.worse, row.p) for row in worse.itertuples()})
    seen = taught.seen(points)
    word = rules.from_test(seen.rho - seen.by_groups, seen.p)
    says = {
        "taught-impaired": rules.all_parts(list(words.values())),
        "taught-seen": "cannot tell" if word == "holds" and seen.rho <= 0 else word,
    }
    numbers = {
        "taught-impaired": worse_in_words(worse),
        "taught-seen": f"ρ = {seen.rho:.2f}, {seen.by_groups:.2f} by the schemes alone ({stats.p_text(seen.p)})",
    }
    n = f"{len(RECIPES)} teachers of {len(SCHEMES)} schemes, {len(runs)} students"
    rests = {"by": "photographs", "size": "laptop", "n": n}
    return {name: Finding(says=says[name], numbers=numbers[name], test=TESTS[name], **rests) for name in TESTS}


def worse_in_words(worse: pd.DataFrame) -> str:
    """`Mixup's students +0.120 nats (+0.050 to +0.190, corrected p = 0.01)`"""
    return "; ".join(
        f"{row.Index}'s students {row.worse:+.3f} nats ({row.low:+.3f} to {row.high:+.3f}, corrected "
        f"{stats.p_text(row.p_holm)})"
        for row in worse.itertuples()
    )


def in_words(runs: pd.DataFrame, ranked: pd.DataFrame) -> str:
    """What is recorded so far, in a sentence."""
    short = state(runs, ranked)
    if short:
        there = ", ".join(dict.fromkeys(runs["taught_by"])) or "none"
        return f"State of the study: *{short}*; teachers whose students are there: {there}."
    return f"All students are recorded: {worse_in_words(taught.impaired(runs))}, against the plain teacher's."
