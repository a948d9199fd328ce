"""A class with everything in it that once ended a batch: each of the others is graded, to the end."""

import base64
import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat import NotebookNode

from kdutils.book.course import assignments, grading
from tests.book import chromium
from tests.book.course.pupils import answered
from tests.book.course.test_reading import PNG

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="the processes of a submission are tested on Linux"),
]

SQUARE = "def square(x):\n    return x * x"
# Code of an answer that is right, or (in CHEATS) wrong in every test, and what it does beside.
STOPPERS = {
    "kills its parent": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    "interrupts its parent": "import os, signal\nos.kill(os.getppid(), signal.SIGINT)",
    "stops its parent": "import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)",
    "kills its parent's group": "import os, signal\nos.killpg(os.getpgid(os.getppid()), signal.SIGKILL)",
    "prints without end": "while True:\n    print('x' * 10_000)",
    "prints half a character": "print('\\ud83d')",
    "puts a folder in the place of the table": "import os\nos.makedirs({out!r} + '/grades.csv', exist_ok=True)",
}
CHEATS = {
    "blanks tests": "get_ipython().input_transformers_cleanup.append(lambda lines: ['pass\\n'])",
    "drops assert": """
import ast
class Drop(ast.NodeTransformer):
    def visit_Assert(self, node):
        return None
get_ipython().ast_transformers.append(Drop())""",
    "runs nothing": "get_ipython().run_cell = type(get_ipython()).run_cell = lambda *words, **more: None",
    "gives itself points": "def square(x):\n    get_ipython().displayhook(3.0)\n    raise SystemExit",
    "takes the solution": """
import glob, json
for path in glob.glob({out!r} + '/**/*.ipynb', recursive=True) + [{source!r}]:
    for cell in json.load(open(path))['cells']:
        exec(''.join(cell['source'])) if 'return x * x' in cell['source'] else None""",
    "changes the gradebook": """
import sqlite3
book = sqlite3.connect({out!r} + '/course/gradebook.db')
book.execute('update grade set auto_score = 0')
book.commit()""",
    "leaves a process behind": """
import subprocess, sys
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600) #' + {mark!r}], start_new_session=True)""",
    "spoils later kernels": """
import os
place = os.environ['IPYTHONDIR'] + '/profile_default/startup'
os.makedirs(place, exist_ok=True)
open(place + '/0.py', 'w').write('get_ipython().run_cell = None')""",
}
STEAL = "document.title='stolen'"
SCRIPT = f'<script>{STEAL}</script><img src="x" onerror="{STEAL}"><svg onload="{STEAL}"></svg>'
MARK = "a-process-left-behind"


def spoil(notebook: NotebookNode, name: str, source: str, **parts: object) -> NotebookNode:
    """A copy with another source, and other parts, of one cell."""
    copy = nbformat.from_dict(json.loads(json.dumps(notebook)))
    cell = next(cell for cell in copy.cells if assignments.grade_id(cell) == name)
    cell.source = source
    cell.update(parts)
    return copy


def lose_marks(notebook: NotebookNode) -> NotebookNode:
    copy = nbformat.from_dict(json.loads(json.dumps(notebook)))
    for number, cell in enumerate(copy.cells):
        cell.metadata, cell.id = {}, f"c{number}"
    return copy


