"""Tables 1 and 2 taken apart: gains between rows with intervals, the counts of the text recounted, ours beside them."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from kdutils import paper, plots, stats, sweep
from kdutils.report import recorded_runs, tables
from kdutils.report.few_shot import STUDY_PAIR
from kdutils.runs import NO_SCHEME, RunSpec

RUNS = 3  # "Each result is obtained by 3 random runs" (Table 1)
EPOCHS = {1: (240, 960), 2: (240, 480)}  # table -> the ordinary and the prolonged number of epochs

SUFFIXES = {NO_SCHEME: "", "cutmix": "+CutMix", "cutmixpick_t": "+CutMixPick"}  # scheme -> what a row's label ends in

Row = tuple[str, bool]  # a row's printed label, and whether it is the prolonged one
KD, KD_LONG = ("KD", False), ("KD", True)
CUTMIX, PICK, PICK_LONG = ("KD+CutMix", False), ("KD+CutMixPick", False), ("KD+CutMixPick", True)
CRD, CRD_PICK, CRD_PICK_LONG = ("CRD", False), ("CRD+CutMixPick", False), ("CRD+CutMixPick", True)
CUTMIX_LONG: Row = ("KD+CutMix", True)  # of ours alone: it separates what the epochs do from what the picking does

STEPS = {
    "CutMix over KD": (CUTMIX, KD),
    "CutMixPick over CutMix": (PICK, CUTMIX),
    "prolonged over not, both CutMixPick": (PICK_LONG, PICK),
    "CutMixPick over CRD": (CRD_PICK, CRD),
}
"""The steps by which the paper improves plain KD, and then CRD: name -> (row, the row that it is compared with)."""

COMPARED = STEPS | {
    "CutMixPick, prolonged, over CRD": (PICK_LONG, CRD),
    "CutMixPick over CRD, equal epochs": (PICK, CRD),
    "CRD+CutMixPick, prolonged, over CRD": (CRD_PICK_LONG, CRD),
    "CRD+CutMixPick over CutMixPick": (CRD_PICK, PICK),
    "KD, prolonged over not": (KD_LONG, KD),
    "CutMixPick over CutMix, both prolonged": (PICK_LONG, CUTMIX_LONG),
}
"""`STEPS`, and what else our own study of Table 1's rows compares."""

SCHEMES = {"kd": (NO_SCHEME, "cutmix", "cutmixpick_t"), "crd": (NO_SCHEME, "cutmixpick_t")}
PROLONGED = {"kd": (NO_SCHEME, "cutmixpick_t"), "crd": ("cutmixpick_t",)}
"""The rows of the tables by method: their schemes, ordinary and prolonged."""


class Comparison(NamedTuple):
    """One row of a table against another, or against the best of several on each pair."""

    table: int
    row: Row
    bases: tuple[Row, ...]


COUNTED = {
    "cutmix-all-pairs-cifar100": Comparison(1, CUTMIX, (KD,)),
    "pick-beats-cutmix-cifar100": Comparison(1, PICK, (CUTMIX,)),
    "pick-960-higher": Comparison(1, PICK_LONG, (PICK,)),
    "pick-960-beats-crd": Comparison(1, PICK_LONG, (CRD,)),
    "crd-pick-960-consistent": Comparison(1, CRD_PICK_LONG, (CRD,)),
    "cutmix-all-pairs-tinyimagenet": Comparison(2, CUTMIX, (KD,)),
    "pick-beats-cutmix-tinyimagenet": Comparison(2, PICK, (CUTMIX,)),
    "pick-480-best": Comparison(2, PICK_LONG, (KD, CUTMIX, PICK, KD_LONG)),
    "crd-pick-tinyimagenet": Comparison(2, CRD_PICK, (CRD,)),
    "crd-pick-480-tinyimagenet": Comparison(2, CRD_PICK_LONG, (CRD_PICK,)),
}
"""Claim -> the comparison on whose seven pairs it counts gains."""


def gains(compared: Comparison) -> pd.DataFrame:
    """The gain on each of the seven pairs, in percentage points, with Welch's 95 % interval from the printed stds.

    Columns: dataset, pair, gain, low, high. With several bases, against the best one of each pair. The printed stds
    count as unbiased ones of three runs.
    """
    cells = paper.table(compared.table).query("metric == 'test_accuracy' and epochs.notna()")
    cells = cells.assign(pair=cells["teacher"] + "/" + cells["student"])
    row = _select(cells, compared.table, compared.row)
    bases = pd.concat([_select(cells, compared.table, base) for base in compared.bases])
    base = bases.sort_values("mean").drop_duplicates("pair", keep="last").set_index("pair").loc[row["pair"]]
    gain = (row["mean"].to_numpy() - base["mean"].to_numpy()).round(2)
    half = welch_half_width(row["std"].to_numpy(), base["std"].to_numpy(), RUNS)
    return row[["dataset", "pair"]].assign(gain=gain, low=gain - half, high=gain + half).reset_index(drop=True)


