"""The parts of the front matter that are made from data when the book is built."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from pandas.api.typing import DataFrameGroupBy

from kdutils import paper, plots, report, stats
from kdutils.book import playbook, speed_page
from kdutils.book.course import assignments
from kdutils.report import campaigns, few_shot, found_again, rules

FRONT_PAIR = ("cifar100", "wrn_40_2/wrn_16_2")  # Fig. 1b of the paper
DATASET_LABELS = {"cifar100": "CIFAR-100", "tinyimagenet": "Tiny ImageNet", "folder": "own folders"}
MATRIX_COLUMNS = {
    "theorem": "mathe-\nmatics",
    "arithmetic": "mathe-\nmatics",
    "photographs": "photo-\ngraphs",
    "published": "published\nnumbers",
    "digits": "digits",
}


def pages(executed: list[Path]) -> dict[str, str]:
    """File name -> content, for `book/_generated/`: front figure, scoreboard and evidence, recorded runs, speed ..."""
    claims, later = paper.claims(), paper.later_claims()
    verdicts, since = apart(chapter_verdicts(executed), later)
    return {
        "front.svg": front_figure(),
        "found.md": found(claims, verdicts),
        "scoreboard.md": report.scoreboard_markdown(claims, verdicts),
        "scoreboard_later.md": report.later_markdown(later, since),
        "playbook.md": playbook.page(pd.concat([claims, later]), [*verdicts, *since]),
        "scoreboard_summary.md": report.scoreboard_summary(claims, verdicts),
        "evidence.svg": evidence_figure(claims, verdicts),
        "experiments.md": experiments(),
        "campaigns.md": campaigns.page(),
        "found_again.md": found_again.page(),
        "assignments.md": assignments.page(),
        "results.md": recorded_runs(),
        "bench.md": speed_page.bench_page(),
        "growth.md": speed_page.growth_page(),
    }


def chapter_verdicts(executed: Sequence[Path]) -> list[report.Verdict]:
    """The verdicts of the chapters; the template's, which shows how one is recorded, is no finding of the book."""
    return [verdict for verdict in report.verdicts(executed) if verdict.chapter != "template"]


def apart(verdicts: Sequence[report.Verdict], later: pd.DataFrame) -> tuple[list[report.Verdict], list[report.Verdict]]:
    """The verdicts on the paper's claims and the book's own, and those on what has been claimed since."""
    since = [verdict for verdict in verdicts if set(verdict.claim_ids) & set(later["id"])]
    return [verdict for verdict in verdicts if verdict not in since], since


def front_figure() -> str:
    """The paper's Fig. 1b, from its Table 3, beside our pairs of networks as SVG: S. test loss against T. stddev."""
    theirs = paper.pairs().set_index(["dataset", "pair"]).loc[FRONT_PAIR].reset_index(drop=True)
    ours = few_shot.points()
    parts = [theirs.assign(source=f"the paper's\n{FRONT_PAIR[1]}"), ours.assign(source="ours\n" + ours["pair"])]
    both = pd.concat(parts)[["source", "scheme", "t_stddev", "test_loss"]]
    return plots.scatter_panels(both, ["source"], y_label="S. test loss (nats)")._repr_svg_()


def found(claims: pd.DataFrame, verdicts: Sequence[report.Verdict]) -> str:
    """What was found, in three sentences with numbers: T. stddev, CutMixPick, the claims."""
    theirs, points = paper.pairs().query("dataset in ['cifar100', 'tinyimagenet']"), few_shot.points()
    ours, rest = points.groupby("pair"), points[~points["scheme"].isin(few_shot.FAMILY)].groupby("pair")
    published, so_far = theirs.groupby(["dataset", "pair"]), " so far" if few_shot.pairs_short_of() else ""
    saved, gained = (_against_identity(metric, sign) for metric, sign in (("test_loss", -1), ("test_accuracy", 1)))
    words = report.counts(claims, verdicts).astype(int).loc["verdict"]
    lines = [
        "- **T. stddev**, how much the teacher's mean prediction scatters: the students' test loss rises with it, with "
        f"p < 5 %, on {_rising(published)} of the paper's {len(published)} pairs (recounted); among our own students "
        f"on photographs on {_rising(ours)} of {len(ours)} pairs{so_far}, and on {_rising(rest)} of them without "
        "CutMix and its picks ({doc}`/notebooks/04_correlation`).",
        "- **CutMixPick**, the mixed images that surprise the teacher most: against showing each image twice it saves "
        f"our students {saved.mean:.2f} nats of test loss ({saved.low:.2f} to {saved.high:.2f}) and gains "
        f"{gained.mean:.1f} points of accuracy ({gained.low:.1f} to {gained.high:.1f}; 95 % intervals, {saved.n} "
        "seeds; {doc}`/notebooks/05_cutmixpick`).",
        f"- **The paper's {len(claims)} claims**, by the evidence that may decide each: {words['holds']} hold, "
        f"{words['partly']} hold in part, {words['fails']} fail; for {words['cannot tell']} the evidence cannot tell, "
        f"and {words['not tested']} are not tested ({{doc}}`/book/scoreboard`).",
    ]
    return "\n".join(lines) + "\n"


