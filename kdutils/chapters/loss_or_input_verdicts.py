"""The verdicts on loss and input, by the rules of the study's design; Holm-corrected together."""

import pandas as pd

from kdutils import report, stats
from kdutils.chapters import loss_or_input
from kdutils.report import Finding, Verdict, campaigns, rules

SEEDS = 3
TESTS = {
    "input-before-loss": "the mean square of the input exceeds that of the loss in 95 % of all ways to draw the seeds "
    "again (in 5 % or less: fails)",
    "loss-input-interact": "F test of the interaction with the seeds as blocks, p < 5 %",
    "losses-draw-together": "the range of the losses without x' less that with CutMixPick is above zero by a paired t "
    "test over seeds, p < 5 % (below: fails)",
}
WHAT = "the few-shot study of losses and inputs"
HOLM = "; with Holm's correction for the three"


def verdicts(live: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """The chapter's three verdicts; `live`: this run's students on `dataset`."""
    runs = loss_or_input.students()
    whole = loss_or_input.whole(runs)
    if whole["seed"].nunique() < 2:
        found = {name: report.awaited(WHAT, TESTS[name], state(runs)) for name in TESTS}
    else:
        found = judged(whole, state(runs))
    this_run = report.described(dataset, ranges(live), live["seed"].nunique(), size, TESTS["input-before-loss"])
    beside = {"input-before-loss": [this_run]}
    return [report.verdict_on(name, finding, *beside.get(name, [])) for name, finding in found.items()]


def state(runs: pd.DataFrame) -> str:
    """Why the students may not decide yet; "" once all are there."""
    return campaigns.lacking(len(runs), len(loss_or_input.METHODS) * len(loss_or_input.SCHEMES) * SEEDS)


def judged(whole: pd.DataFrame, short_of: str) -> dict[str, Finding]:
    """What students of every loss, input and seed say of the three claims."""
    table, closer = loss_or_input.variance(whole), loss_or_input.drawn_together(whole)
    excess, share = loss_or_input.input_first(whole)
    test = stats.paired_test(closer, 0 * closer)
    interaction = table.loc["both together"]
    tests = {
        "input-before-loss": (excess, 2 * min(share, 1 - share)),
        "loss-input-interact": (1.0, float(interaction["p"])),
        "losses-draw-together": (test.mean, test.t_p),
    }
    p, shuffled = (stats.p_text(p) for p in (interaction["p"], loss_or_input.permuted_p(whole)))
    numbers = {
        "input-before-loss": f"ω² of the input {table.loc['input', 'omega_sq']:.2f}, of the loss "
        f"{table.loc['loss', 'omega_sq']:.2f}; the input is ahead in {share:.0%} of the draws of seeds",
        "loss-input-interact": f"F = {interaction['F']:.2f} ({p}; by permutation {shuffled}), "
        f"ω² {interaction['omega_sq']:.2f}",
        "losses-draw-together": f"the range shrinks by {test.mean:.2f} points ({test.low:.2f} to {test.high:.2f}, "
        f"{stats.p_text(test.t_p)})",
    }
    words = rules.from_tests(tests)
    rests = {"by": "photographs", "size": "laptop", "short_of": short_of}
    n = f"{len(whole)} students, {whole['seed'].nunique()} seeds"
    return {
        name: Finding(says=words[name], numbers=numbers[name], n=n, test=TESTS[name] + HOLM, **rests) for name in TESTS
    }


def ranges(runs: pd.DataFrame) -> str:
    """How far apart the losses are, and the inputs, on average over the other, in percentage points."""
    by_loss, by_input = (runs.groupby(by)["test_accuracy"].mean() for by in ("method", "scheme"))
    far = [means.max() - means.min() for means in (by_loss, by_input)]
    return f"the losses are {far[0]:.1f} points of accuracy apart, the inputs {far[1]:.1f}"


def in_words(runs: pd.DataFrame) -> str:
    """What is recorded so far, in a sentence."""
    short = state(runs)
    return f"State of the study: *{short}*." if short else f"All students are recorded: {ranges(runs)}."