def welch_half_width(a: np.ndarray, b: np.ndarray, n: int, confidence: float = 0.95) -> np.ndarray:
    """Half of Welch's interval for the difference of two means of `n` runs with (unbiased) stds `a` and `b`."""
    a, b = a**2 / n, b**2 / n
    freedom = (n - 1) * (a + b) ** 2 / (a**2 + b**2)
    return student_t.ppf((1 + confidence) / 2, freedom) * np.sqrt(a + b)


def recount() -> pd.DataFrame:
    """Each count that the text makes over seven pairs, made again from the printed accuracies.

    Columns: id, dataset, told (what the text says; all pairs where it names no number), counted, pairs, beyond_noise
    (gains whose own interval is above zero), mean, low, high (paired t interval over pairs), t_p, sign_p.
    """
    numbers = paper.claims().set_index("id")["number"]
    rows = []
    for name, compared in COUNTED.items():
        found = gains(compared)
        test = stats.paired_test(found["gain"], np.zeros(len(found)))
        told = int(numbers[name].split("/")[0] or len(found))
        beyond = int((found["low"] > 0).sum())
        counts = (found["dataset"].iloc[0], told, test.positive, test.n, beyond)
        rows.append((name, *counts, test.mean, test.low, test.high, test.t_p, test.sign_p))
    names = "id dataset told counted pairs beyond_noise mean low high t_p sign_p"
    return pd.DataFrame(rows, columns=names.split())


def steps() -> pd.DataFrame:
    """The gains of `STEPS` on both datasets: `gains` with a column `step`."""
    frames = [
        gains(Comparison(table, row, (base,))).assign(step=name)
        for table in EPOCHS
        for name, (row, base) in STEPS.items()
    ]
    return pd.concat(frames, ignore_index=True)


def specs(shared: dict, methods: list[str], epochs: int, prolong: list[str], prolonged: int) -> list[RunSpec]:
    """The trainings of the tables' rows: those of `methods` with `epochs`, those of `prolong` with `prolonged`.

    `shared` holds what all have in common. CRD has the KL term of x as well, as Table 1's has; KD has it anyway.
    """
    rows = [(method, SCHEMES[method], epochs) for method in methods]
    rows += [(method, PROLONGED[method], prolonged) for method in prolong]
    return [
        spec
        for method, schemes, budget in rows
        for spec in sweep.grid(**shared, method=method, kl_on_x=1.0, scheme=schemes, epochs=budget)
    ]


def labelled(students: pd.DataFrame) -> pd.DataFrame:
    """Runs of `sweep`, each with its `label` in Tables 1 and 2 and `long`; runs that no row there stands for left out.

    The prolonged runs are those with more epochs than the fewest of the frame.
    """
    known = students[students["scheme"].isin(SUFFIXES)]
    label = known["method"].str.upper() + known["scheme"].map(SUFFIXES)
    return known.assign(label=label, long=known["epochs"] > known["epochs"].min())


def identity_for_kd(study: pd.DataFrame) -> pd.DataFrame:
    """The recorded few-shot study of all schemes as `labelled` runs of KD.

    It has no student of x alone. KD+Identity, where x' repeats x, stands in for KD.
    """
    known = study[study["scheme"].isin({"identity", *SUFFIXES})]
    label = "KD" + known["scheme"].map({**SUFFIXES, "identity": ""})
    pair = {} if "teacher" in known else dict(zip(("teacher", "student"), STUDY_PAIR, strict=True))
    return known.assign(label=label, long=False, **pair)


def recorded() -> dict[str, pd.DataFrame]:
    """Our recorded runs, labelled, with the name of their `recording`: a frame per pair of networks.

    The few-shot studies are "fewshot" (all schemes) and "few_table1" (the rows of Table 1). The larger ones are "short"
    (all schemes, shortened) and "table1" (the paper's own rows).
    """
    kinds = {"fewshot": identity_for_kd, "few_table1": labelled, "short": identity_for_kd, "table1": labelled}
    titles = {"fewshot": "few-shot, Identity for KD", "few_table1": "few-shot, rows of Table 1"}
    frames = {}
    for name, label in kinds.items():
        for whole in recorded_runs.there(label, {name: (name,)}).values():
            for (teacher, student), group in whole.groupby(["teacher", "student"], sort=False):
                title = titles.get(name, f"{name}: {teacher}/{student}")
                frames[title] = group.assign(recording=name)
    return frames


