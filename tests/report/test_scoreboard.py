"""The scoreboard: a row per claim with its evidence, and counts that keep experiments and recounts apart."""

import pandas as pd
import pytest

from kdutils import paper, report
from kdutils.errors import UserError
from kdutils.report import Finding, Verdict

CLAIMS = pd.DataFrame(
    [
        ("one", "Tables", "Tab. 1", "The first claim.", "6/7", "07_tables_1_2"),
        ("two", "Theory", "Sec. 2", "The second | claim.", "", "04_correlation"),
        ("three", "Tables", "A.5", "The third claim.", "", ""),
    ],
    columns=["id", "topic", "where", "statement", "number", "chapter"],
)


def finding(by: str, says: str, **more: str) -> Finding:
    return Finding(by=by, says=says, numbers=f"{by} numbers", test="a rule", **more)


def verdict(*findings: Finding, claims: tuple[str, ...] = ("one",), chapter: str = "04_correlation") -> Verdict:
    return Verdict(chapter=chapter, claim_ids=claims, claim="own words", paper="argued", findings=findings)


def rows(*verdicts: Verdict) -> dict[str, list[str]]:
    """Claim -> the other cells of its row."""
    lines = report.scoreboard_markdown(CLAIMS, verdicts).splitlines()
    cells = [line.replace("\\|", "!").strip("|").split("|") for line in lines if line.startswith("|")]
    return {first.strip(): [cell.strip() for cell in rest] for first, *rest in cells}


def test_without_verdicts_every_claim_is_listed_by_topic_and_not_tested():
    text = report.scoreboard_markdown(CLAIMS, [])
    assert text.index("## Tables") < text.index("first") < text.index("third") < text.index("## Theory")
    assert rows()["The first claim."] == ["Tab. 1: 6/7", "", "", "– not tested", "nothing yet"]
    assert "The second ! claim." in rows()


def test_a_row_keeps_a_recount_and_our_photographs_apart_and_says_who_decided():
    found = verdict(
        finding("published", "holds", n="9 pairs"),
        finding("photographs", "fails", n="27 students", size="laptop", short_of="one pair of networks"),
        finding("digits", "holds", size="quick"),
    )
    assert rows(found)["The first claim."] == [
        "Tab. 1: 6/7",
        "✓ published numbers (9 pairs)",
        "✗ photographs numbers (27 students, laptop size) [one pair of networks]",
        "✓ holds",
        "the published numbers: {doc}`/notebooks/04_correlation`. Test: a rule",
    ]


def test_what_mathematics_found_stands_with_what_decides():
    found = verdict(finding("arithmetic", "fails", n="2 kinds"), finding("photographs", "holds"))
    by = "arithmetic (arithmetic numbers): {doc}`/notebooks/04_correlation`. Test: a rule"
    assert rows(found)["The first claim."][-1] == by


def test_the_books_own_claims_stand_by_themselves():
    text = report.scoreboard_markdown(CLAIMS, [verdict(finding("photographs", "holds"), claims=())])
    assert "own words" in text.split("## Beyond the paper")[1]


def test_a_claim_that_the_paper_does_not_make_is_refused():
    with pytest.raises(UserError, match="unknown claim 'four'"):
        report.scoreboard_markdown(CLAIMS, [verdict(claims=("four",))])


def test_every_claim_of_the_paper_has_one_row():
    text = report.scoreboard_markdown(paper.claims(), [])
    assert all(text.count(f"| {statement} |") == 1 for statement in paper.claims()["statement"])


VERDICTS = [
    verdict(finding("photographs", "holds"), finding("published", "fails"), claims=("one",)),
    verdict(finding("photographs", "fails", short_of="one pair"), finding("published", "holds"), claims=("two",)),
    verdict(finding("digits", "holds"), claims=("three",)),
]


