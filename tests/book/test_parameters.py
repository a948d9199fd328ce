"""The notebooks' parameters are read and checked; what does not fit is refused before any work."""

import json
import re
from pathlib import Path

import nbformat
import pytest

from kdutils.book import notebooks
from kdutils.book.course import assignments
from kdutils.book.parameters import Parameter, parameters, read_notebook, validate, validate_ours
from kdutils.errors import UserError
from tests.tiny import write

PARAMETERS = """
steps: int = 20  # mini-batches
rate: float = 0.5  # learning rate
name: str = "digits"  # the data; one of: digits, cifar100
fast: bool = True  # skip the slow part
schemes: list = ["flip", "mixup"]  # what to rank; one of: flip, mixup, cutmix
seeds: list = [0, 1]  # of the runs
"""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write(tmp_path / "one.ipynb", "print(steps * 2, name)", parameters=PARAMETERS)


def test_parameters_have_types_defaults_help_and_choices(notebook: Path) -> None:
    found = parameters(notebook)
    assert [p.type for p in found.values()] == ["int", "float", "str", "bool", "list", "list"]
    assert found["steps"] == Parameter("steps", 20, "mini-batches")
    assert found["name"].choices == ("digits", "cifar100")
    assert found["schemes"].default == ["flip", "mixup"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("steps", "7", 7),
        ("rate", "1", 1.0),
        ("rate", "1e-3", 0.001),
        ("name", "cifar100", "cifar100"),
        ("fast", "no", False),
        ("fast", "True", True),
        ("schemes", "cutmix, flip", ["cutmix", "flip"]),
        ("schemes", "['cutmix']", ["cutmix"]),
        ("seeds", "3,4,5", [3, 4, 5]),
        ("seeds", [3], [3]),
        ("rate", 2, 2.0),
    ],
)
def test_a_value_that_fits_is_typed(notebook: Path, name: str, text: object, value: object) -> None:
    typed = validate(notebook, {name: text})[name]
    assert (typed, type(typed)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("step", "7", ["no parameter 'step'", "Did you mean 'steps'?"]),
        ("steps", "7.5", ["'steps'", "a whole number", "7.5", "mini-batches"]),
        ("steps", 7.5, ["a whole number"]),
        ("steps", True, ["a whole number"]),
        ("rate", "fast", ["a number"]),
        ("fast", "maybe", ["true or false"]),
        ("name", "cifar10", ["'cifar10'", "Did you mean 'cifar100'?", "digits, cifar100"]),
        ("schemes", "flip,cutmx", ["'cutmx'", "Did you mean 'cutmix'?"]),
        ("seeds", "one", ["a list"]),
        ("seeds", "[1", ["a list"]),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(
    notebook: Path, name: str, value: object, words: list[str]
) -> None:
    with pytest.raises(UserError) as refusal:
        validate(notebook, {name: value})
    message = str(refusal.value)
    assert all(word in message for word in words), message
    assert len(message.splitlines()) == 1


EQUALS = """k: int = 640  # images per window, K = 2 n
url: str = "a?b=c#d"  # an address
either = True
spread: list = [
    "flip=0.5",  # not a comment of the parameter
]  # one of: flip=0.5, cutmix
from math import pi
a, b = 1, 2"""


def test_signs_of_equality_in_comments_and_texts_hide_no_parameter(tmp_path: Path) -> None:
    found = parameters(write(tmp_path / "own.ipynb", "1", parameters=EQUALS))
    assert {name: (each.default, each.help) for name, each in found.items()} == {
        "k": (640, "images per window, K = 2 n"),
        "url": ("a?b=c#d", "an address"),
        "either": (True, ""),
        "spread": (["flip=0.5"], "one of: flip=0.5, cutmix"),
    }


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("n: int = 1\n%matplotlib inline", "not plain Python: %matplotlib inline"),
        ("n: int = 2 * 320", "the default of 'n' is not a literal: 2 * 320"),
        ("n = None", "none of bool, int, float, str, list: None"),
        ("n = {[]: 1}", "is not a literal"),
        ("n = 'open", "not plain Python: n = 'open"),
        ("n = [1,", "not plain Python: n = [1,"),
    ],
)
def test_a_cell_that_cannot_be_read_is_told_with_its_line(tmp_path: Path, source: str, said: str) -> None:
    with pytest.raises(UserError) as refusal:
        parameters(write(tmp_path / "own.ipynb", "1", parameters=source))
    assert said in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["[{[]: 1}]", "[" * 5000, "[1" * 200, "9" * 5000 + "x", "\udcff", "[1, '\ud800']"])
def test_nonsense_is_refused_like_every_other_text_that_does_not_fit(notebook: Path, text: str) -> None:
    for name in ("steps", "seeds", "fast", "schemes"):
        with pytest.raises(UserError, match=name):
            validate(notebook, {name: text})