def side_by_side(number: int, ours: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Test accuracies in per cent: a row per pair of Table `number`, then one per labelled frame of ours."""
    cells = paper.table(number).query("metric == 'test_accuracy' and epochs.notna()")
    cells = cells.assign(pair=cells["teacher"] + "/" + cells["student"], long=cells["epochs"] == EPOCHS[number][1])
    names = list(dict.fromkeys(zip(cells["label"], cells["long"], strict=True)))
    published = cells.pivot_table(index="pair", columns=["label", "long"], values="mean", sort=False)
    rows = [frame.groupby(["label", "long"])["test_accuracy"].mean().rename(name) for name, frame in ours.items()]
    table = pd.concat([published, pd.DataFrame(rows)])[names]
    return table.set_axis([f"{label}, long" if long else label for label, long in names], axis=1)


def our_gain(students: pd.DataFrame, row: Row, base: Row) -> pd.Series:
    """The gain of `row` over `base` in our own test accuracies (`labelled`), by seed; empty where one was not run."""
    by_row = students.pivot_table(index="seed", columns=["label", "long"], values="test_accuracy")
    if row not in by_row or base not in by_row:
        return pd.Series(dtype=float)
    return (by_row[row] - by_row[base]).dropna()


def beside_ours(ours: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The mean gain of each of `COMPARED` with its 95 % interval: over pairs, and ours, over seeds.

    Columns: step, source, mean, low, high, n.
    """
    rows = []
    for step, (row, base) in COMPARED.items():
        for table in EPOCHS if CUTMIX_LONG not in (row, base) else ():
            found = gains(Comparison(table, row, (base,)))
            rows.append((step, f"paper, {tables.DATASETS[found['dataset'].iloc[0]]}", *_interval(found["gain"])))
        for source, students in ours.items():
            gain = our_gain(students, row, base)
            if len(gain) > 1:
                rows.append((step, source, *_interval(gain)))
    return pd.DataFrame(rows, columns=["step", "source", "mean", "low", "high", "n"])


def gains_table(found: pd.DataFrame) -> pd.DataFrame:
    """`beside_ours` as a reader wants it: a row per step, a column per source."""
    cells = [f"{row.mean:+.2f} ({row.low:+.2f} to {row.high:+.2f}), n = {row.n}" for row in found.itertuples()]
    wide = found.assign(gain=cells).pivot(index="step", columns="source", values="gain")
    return wide.loc[found["step"].unique(), found["source"].unique()].fillna("–").rename_axis(None)


@plots.style()
def forest(frame: pd.DataFrame) -> plots.Chart:
    """The gains of `steps()` on every pair, with their intervals; a panel per dataset, a colour per step."""
    datasets = list(frame["dataset"].drop_duplicates())
    chart = plots.Chart(figsize=(plots.WIDTH, 3.6 * len(datasets) + 0.8), layout="constrained")
    axes = np.ravel(chart.subplots(len(datasets), 1, sharex=True))
    for ax, dataset in zip(axes, datasets, strict=True):
        here = frame[frame["dataset"] == dataset]
        pairs = list(here["pair"].drop_duplicates())
        for index, (step, group) in enumerate(here.groupby("step", sort=False)):
            places = np.array([pairs.index(pair) for pair in group["pair"]]) + (index - 1.5) * 0.17
            half = (group["high"] - group["low"]) / 2
            ax.errorbar(group["gain"], places, xerr=half, fmt="osD^"[index], color=plots.COLOURS[index], label=step)
        ax.axvline(0, color=plots.INK, lw=1)
        ax.set_yticks(range(len(pairs)), pairs)
        ax.invert_yaxis()
        ax.set_title(tables.DATASETS[dataset])
    axes[-1].set_xlabel("gain in test accuracy (percentage points)")
    chart.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return chart


def _select(cells: pd.DataFrame, table: int, row: Row) -> pd.DataFrame:
    label, long = row
    return cells[(cells["label"] == label) & (cells["epochs"] == EPOCHS[table][long])]


def _interval(values: pd.Series) -> tuple[float, float, float, int]:
    """Mean, its 95 % t interval and the number of values."""
    return values.mean(), *stats.t_interval(values.mean(), values.std(ddof=1), len(values)), len(values)
