"""The verdicts on what to pick by, by the rules of the study's design."""

import pandas as pd

from kdutils import augment, report, stats
from kdutils.chapters import pick_what
from kdutils.chapters.pick_what import CHANCE, SCHEMES, SCORES
from kdutils.report import Finding, Verdict, campaigns, rules

SEEDS = 3
ASKING = SCORES[1:]  # those for which the student is read as well
TEST = "the test loss with a random half less that with the score's, paired by seed, is above zero by a t test, p < 5 %"
HOLM = ", with Holm's correction for the four scores (below zero: fails)"
TESTS = {
    "pick-beats-chance": TEST + HOLM,
    "pick-asks-student": f"of each of the three scores: {TEST}{HOLM}; some hold and others fail: partly",
    "pick-entropy-best": "the test loss is lower than that of every other score by a paired t test, p < 5 % (another's "
    "is lower, with Holm's correction: fails)",
}
WHAT = "the few-shot study of picking"


def verdicts(live: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """The chapter's three verdicts; `live`: this run's students on `dataset`."""
    runs = pick_what.students()
    if len(pick_what.by_seed(runs)) < 2:
        found = {name: report.awaited(WHAT, test, state(runs)) for name, test in TESTS.items()}
    else:
        found = judged(runs)
    by_scheme = live.groupby("scheme")["test_loss"].mean()
    numbers = f"the teacher's entropy saves {by_scheme[CHANCE] - by_scheme[SCORES[0]]:.3f} nats"
    this_run = report.described(dataset, numbers, live["seed"].nunique(), size, TESTS["pick-beats-chance"])
    beside = {"pick-beats-chance": [this_run]}
    return [report.verdict_on(name, finding, *beside.get(name, [])) for name, finding in found.items()]


def state(runs: pd.DataFrame) -> str:
    """Why the students may not decide yet; "" once all are there."""
    return campaigns.lacking(len(runs), len(SCHEMES) * SEEDS)


def judged(runs: pd.DataFrame) -> dict[str, Finding]:
    """What the seeds that have all six schemes say of the three claims."""
    losses = pick_what.by_seed(runs)
    found = pick_what.against_chance(runs[runs["seed"].isin(losses.index)])
    words = rules.from_tests({name: tuple(found.loc[name, ["saved", "p"]]) for name in SCORES})
    says = {
        "pick-beats-chance": words[SCORES[0]],
        "pick-asks-student": rules.all_parts([words[name] for name in ASKING]),
        "pick-entropy-best": rules.from_extreme(losses[list(SCORES)], SCORES[0], best=True),
    }
    numbers = {
        "pick-beats-chance": saved_in_words(found, SCORES[:1]),
        "pick-asks-student": saved_in_words(found, ASKING),
        "pick-entropy-best": "mean test loss: "
        + ", ".join(f"{augment.label(name)} {losses[name].mean():.3f}" for name in SCORES),
    }
    rests = {"by": "photographs", "size": "laptop", "short_of": state(runs)}
    n = f"{len(SCORES) + 1} ways of picking, {len(losses)} seeds"
    return {name: Finding(says=says[name], numbers=numbers[name], n=n, test=TESTS[name], **rests) for name in TESTS}


def saved_in_words(found: pd.DataFrame, schemes: tuple[str, ...]) -> str:
    """`CutMixPick (T. ent.) saves +0.012 nats (+0.001 to +0.023, corrected p = 0.04)`"""
    return "; ".join(
        f"{augment.label(row.Index)} saves {row.saved:+.3f} nats ({row.low:+.3f} to {row.high:+.3f}, corrected "
        f"{stats.p_text(row.p_holm)})"
        for row in found.loc[list(schemes)].itertuples()
    )


def in_words(runs: pd.DataFrame) -> str:
    """What is recorded so far, and what choosing by chance does to CutMix, in a sentence or two."""
    short = state(runs)
    if short:
        return f"State of the study: *{short}*."
    row = pick_what.against_chance(runs).loc["cutmix"]
    return (
        f"All students are recorded. CutMix without a choice saves {row.saved:+.3f} nats against a random half "
        f"of a pool ({row.low:+.3f} to {row.high:+.3f}): {'more than' if row.p < 0.05 else 'no more than'} seeds do."
    )
