"""Verdicts travel through executed notebooks to the scoreboard; recorded runs come back as they were written."""

import json
import platform

import nbformat
import numpy as np
import pandas as pd
import pytest
import tiny
from nbclient import NotebookClient
from pydantic import ValidationError

from kdutils import paper, recordings, report
from kdutils.errors import UserError

FACTS = {
    "chapter": "04_correlation",
    "claim_ids": ("correlation-cifar100", "student-invariance"),
    "claim": "S. test loss rises with T. stddev",
    "paper": "p < 5 % on 9 pairs",
    "recorded": "r = 0.97",
    "this_run": "r = 0.86",
    "holds": "partly",
    "test": "Pearson's r at 5 %",
    "size": "quick",
}


@pytest.fixture
def verdict():
    return report.Verdict(**FACTS)


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "RESULTS", tmp_path)
    return tmp_path


def notebook(path, *shown):
    """An executed notebook whose cells have outputs with this data and metadata."""
    outputs = [nbformat.v4.new_output("execute_result", data=data, metadata=metadata) for data, metadata in shown]
    cells = [nbformat.v4.new_code_cell("record", outputs=[output]) for output in outputs]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_a_verdict_comes_back_from_a_notebook_that_was_really_run(tmp_path, verdict):
    path = tiny.write(
        tmp_path / "04.ipynb",
        "from kdutils.report import Verdict, record",
        f"record(Verdict(**{FACTS!r}), Verdict(**{FACTS | {'claim_ids': (), 'holds': 'fails'}!r}))",
    )
    executed = nbformat.read(path, as_version=4)
    NotebookClient(executed, timeout=120).execute()
    nbformat.write(executed, path)
    assert report.verdicts([path]) == [verdict, verdict.model_copy(update={"claim_ids": (), "holds": "fails"})]
    shown = executed.cells[-1].outputs[0]["data"]
    assert "partly" in shown["text/plain"]
    assert "<table" in shown["text/html"]


def test_verdicts_keep_the_order_of_notebooks_and_skip_other_outputs(tmp_path, verdict):
    other = verdict.model_copy(update={"chapter": "05_cutmixpick"})
    paths = [
        notebook(tmp_path / "1.ipynb", ({"text/plain": "1"}, {}), report.record(verdict)._repr_mimebundle_()),
        notebook(tmp_path / "2.ipynb", ({"text/plain": "no verdict"}, {})),
        notebook(tmp_path / "3.ipynb", report.record(other)._repr_mimebundle_()),
    ]
    assert report.verdicts(paths) == [verdict, other]


def test_a_verdict_of_another_version_is_refused_by_name(tmp_path):
    path = notebook(tmp_path / "old.ipynb", ({}, {report.KEY: {"verdicts": [{"outcome": "fine"}]}}))
    with pytest.raises(UserError, match=r"old.ipynb.*execute it anew"):
        report.verdicts([path])


def test_a_verdict_cannot_be_changed_or_vague(verdict):
    with pytest.raises(ValidationError, match="frozen"):
        verdict.holds = "holds"
    with pytest.raises(ValidationError, match="'holds', 'fails', 'partly' or 'cannot tell'"):
        report.Verdict(**FACTS | {"holds": "maybe"})


def test_record_refuses_claims_that_the_paper_does_not_make(verdict):
    with pytest.raises(UserError, match="Did you mean 'correlation-cifar100'"):
        report.record(verdict.model_copy(update={"claim_ids": ("correlation-cifar10",)}))
    with pytest.raises(UserError, match="at least one"):
        report.record()


def test_the_html_table_shows_every_number_and_escapes_text(verdict):
    shown = report.record(verdict.model_copy(update={"claim": "a < b & c"}))._repr_mimebundle_()[0]["text/html"]
    for text in (
        "a &lt; b &amp; c",
        "p &lt; 5 % on 9 pairs",
        "r = 0.97",
        "r = 0.86",
        "◐ partly",
        "Pearson",
        "quick size",
    ):
        assert text in shown


CLAIMS = pd.DataFrame(
    [
        ("one", "Tables", "Tab. 1", "The first claim.", "6/7", "07_tables_1_2"),
        ("two", "Theory", "Sec. 2", "The second | claim.", "", "04_correlation"),
        ("three", "Tables", "A.5", "The third claim.", "", ""),
    ],
    columns=["id", "topic", "where", "statement", "number", "chapter"],
)


