"""The playbook follows the verdicts: another word, other advice; and all that it leans on is there."""

import typing

import pandas as pd
import pytest

from kdutils import paper, report
from kdutils.book import notebooks, playbook
from kdutils.report.rules import Word

CLAIMS = pd.concat([paper.claims(), paper.later_claims()])
ADVICE = [advice for rows in playbook.ADVICE.values() for advice in rows]


def page(word: Word | None, claim: str = "unseen-choice") -> str:
    """The page where the verdict on one claim is this word, and no other claim has a verdict."""
    finding = report.Finding(by="photographs", says=word, numbers="n", test="t") if word else None
    return playbook.page(CLAIMS, [report.verdict_on(claim, finding)] if finding else [])


@pytest.mark.parametrize("advice", ADVICE, ids=lambda advice: advice.claim)
def test_each_word_of_a_verdict_has_its_advice(advice):
    said = {word: page(word, advice.claim) for word in typing.get_args(Word)}
    for word, text in (("holds", advice.holds), ("fails", advice.fails), ("cannot tell", advice.unknown)):
        (line,) = [line for line in said[word].splitlines() if line.startswith(f"| {advice.situation} |")]
        assert line.split(" | ")[1] == text
        assert report.SIGNS[word] in line
    assert advice.holds in said["partly"]
    assert advice.unknown in said["not tested"]
    assert len({advice.holds, advice.fails, advice.unknown}) == 3


def test_a_claim_without_a_verdict_is_not_tested():
    assert page(None).count("– not tested") == len(ADVICE)
    assert page("holds").count("– not tested") == len(ADVICE) - 1


def test_every_line_links_to_the_chapter_of_its_claim():
    chapters, where = {path.stem for path in notebooks.chapters()}, CLAIMS.set_index("id")["chapter"]
    for advice in ADVICE:
        assert where[advice.claim] in chapters
        assert f"{{doc}}`/notebooks/{where[advice.claim]}`" in page(None)
