"""The slides of a page: its claim first, then whatever has a caption, a verdict or is to be kept."""

from bs4 import BeautifulSoup

from kdutils.book.slides import slides

PAGE = """<html><head><style>p { color: red }</style></head><body><main><article><section><h1>One</h1><p>The claim.</p>
<div class="chapter-head">12 seconds</div><p>It matters.</p><div class="math">e = mc</div>
<section><h2>Runs</h2><p>Text.</p><div><figure><svg></svg><figcaption>Fig. 1</figcaption></figure></div>
<figure><svg></svg></figure></section>
<section><h2>Verdict</h2><table class="verdict"><thead><tr><th>Evidence</th></tr></thead>
<tbody><tr><th>first</th></tr></tbody><tbody><tr><th>second</th></tr></tbody></table>
<div class="admonition tip"><p>Keep this.</p></div></section></section></article></main>
<script>mathjax</script></body></html>"""


def test_a_slide_per_claim_figure_verdict_and_take_away_under_its_heading():
    soup = BeautifulSoup(slides(PAGE), "html.parser")
    texts = [" ".join(slide.get_text(" ").split()) for slide in soup.select("article > section.slide")]
    assert texts == [
        "One The claim. It matters. e = mc",
        "Runs Fig. 1",
        "Verdict first",
        "Verdict second",
        "Verdict Keep this.",
    ]
    assert len(soup.select("article > *")) == 5
    assert [table["class"] for table in soup.select(".slide > table")] == [["dataframe", "verdict"]] * 2


def test_style_and_scripts_of_the_page_stay():
    soup = BeautifulSoup(slides(PAGE), "html.parser")
    assert "p { color: red }" in soup.style.text
    assert "scroll-snap-type" in soup.style.text
    assert soup.script.text == "mathjax"
