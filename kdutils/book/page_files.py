"""What a reader can take away of a chapter: the executed notebook, the page as one HTML file, and its slides.

All lie in `_sources/notebooks/` of the built book. As a Sphinx extension this module adds them to the theme's
download button; `write` makes the files when the pages are there.
"""

import base64
import json
import mimetypes
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from sphinx.application import Sphinx

from kdutils.book.slides import slides

# Of a page, what is of no use outside the book; the figure to move works there too.
WITHOUT = ".headerlink, .prev-next-footer, script:not(.explorer > script), style"
# Equations are set by the reader's browser; nothing is asked of any host, and no menu wants more files.
MATHJAX_OPTIONS = '{"options": {"enableMenu": false, "processHtmlClass": "tex2jax_process|mathjax_process|math"}}'
MADE = {  # ending: name, icon, tooltip
    ".html": ("page", "fas fa-file-lines", "The executed page in one file"),
    ".slides.html": ("slides", "fas fa-display", "Slides in one file"),
}
# Boxes have no icon: its font is left out.
FRAME = """<!DOCTYPE html>
<html lang="en" data-theme="light" data-mode="light">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}
body {{ display: block; }} main {{ max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }}
.admonition-title::before, .admonition-title::after {{ content: none !important; }}
</style>
</head>
<body><main>{article}</main>{scripts}</body>
</html>
"""


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("html-page-context", _add_button, priority=502)  # after the theme has made its buttons
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _add_button(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    if context.get("page_source_suffix") != ".ipynb":
        return
    (downloads,) = (button for button in context["header_buttons"] if button["label"] == "download-buttons")
    place = f"{context['pathto']('_sources', 1)}/{page}"
    for position, (ending, (name, icon, said)) in enumerate(MADE.items(), 1):
        button = {
            "type": "link",
            "url": place + ending,
            "text": ending,
            "tooltip": said,
            "icon": icon,
            "label": f"download-{name}-button",
        }
        downloads["buttons"].insert(position, button)


def write(html: Path) -> None:
    """Beside every notebook in `html/_sources`: its page in one file, its slides, and the script that saves it."""
    for notebook in (html / "_sources").rglob("*.ipynb"):
        content = f"saveNotebook({json.dumps(notebook.name)}, {notebook.read_text(encoding='utf8')});"
        notebook.with_name(f"{notebook.name}.js").write_text(content, encoding="utf8")
        page = html / notebook.relative_to(html / "_sources").with_suffix(".html")
        alone = one_file(page)
        notebook.with_suffix(".html").write_text(alone, encoding="utf8")
        notebook.with_suffix(".slides.html").write_text(slides(alone), encoding="utf8")


def one_file(page: Path) -> str:
    """A built page as HTML that needs no other file: style, images and MathJax in it, links to other pages undone."""
    soup = BeautifulSoup(page.read_text(encoding="utf8"), "html.parser")
    article = soup.select_one("article")
    for part in article.select(WITHOUT):
        part.decompose()
    for image in article.select("img"):
        image["src"] = _data_uri(page.parent / image["src"])
    for link in article.select("a[href]"):
        if not re.match("#|https?:|mailto:", link["href"]):
            link.unwrap()
    for box in article.select("div.dropdown"):
        _fold(box)
    sheets = [_style(page.parent / link["href"].split("?")[0]) for link in soup.select("link[rel=stylesheet]")]
    scripts = _mathjax() if article.select(".math") else ""
    return FRAME.format(title=soup.title.string, style="\n".join(sheets), article=article, scripts=scripts)


def _data_uri(path: Path) -> str:
    return f"data:{mimetypes.guess_type(path)[0]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _fold(box: Tag) -> None:
    """A box that the book folds by a script becomes one that the browser folds."""
    box.name = "details"
    box.select_one(".admonition-title").name = "summary"


def _style(sheet: Path) -> str:
    """A style sheet with those that it imports, and without what it would fetch: icons and fonts."""
    text = sheet.read_text(encoding="utf8")
    text = re.sub(r"@import [\"'](.+?)[\"'];", lambda found: _style(sheet.parent / found[1]), text)
    return re.sub(r"url\((?![\"']?data:)[^)]*\)", "url(data:,)", text)


def _mathjax() -> str:
    return f"<script>window.MathJax = {MATHJAX_OPTIONS}</script><script>{mathjax_engine()}</script>"


def mathjax_engine() -> str:
    """The script that sets equations as pictures, without anything from the network."""
    package = Path(find_spec("sphinx-mathjax-offline").origin).parent  # its name is no Python name
    return (package / "static" / "mathjax" / "tex-svg.js").read_text(encoding="utf8")