def hand_in(folder: Path, name: str | bytes, content: NotebookNode | bytes) -> None:
    path = Path(os.fsdecode(os.path.join(os.fsencode(folder), os.fsencode(name))))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def hand_in_answers(folder: Path, out: Path, source: Path, good: NotebookNode) -> None:
    """Answers that attack what grades them, and answers that are hard to show."""
    words = {"out": str(out), "source": str(source), "mark": MARK}
    for name, code in STOPPERS.items():
        hand_in(folder, f"{name}/sums.ipynb", spoil(good, "exercise-2", f"{SQUARE}\n{code.format(**words)}"))
    for name, code in CHEATS.items():
        hand_in(folder, f"{name}/sums.ipynb", spoil(good, "exercise-2", code.format(**words)))
    why = "exercise-3-answer"
    picture = {"my sketch.png": {"image/png": PNG}}
    shown = "![s](attachment:my%20sketch.png)"
    hand_in(folder, "pastes a picture/sums.ipynb", spoil(good, why, shown, attachments=picture))
    hand_in(folder, "loses a picture/sums.ipynb", spoil(good, why, shown))
    hand_in(folder, "cuts an emoji/sums.ipynb", spoil(good, why, "so \ud83d"))
    hand_in(folder, "writes what hangs/sums.ipynb", spoil(good, why, "![](" * 20_000))
    own = [f"from IPython.display import HTML\nHTML({SCRIPT!r})", "from IPython.display import Javascript"]
    own += [f"Javascript({STEAL!r})"]
    scripted = spoil(good, why, f"$a<b$ {SCRIPT}\n\n[x](javascript:{STEAL}) $\\href{{javascript:{STEAL}}}{{y}}$")
    scripted.cells += [nbformat.v4.new_markdown_cell(SCRIPT), *map(nbformat.v4.new_code_cell, own)]
    hand_in(folder, "writes scripts/sums.ipynb", scripted)


def hand_in_files(folder: Path, good: NotebookNode) -> None:
    """Right answers in files of odd names and forms, and two that are no files."""
    hand_in(folder, b"\xff\xfe/sums.ipynb", b"\xef\xbb\xbf" + json.dumps(good).encode())
    hand_in(folder, b"*" * 200 + b"/sums.ipynb", json.dumps(good).encode("utf-16"))
    hand_in(folder, b"two\nlines\x1b[2J/sums.ipynb", NotebookNode(good | {"nbformat_minor": 4}))
    hand_in(folder, "without marks/sums (1).ipynb", lose_marks(good))
    hand_in(folder, "copied_sums-Copy1.ipynb", good)
    (folder / "pipe").mkdir()
    os.mkfifo(folder / "pipe" / "sums.ipynb")
    (folder / "endless").mkdir()
    (folder / "endless" / "sums.ipynb").symlink_to("/dev/zero")
    hand_in(folder, "z the last/sums.ipynb", good)


def within(seconds: float, work: Callable[..., None], *given: object, real=grading.processes.within) -> None:
    """Less time for the page that takes for ever, so that the others have enough."""
    real(3 if "writes what hangs" in {getattr(each, "student", "") for each in given} else seconds, work, *given)


@pytest.fixture(scope="module")
def rows(root: Path, release: Path, source: NotebookNode) -> pd.DataFrame:
    """All of them graded in one go."""
    folder, out, good = root / "submissions", root / "grades", answered(release, source)
    hand_in_answers(folder, out, root / "notebooks/assignments/sums.ipynb", good)
    hand_in_files(folder, good)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grading.processes, "within", within)
        table = grading.grade(folder, out, {}, cell_seconds=5, notebook_seconds=15, root=root)
    assert table.equals(pd.read_csv(out / "grades.csv").fillna({"trouble": "", "left_to_grade": ""})[list(table)])
    return table.set_index("student")


def test_everybody_has_a_row(rows: pd.DataFrame) -> None:
    assert len(rows) == len(STOPPERS) + len(CHEATS) + 13


