"""A captioned data frame counts as a table, a captioned picture as a figure, and both can be referred to."""

import nbformat
from bs4 import BeautifulSoup
from docutils import nodes
from docutils.utils import new_document
from sphinx.testing.util import SphinxTestApp

from kdutils.book import numbered_tables

TEXT = "# One\n\nSee {numref}`tab-first` and {numref}`fig-first`.\n"
FRAME = '<div><table class="dataframe"><tr><td>1</td></tr></table></div>'
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def cell(name: str, mime: str, content: str) -> nbformat.NotebookNode:
    """A cell that has shown `content` under a caption."""
    output = nbformat.v4.new_output("display_data", data={mime: content})
    figure = {"caption": f"What {name} shows", "name": name}
    return nbformat.v4.new_code_cell("1", outputs=[output], metadata={"mystnb": {"figure": figure}})


def test_tables_and_figures_are_counted_apart_and_the_caption_is_above_the_table(tmp_path):
    cells = [nbformat.v4.new_markdown_cell(TEXT), cell("fig-first", "image/png", PIXEL)]
    cells += [cell("tab-first", "text/html", FRAME), cell("tab-second", "text/html", FRAME)]
    metadata = {"language_info": {"name": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), tmp_path / "index.ipynb")
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_nb', 'kdutils.book.numbered_tables']\nnumfig = True\nnb_execution_mode = 'off'\n"
    )
    app = SphinxTestApp(srcdir=tmp_path, builddir=tmp_path / "out")
    app.build()
    app.cleanup()
    soup = BeautifulSoup((app.outdir / "index.html").read_text(encoding="utf8"), "html.parser")
    assert [number.text.strip() for number in soup.select(".caption-number")] == ["Fig. 1", "Table 1", "Table 2"]
    assert [link.text for link in soup.select("p a.reference.internal")] == ["Table 1", "Fig. 1"]
    table = soup.select_one("#tab-first")
    assert [child.name for child in table.find_all(recursive=False)] == ["figcaption", "div"]
    assert "WARNING" not in app.warning.getvalue()


def test_what_is_no_table_is_left_alone():
    document = new_document("page")
    document += nodes.figure("", nodes.raw("", "<p>text</p>", format="html"), nodes.caption("", "c"), ids=["a"])
    numbered_tables.CountTables(document).apply()
    assert [type(node) for node in document.children] == [nodes.figure]
