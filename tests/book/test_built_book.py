"""The built book as a reader meets it: headless Chromium opens every page of `_build/html` from the disk."""

import base64
import io
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import nbformat
import pytest
from pypdf import PdfReader

from kdutils.book.notebooks import ROOT, chapters, title
from tests.book.chromium import Browser, program, until

HTML = ROOT / "_build" / "html"
MADE_BY_SPHINX = (HTML / "search.html", HTML / "genindex.html")
NOT_PAGES = {"_static", "_sources"}
PAGES = sorted(path for path in HTML.rglob("*.html") if not NOT_PAGES & {*path.parts} and path != HTML / "index.html")
AXE = (files("axe_core_python") / "axe.min.js").read_text(encoding="utf8")
DESK, PHONE = 1280, 390
# A text's colours follow from what it stands in, so one text of each kind is enough; rows of tables alternate.
ONE_OF_EACH = """(() => {
    const kinds = {};
    for (const e of document.querySelectorAll('body *')) {
        if (![...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.data.trim())) continue;
        if (!e.checkVisibility()) continue;
        let kind = '';
        for (let p = e; p; p = p.parentElement)
            kind += [p.tagName, p.getAttribute('class'), p.getAttribute('style'), p.rowIndex % 2] + '>';
        kinds[kind] ??= e;
    }
    return Object.values(kinds);
})()"""

