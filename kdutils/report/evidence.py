"""The kinds of evidence, what one of them found about a claim, and which finding decides: one rule for all chapters."""

from collections.abc import Sequence
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from kdutils.report.rules import Word, all_parts

Evidence = Literal["theorem", "arithmetic", "photographs", "published", "digits"]
EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)
"""All kinds, in the order in which they decide."""

EVIDENCE_LABELS: dict[Evidence, str] = {
    "theorem": "a theorem",
    "arithmetic": "arithmetic",
    "photographs": "our photographs",
    "published": "the published numbers",
    "digits": "digits",
}
SIGNS: dict[Word, str] = {"holds": "✓", "partly": "◐", "fails": "✗", "cannot tell": "?", "not tested": "–"}


class Finding(BaseModel):
    """What one kind of evidence says about a claim, by a stated rule."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Evidence
    says: Word
    numbers: str  # what was found
    test: str  # the rule that gave the word
    n: str = ""  # what it rests on, such as "9 schemes, 27 students"
    size: str = ""  # of the runs: quick, laptop, short or paper; empty if nothing was run
    short_of: str = ""  # why it cannot decide the claim as stated, such as "one pair of networks"; empty: it can


def kind_of(dataset: str) -> Evidence:
    """What a run on `dataset` is evidence of."""
    return "digits" if dataset == "digits" else "photographs"


def awaited(what: str, test: str, state: str) -> Finding:
    """A study of our own photographs that is designed and not recorded yet (`state`): it says nothing so far."""
    return Finding(by="photographs", says="not tested", numbers=what, short_of=state, test=test)


def deciding(findings: Sequence[Finding]) -> Finding | None:
    """The finding that decides a claim, or None if none may.

    In the order of `EVIDENCE`, the first kind that can decide and tells; if none tells, the first that can decide. So
    our own photographs come before a recount of published numbers, which decides if they are missing, fall short of the
    claim or cannot tell. Several findings of one kind have to agree. Digits only demonstrate: they decide nothing.
    """
    kinds = [[found for found in findings if found.by == kind and may_decide(found)] for kind in EVIDENCE]
    together = [_together(found) for found in kinds if found]
    return next((found for found in together if found.says != "cannot tell"), together[0] if together else None)


def described(dataset: str, numbers: str, seeds: int, size: str, test: str) -> Finding:
    """What this run's students on `dataset` show beside a recorded study: a description, which decides nothing."""
    rests = {"n": f"{seeds} seed{'s' * (seeds != 1)}", "size": size, "short_of": "a description"}
    return Finding(by=kind_of(dataset), says="cannot tell", numbers=f"this run: {numbers}", test=test, **rests)


def may_decide(found: Finding) -> bool:
    """Whether a finding looked, is not of digits, and does not fall short of the claim."""
    return found.by != "digits" and not found.short_of and found.says != "not tested"


def _together(found: Sequence[Finding]) -> Finding:
    """Findings of one kind as one: if all agree, the first; else `rules.all_parts`, so that no word is chosen."""
    says = all_parts([each.says for each in found])
    if all(each.says == says for each in found):
        return found[0]
    told = {name: dict.fromkeys(getattr(each, name) for each in found) for name in ("numbers", "test", "n", "size")}
    joined = {name: "; ".join(filter(None, parts)) for name, parts in told.items()}
    return found[0].model_copy(update={"says": says, **joined})
