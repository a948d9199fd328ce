"""A chapter opens on Colab and Binder if the book's repository has an address, and has no such buttons if not."""

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from sphinx.testing.util import SphinxTestApp

from kdutils._files import ROOT

CONF = """extensions = ["myst_nb", "sphinx_book_theme", "kdutils.book.launch"]
html_theme = "sphinx_book_theme"
nb_execution_mode = "off"
html_theme_options = {"launch_buttons": {"notebook_interface": "jupyterlab"}, "path_to_docs": "", "repository_url": %r,
                      "repository_branch": "main"}
"""


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", []),
        (
            "https://github.com/someone/a-book",
            [
                "https://colab.research.google.com/github/someone/a-book/blob/main/index.ipynb",
                "https://mybinder.org/v2/gh/someone/a-book/main?urlpath=lab/tree/index.ipynb",
            ],
        ),
    ],
    ids=["no address", "an address"],
)
def test_chapters_launch_where_the_repository_has_an_address(url, expected, tmp_path):
    cells = [nbformat.v4.new_markdown_cell("# One"), nbformat.v4.new_code_cell("1")]
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python"}}), tmp_path / "index.ipynb"
    )
    (tmp_path / "conf.py").write_text(CONF % url)
    app = SphinxTestApp(srcdir=tmp_path, builddir=tmp_path / "out")
    app.build()
    app.cleanup()
    soup = BeautifulSoup((app.outdir / "index.html").read_text(encoding="utf8"), "html.parser")
    assert sorted(link["href"] for link in soup.select(".dropdown-launch-buttons a")) == expected
    assert "WARNING" not in app.warning.getvalue()


def test_the_one_setting_is_the_repository():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))
    assert set(config["repository"]) == {"url", "branch"}
    assert "kdutils.book.launch" in config["sphinx"]["config"]["extensions"]
