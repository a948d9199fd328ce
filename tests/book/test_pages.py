"""The pages that are made from data: the front page counts what is recorded."""

import re

import pandas as pd
import scipy

from kdutils import paper, report
from kdutils.book import pages
from kdutils.report import few_shot, recorded_runs


def students(*keys: str, dataset: str = "cifar100") -> pd.DataFrame:
    rows = {"key": keys, "dataset": dataset, "scheme": "cutmix", "test_loss": 1.0, "teacher": "t", "student": "s"}
    return pd.DataFrame(rows)


def test_the_front_page_counts_each_student_on_photographs_once(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded_runs, "RESULTS", tmp_path)
    assert pages.experiments().startswith("**0 students**")
    report.write_recorded("one", students("a", "b"), {})
    report.write_recorded("two", students("b", "c"), {})
    report.write_recorded("three", students("d", dataset="digits"), {})
    labels_only = students("e").assign(teacher=None)
    report.write_recorded("four", labels_only, {})
    without_names = students("f").drop(columns=["teacher", "student"])
    report.write_recorded("five", without_names, {"teacher": "t2", "student": "s"})
    assert pages.experiments().startswith("**5 students** were trained to the end on photographs")
    assert "CIFAR-100; 2 pairs of networks" in pages.experiments()
    report.write_recorded("ranks", pd.DataFrame({"scheme": ["cutmix"], "t_stddev": [1.0]}), {})
    assert pages.experiments().startswith("**5 students**"), "a ranking trains nobody"


def test_a_recorded_run_says_what_it_is_before_how_it_was_made():
    text = pages.recorded_runs()
    for name in report.recorded_names():
        section = text.split(f"## {name.replace('_', ' ')}\n")[1].split("\n## ")[0]
        title, download, made = (part.strip() for part in re.split(r"\n\n|\n(?=:::\{)", section.strip(), maxsplit=2))
        assert title.endswith(".")
        assert f"{name}.csv" in download
        assert made.startswith(":::{dropdown} How it was made\n")
        assert "| command |" in made


def test_what_was_found_has_the_numbers_of_tables_and_verdicts():
    claims = paper.claims()
    finding = report.Finding(by="arithmetic", says="fails", numbers="n", test="t")
    text = pages.found(claims, [report.verdict_on("window-count", finding)])
    stddev, pick, counted = text.splitlines()
    points = few_shot.points()
    tested = [
        [scipy.stats.pearsonr(pair["t_stddev"], pair["test_loss"]) for _, pair in each.groupby("pair")]
        for each in (points, few_shot_rest(points))
    ]
    whole, rest = (sum(found.statistic > 0 and found.pvalue < 0.05 for found in each) for each in tested)
    assert "on 17 of the paper's 18 pairs" in stddev
    so_far = " so far" if few_shot.pairs_short_of() else ""
    assert f"on {whole} of {len(tested[0])} pairs{so_far}, and on {rest} of them without" in stddev
    saved = few_shot.two_ends({"": report.recorded("fewshot")}).iloc[0]
    assert f"saves our students {saved['saved']:.2f} nats" in pick
    assert f"gains {saved['gained']:.1f} points of accuracy ({saved['gained_low']:.1f} to" in pick
    assert f"**The paper's {len(claims)} claims**" in counted
    assert f"0 hold, 0 hold in part, 1 fail; for 0 the evidence cannot tell, and {len(claims) - 1} are not" in counted


def few_shot_rest(points: pd.DataFrame) -> pd.DataFrame:
    return points[~points["scheme"].isin(few_shot.FAMILY)]


def test_the_front_figures_caption_is_true_of_our_points():
    """The lowest and the highest point of each pair, its seeds, and what rests on CutMix and its picks."""
    points = few_shot.points()
    assert set(points["n"]) <= {1, 2, 3}
    assert points.loc[points["scheme"] == "cutmixpick_s", "pair"].tolist() == ["resnet20/resnet8"]
    for _, pair in points.groupby("pair"):
        assert set(pair.nsmallest(1, "t_stddev")["scheme"]) == set(pair.nsmallest(1, "test_loss")["scheme"])
        assert set(pair.nsmallest(1, "t_stddev")["scheme"]) == {"cutmixpick_t"}
        assert "identity" in set(pair.nlargest(3, "t_stddev")["scheme"]) & set(pair.nlargest(3, "test_loss")["scheme"])
        r = few_shot.subsets(pair)["r"]
        assert r["without CutMix and its picks"] < r["all nine schemes"]
    assert "first 50 training images" in report.recorded_provenance("fewshot_rank")["data"]
    assert pages.front_figure().count("ours") == points["pair"].nunique()


def test_the_templates_example_is_no_finding_of_the_book(monkeypatch):
    found = [report.Verdict(chapter=chapter, claim="one") for chapter in ("04_correlation", "template")]
    since = report.verdict_on("unseen-order", report.awaited("students", "a rule", "not recorded yet"))
    found.append(since)
    monkeypatch.setattr(report, "verdicts", lambda executed: found)
    monkeypatch.setattr(pages, "evidence_figure", lambda claims, verdicts: "")
    assert pages.chapter_verdicts([]) == [found[0], since]
    text = pages.pages([])["scoreboard.md"]
    assert since.claim not in text
    assert "{doc}`/notebooks/19_unseen`" in pages.pages([])["scoreboard_later.md"]
    assert "`/notebooks/04_correlation`" in text.split("## Beyond the paper")[1]
    assert "/notebooks/template" not in text