def test_half_a_character_is_no_text(tmp_path: Path) -> None:
    path = write(tmp_path / "own.ipynb", "1", parameters="note: str = ''  # a note")
    assert validate(path, {"note": "½ 名"}) == {"note": "½ 名"}
    with pytest.raises(UserError, match="'note' is a text"):
        validate(path, {"note": "\udcff"})


FINE = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"3",
        b"<<<<<<< HEAD\n{}",
        b"\xff\xfe{\x00",
        b'{"nbformat": 99, "cells": []}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": 3}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": 3, "cells": []}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": 3}, "cells": []}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "source": 3}]}',
        b'{"a":' * 5000,
    ],
)
def test_a_file_without_a_notebook_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "own.ipynb"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is no notebook") as refusal:
        read_notebook(path)
    assert len(str(refusal.value).splitlines()) == 1


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "folder.ipynb").mkdir()
    for name in ("folder.ipynb", "nowhere.ipynb", "x" * 5000 + ".ipynb"):
        with pytest.raises(UserError, match="no notebook at"):
            read_notebook(tmp_path / name)


def test_layouts_of_other_programs_are_read(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "metadata": {}, "source": "1", "outputs": [{"odd": 1}], "execution_count": 3}
    with_ids = {**FINE, "nbformat_minor": 4, "cells": [{**cell, "id": "a"}, {**cell, "id": "a"}]}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": [], "metadata": {}}]}
    for content, cells in ((with_ids, 2), (old, 0)):
        path = tmp_path / "own.ipynb"
        path.write_text(json.dumps(content), encoding="utf-8")
        found = read_notebook(path)
        nbformat.validate(found)
        assert len(found.cells) == cells


@pytest.mark.parametrize(
    ("value", "fits"),
    [(0, False), (7, False), (6, False), (8, True), (12, True), (16, False), (-4, False), (20, False)],
)
def test_a_comment_names_the_bounds(tmp_path: Path, value: int, fits: bool) -> None:
    source = "n: int = 8  # images; at least 7 and at most 15, a multiple of 4\nm: int = 5  # free"
    path = write(tmp_path / "x.ipynb", "1", parameters=source)
    assert validate(path, {"m": value}) == {"m": value}
    if fits:
        assert validate(path, {"n": value}) == {"n": value}
        return
    with pytest.raises(UserError, match=rf"^parameter 'n' is not to be {value}: images; at least 7"):
        validate(path, {"n": str(value)})


OURS = [*notebooks.chapters(), *assignments.assignments().values()]


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_the_books_own_defaults_are_those_of_a_run(path: Path) -> None:
    defaults = {name: parameter.default for name, parameter in parameters(path).items()}
    assert validate_ours(path, defaults) == defaults


@pytest.mark.parametrize(
    ("chapter", "name", "value", "said"),
    [
        ("03", "k", "100", "a multiple of 128"),
        ("03", "steps", "14", "14 steps are too few: take at least 15, three windows of K=640 images"),
        ("11", "steps", "-1", "-1 steps are too few"),
        ("04", "student", "nope", "unknown network 'nope'"),
        ("04", "student", "", "name the student's network"),
        ("13", "judge", "nope", "unknown network 'nope'"),
        ("04", "epochs", "-3", "epochs: Input should be greater than or equal to 1"),
        ("03", "student_epochs", "0", "epochs: Input should be greater than or equal to 1"),
        ("05", "images_per_class", "-1", "images_per_class: Input should be greater than or equal to 0"),
        ("06", "lr", "nan", "lr: Input should be"),
        ("06", "scheme", "cutmx", "unknown scheme 'cutmx'. Did you mean 'cutmix'?"),
        ("11", "schemes", "identity,nope", "unknown scheme 'nope'"),
        ("04", "seeds", "[0, 'a']", "seed"),
    ],
)
def test_a_chapter_is_refused_what_no_run_can_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chapter: str, name: str, value: str, said: str
) -> None:
    monkeypatch.setattr(notebooks, "execute", lambda *words: pytest.fail("it was executed"))
    with pytest.raises(UserError, match=re.escape(said)) as refusal:
        notebooks.run_notebook(chapter, {name: value}, tmp_path / "out.ipynb")
    assert len(str(refusal.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_notebook_of_the_readers_own_may_call_anything_so(tmp_path: Path) -> None:
    path = write(
        tmp_path / "own.ipynb", "1", parameters="epochs: int = 3  # before Christ\nstudent: str = 'Ada'  # a name"
    )
    assert validate(path, {"epochs": "-3", "student": "Zoë"}) == {"epochs": -3, "student": "Zoë"}


@pytest.mark.parametrize("given", [{"student": "nope"}, {"epochs": "-3"}, {"teacher": "nosuch"}, {"runs": "1"}])
def test_assignments_with_what_no_run_can_have_are_not_handed_out(given: dict[str, str]) -> None:
    with pytest.raises(UserError):
        assignments.variants(given)
