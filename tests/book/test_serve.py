"""The book on localhost: it is served, built again when a source changes, and a failing build does not end it."""

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from kdutils.book import build as book
from kdutils.book import serve
from kdutils.errors import UserError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("book/intro.md", "notebooks/one.ipynb", "kdutils/a.py", "_toc.yml", "_build/html/index.html"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("first")
    return tmp_path


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Where the book is served: at a port that the system gave, and that nobody else can have taken meanwhile."""
    servers = []

    class Known(ThreadingHTTPServer):
        def server_activate(self) -> None:
            super().server_activate()
            servers.append(self)

    monkeypatch.setattr(serve, "ThreadingHTTPServer", Known)
    return lambda: f"http://localhost:{servers[-1].server_port}"


@pytest.mark.parametrize("name", ["book/intro.md", "notebooks/one.ipynb", "kdutils/new.py", "_toc.yml"])
def test_a_change_of_a_source_is_seen_and_nothing_else(root: Path, name: str) -> None:
    found = serve.changes(root, seconds=0.01)
    next(found)
    (root / "_build" / "html" / "index.html").write_text("not a source")
    (root / "notebooks" / ".ipynb_checkpoints").mkdir()
    (root / "notebooks" / ".ipynb_checkpoints" / "one.ipynb").write_text("not a source")
    start = time.monotonic()
    threading.Timer(0.3, (root / name).write_text, ["changed"]).start()
    next(found)
    assert time.monotonic() - start > 0.25


def test_the_pages_are_served_and_a_failing_build_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], address: Callable[[], str]
) -> None:
    pages = []

    def build(_: Path) -> None:
        with urllib.request.urlopen(f"{address()}/index.html") as answer:
            pages.append(answer.read().decode())
        if len(pages) == 1:
            raise UserError("one: cell 2 failed")

    monkeypatch.setattr(book, "build", build)
    monkeypatch.setattr(serve, "changes", lambda _: range(2))
    serve.serve(root, port=0)
    assert pages == ["first", "first"]
    assert capsys.readouterr().out.splitlines() == [
        "kdutils: one: cell 2 failed",
        f"{address()}/ shows the book; Ctrl-C ends",
    ]


@pytest.mark.parametrize("page", ["%00", "x" * 300, "nope.html", "%ff%00/"])
def test_an_address_of_no_page_is_not_found_and_prints_nothing(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    address: Callable[[], str],
    page: str,
) -> None:
    answers = []

    def ask(_: Path) -> None:
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(f"{address()}/{page}")
        answers.append(answer.value.code)
        answer.value.close()

    monkeypatch.setattr(book, "build", ask)
    monkeypatch.setattr(serve, "changes", lambda _: range(1))
    serve.serve(root, port=0)
    assert answers == [404]
    assert capfd.readouterr().err == ""


def test_its_thread_ends_with_it(root: Path, monkeypatch: pytest.MonkeyPatch, address: Callable[[], str]) -> None:
    """However it ends; left alone, it would keep a whole core busy."""

    def interrupted(_: Path) -> None:
        raise KeyboardInterrupt

    before = set(threading.enumerate())
    monkeypatch.setattr(book, "build", interrupted)
    monkeypatch.setattr(serve, "changes", lambda _: range(1))
    with pytest.raises(KeyboardInterrupt):
        serve.serve(root, port=0)
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=5)
    assert set(threading.enumerate()) <= before


def test_a_port_in_use_is_said(root: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UserError, match="cannot serve on port"):
            serve.serve(root, other.getsockname()[1])
