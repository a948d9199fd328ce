"""The verdicts of the chapter on prolonged training: where the best number of epochs lies, and what moves it."""

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd

from kdutils import report, stats
from kdutils.chapters import prolonged, tables_1_2
from kdutils.chapters.prolonged import name
from kdutils.report import Finding, Verdict, Word, campaigns, recorded_runs, rules, tables
from kdutils.report.few_shot import ONE_PAIR, one_pair_short_of
from kdutils.runs import NO_SCHEME

LATER_TEST = (
    "the best number of epochs is later for the stronger one with every seed, by more than the spread of seeds "
    "(earlier likewise: fails); an optimum at an end of the budgets is a bound; every step has to hold"
)
FURTHER_TEST = (
    "Flip+Crop moves the best number of epochs by more doublings for KD than for CE with every seed, by more than the "
    "spread of seeds; not told if one of the four is at an end of the budgets"
)
LOWER_TEST = "the 95 % t interval over seeds of the difference of the lowest test losses; every step has to hold"
LONGER_TEST = (
    "prolonging gains more with CutMixPick than without by paired t tests over pairs at 5 %, on both tables, with "
    "Holm's correction for the two"
)
OUR_LONGER_TEST = "prolonging gains more with the stronger scheme than without by a paired t test over seeds at 5 %"
TESTS = {
    "augmentation-needs-longer": LATER_TEST,
    "stronger-needs-longer": LATER_TEST,
    "later-for-kd-than-ce": FURTHER_TEST,
    "stronger-lower-optimum": LOWER_TEST,
}
"""Claim that students over several budgets are asked -> its rule."""
STUDIES = {"prolonged": "prolonged", "few_prolonged": "few-shot"}
"""Recorded students over several budgets -> what they are called; the larger first."""


class Answer(NamedTuple):
    """A word and the numbers behind it."""

    says: Word
    numbers: str


def verdicts(students: pd.DataFrame, scheme: str, dataset: str, size: str) -> list[Verdict]:
    """The chapter's verdicts; `students`: this run's `prolonged.lines` on `dataset`, with `scheme` as the strongest."""
    found: dict[str, list[Finding]] = {claim: [] for claim in TESTS}
    for recording, title in STUDIES.items():
        for runs in recorded_runs.there(prolonged.lines, {title: (recording,)}).values():
            facts = {"by": "photographs", "size": campaigns.size_of(recording)}
            facts["short_of"] = one_pair_short_of(recording)
            _add(found, runs, "cutmixpick_t", title, facts)
    state = campaigns.short_of("few_prolonged")
    if state == recorded_runs.NOT_YET:
        for claim, test in TESTS.items():
            found[claim].append(report.awaited("the few-shot study of budgets", test, state))
    live = {"by": report.kind_of(dataset), "size": size, "short_of": ONE_PAIR}
    _add(found, students, scheme, "this run", live)
    longer = [*_ours_longer(), _live_longer(students, scheme, dataset, size), _longer(prolonged.published())]
    verdicts = {claim: report.verdict_on(claim, *each) for claim, each in found.items()}
    return [*verdicts.values(), report.verdict_on("stronger-admits-longer", *longer)]


def _add(found: dict[str, list[Finding]], students: pd.DataFrame, scheme: str, title: str, facts: dict) -> None:
    """Add what these students say to each claim whose lines they have."""
    lines = f"{students['line'].nunique()} lines, {len(students)} students"
    for claim, answer in answers(students, scheme).items():
        told = {"says": answer.says, "numbers": f"{title}: {answer.numbers}", "n": lines, "test": TESTS[claim]}
        found[claim].append(Finding(**told, **facts))


def answers(students: pd.DataFrame, scheme: str) -> dict[str, Answer]:
    """Claim -> what `prolonged.lines` say of it, for the claims whose lines are all there."""
    best, there = prolonged.optima(students), set(students["line"])
    ce_none, ce_flip, ce_crop = (name("ce", standard, NO_SCHEME) for standard in ("none", "flip", "crop_flip"))
    kd_none, kd_flip, kd_crop = (name("kd", standard, NO_SCHEME) for standard in ("none", "flip", "crop_flip"))
    mixed = [name("kd", "crop_flip", each) for each in dict.fromkeys(("cutmix", scheme))]
    ladder = [kd_flip, kd_crop, *(line for line in mixed if line in there or line == mixed[-1])]
    up = list(itertools.pairwise(ladder))
    augmented = [(ce_none, ce_flip), (ce_none, ce_crop), (kd_none, kd_flip), (kd_none, kd_crop)]
    steps = {
        "augmentation-needs-longer": augmented,
        "stronger-needs-longer": [(ce_flip, ce_crop), *up],
        "later-for-kd-than-ce": [(ce_flip, ce_crop), (kd_flip, kd_crop)],
        "stronger-lower-optimum": up,
    }
    asked = {claim: pairs for claim, pairs in steps.items() if {line for pair in pairs for line in pair} <= there}
    return {claim: _asked(claim, best, pairs) for claim, pairs in asked.items()}


def _asked(claim: str, best: pd.DataFrame, pairs: list[tuple[str, str]]) -> Answer:
    """One claim of `TESTS` of these pairs of lines, the weaker first."""
    if claim == "later-for-kd-than-ce":
        return later_for_kd(best, *pairs)
    each = [(lower if claim == "stronger-lower-optimum" else later)(best, *pair) for pair in pairs]
    return Answer(rules.all_parts([answer.says for answer in each]), "; ".join(answer.numbers for answer in each))


