"""What a cell has shown does no harm, and keeps to the notebook format, whatever the kernel has sent."""

import nbformat
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_output

from kdutils.book.course import outputs
from tests.book.course.test_reading import PNG

HOSTILE = [
    "<script>document.title = 1</script>",
    "<img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' java\nscript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<form action=https://example.org><button>x</button></form>",
    "<div style='background: url(javascript:alert(1))'>x</div>",
    "<meta http-equiv=refresh content='0;url=https://example.org'>",
    "<base href=https://example.org><link rel=stylesheet href=x>",
    "<math><mtext><table><mglyph><style><img src onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<img src=https://example.org/seen.png>",
    "<<script>alert(1)//<</script>",
    "<table><tr><td background=javascript:alert(1)>",
]


@pytest.mark.parametrize("html", HOSTILE)
def test_html_runs_and_fetches_nothing(html: str) -> None:
    soup = BeautifulSoup(outputs.clean_html(html), "html.parser")
    for tag in soup.find_all(True):
        assert tag.name in outputs.TAGS
        assert not [name for name in tag.attrs if name.startswith("on") or name in ("background", "srcdoc", "action")]
        assert "javascript" not in tag.get("href", "") + tag.get("style", "")
        assert not tag.get("href", "").startswith("data:")
        assert tag.get("src", "data:image/").startswith("data:image/")


def test_html_of_tables_and_pictures_stays_as_it_is() -> None:
    table = '<table border="1" class="dataframe"><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody>'
    kept = outputs.clean_html(f'{table}</table><img alt="x" src="data:image/png;base64,{PNG}"><p>a &lt; b &amp; c</p>')
    soup = BeautifulSoup(kept, "html.parser")
    assert [cell.text for cell in soup.select("table.dataframe th, table.dataframe td")] == ["a", "1"]
    assert PNG in soup.img["src"]
    assert soup.p.text == "a < b & c"


def test_only_texts_and_pictures_are_kept() -> None:
    data = {
        "text/plain": "x",
        "text/html": "<b>x</b><script>1</script>",
        "image/png": f"{PNG}\n",
        "image/jpeg": '" onerror="alert(1)',
        "application/javascript": "alert(1)",
        "application/vnd.jupyter.widget-view+json": {},
    }
    (shown,) = outputs.harmless(
        [new_output("display_data", data=data, metadata={"image/png": {"width": "1 onload=x"}})]
    )
    assert shown.data == {"text/plain": "x", "text/html": "<b>x</b>1", "image/png": PNG}
    assert shown.metadata == {}
    (large,) = outputs.harmless([new_output("display_data", data={"text/html": "x" * (outputs.HTML_BYTES + 1)})])
    assert list(large.data) == ["text/plain"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=[]), max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


@settings(deadline=None)
@given(
    kind=st.sampled_from(["stream", "error", "display_data", "execute_result", "update", None]),
    parts=st.dictionaries(st.sampled_from(["name", "text", "ename", "traceback", "data", "execution_count"]), JSON),
    data=st.dictionaries(st.sampled_from(["text/plain", "text/html", "image/png", "x"]), JSON),
)
def test_whatever_a_kernel_sends_becomes_proper_outputs(kind: object, parts: dict, data: dict) -> None:
    made = outputs.harmless([NotebookNode({"output_type": kind, "data": data, **parts})])
    cell = nbformat.v4.new_code_cell(outputs=made)
    nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))
    nbformat.writes(nbformat.v4.new_notebook(cells=[cell])).encode()
