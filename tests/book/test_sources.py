"""What a reader gets of an executed notebook: without the machine's traces, with a head that says how it was run."""

import io
import time
import zipfile
from pathlib import Path

import nbformat
import pytest

from kdutils import report
from kdutils.book import sources as staging

FOUND = {"by": "digits", "says": "holds", "numbers": "1", "test": "t", "size": "quick"}
VERDICT = {"chapter": "one", "claim": "c", "findings": (FOUND,)}


def executed(path: Path, *verdicts: report.Verdict, sources: tuple[str, ...] = ()) -> Path:
    """A notebook that was executed in 12 s: a picture, for which it read these recorded runs, and these verdicts."""
    shown, metadata = report.Record(verdicts, {name: [(1, 1)] for name in sources})._repr_mimebundle_()
    picture = nbformat.v4.new_output("display_data", data={"image/svg+xml": "<svg/>"})
    table = nbformat.v4.new_output("display_data", data=shown, metadata=metadata)
    cells = [
        nbformat.v4.new_markdown_cell("# A title\n\nText."),
        nbformat.v4.new_code_cell("1", outputs=[picture], execution_count=1, id="picture"),
        nbformat.v4.new_code_cell("2", outputs=[table] if verdicts else [], execution_count=2, id="table"),
    ]
    cells[1].metadata["papermill"] = {"start_time": "2020"}
    notebook = nbformat.v4.new_notebook(cells=cells)
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


def test_under_what_shows_recorded_runs_stand_their_tables_commands_and_commits(tmp_path):
    made = staging.clean(executed(tmp_path / "one.ipynb", report.Verdict(**VERDICT), sources=("few_table1", "costs")))
    assert [cell.id for cell in made.cells[1:]] == ["picture", "picture-runs", "table"]
    lines = made.cells[2].source.splitlines()
    facts = report.recorded_provenance("few_table1")
    assert lines[2].startswith(f"- {{download}}`few_table1.csv </book/results/few_table1.csv>`: `{facts['command']}`")
    assert lines[2].endswith(f"(commit {facts['commit']}, {facts['date']})")
    assert lines[3].startswith("- {download}`costs.csv")


def test_what_shows_no_recorded_run_or_only_verdicts_has_none_under_it(tmp_path):
    told = executed(tmp_path / "one.ipynb", report.Verdict(**VERDICT), sources=("costs",))
    notebook = nbformat.read(told, as_version=4)
    notebook.cells[1].execution_count, notebook.cells[2].execution_count = 2, 1
    nbformat.write(notebook, told)
    assert [cell.id for cell in staging.clean(told).cells[1:]] == ["picture", "table"]


def test_a_page_without_verdicts_has_no_size(tmp_path):
    head = staging.clean(executed(tmp_path / "one.ipynb")).cells[0].source
    assert "executed in 12 seconds when the book was built." in head


def test_nothing_of_the_machine_or_its_clock_stays(tmp_path):
    made = staging.clean(executed(tmp_path / "one.ipynb"))
    assert "papermill" not in made.cells[1].metadata
    assert "kdutils" not in made.metadata


def test_packed_files_are_the_same_bytes_whenever_they_were_written(monkeypatch):
    first = staging.packed({"notebooks/one.ipynb": b"content"})
    monkeypatch.setattr(time, "time", lambda: 1e9)
    assert staging.packed({"notebooks/one.ipynb": b"content"}) == first
    assert zipfile.ZipFile(io.BytesIO(first)).read("notebooks/one.ipynb") == b"content"


def test_figures_are_kept_under_their_names(tmp_path):
    path = executed(tmp_path / "one.ipynb")
    assert staging.figures([path]) == {}
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].metadata["mystnb"] = {"figure": {"caption": "One", "name": "fig-one"}}
    nbformat.write(notebook, path)
    assert staging.figures([path]) == {"one/fig-one.svg": b"<svg/>"}
