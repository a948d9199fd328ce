"""The verdicts of the chapter on how sure a correlation is."""

from collections.abc import Sequence

import pandas as pd

from kdutils import paper, report, stats
from kdutils.chapters import correlation_verdicts, how_sure
from kdutils.report import Finding, Verdict, Word, few_shot, rules

JOINT = 0.01  # level of the test of all pairs as one experiment
TEST = (
    "all pairs permuted as one, two-sided p < 1 %; half of the pairs survive Holm's correction; p < 5 % without the "
    "schemes left out (all three)"
)


def significance(pairs: pd.DataFrame, without: Sequence[str] = few_shot.FAMILY) -> tuple[Word, str]:
    """Is the correlation of these pairs very significant, by `TEST`? The word, and the numbers behind it."""
    each = stats.correlations(pairs, ["dataset", "pair"], "t_stddev", "test_loss", interval="none")
    survive = int(((stats.holm(each["p"]) < rules.LEVEL) & (each["r"] > 0)).sum())
    whole = how_sure.permutation_test(pairs, "all")
    rest = how_sure.permutation_test(how_sure.leave_out(pairs, without), "all")
    parts: list[Word] = [
        rules.from_test(whole.mean_r, whole.two_sided, JOINT),
        "holds" if 2 * survive >= len(each) else "cannot tell",
        rules.from_test(rest.mean_r, rest.two_sided),
    ]
    left = pairs["scheme"].nunique() - len(set(without) & set(pairs["scheme"]))
    return rules.all_parts(parts), (
        f"{survive} of {len(each)} pairs after Holm; as one experiment r = {whole.mean_r:.2f} "
        f"({stats.p_text(whole.two_sided)}), on the {left} schemes left {rest.mean_r:.2f} "
        f"({stats.p_text(rest.two_sided)})"
    )


def verdicts(without: Sequence[str]) -> list[Verdict]:
    """The chapter's two verdicts; `without`: the schemes of the second look."""
    published, ours = paper.pairs(), few_shot.points()
    says, numbers = significance(published, without)
    pairs = len(published.drop_duplicates(["dataset", "pair"]))
    recount = Finding(by="published", says=says, numbers=numbers, n=f"{pairs} pairs", test=TEST)
    return [
        report.verdict_on("very-significant", *_ours(ours, without), *correlation_verdicts.one_pair(), recount),
        _own_deviations(published, pairs),
    ]


def _ours(ours: pd.DataFrame, without: Sequence[str]) -> list[Finding]:
    """The same of our own pairs, on the schemes that all have; nothing for a single pair."""
    if ours["pair"].nunique() < 2:
        return []
    common = ours.groupby("scheme")["pair"].nunique().eq(ours["pair"].nunique())
    says, numbers = significance(ours[ours["scheme"].map(common)], without)
    rests, short = few_shot.rests(ours), few_shot.pairs_short_of()
    return [Finding(by="photographs", says=says, numbers=numbers, n=rests, size="laptop", short_of=short, test=TEST)]


def _own_deviations(published: pd.DataFrame, pairs: int) -> Verdict:
    """A claim of this book's own: that a teacher's T. stddev tells more than the order that all teachers share."""
    own = how_sure.mixed_model(published, centre_scheme=True)
    found = Finding(
        by="published",
        says=rules.from_interval(own.low, own.high),
        numbers=f"slope {own.slope:.2f} ({own.low:.2f} to {own.high:.2f}, {stats.p_text(own.p)}) nats per 10⁻³",
        n=f"{pairs} pairs",
        test="mixed model, scheme means taken out: the slope's whole 95 % interval lies above zero",
    )
    claim = "A teacher's own deviations in T. stddev predict its students, beyond the schemes' common order."
    return Verdict(chapter="16_how_sure", claim=claim, paper="not asked", findings=[found])
