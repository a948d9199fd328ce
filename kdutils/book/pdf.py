"""The whole book as one PDF file, printed from its pages by headless Chromium."""

import os
import shutil
import subprocess
from pathlib import Path

from kdutils._files import atomic
from kdutils.book import build
from kdutils.book.notebooks import ROOT
from kdutils.errors import UserError

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Chromium waits this long, in its own time, for equations to be set; it skips the time in which nothing happens.
PATIENCE_MS = 600_000
FRONT = "book/intro"  # the root of _toc.yml


def pdf(root: Path = ROOT) -> Path:
    """Print the book of `root` to `_build/book.pdf` and return its path; a UserError if there is no Chromium."""
    chromium = next((path for path in map(shutil.which, CHROMIUM) if path), None)
    if chromium is None:
        raise UserError(f"printing needs one of {', '.join(CHROMIUM)} (Debian: apt-get install chromium)")
    page = _one_page(build.other_format(root, "singlehtml"))
    with atomic(root / "_build" / "book.pdf") as partial:
        command = [chromium, "--headless", "--disable-gpu", "--no-pdf-header-footer", "--generate-pdf-document-outline"]
        command += [f"--virtual-time-budget={PATIENCE_MS}", f"--print-to-pdf={partial}", page.as_uri()]
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # Chromium's sandbox refuses to run as root, as in containers
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not partial.stat().st_size:
            raise UserError(f"Chromium could not print {page}: {done.stderr.strip()[-500:]}")
    return root / "_build" / "book.pdf"


def _one_page(single: Path) -> Path:
    """The page with the whole book; Sphinx writes it beside the front page's source, but as if it lay at the top."""
    text = (single / f"{FRONT}.html").read_text(encoding="utf8")
    page = single / "whole.html"
    page.write_text(text.replace(f'href="{FRONT}.html', 'href="'), encoding="utf8")
    return page
