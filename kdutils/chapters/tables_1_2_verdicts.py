"""The verdicts of the chapter on Tables 1 and 2: every count of the text, two single pairs, inputs against losses."""

import math

import numpy as np
import pandas as pd

from kdutils import paper, report, stats
from kdutils.chapters import tables_1_2
from kdutils.chapters.tables_1_2 import COUNTED, CRD, PICK, Comparison
from kdutils.report import Finding, Verdict, campaigns, few_shot, rules, tables

COUNT_TEST = (
    "the recount equals what the text says, and the mean gain over the pairs is above zero by a paired t test at 5 %, "
    "with Holm's correction for all the tests of this chapter"
)
INPUTS = "inputs-as-promising"
INPUTS_TEST = (
    "at equal epochs KD+CutMixPick is more accurate than CRD (less: fails) over the pairs of either table, by a paired "
    "t test at 5 %, with Holm's correction for all the tests of this chapter"
)
OUR_TEST = (
    "the mean gain in test accuracy over the seeds is above zero by a paired t test at 5 %, with Holm's correction for "
    "the six claims of Table 1"
)
SIX = {name: (compared.row, compared.bases[0]) for name, compared in COUNTED.items() if compared.table == 1} | {
    INPUTS: (PICK, CRD)
}
"""The claims of Table 1 that our own students are asked as well: claim -> (row, the row that it is compared with)."""
SINGLE = {"cutmix-shufflev2-one-point": "resnet32x4/ShuffleV2", "pick-exception-tinyimagenet": "resnet56/resnet20"}
"""Claim about one pair of networks -> that pair."""


def verdicts(ours: dict[str, pd.DataFrame], dataset: str, size: str) -> list[Verdict]:
    """A verdict for every count of the text, for its statements about single pairs, and for inputs against losses.

    `ours` holds labelled runs: this run's, on `dataset`, under "this run", and those of `tables_1_2.recorded`.
    """
    recounted, beside = _recounted(), _beside(ours, dataset, size)
    counted = [report.verdict_on(name, *beside.get(name, []), recounted[name]) for name in [*COUNTED, INPUTS]]
    return [*counted, _one_point(), _exception()]


def _recounted() -> dict[str, Finding]:
    """Claim -> what the published numbers say of it; corrected for all of them."""
    counts, inputs = tables_1_2.recount().set_index("id"), inputs_against_losses()
    names, p = [*counts.index, *inputs], [*counts["t_p"], *(test.t_p for test in inputs.values())]
    corrected = dict(zip(names, stats.holm(p), strict=True))
    found = {}
    for name, row in counts.iterrows():
        found[name] = Finding(
            by="published",
            says=rules.as_told(row["counted"], row["told"], row["mean"], corrected[name]),
            numbers=f"{row['counted']} of {row['pairs']} pairs gain, {row['beyond_noise']} beyond the runs' noise; "
            f"mean {_mean(row['mean'], row['low'], row['high'], row['t_p'], corrected[name])}",
            n=f"{row['pairs']} pairs",
            test=COUNT_TEST,
        )
    found[INPUTS] = Finding(
        by="published",
        says=rules.all_parts([rules.from_test(test.mean, corrected[name]) for name, test in inputs.items()]),
        numbers="; ".join(
            f"{name}: better on {test.positive} of {test.n} pairs, mean "
            f"{_mean(test.mean, test.low, test.high, test.t_p, corrected[name])}"
            for name, test in inputs.items()
        ),
        n=f"{sum(test.n for test in inputs.values())} pairs",
        test=INPUTS_TEST,
    )
    return found


def _mean(mean: float, low: float, high: float, p: float, corrected: float) -> str:
    """`+1.13 points (0.49 to 1.77, p = 0.005, corrected p = 0.046)`"""
    return f"{mean:+.2f} points ({low:.2f} to {high:.2f}, {stats.p_text(p)}, corrected {stats.p_text(corrected)})"


def inputs_against_losses() -> dict[str, stats.PairedTest]:
    """Dataset -> KD+CutMixPick less CRD at equal epochs, in percentage points of accuracy, over its seven pairs."""
    found = {}
    for number in tables_1_2.EPOCHS:
        gains = tables_1_2.gains(Comparison(number, PICK, (CRD,)))
        found[tables.DATASETS[gains["dataset"].iloc[0]]] = stats.paired_test(gains["gain"], np.zeros(len(gains)))
    return found


