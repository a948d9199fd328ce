"""The verdicts on the teacher's numbers as predictors, by the rules of the study's design."""

import pandas as pd

from kdutils import report, stats
from kdutils.chapters import unseen, which_number
from kdutils.chapters.which_number import BASE, SCHEMES
from kdutils.report import Finding, Verdict, few_shot, recorded_runs, rules

WHAT = "the few-shot study of 17 schemes and its teacher's numbers"
LEAST = 4  # schemes that a rank correlation needs
TESTS = {
    "which-number-best": "T. stddev's Spearman's rho with the mean test losses is ahead of that of each other number, "
    "p < 5 % by swaps (one is ahead of it after Holm's correction: fails)",
    "which-number-calibration": "Spearman's rho of ECE on x' and mean test loss is above zero, p < 5 % by pairings "
    "with Holm's correction for ten numbers (below zero: fails)",
    "which-number-temperature": "T. stddev's rho at temperature 4 less that at 1 is above zero, p < 5 % by swaps "
    "(below: fails)",
    "which-number-pairs": "chosen on the other pairs, another number orders the losses of the pair left out better "
    "than T. stddev: sign test over pairs, p < 5 % (worse: fails)",
}


def verdicts() -> list[Verdict]:
    """The chapter's four verdicts, from recorded runs alone."""
    runs = unseen.students()
    loss, predictors = which_number.losses(runs), which_number.all_recorded()
    found = {claim: report.awaited(WHAT, TESTS[claim], state(runs)) for claim in TESTS}
    rests = {"by": "photographs", "size": "laptop", "n": f"{len(loss)} schemes, one pair"}
    if 1 in predictors and len(loss) >= LEAST:
        judged = which_number.judged(predictors[1], loss)
        found["which-number-best"] = best(judged, short_of=state(runs, 1), **rests)
        found["which-number-calibration"] = calibration(judged, short_of=state(runs, 1), **rests)
        if 4 in predictors:
            lever = which_number.lever(predictors[1], predictors[4], loss)
            found["which-number-temperature"] = temperature(lever, short_of=state(runs), **rests)
    found["which-number-pairs"] = pairs(few_shot.points(), few_shot.pairs_short_of())
    return [report.verdict_on(claim, finding) for claim, finding in found.items()]


def state(runs: pd.DataFrame, *temperatures: int) -> str:
    """Why numbers read at these temperatures (else at all) may not decide yet; "" once students and measurements are.

    What is missing: recordings, and students of the 16 schemes.
    """
    rankings = (which_number.RANKINGS[each] for each in temperatures or which_number.TEMPERATURES)
    names = (which_number.SINGLE, *(name for two in rankings for name in two))
    missing = [name for name in names if name not in recorded_runs.recorded_names()]
    measured = f"{recorded_runs.NOT_YET}: {', '.join(missing)}" if missing else ""
    return "; ".join(filter(None, (measured, unseen.state(runs, SCHEMES))))


def best(judged: pd.DataFrame, **rests: str) -> Finding:
    """Whether T. stddev orders the losses better than each other number does."""
    others = judged.drop(BASE)
    ahead = [rules.from_test(row.lead, row.lead_p) for row in others.itertuples()]
    beaten = rules.from_tests({name: (row["lead"], row["lead_p"]) for name, row in others.iterrows()})
    says = "holds" if set(ahead) == {"holds"} else "fails" if "fails" in beaten.values() else "cannot tell"
    first, place = judged["rho"].idxmax(), int(judged["rho"].rank(ascending=False)[BASE])
    nearest = others["lead"].idxmin()
    told = (
        f"T. stddev (ρ {judged.loc[BASE, 'rho']:.2f}) is number {place} of {len(judged)}, the first is {first} "
        f"({judged.loc[first, 'rho']:.2f}); T. stddev's lead over {nearest} is {others.loc[nearest, 'lead']:+.2f} "
        f"({stats.p_text(others.loc[nearest, 'lead_p'])}), and significant over {ahead.count('holds')} of {len(others)}"
    )
    return Finding(says=says, numbers=told, test=TESTS["which-number-best"], **rests)


def calibration(judged: pd.DataFrame, **rests: str) -> Finding:
    """Whether schemes on which the teacher is better calibrated are better."""
    row, ace = judged.loc["ECE on x'"], judged.loc["ACE on x'", "rho"]
    return Finding(
        says=rules.from_test(row["rho"], row["holm_p"]),
        numbers=f"ECE: ρ {row['rho']:.2f} ({stats.p_text(row['holm_p'])} after Holm's correction); ACE: {ace:.2f}",
        test=TESTS["which-number-calibration"],
        **rests,
    )


def temperature(lever: stats.Lead, **rests: str) -> Finding:
    """Whether a softer teacher's T. stddev orders better."""
    return Finding(
        says=rules.from_test(lever.difference, lever.p),
        numbers=f"ρ at τ = 4 less ρ at τ = 1: {lever.difference:+.2f} ({stats.p_text(lever.p)})",
        test=TESTS["which-number-temperature"],
        **rests,
    )


def pairs(points: pd.DataFrame, short_of: str) -> Finding:
    """Whether another number, chosen on the other pairs, orders a pair better than T. stddev."""
    claim = "which-number-pairs"
    if points["pair"].nunique() < 2:
        return report.awaited("the few-shot study of five more pairs", TESTS[claim], short_of)
    found = which_number.over_pairs(points)
    chosen, signs = which_number.left_out(found)
    told = (
        f"chosen: {', '.join(chosen['chosen'].unique())}; better on {signs.positive}, worse on {signs.negative}, equal "
        f"on {signs.ties} of the pairs left out ({stats.p_text(signs.p)}); mean ρ {chosen['rho'].mean():.2f}, of T. "
        f"stddev {found[BASE].mean():.2f}"
    )
    return Finding(
        by="photographs",
        says=rules.from_test(signs.positive - signs.negative, signs.p),
        numbers=told,
        n=few_shot.rests(points),
        size="laptop",
        short_of=short_of,
        test=TESTS[claim],
    )


def in_words(runs: pd.DataFrame) -> str:
    """How much is recorded, and how the numbers stand."""
    loss, predictors, short_of = which_number.losses(runs), which_number.all_recorded(), state(runs)
    said = f"State of the study: *{short_of}*." if short_of else "All students and measurements are recorded."
    if 1 not in predictors or len(loss) < LEAST:
        return said
    judged = which_number.judged(predictors[1], loss)
    return f"{said} Over {len(loss)} schemes: {best(judged, by='photographs').numbers}."
