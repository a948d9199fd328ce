"""What a cell has shown, without anything that could do harm: in a student's page, or in nbgrader's formgrader."""

import re
from typing import Any

import bleach
import nbformat
from bleach.css_sanitizer import CSSSanitizer
from nbformat import NotebookNode

from kdutils.book.course.reading import REPLACEMENT, SURROGATE

TEXTS = ("text/plain", "text/latex", "text/html")
PICTURES = ("image/png", "image/jpeg")
HTML_BYTES = 10**6  # longer HTML is shown as plain text
TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "details", "div", "dl"),
    *("dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "ol", "p", "pre", "s", "samp"),
    *(
        "small",
        "span",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
    ),
}
STYLES = CSSSanitizer(allowed_css_properties=("background-color", "color", "font-weight", "text-align", "width"))


def clean_html(html: object) -> str:
    """HTML without scripts, forms and addresses that run something; pictures only if they lie in the page itself."""
    return bleach.clean(
        str(html),
        tags=TAGS,
        attributes=_allowed,
        protocols=("http", "https", "mailto", "data"),
        css_sanitizer=STYLES,
        strip=True,
    )


def _allowed(tag: str, name: str, value: str) -> bool:
    if name == "src":
        return tag == "img" and re.match(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,", value) is not None
    if name == "href":
        return tag == "a" and re.match(r"(https?:|mailto:|#)", value) is not None
    return name in {"align", "alt", "class", "colspan", "id", "rowspan", "style", "title"}


def harmless(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The outputs in the form that the notebook format has, with texts and pictures alone."""
    return [made for output in outputs if (made := _harmless(output)) is not None]


def _harmless(output: NotebookNode) -> NotebookNode | None:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return nbformat.v4.new_output("stream", name=name, text=_text(output.get("text")))
    if kind == "error":
        trace = output.get("traceback")
        lines = [_text(line) for line in trace] if isinstance(trace, list) else []
        return nbformat.v4.new_output(
            "error", ename=_text(output.get("ename")), evalue=_text(output.get("evalue")), traceback=lines
        )
    if kind not in ("display_data", "execute_result"):
        return None
    data = output.get("data") if isinstance(output.get("data"), dict) else {}
    texts = {mime: _text(data[mime]) for mime in TEXTS if mime in data}
    pictures = {mime: "".join(_text(data[mime]).split()) for mime in PICTURES if mime in data}
    kept = texts | {mime: code for mime, code in pictures.items() if re.fullmatch(r"[A-Za-z0-9+/=]+", code)}
    if "text/html" in kept:
        kept["text/html"] = clean_html(kept["text/html"]) if len(kept["text/html"]) <= HTML_BYTES else ""
        kept = {mime: content for mime, content in kept.items() if content or mime != "text/html"}
    kept.setdefault("text/plain", "(nothing that can be shown here)")
    return nbformat.v4.new_output(kind, data=kept) if kind == "display_data" else _result(output, kept)


def _result(output: NotebookNode, data: dict[str, str]) -> NotebookNode:
    count = output.get("execution_count")
    data["text/plain"] = data["text/plain"] or " "  # nbgrader stumbles over an empty one
    count = count if type(count) is int else None  # True is an int to Python, and none to nbformat
    return nbformat.v4.new_output("execute_result", data=data, execution_count=count)


def _text(value: Any) -> str:
    return SURROGATE.sub(REPLACEMENT, value if isinstance(value, str) else "")
