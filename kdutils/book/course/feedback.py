"""The page that a student gets back: what was wrong with the file, the notebook as it ran, points and comments.

It is one file that needs no network. Nothing of the student's in it can run: HTML is sanitised, and the page's own
policy (CSP) lets the browser run one script, which sets the equations.
"""

import base64
import hashlib
import re
from functools import partial
from pathlib import Path

import nbformat
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbformat import NotebookNode
from nbgrader.converters import GenerateFeedback
from nbgrader.preprocessors import GetGrades
from traitlets.config import Config

from kdutils import _files
from kdutils.book.course.gradebook import Course
from kdutils.book.course.outputs import clean_html
from kdutils.book.course.submissions import Submission
from kdutils.book.page_files import mathjax_engine

# Without autoload, a command that would need another file is only an error where it stands.
OPTIONS = r"""window.MathJax = {
  tex: {inlineMath: [["$", "$"], ["\\(", "\\)"]], processEscapes: true, packages: {"[-]": ["autoload", "require"]}},
  options: {enableMenu: false}
};"""
POLICY = "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'"
# For HTMLExporter; in the course's nbgrader_config.py they reach the formgrader, whose pages lie on Jupyter's origin.
SAFE = {
    "sanitize_html": True,
    "filters": {
        "markdown2html": "kdutils.book.course.feedback.safe_markdown",
        "clean_html": "kdutils.book.course.outputs.clean_html",
    },
}


def write(folder: Path, submission: Submission, trouble: list[str], left: str, target: Path) -> None:
    """Write the page of a submission that was graded in the course `folder`, with the points of its gradebook.

    `left`: the written answers that no one has graded yet, so that their zeros are not taken for points.
    """
    course = Course(folder)
    steps = [GetGrades, partial(_tell, trouble, left), CSSHTMLHeaderPreprocessor]
    options = Config({"GenerateFeedback": {"preprocessors": steps}, "HTMLExporter": SAFE})
    course.convert(GenerateFeedback, submission.assignment, submission.folder, options)
    html = course.place("feedback", submission, ".html").read_text(encoding="utf-8")
    _files.write_text(target, closed(html))


@pass_context
def safe_markdown(context: Context, source: str) -> str:
    """Markdown with equations and pasted pictures as HTML that does no harm; a filter of nbconvert's."""
    renderer = IPythonRenderer(escape=False, attachments=context.get("cell", {}).get("attachments", {}))
    return clean_html(MarkdownWithMath(renderer=renderer).render(source))


def _tell(trouble: list[str], left: str, notebook: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
    """Put what was wrong, and what is not graded yet, in front of the notebook."""
    if left:
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"**Not graded yet, and 0 in the score:** {left}"))
    if trouble:
        lines = ["- " + re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", line) for line in trouble]
        text = "\n".join(["**What was wrong with this file**", "", *lines])
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(text))
    return notebook, resources


def closed(html: str) -> str:
    """The page with this module's script in place of all others, and the policy that allows no other."""
    script = f"{OPTIONS}\n{mathjax_engine()}"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"{POLICY}; script-src 'sha256-{digest}'"
    without = re.sub(r"<script\b.*?</script\s*>", "", html, flags=re.DOTALL | re.IGNORECASE)
    head, body = without.split("</head>", 1)
    start, rest = head.split("<head>", 1)
    meta = f'<head><meta http-equiv="Content-Security-Policy" content="{policy}">'
    return f"{start}{meta}{rest}<script>{script}</script></head>{body}"
