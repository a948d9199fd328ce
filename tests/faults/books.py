"""Notebooks and their parameters, the book, recorded runs, the course."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from kdutils import report
from kdutils.book import build, notebooks
from kdutils.book.course import assignments
from kdutils.report import recorded_runs
from tests.faults.case import Case, rows
from tests.faults.stores import NO_FILES
from tests.tiny import write


def cases() -> Iterator[Case]:
    """All of these kinds."""
    yield from run_notebook()
    yield from book()
    yield from recordings()
    yield from course()


# --- Notebooks ----------------------------------------------------------------------------------------------------


def notebook(**parts: object) -> str:
    """The JSON of a notebook without cells, with other parts."""
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [], **parts})


NO_NOTEBOOKS = {
    **NO_FILES,
    "empty": "",
    "text": "x",
    "list": "[]",
    "null": "null",
    "number": "3",
    "object": "{}",
    "cut": '{"cells": [',
    "conflict": "<<<<<<< HEAD\n{}",
    "not UTF-8": b"\xff\xfe{",
    "deep": "[" * 100_000,
    "version 99": notebook(nbformat=99),
    "no list": notebook(cells=3),
    "another cell": notebook(cells=[{"cell_type": "x"}]),
    "no metadata": json.dumps({"nbformat": 4, "nbformat_minor": 5, "cells": []}),
    "in R": notebook(metadata={"kernelspec": {"name": "ir", "language": "R", "display_name": "R"}}),
}
NO_PARAMETERS = (
    "n = ",
    "n: int",
    "n = f()",
    "n = {1: 2}",
    "n = 'a' 'b",
    "n = 1 +",
    "import os",
    "%time n = 1",
    "n = None",
)
BAD_VALUES = rows("""
    --n | --n x | --n 1.5 | --n ² | --n '' | --m 1 | --n 1 --n 2 | x | -p | -p n | -f x.yaml | --names [1 | --n nan |
    --n True | --names '[{[]: 1}]' | --output x.txt | --output good.ipynb | --output mine.ipynb | --output . |
    --output /dev/null | --output /proc/x.ipynb | --output notes.txt/x.ipynb | --output ''
""")
LONG_VALUES = ("--n", "9" * 5000), ("--n", "\udcff"), ("--names", "[" * 5000), ("--output", "x" * 300 + ".ipynb")
NO_CHAPTERS = "", "99", "0", "²", "nope", "correlation", "x.ipynb", ".ipynb", "x" * 300 + ".ipynb", "../03", "-1"
OF_NO_RUN = rows("""
    03 --k 100 | 03 --k 0 | 03 --steps 5 | 03 --steps -1 | 03 --teacher nope | 03 --teacher None |
    03 --teacher-epochs 0 | 03 --granularity image | 03 --dataset nope | 12 --k 65 | 04 --epochs -3 |
    04 --student nope | 04 --student '' | 04 --seeds a,b | 05 --images-per-class -1 | 06 --lr 0 | 06 --lr nan |
    06 --scheme nope | 08 --methods nope | 13 --judge nope | 17 --schemes nope
""")


def run_notebook() -> Iterator[Case]:
    """Files that hold no notebook, parameters that do not fit, places that are taken."""
    for name, content in NO_NOTEBOOKS.items():
        yield Case("run-notebook", ("run-notebook", "x.ipynb"), files={"x.ipynb": content}, where=name)
    for source in NO_PARAMETERS:
        files = {"x.ipynb": cells("1", parameters=source)}
        yield Case("run-notebook", ("run-notebook", "x.ipynb", "--n", "1"), files=files, where=f"parameters {source}")
    for words in (*BAD_VALUES, *LONG_VALUES):
        yield Case("run-notebook", ("run-notebook", "good.ipynb", *words))
    for chapter in NO_CHAPTERS:
        yield Case("run-notebook", ("run-notebook", chapter))
    for words in OF_NO_RUN:
        yield Case("chapters", ("run-notebook", *words))
    done = lambda out, here: "executed notebook" in out  # noqa: E731
    for words in rows("--n -3 --output 'run_{n} ü.ipynb' | --names 'a, b' --n 7"):
        yield Case("run-notebook", ("run-notebook", "good.ipynb", *words), right=done)
    fails = {"x.ipynb": cells("1 / 0"), "x-run.failed.ipynb": b"mine"}
    yield Case("run-notebook", ("run-notebook", "x.ipynb"), files=fails, where="another's failed.ipynb")


def cells(*sources: str, parameters: str = "") -> Callable[[Path], None]:
    """Writes a notebook."""

    def save(path: Path) -> None:
        write(path, *sources, parameters=parameters)

    return save


# --- The book -----------------------------------------------------------------------------------------------------

BENCH = rows("""
    --threads 0 | --threads ² | --threads x | --threads '' | --threads 1,,2 | --threads -1 | --rounds 0 | --rounds x |
    --out . | --out notes.txt | --out mine.csv | --out /proc/x | --out /dev/full | --out notes.txt/x | --out '' | x
""")
OTHERS = rows("""
    serve --port 65536 | serve --port -1 | serve --port 0 | serve --port x | serve --port 80000 | serve --port 1.5 |
    serve --port '' | serve --port ² | book x | pdf --nope | costs x | nope | '' | --nope | notebooks x | rank x
""")
CONTENTS = {
    "missing": None,
    "empty": b"",
    "a list": b"- a",
    "text": b"x",
    "broken": b"a: [",
    "not UTF-8": b"\xff\xfe",
    "parts": b"parts: 3",
    "no file": b"root: a\nchapters:\n- {}",
    "gone": b"root: a\nchapters:\n- file: notebooks/gone",
}


def book() -> Iterator[Case]:
    """`bench`, `serve` and others: flags; and a book whose sources are not what they should be."""
    for words in (*BENCH, ("--threads", "9" * 400), ("--out", "x" * 300)):
        yield Case("bench, book, serve", ("bench", *words))
    yield from (Case("bench, book, serve", words) for words in OTHERS)
    for name, content in CONTENTS.items():
        files = {} if content is None else {"root/_toc.yml": content}
        for call in (chapters_here, build_here):
            yield Case("bench, book, serve", call=call, files=files, where=f"_toc.yml {name}, {call.__name__}")


def chapters_here() -> object:
    """The chapters of a book in the folder."""
    return notebooks.chapters(Path("root").absolute())


def build_here() -> object:
    """The book in the folder, built."""
    return build.build(Path("root").absolute())


# --- Recorded runs ------------------------------------------------------------------------------------------------

TABLE = "key,test_loss\na,1.0\n"
FACTS = json.dumps({"command": "kdutils x", "sha256": recorded_runs._digest(TABLE)})
NO_FACTS = "", "x", "[]", "null", "{}", "[" * 100_000, '{"sha256": 3}', b"\xff"


def recordings() -> Iterator[Case]:
    """Recorded runs whose files are not those that were recorded."""
    for name, text in {"edited": TABLE + "b,2.0\n", "empty": "", "not UTF-8": b"\xff\xfe", "a folder": None}.items():
        yield Case("recordings", call=recorded, files={"rec/run.csv": text, "rec/run.json": FACTS}, where=f"CSV {name}")
    for text in NO_FACTS:
        files = {"rec/run.csv": TABLE, "rec/run.json": text}
        yield Case("recordings", call=recorded, files=files, where=f"JSON {text[:8]!r}")
    yield Case("recordings", call=recorded, files={"rec/run.csv": TABLE}, where="no JSON")
    yield Case("recordings", call=recorded, files={"rec/x": b""}, where="nothing")
    whole = {"rec/run.csv": TABLE, "rec/run.json": FACTS}
    yield Case("recordings", call=recorded, files=whole, right=lambda out, here: "1.0" in out, where="right")


def recorded() -> object:
    """The recorded run `run` in the folder."""
    recorded_runs.RESULTS = Path("rec").absolute()
    return report.recorded("run")


# --- The course ---------------------------------------------------------------------------------------------------

HANDED_OUT = rows("""
    --student nope | --epochs=-3 | --student nope --epochs=-3 | --teacher nosuch | --teacher '' | --epochs x |
    --pool-size 1001 | --images-per-class 6 | --runs 1 | --steps 14 | --sed 1 | --seed x | --seed | x |
    --out notes.txt | --out /proc/x | --out notes.txt/x | --solutions --seed x | --solutions --out notes.txt
""")
PHOTOGRAPHS = rows("""
    '' | --weights '' | --weights nope | --weights . | --weights notes.txt | --weights notes.txt x |
    --weights notes.txt --teacher nope | --weights notes.txt --teacher '' | --weights notes.txt --data-dir nope |
    --weights notes.txt --data-dir notes.txt | --weights notes.txt --data-dir .
""")
LISTS = {  # what --roster and --worksheet may be given
    **NO_FILES,
    "empty": b"",
    "text": b"x",
    "bytes": b"\xff\xfe\x00",
    "binary": b"PK\x03\x04" + bytes(range(256)),
    "a quote": b'student\n"ada',
    "ragged": b"student,seed\nada,1,2,3\ngrace\n",
    "no rows": b"student,Identifier,Grade\n",
    "a seed that is none": b"student,seed\nada,x\n",
    "no such parameter": b"student,begin\nada,1\n",
    "twice": b"student\nada\nADA\n",
    "outside": b"student\n../../ada\n",
    "a slash": b"student\n/etc/ada\n",
    "NUL": b"student\na\x00da\n",
    "too long": b"student\n" + b"a" * 5000 + b"\n",
}
GRADED = rows("""
    nope | notes.txt | theirs/nope | '' | in --cell-seconds 0 | in --cell-seconds x | in --notebook-seconds -1 |
    in --nope 1 | in --seed x | in --student nope | in more | in --out notes.txt | in --out /proc/x | in --out /dev/null
""")


def course() -> Iterator[Case]:
    """`photographs`, `assignments` and `grade`, before anything runs; lists that are none."""
    yield from (Case("course", ("photographs", *words)) for words in PHOTOGRAPHS)
    yield from (Case("course", ("assignments", *words)) for words in (*HANDED_OUT, ("--out", "x" * 300)))
    handed_in = {"in/ada/01_proposition.ipynb": b"x"}
    yield from (Case("course", ("grade", *words), files=handed_in) for words in ((), *GRADED))
    for name, content in LISTS.items():
        files = {**handed_in, "list.csv": content}
        for words in (("assignments", "--roster"), ("grade", "in", "--roster"), ("grade", "in", "--worksheet")):
            yield Case("course", (*words, "list.csv"), files=files, where=f"{words[0]} {words[-1]}: {name}")
    yield Case("course", ("grade", "in"), files={"in": None}, where="an empty folder")
    spoiled = {**handed_in, "old/course/gradebook.db": b"x"}
    yield Case("course", ("grade", "in", "--out", "old"), files=spoiled, where="no gradebook")
    for content in (None, b"", b"x", b"{}"):
        files = {"root": None} if content is None else {"root/notebooks/assignments/a.ipynb": content}
        yield Case("course", call=assignments_here, files=files, where=f"an assignment that is {content}")


def assignments_here() -> object:
    """The assignments of a project in the folder."""
    return list(assignments.variants({}, Path("root").absolute()))
