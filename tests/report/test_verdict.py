"""Verdicts travel through executed notebooks to the scoreboard; recorded runs come back as they were written."""

import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient
from pydantic import ValidationError

from kdutils import report
from kdutils.errors import UserError
from kdutils.report import recorded_runs
from tests import tiny

PHOTOGRAPHS = {
    "by": "photographs",
    "says": "partly",
    "numbers": "r = 0.97",
    "test": "Pearson's r at 5 %",
    "n": "9 schemes",
    "size": "laptop",
}
PUBLISHED = {"by": "published", "says": "holds", "numbers": "p < 5 % on 9 pairs", "test": "a recount"}
DIGITS = {"by": "digits", "says": "fails", "numbers": "r = 0.86", "test": "as above", "size": "quick"}
FACTS = {
    "chapter": "04_correlation",
    "claim_ids": ("correlation-cifar100", "student-invariance"),
    "claim": "S. test loss rises with T. stddev",
    "paper": "p < 5 %",
    "findings": (PUBLISHED, PHOTOGRAPHS, DIGITS),
}


@pytest.fixture
def verdict():
    return report.Verdict(**FACTS)


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
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
        f"record(Verdict(**{FACTS!r}), Verdict(**{FACTS | {'claim_ids': (), 'findings': (DIGITS,)}!r}))",
    )
    executed = nbformat.read(path, as_version=4)
    NotebookClient(executed, timeout=120).execute()
    nbformat.write(executed, path)
    assert report.verdicts([path]) == [verdict, report.Verdict(**FACTS | {"claim_ids": (), "findings": (DIGITS,)})]
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
    with pytest.raises(UserError, match=r"old.ipynb.*execute it again"):
        report.verdicts([path])


def test_a_verdict_cannot_be_changed_or_vague(verdict):
    with pytest.raises(ValidationError, match="frozen"):
        verdict.claim = "another"
    with pytest.raises(ValidationError, match="'holds', 'partly', 'fails', 'cannot tell' or 'not tested'"):
        report.Verdict(**FACTS | {"findings": [PHOTOGRAPHS | {"says": "maybe"}]})


def test_a_verdict_is_that_of_the_evidence_that_decides_with_its_size_and_number(verdict):
    assert (verdict.holds, verdict.decided_by, verdict.size, verdict.n) == (
        "partly",
        "photographs",
        "laptop",
        "9 schemes",
    )
    assert verdict.test == "Pearson's r at 5 %"
    recount = report.Verdict(**FACTS | {"findings": (DIGITS, PUBLISHED)})
    assert (recount.holds, recount.decided_by, recount.size, recount.n) == ("holds", "published", "", "")
    alone = report.Verdict(**FACTS | {"findings": (DIGITS,)})
    assert (alone.holds, alone.decided_by, alone.size) == ("not tested", None, "")


def test_record_refuses_claims_that_the_paper_does_not_make(verdict):
    with pytest.raises(UserError, match="Did you mean 'correlation-cifar100'"):
        report.record(verdict.model_copy(update={"claim_ids": ("correlation-cifar10",)}))
    with pytest.raises(UserError, match="at least one"):
        report.record()


def test_the_html_table_shows_every_number_who_decides_and_escapes_text(verdict):
    shown = report.record(verdict.model_copy(update={"claim": "a < b & c"}))._repr_mimebundle_()[0]["text/html"]
    rows = re.findall(r"<tr.*?</tr>", shown)
    assert "a &lt; b &amp; c" in rows[1]
    assert [re.findall(r"<td>(.*?)</td>", row) for row in rows[2:6]] == [
        ["the paper", "p &lt; 5 %", ""],
        ["the published numbers", "p &lt; 5 % on 9 pairs", "✓ holds"],
        ["our photographs", "r = 0.97 (9 schemes, laptop size)", "◐ partly"],
        ["digits", "r = 0.86 (quick size)", "✗ fails"],
    ]
    assert [row.startswith('<tr class="decides">') for row in rows[2:6]] == [False, False, True, False]
    assert "◐ partly, decided by our photographs. Test: Pearson&#x27;s r at 5 %." in rows[6]


def test_two_studies_that_may_decide_do_so_together():
    again = PHOTOGRAPHS | {"says": "holds", "n": "8 schemes"}
    both = report.Verdict(**FACTS | {"findings": (PHOTOGRAPHS, again, PUBLISHED)})
    assert (both.holds, both.decided_by) == ("holds", "published"), "partly and holds cannot tell"
    both = report.Verdict(**FACTS | {"findings": (PHOTOGRAPHS, PHOTOGRAPHS | {"n": "8 schemes"}, PUBLISHED)})
    shown = report.record(both)._repr_mimebundle_()[0]["text/html"]
    assert shown.count('<tr class="decides">') == 2


def test_what_falls_short_of_a_claim_says_why(verdict):
    short = PHOTOGRAPHS | {"short_of": "one pair of networks"}
    shown = report.record(report.Verdict(**FACTS | {"findings": (short,)}))._repr_mimebundle_()[0]
    for text in shown.values():
        assert "[one pair of networks]" in text
        assert "no evidence that may decide" in text


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