@pytest.mark.parametrize(
    ("student", "trouble"),
    [
        ("pastes a picture", ""),
        ("loses a picture", "exercise-3-answer: the picture my%20sketch.png is not in the file"),
        ("cuts an emoji", "half characters (lone surrogates) were replaced"),
        ("writes what hangs", "no page could be made (TimeoutError: it took longer than 3 s)"),
        ("��", "the file is not plain UTF-8"),
        ("*" * 200, "the file is not plain UTF-8"),
        ("two�lines�[2J", "does not keep to the notebook format"),
        ("without marks", "recognised by content and place"),
        ("without marks", "handed in as sums (1).ipynb"),
        ("copied", "handed in as copied_sums-Copy1.ipynb"),
        ("prints half a character", ""),
        ("writes scripts", ""),
        ("prints without end", "exercise 2: a cell printed too much"),
        ("puts a folder in the place of the table", None),
        ("z the last", ""),
    ],
)
def test_who_answers_rightly_has_all_points(rows: pd.DataFrame, student: str, trouble: str | None) -> None:
    row = rows.loc[student]
    assert (row.points, row.left_to_grade) == (5, "exercise 3: 2 points")
    assert trouble is None or (trouble in row.trouble and bool(trouble) == bool(row.trouble))


@pytest.mark.parametrize("student", [name for name in STOPPERS if "kills" in name])
def test_who_attacks_the_grader_ends_only_the_own_notebook(rows: pd.DataFrame, student: str) -> None:
    assert rows.loc[student].points in (0, 2)
    assert rows.loc[student].trouble


@pytest.mark.parametrize("student", CHEATS)
def test_who_cheats_has_the_points_of_the_honest_part(rows: pd.DataFrame, student: str) -> None:
    assert rows.loc[student].points in (0, 2)
    tells = student in ("blanks tests", "drops assert")
    assert ("how cells are run was changed" in rows.loc[student].trouble) == tells


@pytest.mark.parametrize(("student", "why"), [("pipe", "not a file"), ("endless", "not a file")])
def test_what_is_no_file_is_not_opened(rows: pd.DataFrame, student: str, why: str) -> None:
    assert rows.loc[student].points == 0
    assert why in rows.loc[student].trouble


def test_no_process_is_left(rows: pd.DataFrame) -> None:
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(MARK.encode() in command for command in commands)


def test_every_page_says_what_was_wrong(rows: pd.DataFrame, root: Path) -> None:
    pages = root / "grades" / "feedback"
    page = (pages / "without marks" / "sums.html").read_text(encoding="utf-8")
    assert "recognised by content and place" in page
    assert "took longer than 3 s" in (pages / "writes what hangs" / "sums.html").read_text(encoding="utf-8")
    assert PNG in (pages / "pastes a picture" / "sums.html").read_text(encoding="utf-8")
    assert len(list(pages.glob("*/sums.html"))) == len(rows)


def test_nothing_of_a_students_can_run_in_a_page(rows: pd.DataFrame, root: Path) -> None:
    page = (root / "grades" / "feedback" / "writes scripts" / "sums.html").read_text(encoding="utf-8")
    soup = BeautifulSoup(page, "html.parser")
    (script,) = soup.find_all("script")
    digest = base64.b64encode(hashlib.sha256(script.string.encode()).digest()).decode()
    policy = soup.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.endswith(f"script-src 'sha256-{digest}'")
    assert policy.startswith("default-src 'none'; img-src data:;")
    for tag in soup.find_all(True):
        assert not [name for name in tag.attrs if name.startswith("on")]
        assert not tag.get("href", "").startswith("javascript")
    assert soup.find_all("svg") == []


@pytest.mark.skipif(chromium.program() is None, reason="no Chromium on this machine")
def test_a_browser_sets_the_equations_and_runs_nothing_else(rows: pd.DataFrame, root: Path) -> None:
    page = root / "grades" / "feedback" / "writes scripts" / "sums.html"
    with chromium.Browser() as browser:
        browser.goto(page.as_uri())
        assert browser.evaluate("document.querySelectorAll('mjx-container').length") >= 2
        browser.evaluate("document.querySelectorAll('a').forEach(link => link.dispatchEvent(new MouseEvent('click')))")
        assert browser.evaluate("document.title") == "sums"
        assert [address for address in browser.requests if not address.startswith(("file:", "data:"))] == []
