"""A Sphinx extension: a notebook's data frame with a caption is a numbered table, as a picture is a numbered figure.

MyST-NB gives the output of a cell a caption and a name (`mystnb: {figure: {caption, name}}` in the cell's metadata) but
calls all of them figures. Where the output is a table, the caption goes above it and it counts as "Table".
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.writers.html5 import HTML5Translator


# docutils names its nodes in this way, and the methods that write them
class table_figure(nodes.General, nodes.Element):
    """A captioned output that is a table: the caption, its end, the output."""


class end_of_caption(nodes.General, nodes.Element):
    """Between a table's caption and the table."""


class CountTables(SphinxTransform):
    """Puts a `table_figure` in the place of a figure that holds HTML with a table."""

    default_priority = 500

    def apply(self, **arguments: object) -> None:
        """Called by Sphinx for each page."""
        for figure in list(self.document.findall(nodes.figure)):
            if any("<table" in raw.astext() for raw in figure.findall(nodes.raw)):
                captions = [child for child in figure.children if isinstance(child, nodes.caption)]
                others = [child for child in figure.children if not isinstance(child, nodes.caption)]
                table = table_figure("", *captions, end_of_caption(), *others, **figure.attributes)
                figure.replace_self(table)
                self.document.ids |= dict.fromkeys(table["ids"], table)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_enumerable_node(table_figure, "table", html=(_begin, _end))
    app.add_node(end_of_caption, html=(_end_caption, lambda writer, node: None))
    app.add_transform(CountTables)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _begin(writer: HTML5Translator, node: table_figure) -> None:
    writer.body.append(writer.starttag(node, "figure", CLASS="numbered-table") + "<figcaption>")


def _end_caption(writer: HTML5Translator, node: end_of_caption) -> None:
    writer.body.append("</figcaption>\n")


def _end(writer: HTML5Translator, node: table_figure) -> None:
    writer.body.append("</figure>\n")
