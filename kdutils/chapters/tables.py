"""Tables 1 and 2 taken apart: gains between rows with intervals, the counts of the text recounted, ours beside them."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from kdutils import paper, plots, recordings, report, stats, sweep
from kdutils.specs import NO_SCHEME, RunSpec

RUNS = 3  # "Each result is obtained by 3 random runs" (Table 1)
EPOCHS = {1: (240, 960), 2: (240, 480)}  # table -> the ordinary and the prolonged number of epochs

SUFFIXES = {NO_SCHEME: "", "cutmix": "+CutMix", "cutmixpick_t": "+CutMixPick"}  # scheme -> what a row's label ends in

Row = tuple[str, bool]  # a row's printed label, and whether it is the prolonged one
KD, KD_LONG = ("KD", False), ("KD", True)
CUTMIX, PICK, PICK_LONG = ("KD+CutMix", False), ("KD+CutMixPick", False), ("KD+CutMixPick", True)
CRD, CRD_PICK, CRD_PICK_LONG = ("CRD", False), ("CRD+CutMixPick", False), ("CRD+CutMixPick", True)

STEPS = {
    "CutMix over KD": (CUTMIX, KD),
    "CutMixPick over CutMix": (PICK, CUTMIX),
    "prolonged over not, both CutMixPick": (PICK_LONG, PICK),
    "CutMixPick over CRD": (CRD_PICK, CRD),
}
"""The steps by which the paper improves plain KD, and then CRD: name -> (row, the row that it is compared with)."""

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
    """The gains of `STEPS` on both data sets: `gains` with a column `step`."""
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


def few_shot(study: pd.DataFrame) -> pd.DataFrame:
    """The recorded few-shot study as `labelled` runs of KD.

    It has no student of x alone. KD+Identity, where x' repeats x, stands in for KD.
    """
    known = study[study["scheme"].isin({"identity", *SUFFIXES})]
    label = "KD" + known["scheme"].map({**SUFFIXES, "identity": ""})
    return known.assign(label=label, long=False)


def recorded() -> dict[str, pd.DataFrame]:
    """Our recorded runs, labelled: the few-shot study as "few-shot", then a frame a pair of networks.

    The pairs are those of the recordings "short" (all schemes, shortened) and "table1" (the paper's own rows).
    """
    frames = recordings.there(few_shot, {"few-shot": ("fewshot",)})
    for name, label in {"short": few_shot, "table1": labelled}.items():
        for whole in recordings.there(pd.DataFrame, {name: (name,)}).values():
            for (teacher, student), group in whole.groupby(["teacher", "student"], sort=False):
                frames[f"{name}: {teacher}/{student}"] = label(group)
    return frames


def side_by_side(number: int, ours: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Test accuracies in per cent: a row a pair of Table `number`, then one for each of our labelled frames by name."""
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
    """The mean gain of each of `STEPS` with its 95 % interval: over pairs, and ours, over seeds.

    Columns: step, source, mean, low, high, n.
    """
    rows = []
    for (step, dataset), group in steps().groupby(["step", "dataset"], sort=False):
        rows.append((step, f"paper, {dataset}", *_interval(group["gain"])))
    for source, students in ours.items():
        for step, (row, base) in STEPS.items():
            gain = our_gain(students, row, base)
            if len(gain) > 1:
                rows.append((step, source, *_interval(gain)))
    return pd.DataFrame(rows, columns=["step", "source", "mean", "low", "high", "n"])


@plots.style()
def forest(frame: pd.DataFrame) -> plots.Chart:
    """The gains of `steps()` on every pair, with their intervals; a panel a data set, a colour a step."""
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
        ax.set_title(dataset)
    axes[-1].set_xlabel("gain in test accuracy (percentage points)")
    chart.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return chart


def verdicts(ours: dict[str, pd.DataFrame], dataset: str, size: str) -> list[report.Verdict]:
    """A verdict for every count of the text and for its two statements about single pairs.

    `ours` holds labelled runs: this run's, on `dataset`, under "this run", and those of `recorded`.
    """
    counts = recount().set_index("id")
    statements = paper.claims().set_index("id")["statement"]
    found = [
        report.Verdict(
            chapter="07_tables_1_2",
            claim_ids=(name,),
            claim=statements[name],
            paper=f"{row.counted} of {row.pairs} pairs gain, {row.beyond_noise} beyond the runs' noise; mean gain "
            f"{row.mean:+.2f} ({row.low:.2f} to {row.high:.2f}), sign test {stats.p_text(row.sign_p)}",
            **_ours(ours, dataset, COUNTED[name]),
            holds=judge(row.counted, row.told, row.low),
            test="the recount equals what the text says, and the mean gain over pairs has a 95 % t interval above 0",
            size=size,
        )
        for name, row in zip(counts.index, counts.itertuples(index=False), strict=True)
    ]
    return [*found, *_single_pairs(statements, ours, dataset, size)]


def judge(counted: int, told: int, low: float) -> str:
    """Holds if the count is the text's and the mean gain is surely above zero; partly if the count alone is."""
    return "fails" if counted != told else "holds" if low > 0 else "partly"


def _single_pairs(
    statements: pd.Series, ours: dict[str, pd.DataFrame], dataset: str, size: str
) -> list[report.Verdict]:
    """The verdicts on the statements about one pair each."""
    numbers = paper.claims().set_index("id")["number"]
    shuffle, exception = "cutmix-shufflev2-one-point", "pick-exception-tinyimagenet"
    cutmix, pick = COUNTED["cutmix-all-pairs-cifar100"], COUNTED["pick-beats-cutmix-tinyimagenet"]
    gained, lost = gains(cutmix).set_index("pair"), gains(pick).set_index("pair")
    bound, loss = float(numbers[shuffle].strip("> ")), float(numbers[exception].strip("%"))
    better, worse = gained.loc["resnet32x4/ShuffleV2"], lost.loc["resnet56/resnet20"]
    only_loss = list(lost.index[lost["gain"] < 0]) == ["resnet56/resnet20"]

    def verdict(name: str, compared: Comparison, row: pd.Series, holds: str, test: str) -> report.Verdict:
        return report.Verdict(
            chapter="07_tables_1_2",
            claim_ids=(name,),
            claim=statements[name],
            paper=f"{row.gain:+.2f} points (95 % interval {row.low:.2f} to {row.high:.2f}, three runs each)",
            **_ours(ours, dataset, compared),
            holds=holds,
            test=test,
            size=size,
        )

    beyond = "fails" if better.gain <= bound else "holds" if better.low > bound else "partly"
    as_told = "holds" if only_loss and worse.gain == -loss else "fails"
    return [
        verdict(shuffle, cutmix, better, beyond, "the gain is above what is told, and so is its whole 95 % interval"),
        verdict(exception, pick, worse, as_told, "it is the only pair that loses, by the digits that the text prints"),
    ]


def _ours(ours: dict[str, pd.DataFrame], dataset: str, compared: Comparison) -> dict[str, str]:
    """Our own gains in words, recorded and of this run, for those of our frames that hold both rows."""
    told = {}
    for source, students in ours.items():
        gain = our_gain(students, compared.row, compared.bases[-1])
        if len(gain):
            told[source] = f"{dataset if source == 'this run' else source}: {report.mean_std(gain)} points"
    this_run = told.pop("this run", "not run at this size")
    return {"recorded": "; ".join(told.values()) or "not recorded", "this_run": this_run}


def _select(cells: pd.DataFrame, table: int, row: Row) -> pd.DataFrame:
    label, long = row
    return cells[(cells["label"] == label) & (cells["epochs"] == EPOCHS[table][long])]


def _interval(values: pd.Series) -> tuple[float, float, float, int]:
    """Mean, its 95 % t interval and the number of values."""
    return values.mean(), *stats.t_interval(values.mean(), values.std(ddof=1), len(values)), len(values)
