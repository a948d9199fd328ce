"""Which word evidence gives a claim: one rule per kind of question, used by all chapters.

Each rule says what it assumes; its test simulates how often it is wrong under the null and how often it finds what is
there. A p-value of 5 % or more is "cannot tell", never "no relation".
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import pandas as pd
import scipy

from kdutils import stats

Word = Literal["holds", "partly", "fails", "cannot tell", "not tested"]
LEVEL = 0.05


def from_test(estimate: float, p: float, level: float = LEVEL) -> Word:
    """A claim that something is above zero, by a two-sided test: a p-value of `level` or more tells nothing.

    Assumes that p is uniform (or larger) if the truth is zero. Then either wrong word has a chance of `level` / 2.
    """
    if not p < level:
        return "cannot tell"
    return "holds" if estimate > 0 else "fails"


def from_tests(found: Mapping[str, tuple[float, float]], level: float = LEVEL) -> dict[str, Word]:
    """`from_test` for several claims, name -> (estimate, p), with Holm's correction for having made them all.

    Needs no independence. Under the null the chance that any of them holds or fails is at most `level`.
    """
    corrected = stats.holm([p for _, p in found.values()])
    return {
        name: from_test(estimate, p, level) for (name, (estimate, _)), p in zip(found.items(), corrected, strict=True)
    }


def from_interval(low: float, high: float, bound: float = 0.0) -> Word:
    """A claim that something is above `bound`: its whole interval lies above (holds) or below (fails).

    Assumes that the interval covers the truth as often as it says. Of 95 % intervals with equal tails, one in 40 gives
    either wrong word if the truth is the bound.
    """
    return "holds" if low > bound else "fails" if high < bound else "cannot tell"


def from_correlation(found: stats.Correlation, level: float = LEVEL) -> Word:
    """A claim that two quantities rise together: `from_test` of a coefficient.

    Assumes points that could be exchanged if there were no relation. Schemes that are made of each other, such as
    CutMix and its picks, are fewer points than they seem.
    """
    return from_test(found.r, found.p, level)


def from_count(count: int, total: int, share: float = 0.5, confidence: float = 1 - LEVEL) -> Word:
    """A claim that more than `share` of such cases are so, from `count` of `total`: by an exact binomial interval.

    Assumes independent cases; pairs of networks that share a teacher are not, and their interval is then too narrow.
    """
    return from_interval(*count_interval(count, total, confidence), bound=share)


def count_interval(count: int, total: int, confidence: float = 1 - LEVEL) -> tuple[float, float]:
    """Clopper and Pearson's exact interval of a share."""
    tail = (1 - confidence) / 2
    low = scipy.stats.beta.ppf(tail, count, total - count + 1) if count else 0.0
    high = scipy.stats.beta.ppf(1 - tail, count + 1, total - count) if count < total else 1.0
    return float(low), float(high)


def all_or_some(count: int, total: int) -> Word:
    """A claim about all of `total` cases of which `count` are as claimed: all, most ("partly"), or no more than half.

    Describes the cases at hand. Assumes that each is a test that is seldom passed by chance: of mere signs chance
    passes half, and "partly" would mean nothing (`from_count` is for those).
    """
    return "holds" if count == total else "partly" if 2 * count > total else "fails"


def all_parts(words: Sequence[Word]) -> Word:
    """A claim of several parts: their common word; "partly" if some hold and others fail; else "cannot tell".

    Each part has its own rule. A claim of k parts holds by chance no more often than its least likely part.
    """
    found = set(words)
    return found.pop() if len(found) == 1 else "partly" if {"holds", "fails"} <= found else "cannot tell"


def as_told(counted: int, told: int, gain: float, p: float, level: float = LEVEL) -> Word:
    """A printed count: fails if the recount differs; holds if the mean gain behind it is beyond chance as well.

    Assumes of p what `from_test` does. A count that is as told, of gains that chance could make, tells nothing.
    """
    return "fails" if counted != told else from_test(gain, p, level)


def from_extreme(losses: pd.DataFrame, scheme: str, best: bool, level: float = LEVEL) -> Word:
    """A claim that one scheme is the best (or worst) of all, from losses per seed (rows) and scheme (columns).

    Holds if it differs from every other at `level` by a paired t test: all must, so that nothing is corrected. Fails if
    another is beyond it (with Holm's correction, since any may). Assumes differences that are normal over seeds.
    """
    others = losses.drop(columns=scheme)
    gaps = others.sub(losses[scheme], axis=0) * (1 if best else -1)
    means, p = gaps.mean().to_numpy(), scipy.stats.ttest_1samp(gaps, 0).pvalue
    if all(from_test(*each, level) == "holds" for each in zip(means, p, strict=True)):
        return "holds"
    words = from_tests(dict(zip(others, zip(means, p, strict=True), strict=True)), level)
    return "fails" if "fails" in words.values() else "cannot tell"