def _beside(ours: dict[str, pd.DataFrame], dataset: str, size: str) -> dict[str, list[Finding]]:
    """Claim of Table 1 -> what our own students say of it: recorded ones of CIFAR-100, and this run's."""
    found: dict[str, list[Finding]] = {name: [] for name in SIX}
    for source, students in ours.items():
        live = source == "this run"
        recording = "" if live else students["recording"].iloc[0]
        facts = {
            "by": report.kind_of(dataset if live else "cifar100"),
            "size": size if live else campaigns.size_of(recording),
            "short_of": few_shot.one_pair_short_of(recording) if recording else few_shot.ONE_PAIR,
        }
        if live and dataset not in ("digits", "cifar100"):
            continue
        for name, (says, numbers, n) in from_seeds(students).items():
            told = {"says": says, "numbers": f"{source}: {numbers}", "n": n, "test": OUR_TEST}
            found[name].append(Finding(**told, **facts))
    state = campaigns.short_of("few_table1")
    if state == report.recorded_runs.NOT_YET:
        for each in found.values():
            each.insert(0, report.awaited("the few-shot study of Table 1's rows", OUR_TEST, state))
    return found


def from_seeds(students: pd.DataFrame) -> dict[str, tuple[rules.Word, str, str]]:
    """Claim of `SIX` -> the word of `OUR_TEST`, the numbers and the seeds, for those whose two rows were run.

    What was not run counts among the six that are corrected for.
    """
    gains = {name: tables_1_2.our_gain(students, *rows) for name, rows in SIX.items()}
    tests = {
        name: stats.paired_test(gain, np.zeros(len(gain)))
        for name, gain in gains.items()
        if len(gain) > 1 and np.ptp(gain)
    }
    p = {name: tests[name].t_p if name in tests else 1.0 for name in SIX}
    corrected = dict(zip(SIX, stats.holm(list(p.values())), strict=True))
    words = {name: rules.from_test(gain.mean(), corrected[name]) for name, gain in gains.items()}
    told = {name: f"{gain.mean():+.2f} points" for name, gain in gains.items() if len(gain)} | {
        name: _mean(test.mean, test.low, test.high, test.t_p, corrected[name]) for name, test in tests.items()
    }
    seeds = {name: f"1 pair, {len(gain)} seed{'s' * (len(gain) > 1)}" for name, gain in gains.items()}
    return {name: (words[name], told[name], seeds[name]) for name in told}


def _one_point() -> Verdict:
    """That CutMix gains more than a point on one pair of networks."""
    name = "cutmix-shufflev2-one-point"
    row = tables_1_2.gains(COUNTED["cutmix-all-pairs-cifar100"]).set_index("pair").loc[SINGLE[name]]
    bound = float(paper.claims().set_index("id")["number"][name].strip("> "))
    return report.verdict_on(
        name,
        Finding(
            by="published",
            says="fails" if row["gain"] <= bound else rules.from_interval(row["low"], row["high"], bound),
            numbers=_with_interval(row),
            n="1 pair, 3 runs each",
            test="the gain is above what the text says, and so is its whole 95 % interval (Welch's)",
        ),
    )


def _exception() -> Verdict:
    """That one pair of networks is the only one to lose by picking, and how much it loses."""
    name = "pick-exception-tinyimagenet"
    gains = tables_1_2.gains(COUNTED["pick-beats-cutmix-tinyimagenet"]).set_index("pair")
    row = gains.loc[SINGLE[name]]
    loss = float(paper.claims().set_index("id")["number"][name].strip("%"))
    as_told = list(gains.index[gains["gain"] < 0]) == [SINGLE[name]] and math.isclose(row["gain"], -loss)
    return report.verdict_on(
        name,
        Finding(
            by="published",
            says=rules.from_interval(-row["high"], -row["low"]) if as_told else "fails",
            numbers=f"{_with_interval(row)}; {'the only' if as_told else 'not the only'} pair that loses as told",
            n="1 pair, 3 runs each",
            test="it is the only pair that loses, by the digits that the text prints, and its whole 95 % interval "
            "(Welch's) lies below zero",
        ),
    )


def _with_interval(row: pd.Series) -> str:
    """`+1.50 points (1.10 to 1.90)`"""
    return f"{row['gain']:+.2f} points ({row['low']:.2f} to {row['high']:.2f})"


def state_in_words() -> str:
    """How much there is of our own study of Table 1's rows."""
    short = campaigns.short_of("few_table1")
    pair = "/".join(few_shot.STUDY_PAIR)
    return f"Our study of Table 1's rows, {pair} on few images of CIFAR-100: *{short or 'all runs recorded'}*."
