"""What choosing a scheme by its T. stddev costs, beside always taking the same one, and the ranking as a ladder."""

import numpy as np
import pandas as pd

from kdutils import paper, plots, report, stats
from kdutils.paper import SCHEME_LABELS
from kdutils.report import Finding, Verdict, few_shot, rules, tables

ALWAYS = {"all nine schemes": "cutmixpick_t", "the seven existing schemes": "cutmix"}
"""Set of schemes (`few_shot.SUBSETS`) -> the one that the baseline always takes: the paper's best of them."""
TEST = (
    "the scheme of the lowest T. stddev has the lowest test loss on surely more than half of the pairs (exact 95 % "
    "interval), with all nine schemes and with the seven existing ones"
)


def choices(points: pd.DataFrame, schemes: str) -> pd.DataFrame:
    """What choosing the scheme of the lowest T. stddev costs in S. test loss, a row per pair of networks.

    `schemes` names one of `ALWAYS`. Columns: dataset, pair, chosen, best (by loss), regret (loss of the chosen - lowest
    loss, nats), gain (mean loss of all schemes - that of the chosen), and regret_always of the baseline.
    """
    rows = []
    among = points[~points["scheme"].isin(few_shot.SUBSETS[schemes])]
    for key, group in among.groupby(["dataset", "pair"], sort=False):
        loss = group.set_index("scheme")["test_loss"]
        chosen = group.set_index("scheme")["t_stddev"].idxmin()
        regret, always = loss[chosen] - loss.min(), loss.get(ALWAYS[schemes], np.nan) - loss.min()
        rows.append((*key, chosen, loss.idxmin(), regret, loss.mean() - loss[chosen], always))
    return pd.DataFrame(rows, columns=["dataset", "pair", "chosen", "best", "regret", "gain", "regret_always"])


def costs(points: pd.DataFrame) -> pd.DataFrame:
    """`choices` for both sets of schemes as a table: a row for T. stddev's choice and one for the baseline's."""
    rows = {}
    for schemes, always in ALWAYS.items():
        found = choices(points, schemes)
        ways = {"by T. stddev": found["regret"], f"always {SCHEME_LABELS[always]}": found["regret_always"]}
        for way, regret in ways.items():
            right = int((regret <= 0).sum())
            low, high = rules.count_interval(right, len(found))
            rows[f"{schemes}, {way}"] = {
                "best chosen": f"{right} of {len(found)} ({low:.0%} to {high:.0%})",
                "mean regret (nats)": f"{regret.mean():.4f}",
                "largest (nats)": f"{regret.max():.4f}",
                "different choices": found["chosen"].nunique() if way == "by T. stddev" else 1,
            }
    return pd.DataFrame.from_dict(rows, "index").rename_axis(columns="choice")


@plots.style()
def regrets(points: pd.DataFrame, schemes: str) -> plots.Chart:
    """A row per pair of networks: every scheme's loss above the lowest, what T. stddev chooses filled."""
    among = points[~points["scheme"].isin(few_shot.SUBSETS[schemes])]
    pairs = list(among.groupby(["dataset", "pair"], sort=False))
    chart = plots.Chart(figsize=(plots.WIDTH, 0.32 * len(pairs) + 1.7), layout="constrained")
    ax = chart.subplots()
    for place, (_, group) in enumerate(pairs):
        for row in group.assign(above=group["test_loss"] - group["test_loss"].min()).itertuples():
            colour, marker = plots.mark(row.scheme)
            chosen = row.t_stddev == group["t_stddev"].min()
            face, size = (colour, 11) if chosen else ("none", 6)
            label = SCHEME_LABELS[row.scheme] if place == 0 else None
            ax.plot(row.above, place, marker, ms=size, mfc=face, mec=colour, color=colour, label=label)
    names = [f"{pair} ({tables.DATASETS.get(dataset, dataset)})" for (dataset, pair), _ in pairs]
    ax.set_yticks(range(len(pairs)), names, fontsize=9)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("S. test loss above the best scheme's (nats)")
    chart.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=9)
    return chart


