"""A small book in a temporary folder: what is executed and built when, and what stays when something fails."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from filelock import FileLock
from pypdf import PdfReader

from kdutils import _files
from kdutils.book import build, pdf
from kdutils.errors import UserError
from tests.book.chromium import program
from tests.tiny import write

pytestmark = pytest.mark.long

CONFIG = "title: Tiny\nauthor: nobody\nonly_build_toc_files: true\nexecute: {execute_notebooks: 'off'}\n"
TOC = "format: jb-book\nroot: book/intro\nchapters:\n- file: notebooks/one\n- file: notebooks/two\n"
SAY = "with open('runs.log', 'a') as log:\n    print({!r}, file=log)\nprint({!r})"


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small stand-in for the package's sources, so that editing those meanwhile disturbs no test.

    One stands, too, for what is made from the book's own data, which has tests of its own and takes seconds.
    """
    folder = tmp_path_factory.mktemp("package")
    (folder / "a.py").write_text("1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "PACKAGE", folder)
        patch.setattr(build.sources.pages, "pages", lambda executed: {"found.md": f"{len(executed)} notebooks"})
        yield folder


def lay_out(root: Path) -> Path:
    """The sources of a book of two notebooks."""
    for name in ("one", "two"):
        write(root / "notebooks" / f"{name}.ipynb", SAY.format(name, f"{name} speaks"))
    for path, text in {
        "_config.yml": CONFIG,
        "_toc.yml": TOC,
        "requirements.lock": "torch==1\n",
        "book/intro.md": "# Tiny\n\nSee {doc}`the first <../notebooks/one>`.\n",
        "book/paper/table.csv": "a\n1\n",
        "book/results/run.csv": "a\n1\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Path:
    """A book of two notebooks, built once."""
    root = lay_out(tmp_path_factory.mktemp("book"))
    build.build(root)
    return root


@pytest.fixture
def tiny(built: Path, tmp_path: Path) -> Path:
    """A copy of the built book, free to be changed."""
    return shutil.copytree(built, tmp_path / "book")


def executed(root: Path) -> list[str]:
    """The notebooks that were executed, in order; forgotten afterwards."""
    log = root / "runs.log"
    names = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return names


def page(root: Path, name: str) -> str:
    return (root / "_build" / "html" / f"{name}.html").read_text(encoding="utf8")


def test_the_book_holds_what_the_notebooks_printed(tiny: Path) -> None:
    assert sorted(executed(tiny)) == ["one", "two"]
    assert "one speaks" in page(tiny, "notebooks/one")
    assert "This page was executed in" in page(tiny, "notebooks/two")
    assert "book/intro" in page(tiny, "index")
    assert (tiny / "_build/source/book/_generated/found.md").read_text(encoding="utf8") == "2 notebooks"


@pytest.mark.parametrize(("cores", "workers"), [(1, 0), (2, 0), (3, 0), (4, 2), (16, 8)])
def test_two_notebooks_share_the_cores(cores: int, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "default_workers", lambda: cores)
    assert build._runs_at_a_time(2) == workers


def test_a_number_of_workers_that_is_none_is_refused_in_a_line(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDUTILS_WORKERS", "two")
    with pytest.raises(UserError, match="KDUTILS_WORKERS='two'"):
        build.build(tiny)


def test_with_nothing_changed_nothing_is_done(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executed(tiny)
    monkeypatch.setattr(build, "pages", lambda *_: pytest.fail("Jupyter Book ran again"))
    assert build.build(tiny) == tiny / "_build" / "html" / "index.html"
    assert executed(tiny) == []


def test_changing_one_notebook_executes_that_one(tiny: Path) -> None:
    executed(tiny)
    write(tiny / "notebooks" / "two.ipynb", SAY.format("two", "two changed"))
    one, two = build.execute_changed(tiny)
    assert executed(tiny) == ["two"]
    assert "two changed" in two.read_text()
    assert "one speaks" in one.read_text()


def test_changing_prose_executes_nothing_but_builds(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executed(tiny)
    (tiny / "book" / "intro.md").write_text("# Tiny\n\nnew words\n")
    made = tiny / "made"
    made.mkdir()
    (made / "index.html").write_text("new")
    monkeypatch.setattr(build, "pages", lambda *_: made)
    assert build.build(tiny).read_text() == "new"
    assert executed(tiny) == []
    assert not (tiny / "_build" / "html.old").exists()


@pytest.mark.parametrize("name", ["book/paper/table.csv", "book/results/run.csv", "requirements.lock"])
def test_a_fingerprint_covers_what_notebooks_read(tiny: Path, name: str) -> None:
    notebook = tiny / "notebooks" / "one.ipynb"
    before = build.fingerprint(notebook, tiny)
    (tiny / name).write_text("changed")
    assert build.fingerprint(notebook, tiny) != before


def test_a_fingerprint_covers_the_package(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "PACKAGE", tmp_path / "package")
    notebook = tiny / "notebooks" / "one.ipynb"
    keys = {build.fingerprint(notebook, tiny)}
    for name, text in [("a.py", "1"), ("a.py", "2"), ("losses/b.py", "2")]:
        _files.write_text(tmp_path / "package" / name, text)
        keys.add(build.fingerprint(notebook, tiny))
    assert len(keys) == 4


def test_an_unreadable_or_failed_execution_counts_as_none(tiny: Path) -> None:
    target = tiny / "_build" / "executed" / "one.ipynb"
    assert build.recorded_fingerprint(target) == build.fingerprint(tiny / "notebooks" / "one.ipynb", tiny)
    text = target.read_text()
    target.write_text(text.replace('"exception": null', '"exception": true'))
    assert build.recorded_fingerprint(target) is None
    target.write_text(text[:100])
    assert build.recorded_fingerprint(target) is None


def test_a_failing_notebook_is_named_and_the_old_book_stays(tiny: Path) -> None:
    executed(tiny)
    old = page(tiny, "notebooks/two")
    write(tiny / "notebooks" / "two.ipynb", "a = 1", "print(undefined)")
    with pytest.raises(UserError) as failure:
        build.build(tiny)
    lines = str(failure.value).splitlines()
    assert lines[:2] == ["two: cell 3 failed at  print(undefined)", "  NameError: name 'undefined' is not defined"]
    assert len(lines) == 4
    assert page(tiny, "notebooks/two") == old


def test_a_warning_of_jupyter_book_stops_it_and_the_old_book_stays(tiny: Path) -> None:
    old = page(tiny, "book/intro")
    (tiny / "book" / "intro.md").write_text("# Tiny\n\n{doc}`nowhere`\n")
    with pytest.raises(UserError, match=r"book/intro.md:\d+: WARNING: unknown document"):
        build.build(tiny)
    assert page(tiny, "book/intro") == old


def test_two_builds_in_one_folder_do_not_meet(tiny: Path) -> None:
    with FileLock(tiny / "_build" / ".lock"), pytest.raises(UserError, match="built in this folder already"):
        build.build(tiny)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_build_that_is_killed_leaves_no_notebook_executing(tmp_path: Path, end: signal.Signals) -> None:
    root, started = lay_out(tmp_path), tmp_path / "started"
    say = f"print(os.getppid(), os.getpid(), file=open({str(started)!r}, 'w'), flush=True)"
    write(root / "notebooks" / "two.ipynb", f"import os, time\n{say}\ntime.sleep(3600)")
    code = f"from pathlib import Path\nfrom kdutils.book import build\nbuild.execute_changed(Path({str(root)!r}))"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        while not (started.exists() and started.read_text()):
            assert process.poll() is None
            time.sleep(0.1)
        worker_and_kernel = [psutil.Process(int(number)) for number in started.read_text().split()]
        process.send_signal(end)
    left = psutil.wait_procs(worker_and_kernel, timeout=60)[1]
    for orphan in left:
        orphan.kill()
    assert left == []


@pytest.mark.skipif(program() is None, reason="no Chromium on this machine (Debian: apt-get install chromium)")
def test_the_printed_book_has_every_chapter_with_links_that_stay_inside(tiny: Path) -> None:
    pages = PdfReader(pdf.pdf(tiny)).pages
    text = "".join(page.extract_text() for page in pages)
    assert text.index("Tiny") < text.index("one speaks") < text.index("two speaks")
    links = [link.get_object().get("/A", {}) for page in pages for link in page.get("/Annots", [])]
    assert links
    assert [link["/URI"] for link in links if "file:" in link.get("/URI", "")] == []


def test_printing_says_what_it_needs(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf.shutil, "which", lambda _: None)
    with pytest.raises(UserError, match="printing needs one of chromium"):
        pdf.pdf(tiny)


def test_the_book_tells_nothing_of_the_machine_it_was_built_on(tiny: Path) -> None:
    files = [path for path in (tiny / "_build" / "html").rglob("*") if path.suffix in (".html", ".ipynb", ".js")]
    assert [path.name for path in files if str(tiny.parent) in path.read_text(encoding="utf8")] == []
