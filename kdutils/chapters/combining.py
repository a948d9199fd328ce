"""Better inputs with better losses: CutMix under AT, CC, SP, PKT and VID, and whether gains combine (Sec. 5.2)."""

import numpy as np
import pandas as pd

from kdutils import paper, plots, report, stats
from kdutils.chapters import tables
from kdutils.specs import NO_SCHEME

CHAPTER = "08_more_methods"
COMBINE_RULE = (
    "Tables 1 and 2: CutMixPick helps CRD and CRD helps CutMixPick (mean gains with 95 % t intervals above 0), and "
    "CutMixPick helps CRD as much as KD (interval of the difference covers 0); some of these: partly"
)
GAIN_RULE = "every method gains, and the 95 % t interval of the mean gain over methods is above 0 (below: fails)"
HALF_RULE = "on CIFAR-100, at least half of the methods gain more than the points that the text names"


def gains(students: pd.DataFrame, scheme: str) -> pd.DataFrame:
    """What `scheme` adds to each method: a row a method and seed that was run with it and without.

    Columns: method, seed, accuracy_gain (percentage points) and loss_gain (nats; positive is better).
    """
    wide = students.pivot(index=["method", "seed"], columns="scheme", values=["test_accuracy", "test_loss"])
    accuracy = wide["test_accuracy"][scheme] - wide["test_accuracy"][NO_SCHEME]
    loss = wide["test_loss"][NO_SCHEME] - wide["test_loss"][scheme]
    frame = pd.DataFrame({"accuracy_gain": accuracy, "loss_gain": loss}).dropna().reset_index()
    order = {method: place for place, method in enumerate(dict.fromkeys(students["method"]))}
    return frame.sort_values("method", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def published() -> pd.DataFrame:
    """What combining gains in Tables 1 and 2, in percentage points on each pair.

    Columns: dataset, pair; pick_under_kd, pick_under_crd (CutMixPick over the method alone); crd_under_pick (CRD over
    KD, both with CutMixPick).
    """
    steps = {
        "pick_under_kd": (tables.PICK, tables.KD),
        "pick_under_crd": (tables.CRD_PICK, tables.CRD),
        "crd_under_pick": (tables.CRD_PICK, tables.PICK),
    }
    frames = []
    for table in tables.EPOCHS:
        found = {name: tables.gains(tables.Comparison(table, row, (base,))) for name, (row, base) in steps.items()}
        columns = {name: frame["gain"] for name, frame in found.items()}
        frames.append(found["pick_under_kd"][["dataset", "pair"]].assign(**columns))
    return pd.concat(frames, ignore_index=True)


def combined(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean gains of `published` over the pairs of each data set, with 95 % t intervals; `less` is the difference.

    `less`: what CutMixPick adds under CRD less what it adds under KD; zero if the two ways are independent.
    """
    rows = []
    whole = frame.assign(less=frame["pick_under_crd"] - frame["pick_under_kd"])
    for dataset, group in whole.groupby("dataset", sort=False):
        for quantity in ("pick_under_crd", "crd_under_pick", "less"):
            test = stats.paired_test(group[quantity], np.zeros(len(group)))
            rows.append((dataset, quantity, test.mean, test.low, test.high, test.n))
    return pd.DataFrame(rows, columns=["dataset", "quantity", "mean", "low", "high", "n"])


@plots.style()
def bars(frame: pd.DataFrame, label: str) -> plots.Chart:
    """The gain in accuracy of each method, its mean over seeds as a bar and each seed as a dot."""
    methods = list(frame["method"].drop_duplicates())
    chart = plots.Chart(figsize=(plots.WIDTH, 0.45 * len(methods) + 1.2), layout="constrained")
    ax = chart.subplots()
    means = frame.groupby("method")["accuracy_gain"].mean()
    ax.barh(range(len(methods)), means[methods], 0.6, color=plots.COLOURS[0])
    ax.plot(frame["accuracy_gain"], frame["method"].map(methods.index), "o", color=plots.INK, mec=plots.PANEL)
    ax.axvline(0, color=plots.INK, lw=1)
    ax.set_yticks(range(len(methods)), [method.upper() for method in methods])
    ax.invert_yaxis()
    ax.set_xlabel(label)
    return chart


def verdicts(gained: pd.DataFrame, dataset: str, size: str) -> list[report.Verdict]:
    """The chapter's three verdicts; `gained` is a frame of `gains` for the five methods of the paper."""
    claims = paper.claims().set_index("id")
    table = combined(published())
    means = gained.groupby("method", sort=False)["accuracy_gain"].mean()
    bound = float(claims["number"]["cutmix-five-methods-half"].strip("> %"))
    more = int((means > bound).sum())
    half = "cannot tell" if dataset != "cifar100" else "holds" if 2 * more >= len(means) else "fails"
    ours = f"{dataset}: {int((means > 0).sum())} of {len(means)} methods gain, mean {report.mean_std(means)} points"
    no_table = "told in the text, no numbers printed"
    told = {
        "inputs-and-losses-combine": (in_words(table), ours, combine(table), COMBINE_RULE),
        "cutmix-five-methods-gain": (no_table, ours, all_gain(means), GAIN_RULE),
        "cutmix-five-methods-half": (no_table, f"{dataset}: {more} of {len(means)} methods", half, HALF_RULE),
    }
    return [
        report.Verdict(
            chapter=CHAPTER,
            claim_ids=(claim,),
            claim=claims["statement"][claim],
            paper=published_text,
            this_run=this_run,
            holds=holds,
            test=rule,
            size=size,
        )
        for claim, (published_text, this_run, holds, rule) in told.items()
    ]


def combine(table: pd.DataFrame) -> str:
    """By `COMBINE_RULE`, on a frame of `combined`."""
    less = table["quantity"] == "less"
    parts = [*(table[~less]["low"] > 0), *((table[less]["low"] <= 0) & (table[less]["high"] >= 0))]
    return "holds" if all(parts) else "partly" if any(parts) else "fails"


def all_gain(means: pd.Series) -> str:
    """By `GAIN_RULE`, on the mean gain of each method."""
    low, high = stats.t_interval(means.mean(), means.std(ddof=1), len(means))
    return "holds" if low > 0 and (means > 0).all() else "fails" if high < 0 else "cannot tell"


def in_words(table: pd.DataFrame) -> str:
    """The rows of `combined` as text."""
    names = {
        "pick_under_crd": "CutMixPick adds to CRD",
        "crd_under_pick": "CRD adds to CutMixPick",
        "less": "what it adds to CRD less what it adds to KD",
    }
    return "; ".join(
        f"{row.dataset}: {names[row.quantity]} {row.mean:+.2f} ({row.low:.2f} to {row.high:.2f})"
        for row in table.itertuples()
    )