def board(*changes):
    """Lines of the scoreboard for verdicts that differ from the usual one in these fields."""
    return report.scoreboard_markdown(CLAIMS, [report.Verdict(**FACTS | change) for change in changes]).splitlines()


def test_a_chapters_recorded_runs_are_listed_under_its_verdicts_with_their_commands(results, verdict):
    for name in ("first", "second", "never_read"):
        facts = report.provenance(command=f"kdutils make <{name}>")
        report.write_recorded(name, pd.DataFrame({"a": [1.0]}), facts)
    assert "sources" not in report.record(verdict)._repr_mimebundle_()[0]["text/html"]
    for name in ("second", "first", "second"):
        report.recorded(name)
    shown, _ = report.record(verdict)._repr_mimebundle_()
    for text in shown.values():
        assert text.index("second") < text.index("first")
        assert "never_read" not in text
    assert "<code>kdutils make &lt;first&gt;</code>" in shown["text/html"]


def test_the_scoreboard_without_verdicts_lists_every_claim_by_topic():
    assert [line for line in board() if line and "---" not in line and "In the paper" not in line] == [
        "3 claims of the paper. Not tested yet: 3.",
        "## Tables",
        "| The first claim. | Tab. 1: 6/7 | not tested yet | planned for chapter 7 |",
        "| The third claim. | A.5 | not tested yet | not planned |",
        "## Theory",
        "| The second \\| claim. | Sec. 2 | not tested yet | planned for chapter 4 |",
    ]


def test_the_scoreboard_gives_verdict_test_and_link():
    lines = board({"claim_ids": ("one", "two")}, {"claim_ids": ("one",), "holds": "holds", "chapter": "16_how_sure"})
    assert lines[0] == "3 claims of the paper. Holds: 1, partly: 2, not tested yet: 1."
    of_one = [line for line in lines if "first claim" in line]
    start = "| The first claim. | Tab. 1: 6/7 | "
    assert of_one == [
        start + "◐ partly | Pearson's r at 5 % (quick size, {doc}`/notebooks/04_correlation`) |",
        start + "✓ holds | Pearson's r at 5 % (quick size, {doc}`/notebooks/16_how_sure`) |",
    ]


def test_the_scoreboard_has_claims_of_the_books_own():
    lines = board({"claim_ids": (), "claim": "T. stddev is\nmostly confidence"})
    assert "## Beyond the paper" in lines
    assert lines[-1].startswith("| T. stddev is mostly confidence | ◐ partly")


def test_the_scoreboard_refuses_a_claim_it_does_not_know():
    with pytest.raises(UserError, match="unknown claim 'four'"):
        board({"claim_ids": ("four",)})


def test_the_scoreboard_of_the_paper_has_a_row_a_claim(verdict):
    text = report.scoreboard_markdown(paper.claims(), [verdict])
    assert all(text.count(f"| {statement} |") == 1 for statement in paper.claims()["statement"])


def test_a_recorded_run_comes_back_to_the_last_bit(results):
    values = np.random.default_rng(0).lognormal(0, 10, 1000)
    frame = pd.DataFrame({"scheme": ["cutmix", "mixup"] * 500, "t_stddev": values, "n_u": range(1000)})
    report.write_recorded("quick_rank", frame, {"command": "kdutils rank", "seed": 0})
    pd.testing.assert_frame_equal(report.recorded("quick_rank"), frame, check_exact=True)
    assert report.recorded_provenance("quick_rank") == {"command": "kdutils rank", "seed": 0}
    assert report.recorded_names() == ["quick_rank"]
    assert sorted(path.name for path in results.iterdir()) == ["quick_rank.csv", "quick_rank.json"]


def test_a_recorded_run_that_was_edited_is_refused(results):
    report.write_recorded("rank", pd.DataFrame({"value": [1.5]}), {})
    table = results / "rank.csv"
    table.write_text(table.read_text().replace("1.5", "1.4"))
    with pytest.raises(UserError, match="changed since it was written"):
        report.recorded("rank")


def test_a_recorded_run_survives_windows_line_ends(results):
    report.write_recorded("rank", pd.DataFrame({"value": [1.5]}), {})
    table = results / "rank.csv"
    table.write_bytes(table.read_bytes().replace(b"\n", b"\r\n"))
    assert report.recorded("rank")["value"].tolist() == [1.5]


