"""A page of the book in one file: with its style, pictures and equations, and without what leads nowhere."""

from bs4 import BeautifulSoup

from kdutils.book import page_files

PAGE = """<html><head><title>One</title><link rel="stylesheet" href="style/a.css?v=1"></head><body><nav>menu</nav>
<article class="bd-article"><h1>One<a class="headerlink" href="#one">#</a></h1><script>alert()</script>
<p><a href="two.html">two</a> <a href="#one">here</a> <a href="https://example.org">there</a></p>{more}
<img src="dot.svg" alt="a dot on white">
<div class="admonition dropdown"><p class="admonition-title">Solution</p><p>4</p>
</div></article></body></html>"""


def made(tmp_path, more=""):
    (tmp_path / "style").mkdir()
    (tmp_path / "style" / "a.css").write_text('@import "../b.css"; p { color: red } @font-face { src: url(x.woff2) }')
    (tmp_path / "b.css").write_text("h1 { background: url('data:image/png;base64,AA') }")
    (tmp_path / "dot.svg").write_text("<svg/>")
    (tmp_path / "one.html").write_text(PAGE.format(more=more))
    return page_files.one_file(tmp_path / "one.html")


def test_nothing_is_left_outside(tmp_path):
    text = made(tmp_path)
    soup = BeautifulSoup(text, "html.parser")
    assert soup.select("link, script, nav, .headerlink") == []
    assert [image["src"] for image in soup.select("img")] == ["data:image/svg+xml;base64,PHN2Zy8+"]
    assert "p { color: red }" in text
    assert "url('data:image/png;base64,AA')" in text
    assert "x.woff2" not in text
    assert "@import" not in text
    assert soup.title.text == "One"


def test_links_to_other_pages_become_text_and_others_stay(tmp_path):
    soup = BeautifulSoup(made(tmp_path), "html.parser")
    assert [link["href"] for link in soup.select("a")] == ["#one", "https://example.org"]
    assert soup.p.text == "two here there"


def test_solutions_fold_without_a_script(tmp_path):
    box = BeautifulSoup(made(tmp_path), "html.parser").select_one("details")
    assert (box.summary.text, box.find("p").text) == ("Solution", "4")


def test_the_engine_of_equations_comes_along_where_there_are_any(tmp_path):
    text = made(tmp_path, '<span class="math">\\(x\\)</span>')
    assert text.count("<script>") == 2
    assert "MathJax" in text