def later(best: pd.DataFrame, weaker: str, stronger: str) -> Answer:
    """Is the optimum of `stronger` later than that of `weaker`? By `LATER_TEST`, on a frame of `prolonged.optima`."""
    moved = prolonged.shift(best, weaker, stronger)
    ends = best.set_index(["line", "seed"])[["at_start", "at_edge"]]
    first, second = (ends.loc[line].loc[moved.index] for line in (weaker, stronger))
    says = _agreed(moved)
    if says == "holds" and (first["at_edge"].any() or second["at_start"].any()):
        says = "cannot tell"
    if says == "fails" and (first["at_start"].any() or second["at_edge"].any()):
        says = "cannot tell"
    return Answer(says, f"{stronger} after {weaker} by {_doublings(moved)}")


def later_for_kd(best: pd.DataFrame, ce: tuple[str, str], kd: tuple[str, str]) -> Answer:
    """Does KD's optimum move further than CE's? Each tuple: the weaker and the stronger line; by `FURTHER_TEST`."""
    moved_ce, moved_kd = (prolonged.shift(best, *pair) for pair in (ce, kd))
    ends = best[best["line"].isin([*ce, *kd])][["at_start", "at_edge"]].any(axis=None)
    says = "cannot tell" if ends else _agreed((moved_kd - moved_ce).dropna())
    return Answer(says, f"KD by {_doublings(moved_kd)}, CE by {_doublings(moved_ce)}")


def lower(best: pd.DataFrame, weaker: str, stronger: str) -> Answer:
    """Is the lowest test loss of `stronger` below that of `weaker`? By `LOWER_TEST`."""
    loss = best.pivot(index="seed", columns="line", values="test_loss")
    gap = (loss[stronger] - loss[weaker]).dropna()
    low, high = stats.t_interval(gap.mean(), gap.std(ddof=1), len(gap)) if len(gap) > 1 else (-np.inf, np.inf)
    numbers = f"{stronger} less {weaker} {gap.mean():+.3f} nats ({low:.3f} to {high:.3f}, {len(gap)} seeds)"
    return Answer(rules.from_interval(-high, -low), numbers)


def _agreed(moved: pd.Series) -> Word:
    """holds (fails) if at least two seeds are all above (below) zero, and their mean is beyond their spread."""
    if len(moved) < 2 or abs(moved.mean()) <= moved.std(ddof=1):
        return "cannot tell"
    return "holds" if (moved > 0).all() else "fails" if (moved < 0).all() else "cannot tell"


def _doublings(moved: pd.Series) -> str:
    """`0.5 ± 0.7 (n = 2) doublings`"""
    return f"{report.mean_std(moved)} doublings" if len(moved) else "no seed in common"


def _longer(gains: pd.DataFrame) -> Finding:
    """Whether prolonging gains more with CutMixPick in Tables 1 and 2."""
    tests = prolonged.admits_longer(gains)
    words = rules.from_tests({dataset: (test.mean, test.t_p) for dataset, test in tests.items()})
    corrected = stats.holm([test.t_p for test in tests.values()])
    return Finding(
        by="published",
        says=rules.all_parts(list(words.values())),
        numbers="; ".join(
            f"{tables.DATASETS[dataset]}: {test.mean:+.2f} points more ({test.low:.2f} to {test.high:.2f}, "
            f"{stats.p_text(test.t_p)}, corrected {stats.p_text(p)})"
            for (dataset, test), p in zip(tests.items(), corrected, strict=True)
        ),
        n="7 pairs per table",
        test=LONGER_TEST,
    )


def _ours_longer() -> list[Finding]:
    """The same of our own students of Table 1's rows, over the seeds of one pair."""
    state, found = campaigns.short_of("few_table1"), []
    for runs in recorded_runs.there(tables_1_2.labelled, {"rows": ("few_table1",)}).values():
        picked = tables_1_2.our_gain(runs, tables_1_2.PICK_LONG, tables_1_2.PICK)
        alone = tables_1_2.our_gain(runs, tables_1_2.KD_LONG, tables_1_2.KD)
        facts = {"by": "photographs", "size": "laptop", "short_of": one_pair_short_of("few_table1")}
        found.append(_more(picked, alone, "few-shot, rows of Table 1", facts))
    return found or [report.awaited("the few-shot study of Table 1's rows", OUR_LONGER_TEST, state)]


def _live_longer(students: pd.DataFrame, scheme: str, dataset: str, size: str) -> Finding:
    """The same of this run, from its smallest budget to its largest."""
    strong, plain = (prolonged.falls(students, name("kd", "crop_flip", each)) for each in (scheme, NO_SCHEME))
    return _more(strong, plain, "this run", {"by": report.kind_of(dataset), "size": size, "short_of": ONE_PAIR})


def _more(strong: pd.Series, plain: pd.Series, title: str, facts: dict) -> Finding:
    """Whether prolonging gains more points with the stronger scheme, from the gains of both by seed."""
    more = (strong - plain).dropna()
    if not len(more):
        return Finding(says="not tested", numbers=f"{title}: not run yet", test=OUR_LONGER_TEST, **facts)
    test = stats.paired_test(more, np.zeros(len(more))) if len(more) > 1 and np.ptp(more) else None
    seeds = f"{len(more)} seed{'s' * (len(more) > 1)}"
    numbers = f"{more.mean():+.2f} points more ({seeds})"
    if test:
        numbers = f"{test.mean:+.2f} points more ({test.low:.2f} to {test.high:.2f}, {stats.p_text(test.t_p)})"
    return Finding(
        says=rules.from_test(test.mean, test.t_p) if test else "cannot tell",
        numbers=f"{title}: {numbers}",
        n=f"1 pair, {seeds}",
        test=OUR_LONGER_TEST,
        **facts,
    )