def test_what_our_photographs_say_and_what_a_recount_says_are_counted_apart():
    table = report.counts(CLAIMS, VERDICTS)
    assert table.loc["photographs", ["holds", "fails", "not tested"]].tolist() == [1, 0, 2]
    assert table.loc["published", ["holds", "fails", "not tested"]].tolist() == [1, 1, 1]
    assert table.loc["verdict", ["holds", "fails", "not tested"]].tolist() == [2, 0, 1]
    assert (table.sum(axis=1) == len(CLAIMS)).all(), "every claim counts once in every row"


def test_the_summary_prints_these_counts_and_what_falls_short():
    text = report.scoreboard_summary(CLAIMS, VERDICTS)
    line = next(line for line in text.splitlines() if line.startswith("| Our own photographs"))
    assert [cell.strip() for cell in line.strip("|").split("|")] == ["Our own photographs", "1", "", "", "", "2"]
    mathematics = report.scoreboard_summary(
        CLAIMS, [*VERDICTS[:2], verdict(finding("theorem", "holds"), claims=("three",))]
    )
    line = next(line for line in mathematics.splitlines() if line.startswith("| Theorems and arithmetic"))
    assert [cell.strip() for cell in line.strip("|").split("|")[1:]] == ["1", "", "", "", "2"]
    assert "Our photographs looked at 1 more claims" in text


def test_the_matrix_has_a_cell_for_each_kind_of_evidence_that_looked():
    found = report.matrix(CLAIMS, VERDICTS).set_index(["claim", "by"])
    assert found["says"].to_dict() == {
        ("one", "photographs"): "holds",
        ("one", "published"): "fails",
        ("two", "photographs"): "fails",
        ("two", "published"): "holds",
        ("three", "digits"): "holds",
    }
    assert found["decides"].tolist() == [True, False, False, True, False]
    assert found["short"].tolist() == [False, False, True, False, True]


def test_a_study_that_is_only_planned_has_not_looked():
    planned = verdict(report.awaited("a study", "a rule", "not recorded yet"), finding("published", "holds"))
    assert planned.holds == "holds"
    assert "Our photographs looked at 0 more claims" in report.scoreboard_summary(CLAIMS, [planned])
    assert rows(planned)["The first claim."][2] == "– a study [not recorded yet]"


def test_an_awaited_study_does_not_hide_one_that_looked():
    looked = finding("photographs", "fails", short_of="not ImageNet's")
    both = verdict(report.awaited("a study", "a rule", "not recorded yet"), looked)
    assert report.matrix(CLAIMS, [both])["says"].tolist() == ["fails"]
    assert "Our photographs looked at 1 more claims" in report.scoreboard_summary(CLAIMS, [both])


def test_of_two_studies_on_photographs_the_matrix_shows_the_one_that_may_decide():
    both = verdict(finding("photographs", "holds", short_of="3 of 9 runs recorded"), finding("photographs", "fails"))
    assert report.matrix(CLAIMS, [both])["says"].tolist() == ["fails"]


def test_later_claims_are_counted_by_themselves_with_their_source():
    claims = CLAIMS.assign(source=["wang2022good", "", "hao2023vanillakd"])
    text = report.later_markdown(claims, [verdict(finding("photographs", "fails", n="24 students"))])
    assert text.startswith("3 claims: 1 ✗ fails, 2 – not tested.")
    lines = {
        line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
        for line in text.splitlines()
        if "|" in line
    }
    assert lines["The first claim."] == [
        "{cite}`wang2022good`",
        "✗ photographs numbers (24 students)",
        "✗ fails",
        "{doc}`/notebooks/04_correlation`",
    ]
    assert lines["The third claim."] == ["{cite}`hao2023vanillakd`", "", "– not tested", "no chapter yet"]
    assert "| this book |" in text


def test_the_listed_later_claims_have_a_source_that_is_in_the_bibliography_and_ids_of_their_own():
    later, works = paper.later_claims(), (paper.LATER.parents[1] / "references.bib").read_text(encoding="utf-8")
    assert list(later.columns[:6]) == list(paper.claims().columns)
    assert not set(later["id"]) & set(paper.claims()["id"])
    assert later["id"].is_unique
    assert all(f"{{{source}," in works for source in later["source"] if source)