pytestmark = [
    pytest.mark.skipif(program() is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
    pytest.mark.skipif(not PAGES, reason="the book is not built: make book"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as started:
        started.resize(DESK)
        yield started


@pytest.fixture(scope="module", params=PAGES, ids=lambda path: str(path.relative_to(HTML)))
def page(browser: Browser, request: pytest.FixtureRequest) -> Browser:
    """The browser with one page open; the tests that use it follow one another on each page."""
    browser.goto(request.param.as_uri())
    return browser


def test_nothing_is_missing_and_nothing_is_logged(page: Browser) -> None:
    assert page.errors == []


def test_no_other_host_is_asked(page: Browser) -> None:
    assert page.requests
    assert [address for address in page.requests if urlsplit(address).scheme not in ("file", "data", "blob")] == []


def test_equations_are_set(page: Browser) -> None:
    raw = "[...document.querySelectorAll('.math')].filter(e => !e.querySelector('mjx-container')).map(e => e.innerText)"
    assert page.evaluate(raw) == []
    assert page.evaluate("document.querySelectorAll('mjx-merror, [data-mjx-error]').length") == 0


def test_images_load_and_are_described(page: Browser) -> None:
    for source, alt, width in page.evaluate(
        "[...document.querySelectorAll('article img')].map(i => [i.src.slice(-60), i.alt, i.naturalWidth])"
    ):
        assert width > 0, f"{source} is not there"
        assert len(alt.split()) >= 4, f"{source} needs an alt text, not {alt!r}"


def test_figures_have_numbers_and_captions(page: Browser) -> None:
    bare = "[...document.querySelectorAll('.cell_output img')].filter(i => !i.closest('figure')?.querySelector("
    assert page.evaluate(bare + "'figcaption .caption-number')).map(i => i.alt)") == []
    for caption in page.evaluate("[...document.querySelectorAll('article figcaption')].map(c => c.textContent)"):
        assert len(caption.split()) >= 5, caption


def test_tables_of_a_chapter_have_numbers_and_captions(page: Browser) -> None:
    number = "t.closest('figure')?.querySelector('figcaption .caption-number')"
    tables = "[...document.querySelectorAll('.cell_output table.dataframe:not(.verdict)')]"
    assert page.evaluate(f"{tables}.filter(t => !{number}).map(t => t.innerText)") == []


def test_headings_begin_with_one_title_and_skip_no_level(page: Browser) -> None:
    if page.evaluate("location.href") in [path.as_uri() for path in MADE_BY_SPHINX]:
        return
    levels = page.evaluate("[...document.querySelectorAll('article :is(h1, h2, h3, h4, h5)')].map(h => +h.tagName[1])")
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels


def test_links_lead_to_pages_and_places_that_exist(page: Browser) -> None:
    for address in set(page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")):
        target, place = urldefrag(address)
        if urlsplit(target).scheme == "file":
            path = Path(unquote(urlsplit(target).path))
            assert path.is_file(), address
            assert not place or f'id="{unquote(place)}"' in path.read_text(encoding="utf8"), address


def serious(page: Browser, where: str, options: dict) -> list[str]:
    """What axe finds there that keeps a reader out, one line each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE + "; true")
        no_fading = "*, ::before, ::after { transition: none !important }"
        page.evaluate(
            f"document.head.append(Object.assign(document.createElement('style'), {{textContent: '{no_fading}'}}))"
        )
    options = {"resultTypes": ["violations"], **options}  # what passes is not described, which takes most of the time
    return [
        f"{violation['id']}: {node['html'][:150]} {node['failureSummary']}"
        for violation in page.evaluate(f"axe.run({where}, {json.dumps(options)}).then(result => result.violations)")
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def test_axe_finds_no_serious_violation(page: Browser) -> None:
    assert serious(page, "document", {"rules": {"color-contrast": {"enabled": False}}}) == []  # has its own test


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_in_both_themes(page: Browser, theme: str) -> None:
    page.evaluate(f"document.documentElement.dataset.theme = document.documentElement.dataset.mode = '{theme}'")
    assert serious(page, ONE_OF_EACH, {"runOnly": ["color-contrast", "link-in-text-block"]}) == []


def test_a_phone_shows_the_page_without_sideways_scrolling(page: Browser) -> None:
    page.resize(PHONE)
    try:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
        scrolls = "for (let p = e; p; p = p.parentElement) if (getComputedStyle(p).overflowX !== 'visible') return true"
        wide = page.evaluate(
            f"""(() => {{
                const contained = e => {{ {scrolls}; return false }};
                const article = document.querySelector('article') ?? document.body;
                return [...article.querySelectorAll('*')]
                    .filter(e => e.getBoundingClientRect().right > {PHONE} + 1 && !contained(e))
                    .map(e => e.outerHTML.slice(0, 100));
            }})()"""
        )
        assert wide == []
    finally:
        page.resize(DESK)


def test_parameters_are_seen_and_folded_code_opens(page: Browser) -> None:
    if not is_chapter(page):
        return
    assert page.evaluate("document.querySelector('.tag_parameters pre').checkVisibility()")
    code = "[...document.querySelectorAll('details.hide')].find(each => each.querySelector('pre'))"  # some fold a table
    if page.evaluate(f"{code} !== undefined"):
        assert not page.evaluate(f"{code}.querySelector('pre').checkVisibility()")
        assert page.evaluate(f"{code}.querySelector('summary').tabIndex") == 0, "the keyboard reaches it"
        page.evaluate(f"{code}.querySelector('summary').click()")
        assert page.evaluate(f"{code}.querySelector('pre').checkVisibility()")


def test_a_chapter_and_nothing_else_downloads_as_one_file_that_needs_no_other(page: Browser, tmp_path: Path) -> None:
    """The last test of a page: it leaves for the file."""
    offered = page.evaluate("document.querySelector('a.btn-download-page-button')?.href")
    assert (offered is not None) == is_chapter(page)
    if offered is None:
        return
    alone = tmp_path / "alone.html"
    alone.write_bytes(Path(unquote(urlsplit(offered).path)).read_bytes())
    count = "['img', 'figure', '.cell', '.math'].map(what => document.querySelectorAll(`article ${what}`).length)"
    whole = page.evaluate(count)
    page.goto(alone.as_uri())
    assert page.evaluate(count) == whole
    assert page.errors == []
    assert {urlsplit(address).scheme for address in page.requests} - {"data"} == {"file"}
    assert [address for address in page.requests if address.startswith("file:")] == [alone.as_uri()]
    assert page.evaluate("[...document.images].filter(image => !image.naturalWidth).length") == 0
    assert page.evaluate("[...document.querySelectorAll('.math')].every(e => e.querySelector('mjx-container'))")
    assert page.evaluate("[...document.links].every(a => a.hash || a.protocol !== 'file:')")


def is_chapter(page: Browser) -> bool:
    """Whether the open page is one of a notebook."""
    shown = Path(unquote(urlsplit(page.evaluate("location.href")).path))
    return shown in [HTML / "notebooks" / f"{chapter.stem}.html" for chapter in chapters()]


def test_the_index_leads_to_the_front_page(browser: Browser) -> None:
    browser.goto((HTML / "index.html").as_uri())
    until(lambda: browser.evaluate("location.pathname").endswith("intro.html"), "index.html leads nowhere")


@pytest.mark.parametrize("where", ["notebooks", "_sources/notebooks"], ids=["page", "page in one file"])
def test_the_box_over_two_images_moves(browser: Browser, where: str) -> None:
    browser.goto((HTML / where / "05_cutmixpick.html").as_uri())
    said = "document.querySelector('.explorer p').textContent + document.querySelector('.explorer ol').textContent"
    until(lambda: "entropy" in browser.evaluate(said), "the figure is not drawn")
    before = browser.evaluate(said)
    sliders = "document.querySelectorAll('.explorer input')"
    move = f"for (const s of {sliders}) {{ s.value = 0; s.dispatchEvent(new Event('input')) }}"
    browser.evaluate(move)
    assert browser.evaluate(said) != before
    assert browser.errors == []


def test_search_works_from_the_disk(browser: Browser) -> None:
    browser.goto((HTML / "search.html").as_uri() + "?q=entropy")
    hits = "[...document.querySelectorAll('#search-results li a')].map(a => a.href)"
    until(lambda: browser.evaluate(hits), "search finds nothing")
    assert all(Path(unquote(urlsplit(hit).path)).is_file() for hit in browser.evaluate(hits))
    assert browser.errors == []


def template(browser: Browser) -> None:
    browser.goto((HTML / "notebooks" / "template.html").as_uri())


def test_the_theme_button_turns_the_page_dark(browser: Browser) -> None:
    template(browser)
    background = "getComputedStyle(document.body).backgroundColor"
    seen = {browser.evaluate("document.documentElement.dataset.theme"): browser.evaluate(background)}
    for _ in range(3):
        browser.evaluate("document.querySelector('.theme-switch-button').click()")
        seen[browser.evaluate("document.documentElement.dataset.theme")] = browser.evaluate(background)
    brightness = {theme: sum(map(int, re.findall(r"\d+", color)[:3])) for theme, color in seen.items()}
    assert brightness["dark"] < 3 * 64
    assert brightness["light"] > 3 * 192


def test_solutions_are_folded_until_they_are_asked_for(browser: Browser) -> None:
    template(browser)
    height = "document.querySelector('.solution section').getBoundingClientRect().height"
    assert browser.evaluate(height) == 0
    browser.evaluate("document.querySelector('.solution button').click()")
    assert browser.evaluate(height) > 0


def test_under_a_table_of_recorded_runs_stand_their_file_and_command(browser: Browser) -> None:
    browser.goto((HTML / "notebooks" / "04_correlation.html").as_uri())
    first = "document.querySelector('details.runs-behind')"
    assert "Table 4.1" in browser.evaluate(f"{first}.previousElementSibling.textContent")
    text = browser.evaluate(f"{first}.textContent")
    assert "fewshot.csv" in text
    assert "kdutils sweep" in text
    assert not browser.evaluate(f"{first}.open")


def test_a_chapter_downloads_as_the_notebook_that_was_executed(browser: Browser, tmp_path: Path) -> None:
    template(browser)
    browser.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.evaluate("document.querySelector('a.btn-download-source-button').click()")
    until(lambda: (tmp_path / "template.ipynb").is_file(), "the notebook was not downloaded")
    notebook = nbformat.read(tmp_path / "template.ipynb", as_version=4)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


def printed(browser: Browser) -> str:
    """The text of the open page on paper, without the breaks between lines."""
    sheets = PdfReader(io.BytesIO(base64.b64decode(browser.send("Page.printToPDF")["data"]))).pages
    return " ".join(" ".join(sheet.extract_text() for sheet in sheets).split())


def test_a_printed_chapter_shows_its_solutions_and_answers(browser: Browser) -> None:
    template(browser)
    text = printed(browser)
    assert "How a chapter is made" in text
    assert "This is why" in text
    assert "A simulation can contradict a law" in text


def test_a_printed_chapter_shows_its_folded_code(browser: Browser) -> None:
    browser.goto((HTML / "notebooks" / "03_t_stddev.html").as_uri())
    folded = browser.evaluate("document.querySelector('details.hide pre').textContent").split()
    assert len(folded) > 5
    assert " ".join(folded[:5]) in printed(browser)


def test_every_chapter_is_in_the_navigation(browser: Browser) -> None:
    template(browser)
    names = browser.evaluate("[...document.querySelectorAll('nav.bd-links a')].map(a => a.innerText.trim())")
    shown = [plain(name) for name in names]
    for chapter in chapters():
        assert any(name.endswith(plain(title(chapter))) for name in shown), f"{chapter.stem} in {names}"


def plain(text: str) -> str:
    """Letters and digits only: the pages set quotation marks and apostrophes of their own."""
    return "".join(character for character in text if character.isalnum())
