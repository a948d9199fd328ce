"""The scoreboard: each claim of the paper and those made since, the evidence, the verdict; and the counts above it."""

from collections.abc import Iterable, Sequence

import pandas as pd

from kdutils.errors import choose
from kdutils.report.evidence import EVIDENCE, EVIDENCE_LABELS, SIGNS, Evidence, deciding
from kdutils.report.rules import Word
from kdutils.report.verdict import Verdict, signed, told

NOT_TESTED: Word = "not tested"
LATER_HEAD = ("Claim", "Source", "Our photographs", "Verdict", "Chapter")
HEAD = ("Claim", "In the paper", "Published numbers, recounted", "Our photographs", "Verdict", "Decided by")


def scoreboard_markdown(claims: pd.DataFrame, verdicts: Sequence[Verdict]) -> str:
    """The scoreboard as MyST text: each of the paper's claims by topic, then the claims of the book's own.

    A claim that no verdict names is "not tested"; one that several name has a row for each.
    """
    parts = []
    for topic, rows in claims.groupby("topic", sort=False):
        cells = [
            _cells(": ".join(part for part in (claim.where, claim.number) if part), claim.statement, verdict)
            for claim in rows.itertuples()
            for verdict in named(claim.id, claims, verdicts) or [None]
        ]
        parts.append(f"## {topic}\n\n{_table(HEAD, cells)}")
    own = [_cells(verdict.paper, verdict.claim, verdict) for verdict in verdicts if not verdict.claim_ids]
    if own:
        parts.append(f"## Beyond the paper\n\n{_table(HEAD, own)}")
    return "\n\n".join(parts) + "\n"


def later_markdown(claims: pd.DataFrame, verdicts: Sequence[Verdict]) -> str:
    """Claims made since the paper (`paper.later_claims`) as MyST text: how many fare how, then a table by topic."""
    words = counts(claims, verdicts).astype(int).loc["verdict"]
    told = ", ".join(f"{words[word]} {signed(word)}" for word in SIGNS if words[word])
    parts = [f"{len(claims)} claims: {told}."]
    for topic, rows in claims.groupby("topic", sort=False):
        cells = [
            (claim.statement, f"{{cite}}`{claim.source}`" if claim.source else "this book", *_decided(verdict))
            for claim in rows.itertuples()
            for verdict in named(claim.id, claims, verdicts) or [None]
        ]
        parts.append(f"### {topic}\n\n{_table(LATER_HEAD, cells)}")
    return "\n\n".join(parts) + "\n"


def _decided(verdict: Verdict | None) -> tuple[str, str, str]:
    """What our photographs found, the verdict, and the chapter."""
    if verdict is None:
        return "", signed(NOT_TESTED), "no chapter yet"
    return _told(verdict, "photographs"), signed(verdict.holds), _link(verdict.chapter)


def named(claim: str, claims: pd.DataFrame, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts on one claim. A verdict on a claim that the paper does not make is a UserError."""
    for name in {name for verdict in verdicts for name in verdict.claim_ids}:
        choose("claim", name, claims["id"])
    return [verdict for verdict in verdicts if claim in verdict.claim_ids]


def matrix(claims: pd.DataFrame, verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """One row per claim and kind of evidence that looked at it: topic, claim, by, says, decides, short.

    `short`: that evidence cannot decide the claim as it is stated. Digits always are.
    """
    rows = []
    for claim in claims.itertuples():
        for verdict in named(claim.id, claims, verdicts):
            for kind in EVIDENCE:
                if found := verdict.found(kind):
                    looked = [each for each in found if each.says != NOT_TESTED]
                    best = deciding(found) or [*looked, *found][0]
                    rows.append(
                        (claim.topic, claim.id, kind, best.says, kind == verdict.decided_by, not deciding(found))
                    )
    return pd.DataFrame(rows, columns=["topic", "claim", "by", "says", "decides", "short"])


def counts(claims: pd.DataFrame, verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """How the claims fare: a row for what our photographs say, one for the recount of published numbers, one for all.

    Columns: the words. What falls short of a claim counts as "not tested" there. A claim with several verdicts counts
    once, with the first.
    """
    found = matrix(claims, verdicts)
    found = found[~found["short"].astype(bool)].drop_duplicates(["claim", "by"])
    rows = {kind: _words(found[found["by"] == kind].set_index("claim")["says"], claims) for kind in EVIDENCE[:-1]}
    first = {claim: (named(claim, claims, verdicts) or [None])[0] for claim in claims["id"]}
    rows["verdict"] = pd.Series([verdict.holds if verdict else NOT_TESTED for verdict in first.values()])
    return pd.DataFrame({row: words.value_counts() for row, words in rows.items()}).T.reindex(columns=SIGNS).fillna(0)


def scoreboard_summary(claims: pd.DataFrame, verdicts: Sequence[Verdict]) -> str:
    """The counts as a MyST table: our photographs and the recount apart, then the verdicts; and what falls short."""
    table, found = counts(claims, verdicts).astype(int), matrix(claims, verdicts)
    labels: dict[str, str] = {
        "photographs": "Our own photographs",
        "published": "The paper's printed numbers, recounted",
        "mathematics": "Theorems and arithmetic",
        "verdict": "**Verdict, by the evidence that decides**",
    }
    table.loc["mathematics"] = table.loc["theorem"] + table.loc["arithmetic"]
    table.loc["mathematics", NOT_TESTED] -= len(claims)  # every claim is in both rows
    cells = [[label, *(str(table.loc[row, word] or "") for word in SIGNS)] for row, label in labels.items()]
    body = _table(["", *map(signed, SIGNS)], cells)
    looked = (found["by"] == "photographs") & (found["says"] != NOT_TESTED)
    short = found[found["short"].astype(bool) & looked]["claim"].nunique()
    return (
        f":::{{table}} What the evidence says of the paper's {len(claims)} claims.\n:class: tab-front\n\n"
        f"{body}\n:::\n\n"
        f"Our photographs looked at {short} more claims, but fall short of what these say, such as one pair of "
        "networks for a claim about all; the scoreboard says why. There they stand beside what decides.\n"
    )


def _words(says: pd.Series, claims: pd.DataFrame) -> pd.Series:
    """The word of one kind of evidence for each claim; "not tested" if it did not look."""
    return pd.Series([says.get(name, NOT_TESTED) for name in claims["id"]])


def _cells(where: str, claim: str, verdict: Verdict | None) -> tuple[str, ...]:
    """A row of the scoreboard."""
    if verdict is None:
        return claim, where, "", "", signed(NOT_TESTED), "nothing yet"
    published, photographs = (_told(verdict, kind) for kind in ("published", "photographs"))
    return claim, where, published, photographs, signed(verdict.holds), _by(verdict)


def _by(verdict: Verdict) -> str:
    """What decides, what it found if no other column has it, in which chapter and by which test."""
    if not verdict.decided:
        return f"nothing: {_link(verdict.chapter)}"
    by = EVIDENCE_LABELS[verdict.decided.by]
    found = f" ({verdict.decided.numbers})" if verdict.decided.by in ("theorem", "arithmetic") else ""
    return f"{by}{found}: {_link(verdict.chapter)}. Test: {verdict.test}"


def _told(verdict: Verdict, kind: Evidence) -> str:
    """What one kind of evidence found, each finding with the word it gives."""
    return "; ".join(f"{SIGNS[found.says]} {' '.join(told(found))}" for found in verdict.found(kind))


def _link(chapter: str) -> str:
    """A chapter's title as a link: a role, as the page may be included from anywhere."""
    return f"{{doc}}`/notebooks/{chapter}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in line) + " |" for line in lines
    )
