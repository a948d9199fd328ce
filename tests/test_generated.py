"""The pages that are made from data: the front page's scoreboard counts as the scoreboard does."""

import re

import pandas as pd

from kdutils import generated, report

CLAIMS = pd.DataFrame(
    {
        "id": ["a", "b", "c"],
        "topic": ["First", "Second", "Second"],
        "statement": "s",
        "where": "w",
        "number": "",
        "chapter": "",
    }
)


def verdict(claim: str, holds: str) -> report.Verdict:
    return report.Verdict(chapter="x", claim_ids=(claim,), claim="c", this_run="1", holds=holds, test="t", size="quick")


def test_the_front_pages_scoreboard_counts_claims_by_topic_and_verdict():
    verdicts = [verdict("a", "holds"), verdict("a", "holds"), verdict("a", "fails"), verdict("b", "holds")]
    text = generated.scoreboard_summary(CLAIMS, verdicts)
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    assert rows[0] == ["Claims on", "✓ holds", "✗ fails", " not tested yet"]
    assert [[cell.strip() for cell in row] for row in rows[2:]] == [
        ["First", "1", "1"],
        ["Second", "1", "", "1"],
        ["together", "2", "1", "1"],
    ]
    assert "the paper's 3 claims" in text


def test_it_agrees_with_the_scoreboards_first_line():
    verdicts = [verdict("a", "holds"), verdict("a", "fails"), verdict("b", "holds")]
    first = report.scoreboard_markdown(CLAIMS, verdicts).splitlines()[0]
    last = generated.scoreboard_summary(CLAIMS, verdicts).splitlines()[-2]
    assert re.findall(r"\d+", first)[1:] == re.findall(r"\d+", last)


def test_a_recorded_run_says_what_it_is_before_how_it_was_made():
    text = generated.recorded_runs()
    for name in report.recorded_names():
        section = text.split(f"## {name.replace('_', ' ')}\n")[1].split("\n## ")[0]
        title, download, made = (part.strip() for part in re.split(r"\n\n|\n(?=:::\{)", section.strip(), maxsplit=2))
        assert title.endswith(".")
        assert f"{name}.csv" in download
        assert made.startswith(":::{dropdown} How it was made\n")
        assert "| command |" in made