def verdicts(live: str, dataset: str, size: str) -> list[Verdict]:
    """The chapter's verdicts; `live` says in words what this run's ranking chose."""
    this_run = Finding(
        by=report.kind_of(dataset),
        says="cannot tell",
        numbers=f"this run: {live}",
        size=size,
        short_of="no student was trained to compare with",
        test=TEST,
    )
    return [
        report.verdict_on("choose-without-students", *_ours(few_shot.points()), _chosen(paper.pairs()), this_run),
        _better_than_always(paper.pairs()),
    ]


def _chosen(points: pd.DataFrame, **more: str) -> Finding:
    """How often T. stddev chooses the best scheme of these pairs."""
    words, told = [], []
    for schemes in ALWAYS:
        found = choices(points, schemes)
        right = int((found["regret"] <= 0).sum())
        words.append(rules.from_count(right, len(found)))
        mean = found["regret"].mean()
        told.append(f"{schemes}: best chosen on {right} of {len(found)} pairs, mean regret {mean:.3f} nats")
    rests = {"by": "published", "n": f"{len(found)} pairs"}
    return Finding(**rests | more, says=rules.all_parts(words), numbers="; ".join(told), test=TEST)


def _ours(points: pd.DataFrame) -> list[Finding]:
    """The same of our own pairs, and of the study that is whole, which is one."""
    found = []
    shared = {"by": "photographs", "size": "laptop"}
    if points["pair"].nunique() > 1:
        short = few_shot.pairs_short_of()
        found.append(_chosen(points, **shared, n=few_shot.rests(points), short_of=short))
    study = few_shot.study()
    one = _chosen(study, **shared, n=few_shot.rests(study), short_of=few_shot.ONE_PAIR)
    return [*found, one] if len(study) else found


def _better_than_always(points: pd.DataFrame) -> Verdict:
    """A claim of this book's own: that measuring the teacher at hand chooses better than always taking CutMix."""
    found = choices(points, "the seven existing schemes")
    signs = stats.sign_test((found["regret_always"] - found["regret"]).round(9))
    measured = Finding(
        by="published",
        says=rules.from_test(signs.positive - signs.negative, signs.p),
        numbers=f"the choice by T. stddev is better on {signs.positive} pairs, worse on {signs.negative}, the same on "
        f"{signs.ties} ({stats.p_text(signs.p)})",
        n=f"{len(found)} pairs",
        test="among the seven existing schemes its regret is lower on more pairs than higher, sign test, p < 5 %",
    )
    claim = "Measuring T. stddev of the teacher at hand chooses better than always taking CutMix."
    return Verdict(chapter="17_pick_your_own", claim=claim, paper="not asked", findings=[measured])


@plots.style()
def ladder(frame: pd.DataFrame, table: pd.DataFrame) -> plots.Chart:
    """Schemes from best to worst: the excess of T. stddev over the best one, with the interval of `told_apart`."""
    best = frame.loc[frame["t_stddev"].idxmin(), "scheme"]
    rows = table[table["better"] == best]
    chart = plots.Chart(figsize=(plots.WIDTH, 0.38 * (len(rows) + 1) + 1.0), layout="constrained")
    ax = chart.subplots()
    ax.axvline(0, color=plots.INK, lw=1)
    names = [best, *rows["worse"]]
    excesses, margins = [0, *rows["difference"]], [0, *rows["margin"]]
    for place, (name, excess, margin) in enumerate(zip(names, excesses, margins, strict=True)):
        colour, marker = plots.mark(name)
        ax.errorbar(excess * 1e3, place, xerr=margin * 1e3, fmt=marker, ms=9, color=colour, capsize=3)
    ax.set_yticks(range(len(names)), [SCHEME_LABELS.get(name, name) for name in names])
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set_xlabel(f"T. stddev above that of {SCHEME_LABELS.get(best, best)} (×10⁻³)")
    return chart
