"""What a chapter offers a class: exercises with time and difficulty, a take-away, three questions with answers."""

import re
from pathlib import Path

import nbformat
import pytest

from kdutils.book import notebooks
from kdutils.book.course.assignments import EFFORT

every_chapter = pytest.mark.parametrize("chapter", notebooks.chapters(), ids=lambda path: path.stem)
QUESTION = re.compile(
    r"\*\*Question (?P<number>\d)\.\*\* (?P<asked>.+?)\n\n(?P<choices>- .+?)\n\n"
    r"```\{admonition\} Answer\n:class: dropdown\n\n(?P<answer>.+?)\n```",
    re.DOTALL,
)


def texts(chapter: Path) -> dict[str, str]:
    """The text cells of a chapter by their ids, in their order."""
    cells = nbformat.read(chapter, as_version=4).cells
    return {cell.id: cell.source for cell in cells if cell.cell_type == "markdown"}


@every_chapter
def test_every_exercise_says_how_long_it_takes_and_how_hard_it_is_and_has_a_solution(chapter: Path) -> None:
    text = "\n".join(texts(chapter).values())
    solutions = re.findall(r"^`{3,}\{solution\} (.+)\n:class: dropdown$", text, re.MULTILINE)
    exercises = re.findall(r"^`{3,}\{exercise\}(.*)\n:label: (.+)$", text, re.MULTILINE)
    assert len(exercises) == len(re.findall(r"\{exercise\}", text)) >= 2
    assert [said for said, _ in exercises if not re.fullmatch(f" {EFFORT}", said)] == []
    assert solutions == [name for _, name in exercises]


@every_chapter
def test_a_chapter_ends_with_its_take_away_exercises_and_quiz(chapter: Path) -> None:
    cells = texts(chapter)
    assert list(cells)[-3:] == ["takeaway", "exercises", "quiz"]
    assert [cell for cell, text in cells.items() if "{admonition} Take-away" in text] == ["takeaway"]
    words = re.fullmatch(r"```\{admonition\} Take-away\n:class: tip\n\n(.+)\n```", cells["takeaway"], re.DOTALL)[1]
    assert len(words.split()) <= 80, "what a reader can keep"
    assert not re.search(r"\d[.,]\d|\d ?%", words), "a result is computed, never typed"


@every_chapter
def test_three_questions_each_have_one_right_choice_and_reasons_against_the_others(chapter: Path) -> None:
    quiz = texts(chapter)["quiz"]
    assert quiz.startswith("## Quiz\n\n")
    questions = list(QUESTION.finditer(quiz))
    assert [question["number"] for question in questions] == ["1", "2", "3"]
    assert quiz.count("**Question") == quiz.count("{admonition}") == 3
    for question in questions:
        choices = re.findall(r"^- ([A-D])\. ", question["choices"], re.MULTILINE)
        assert choices == list("ABCD"[: len(choices)]), question["asked"]
        assert len(choices) >= 3, question["asked"]
        right = re.match(r"\*\*([A-D])\.\*\* ", question["answer"])[1]
        explained = re.findall(r"^- \*([A-D])\*: ", question["answer"], re.MULTILINE)
        assert sorted([right, *explained]) == choices, question["asked"]