@pytest.mark.parametrize("content", ["{", "[]", '{"seed": 0}'])
def test_damaged_provenance_is_refused(results, content):
    report.write_recorded("rank", pd.DataFrame({"value": [1.5]}), {})
    (results / "rank.json").write_text(content)
    with pytest.raises(UserError, match="provenance of 'rank' is damaged"):
        report.recorded_provenance("rank")


def test_unknown_and_incomplete_recorded_runs_are_named(results):
    with pytest.raises(UserError, match="no recorded runs"):
        report.recorded("rank")
    report.write_recorded("rank", pd.DataFrame({"value": [1.5]}), {})
    with pytest.raises(UserError, match="Did you mean 'rank'"):
        report.recorded("rnk")
    (results / "rank.json").unlink()
    with pytest.raises(UserError, match=r"no rank.json beside it"):
        report.recorded("rank")
    with pytest.raises(UserError, match="small letters"):
        report.write_recorded("../rank", pd.DataFrame(), {})


def test_a_run_that_cannot_be_written_leaves_the_old_one(results):
    report.write_recorded("rank", pd.DataFrame({"value": [1.5]}), {})
    with pytest.raises(TypeError):
        report.write_recorded("rank", pd.DataFrame({"value": [2.5]}), {"made": object()})
    assert report.recorded("rank")["value"].tolist() == [1.5]


def test_provenance_can_be_written_and_names_neither_host_nor_folder():
    facts = report.provenance(
        command="kdutils rank --data-dir /home/me/data --weights=~/nets/r56.pth --out C:\\me\\rank.csv $DATA/x",
        source="https://example.org/a/b, lr x0.1 at 5/8",
        steps=100,
    )
    assert facts["command"] == "kdutils rank --data-dir data --weights=r56.pth --out rank.csv $DATA/x"
    assert facts["source"] == "https://example.org/a/b, lr x0.1 at 5/8"
    assert facts["steps"] == 100
    assert facts["date"][:2] == "20"
    assert "torch" in facts["versions"]
    assert platform.node() not in json.dumps(facts)


def test_beside_paper_is_in_the_frames_own_units():
    frame = pd.DataFrame(
        {"scheme": ["mixup", "mine"], "t_stddev": [4.719e-3, 1.0], "mean_covariance": [2 * 0.00011760, 1.0]}
    )
    joined = report.beside_paper(frame, "cifar100", "resnet56")
    assert joined.loc[0, "t_stddev_paper"] == pytest.approx(4.719e-3)
    assert joined.loc[0, ["t_stddev_ratio", "mean_covariance_ratio"]].tolist() == pytest.approx([1, 2])
    assert joined.loc[1, ["t_stddev_paper", "t_stddev_ratio"]].isna().all()
    assert "mean_correlation_ratio" not in joined
    assert list(frame.columns) == ["scheme", "t_stddev", "mean_covariance"]


def test_beside_paper_names_the_teachers_there_are():
    frame = pd.DataFrame({"scheme": ["mixup"], "t_stddev": [1.0]})
    with pytest.raises(UserError, match=r"unknown teacher of the paper 'resnet20'.*wrn_40_2, resnet56"):
        report.beside_paper(frame, "cifar100", "resnet20")
    with pytest.raises(UserError, match="dataset of the paper"):
        report.beside_paper(frame, "digits", "resnet56")


@pytest.mark.parametrize(
    ("mean", "spread", "text"),
    [
        (1.04864, 0.0211, "1.049 ± 0.021"),
        (0.1, 0.0999, "0.10 ± 0.10"),
        (123.4, 9.96, "123 ± 10"),
        (5.5e-3, 2.1e-5, "0.005500 ± 0.000021"),
        (3.14159, np.nan, "3.142"),
        (3.0, 0.0, "3"),
    ],
)
def test_mean_and_spread_have_the_digits_that_matter(mean, spread, text):
    assert report.plus_minus(mean, spread) == text


def test_mean_std_says_how_many():
    assert report.mean_std([1.0, 2.0, 3.0]) == "2.0 ± 1.0 (n = 3)"
    assert report.mean_std([1.5]) == "1.5 (n = 1)"
