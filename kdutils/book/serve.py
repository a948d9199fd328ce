"""The book on localhost while it is written: built again whenever a source changes."""

import threading
import time
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

from kdutils.book import build
from kdutils.book.notebooks import ROOT
from kdutils.errors import UserError

SOURCES = ("_config.yml", "_toc.yml", "book", "notebooks", "kdutils")


def serve(root: Path = ROOT, port: int = 8000) -> None:
    """Build, serve on localhost and build again on each change, until Ctrl-C. A failing build is told, and goes on."""
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=str(root / "_build" / "html")))
    except OSError as error:
        raise UserError(f"cannot serve on port {port}: {error.strerror}. Name another with --port") from error
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            for _ in changes(root):
                _build(root, server.server_port)
        finally:
            server.shutdown()  # its thread would go on asking a closed socket


def _build(root: Path, port: int) -> None:
    try:
        build.build(root)
        print(f"http://localhost:{port}/ shows the book; Ctrl-C ends", flush=True)
    except UserError as error:
        print(f"kdutils: {error}", flush=True)


def changes(root: Path, seconds: float = 1) -> Iterator[None]:
    """Yield once at the start and after every change of a source, looking every so many seconds."""
    seen = None
    while True:
        now = _times(root)
        if now != seen:
            seen = now
            yield
        else:
            time.sleep(seconds)


def _times(root: Path) -> dict[Path, int]:
    """When each source was written last; editors' and Jupyter's own files do not count."""
    files = [root / name for name in SOURCES] + [path for name in SOURCES for path in (root / name).rglob("[!.]*.*")]
    return {
        path: path.stat().st_mtime_ns
        for path in files
        if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
    }


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing of single requests."""

    def send_head(self) -> BinaryIO | None:
        """The page asked for; "not found" for an address that can be no file's name, such as /%00."""
        try:
            return super().send_head()
        except (OSError, ValueError):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
