"""Sizes are told from parameters; what the chapters' text tells the reader to run is read by the notebooks."""

import re
import shlex
from pathlib import Path

import nbformat
import pytest

from kdutils.book import notebooks
from kdutils.cli.notebooks import read_parameters
from kdutils.report import sizes

CHAPTERS = ["06_prolonged", "07_tables_1_2", "08_more_methods", "09_large_images"]


def texts(notebook: Path) -> str:
    return "\n".join(cell.source for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "markdown")


def commands(text: str) -> list[list[str]]:
    """The words after `kdutils run-notebook` of every such line in a fenced block; a backslash continues a line."""
    lines = text.replace("\\\n", " ").splitlines()
    return [shlex.split(line)[2:] for line in lines if line.startswith("kdutils run-notebook ")]


def size_of(words: list[str]) -> str:
    """The size that a command asks for."""
    path = notebooks.find(words[0])
    values = {name: parameter.default for name, parameter in notebooks.parameters(path).items()}
    values |= notebooks.validate(path, read_parameters(words[1:]))
    return sizes.name(values["dataset"], values["images_per_class"], values["epochs"])


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        (("digits", 20, 60), "quick"),
        (("digits", 0, 240), "quick"),
        (("cifar100", 50, 20), "laptop"),
        (("cifar100", 0, 60), "short"),
        (("cifar100", 0, 240), "paper"),
        (("tinyimagenet", 0, 480), "paper"),
    ],
)
def test_the_size_follows_from_the_parameters(parameters: tuple, size: str) -> None:
    assert sizes.name(*parameters) == size


@pytest.mark.parametrize("notebook", notebooks.chapters(), ids=lambda path: path.stem)
def test_every_command_in_the_text_fits_its_chapter(notebook: Path) -> None:
    for words in commands(texts(notebook)):
        notebooks.validate(notebooks.find(words[0]), read_parameters(words[1:]))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_text_has_a_command_for_every_size(chapter: str) -> None:
    asked = [size_of(words) for words in commands(texts(notebooks.find(chapter)))]
    number = str(int(re.match(r"\d+", chapter)[0]))
    assert all(words[0] == number for words in commands(texts(notebooks.find(chapter))))
    assert {"laptop", "short", "paper"} <= set(asked), asked
