"""What a reader gets of an executed notebook: without the machine's traces, with a head that says how it was run."""

import io
import os
import zipfile
from pathlib import Path

import nbformat
import pytest

from kdutils import report
from kdutils.book import sources as staging

FOUND = {"by": "digits", "says": "holds", "numbers": "1", "test": "t", "size": "quick"}
VERDICT = {"chapter": "one", "claim": "c", "findings": (FOUND,)}


def executed(path: Path, *verdicts: report.Verdict, sources: tuple[str, ...] = ()) -> Path:
    """A notebook that was executed in 12 s, recorded these verdicts and read these recorded runs."""
    shown, metadata = report.Record(verdicts, sources)._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data=shown, metadata=metadata)
    code = nbformat.v4.new_code_cell("1", outputs=[output] if verdicts else [])
    code.metadata["papermill"] = {"start_time": "2020"}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A title\n\nText."), code])
    notebook.metadata["kdutils"] = {"seconds": 12.3}
    nbformat.write(notebook, path)
    return path


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ((), ""),
        (("costs",), ""),
        (("fewshot", "fewshot_rank"), " Beside it stand runs [recorded](/book/results.md) before, at the laptop size."),
    ],
    ids=["none", "of the machine", "some"],
)
def test_the_head_tells_time_and_the_sizes_of_this_run_and_of_the_recorded_ones(sources, said, tmp_path):
    made = staging.clean(executed(tmp_path / "one.ipynb", report.Verdict(**VERDICT), sources=sources))
    head = made.cells[0].source
    assert head.startswith("# A title\n")
    assert head.endswith("Text.")
    told = "executed in 12 seconds when the book was built, at the quick size ({ref}`of four <four-sizes>`)."
    assert f"{told}{said}\n" in head


def test_a_page_without_verdicts_has_no_size(tmp_path):
    head = staging.clean(executed(tmp_path / "one.ipynb")).cells[0].source
    assert "executed in 12 seconds when the book was built." in head


def test_nothing_of_the_machine_or_its_clock_stays(tmp_path):
    made = staging.clean(executed(tmp_path / "one.ipynb"))
    assert "papermill" not in made.cells[1].metadata
    assert "kdutils" not in made.metadata


def test_packed_files_are_the_same_bytes_whenever_they_were_written(tmp_path):
    path = tmp_path / "notebooks" / "one.ipynb"
    path.parent.mkdir()
    path.write_text("content", encoding="utf-8")
    first = staging.packed([path])
    os.utime(path, (1e9, 1e9))
    assert staging.packed([path]) == first
    assert zipfile.ZipFile(io.BytesIO(first)).read("notebooks/one.ipynb") == b"content"
