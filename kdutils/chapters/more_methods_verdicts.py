"""The verdicts of the chapter on more methods: do gains combine, and does CutMix help five other losses?"""

import itertools

import numpy as np
import pandas as pd

from kdutils import paper, report, stats
from kdutils.chapters import more_methods
from kdutils.chapters.more_methods import GAINS
from kdutils.report import Finding, Verdict, Word, campaigns, recorded_runs, rules, tables
from kdutils.report.few_shot import ONE_PAIR, one_pair_short_of
from kdutils.report.verdict import told

METHODS = ("at", "cc", "sp", "pkt", "vid")
STUDY = "few_methods"
COMBINE_TEST = (
    "CutMixPick adds to CRD and CRD adds to CutMixPick, and what CutMixPick adds under CRD is not surely another "
    "amount than under KD; paired t tests at 5 % with Holm's correction for all. Independence can be refuted, not shown"
)
GAIN_TEST = (
    "each of the five methods gains accuracy by a paired t test over seeds at 5 %, with Holm's correction for the five"
)
HALF_TEST = (
    "at least half of the methods gain more than the points that the text names, on average over seeds and in 95 % of "
    "all ways to draw the seeds again (bootstrap); fewer in 95 %: fails"
)


def verdicts(gained: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """The chapter's three verdicts; `gained`: this run's `more_methods.gains` on `dataset`."""
    live = {"by": report.kind_of(dataset), "size": size, "short_of": ONE_PAIR}
    gain, half = [], []
    for runs in recorded_runs.there(pd.DataFrame, {STUDY: (STUDY,)}).values():
        recorded = more_methods.gains(runs, "cutmix")
        facts = {"by": "photographs", "size": "laptop", "short_of": one_pair_short_of(STUDY)}
        gain.append(_all_gain(recorded, "few-shot: ", **facts))
        half.append(_half(recorded, "few-shot: ", **facts))
    if not gain:
        state = campaigns.short_of(STUDY)
        gain.append(report.awaited("the few-shot study of five methods", GAIN_TEST, state))
        half.append(report.awaited("the few-shot study of five methods", HALF_TEST, state))
    gain.append(_all_gain(gained, "this run: ", **live))
    half.append(_half(gained, "this run: ", **live))
    return [
        report.verdict_on("inputs-and-losses-combine", *_ours_combined(), _combined()),
        report.verdict_on("cutmix-five-methods-gain", *gain),
        report.verdict_on("cutmix-five-methods-half", *half),
    ]


def combine(found: pd.DataFrame) -> Word:
    """By `COMBINE_TEST`, on a frame of `more_methods.combined`.

    A gain under CRD that is surely another one than under KD contradicts independence; one that is not tells nothing.
    """
    tests = {(row.dataset, row.quantity): (row.mean, row.p) for row in found.itertuples()}
    words = rules.from_tests(tests)
    unlike: dict[Word, Word] = {"holds": "fails", "fails": "fails"}
    return rules.all_parts(
        [unlike.get(word, word) if quantity == "less" else word for (_, quantity), word in words.items()]
    )


def _combined() -> Finding:
    """Whether gains combine in Tables 1 and 2."""
    found = more_methods.combined(more_methods.published())
    return Finding(
        by="published",
        says=combine(found),
        numbers=in_words(found),
        n=f"{found['n'].max()} pairs per table",
        test=COMBINE_TEST,
    )


def _ours_combined() -> list[Finding]:
    """The same of our own students, over seeds of one pair of networks."""
    ours, state = more_methods.our_combination(), campaigns.short_of("few_table1")
    if len(ours) < 2:
        seeds = f"{len(ours)} of 3 seeds have all four rows" if len(ours) else "no seed has all four rows yet"
        return [report.awaited(f"the few-shot study of Table 1's rows: {seeds}", COMBINE_TEST, state or ONE_PAIR)]
    found = more_methods.combined(ours)
    return [
        Finding(
            by="photographs",
            says=combine(found),
            numbers=f"few-shot: {in_words(found)}",
            n=f"1 pair, {found['n'].max()} seeds",
            size="laptop",
            short_of=one_pair_short_of("few_table1"),
            test=COMBINE_TEST,
        )
    ]


def in_words(found: pd.DataFrame) -> str:
    """The rows of a frame of `more_methods.combined` as text, with the p-values corrected for all of them beside."""
    corrected = stats.holm(found["p"])
    return "; ".join(
        f"{tables.DATASETS[row.dataset]}, {GAINS[row.quantity]}: {row.mean:+.2f} ({row.low:.2f} to {row.high:.2f}, "
        f"{stats.p_text(row.p)}, corrected {stats.p_text(p)})"
        for row, p in zip(found.itertuples(), corrected, strict=True)
    )


def ours_in_words() -> str:
    """What our own students say of combining, or how much of their study is there."""
    (found,) = _ours_combined()
    return f"{' '.join(told(found))}: *{found.says}*."


def _by_method(gained: pd.DataFrame) -> pd.DataFrame:
    """The gains in accuracy, a row per seed and a column per method of the paper's five that was run."""
    known = gained[gained["method"].isin(METHODS)]
    return known.pivot(index="seed", columns="method", values="accuracy_gain").reindex(columns=METHODS)


def _all_gain(gained: pd.DataFrame, source: str, **facts: str) -> Finding:
    """Whether all five methods gain; one that has fewer than two seeds counts among the five and tells nothing."""
    wide, tests = _by_method(gained), {}
    for name in METHODS:
        each = wide[name].dropna()
        test = stats.paired_test(each, np.zeros(len(each))) if len(each) > 1 and np.ptp(each) else None
        tests[name] = (test.mean, test.t_p) if test else (0.0, 1.0)
    words = rules.from_tests(tests)
    clear, up = sum(word == "holds" for word in words.values()), int((wide.mean() > 0).sum())
    run = wide.notna().any()
    return Finding(
        says=rules.all_parts(list(words.values())),
        numbers=f"{source}{up} of {run.sum()} methods gain on average, {clear} surely; "
        + ", ".join(f"{name.upper()} {wide[name].mean():+.2f}" for name in wide.columns[run])
        + " points",
        n=f"1 pair, up to {len(wide)} seed{'s' * (len(wide) != 1)}",
        test=GAIN_TEST,
        **facts,
    )


def _half(gained: pd.DataFrame, source: str, **facts: str) -> Finding:
    """Whether at least half of the methods gain more than a point."""
    wide = _by_method(gained)
    bound = float(paper.claims().set_index("id")["number"]["cutmix-five-methods-half"].strip("> %"))
    more, share = int((wide.mean() > bound).sum()), share_of_draws(wide, bound)
    told = f", at least half in {share:.0%} of the draws of seeds" if share is not None else ""
    return Finding(
        says=half(more, share),
        numbers=f"{source}{more} of {wide.notna().any().sum()} methods gain more than {bound:g} point{told}",
        n=f"1 pair, up to {len(wide)} seed{'s' * (len(wide) != 1)}",
        test=HALF_TEST,
        **facts,
    )


def share_of_draws(wide: pd.DataFrame, bound: float) -> float | None:
    """In what share of all draws of the seeds, with replacement, at least half of the methods gain more than `bound`.

    `wide`: gains, a row per seed and a column per method. None if a method or a seed is missing, or there is one seed.
    """
    if len(wide) < 2 or wide.isna().any(axis=None):
        return None
    values = wide.to_numpy()
    draws = itertools.product(range(len(values)), repeat=len(values))
    counts = [(values[list(draw)].mean(axis=0) > bound).sum() for draw in draws]
    return float(np.mean(2 * np.array(counts) >= values.shape[1]))


def half(more: int, share: float | None) -> Word:
    """By `HALF_TEST`, from how many methods gain more and the share of draws in which at least half do."""
    if share is None:
        return "cannot tell"
    enough = 2 * more >= len(METHODS)
    return "holds" if enough and share >= 0.95 else "fails" if not enough and share <= 0.05 else "cannot tell"
