"""A chapter's slides in one HTML file that needs no other: claim, figures, tables, verdicts, what to keep.

Nothing is marked for them: what has a caption is shown. The browser's own keys (space, page down) go from slide to
slide, and printing gives a page for each.
"""

import copy
from collections.abc import Iterator

from bs4 import BeautifulSoup, Tag

SHOWN = "figure:has(figcaption), table.verdict > tbody, .admonition.tip"
STYLE = """
html { scroll-snap-type: y mandatory; } body > main { max-width: none; margin: 0; padding: 0; }
.slide { box-sizing: border-box; min-height: 100vh; padding: 4vh 6vw; scroll-snap-align: start; break-after: page;
  display: flex; flex-direction: column; justify-content: center; font-size: clamp(1rem, 1.5vw, 1.6rem); }
.slide :is(h1, h2) { margin: 0 0 3vh; } .slide figure { margin: 0; }
.slide figure :is(img, svg) { max-height: 62vh; width: auto; }
.slide figcaption { font-size: 0.8em; } .slide table { font-size: 0.75em; }
@page { size: 13.33in 7.5in; margin: 0; }
"""


def slides(page: str) -> str:
    """The slides of a chapter, from its page in one file (`page_files.one_file`)."""
    soup = BeautifulSoup(page, "html.parser")
    article = soup.select_one("article")
    shown = list(_slides(soup, article))
    article.clear()
    article.extend(shown)
    soup.style.append(STYLE)
    return str(soup)


def _slides(soup: BeautifulSoup, article: Tag) -> Iterator[Tag]:
    """The first has the title and what stands before the first section; the others their section's heading."""
    yield _slide(soup, article.select_one("h1"), *article.select("h1 ~ :is(p, blockquote, ul, table, .math)"))
    for part in article.select(SHOWN):
        if part.name == "tbody":
            part = part.wrap(soup.new_tag("table", attrs={"class": "dataframe verdict"}))
        yield _slide(soup, part.find_previous("h2"), part)


def _slide(soup: BeautifulSoup, *parts: Tag) -> Tag:
    slide = soup.new_tag("section", attrs={"class": "slide"})
    slide.extend(copy.copy(part) for part in parts)
    return slide