def _rising(pairs: DataFrameGroupBy) -> int:
    """On how many pairs the test loss rises with T. stddev, Pearson's p below 5 %."""
    found = [stats.correlation(each["t_stddev"], each["test_loss"]) for _, each in pairs]
    return sum(each.r > 0 and each.p < rules.LEVEL for each in found)


def _against_identity(metric: str, sign: int) -> stats.PairedTest:
    """What CutMixPick (T. ent.) changes against Identity among our students, paired by seed, as a gain by `sign`."""
    runs = report.recorded("fewshot").pivot(index="seed", columns="scheme", values=metric)
    both = sign * runs[["cutmixpick_t", "identity"]].dropna()
    return stats.paired_test(both["cutmixpick_t"], both["identity"])


def experiments() -> str:
    """What of our own the book rests on, in a sentence: the students on photographs, and the teachers ranked there."""
    trained = campaigns.students()
    pairs = trained["pair"][~trained["pair"].str.startswith("/")].nunique()
    datasets = ", ".join(DATASET_LABELS.get(name, name) for name in trained["dataset"].unique())
    planned = campaigns.planned()
    few = planned[planned["size"] == "laptop"]
    return (
        f"**{len(trained)} students** were trained to the end on photographs for this book ({datasets}; {pairs} "
        f"{'pair' if pairs == 1 else 'pairs'} of networks). {_missing(few)}\n"
    )


def _missing(few: pd.DataFrame) -> str:
    """What is still to be run of what a laptop can do."""
    left = few[few["done"] < few["runs"]]
    if left.empty:
        return "Every study planned for a laptop is recorded."
    runs = int((left["runs"] - left["done"]).sum())
    return f"{len(left)} studies planned for a laptop lack {runs} runs; {{doc}}`/book/results` lists them."


def evidence_figure(claims: pd.DataFrame, verdicts: Sequence[report.Verdict]) -> str:
    """The evidence matrix as SVG."""
    return plots.evidence_matrix(report.matrix(claims, verdicts), claims, MATRIX_COLUMNS)._repr_svg_()


def recorded_runs() -> str:
    """A section for each recorded run, as MyST text: what it is, a link to its table, where it came from (folded)."""
    return "\n".join(map(_recorded_run, report.recorded_names())) or "No run has been recorded yet.\n"


def _recorded_run(name: str) -> str:
    frame = report.recorded(name)
    facts = report.recorded_provenance(name)
    rows = [f"| {key.replace('_', ' ')} | {_cell(value)} |" for key, value in facts.items() if value not in ("", None)]
    table = f"{len(frame)} rows, with the columns {', '.join(f'`{column}`' for column in frame.columns)}"
    lines = [f"## {name.replace('_', ' ')}", "", campaigns.title_of(name), ""]
    lines += [f"{{download}}`{name}.csv <results/{name}.csv>`: {table}.", ""]
    made = ["| What | Value |", "| --- | --- |", *rows]
    return "\n".join([*lines, ":::{dropdown} How it was made", *made, ":::", ""])


def how_made(name: str) -> str:
    """A line under what shows a recorded run, as MyST text: its table, command, commit and day."""
    facts = report.recorded_provenance(name)
    made = [f"commit {facts['commit']}" if facts.get("commit") else "", str(facts["date"])]
    table = f"{{download}}`{name}.csv </book/results/{name}.csv>`"
    return f"{table}: {_cell(facts['command'])} ({', '.join(filter(None, made))})"


def _cell(value: object) -> str:
    """A value of a provenance file in a cell of a Markdown table: code, so that nothing in it is taken for markup."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_cell(inner)}" for key, inner in value.items() if inner not in ("", None, []))
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"`{' '.join(text.split()).replace('`', chr(39)).replace('|', '/')}`"
