"""What a KD experiment costs: its FLOPs, the share of a card's peak that a number of hours implies, and hours here.

Counts and times are those of `kdutils costs`, recorded as `costs` in book/results/.
"""

import math
import re
from collections.abc import Sequence

import pandas as pd
import torch
import torchvision
from matplotlib.axis import Axis
from matplotlib.ticker import NullFormatter
from torch.utils.flop_counter import FlopCounterMode

from kdutils import paper, plots, report
from kdutils.bench import paper_costs
from kdutils.errors import choose
from kdutils.report import Finding, Verdict, tables
from kdutils.report.rules import Word

PEAK = (
    2 * 4352 * 1.545e9
)  # FLOP/s of a 2080 Ti in float32: multiply-adds, cores, boost clock (NVIDIA's Turing white paper)
RESNET50_RATE = 294  # images/s in float32 training on a 2080 Ti (Lambda, "RTX 2080 Ti Deep Learning Benchmarks", 2019)
CLAIMS = {"cifar100": "cheap-experiments", "tinyimagenet": "cheap-tinyimagenet"}
"""Dataset -> the claim about the hours of an experiment on it."""
DATASETS = {"cifar100": "CIFAR-100", "tinyimagenet": "Tiny ImageNet"}
VIEWS = {"x": "KD", "x, x'": "KD with a scheme", "x, pool": "KD with CutMixPick"}  # what a step sees -> the experiment


def recorded() -> pd.DataFrame:
    """The recorded table of `kdutils costs` with `pair`, which is the student's name if it learns alone."""
    frame = report.recorded("costs").fillna({"teacher": ""})
    return frame.assign(pair=(frame["teacher"] + "/" + frame["student"]).str.removeprefix("/"))


def steps_of(dataset: str) -> float:
    """The steps of one experiment on a dataset."""
    return paper_costs.EPOCHS * paper_costs.IMAGES[dataset] / paper_costs.BATCH


def experiments(grid: pd.DataFrame, dataset: str = "cifar100") -> pd.DataFrame:
    """The kinds of KD experiment on a dataset, lightest pair first: `pair`, `views`, GFLOPs per step, PFLOPs in all."""
    kinds = _kd(grid, dataset)
    pflops = steps_of(dataset) * kinds["step_gflops"] / 1e6
    kinds = kinds.assign(pflops=pflops)[["pair", "views", "step_gflops", "pflops"]]
    weight = kinds.groupby("pair")["pflops"].transform("max")
    return kinds.assign(weight=weight).sort_values(["weight", "pflops"], ignore_index=True).drop(columns="weight")


def _kd(grid: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """The rows of KD on a dataset."""
    return grid[(grid["dataset"] == dataset) & (grid["method"] == "kd")]


def said_hours(dataset: str = "cifar100") -> list[float]:
    """The hours that the paper states for a KD experiment (A.5): the fewest and the most, or the most alone."""
    stated = paper.claims().set_index("id").loc[CLAIMS[dataset], "number"]
    return [float(hours) for hours in re.findall(r"\d+", stated)]


def share_of_peak(pflops: pd.Series, hours: float) -> pd.Series:
    """The share of the card's peak rate at which so much work takes so many hours."""
    return pflops * 1e15 / (hours * 3600 * PEAK)


def resnet50_share() -> float:
    """The share of that peak at which the card trains ResNet-50 on images of 224 x 224, from a published benchmark."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:  # counts without calculating
        torchvision.models.resnet50()(torch.empty(1, 3, 224, 224)).sum().backward()
    return RESNET50_RATE * counter.get_total_flops() / PEAK


def judge(shares: pd.Series, reached: float) -> Word:
    """The verdict from the shares that the most hours imply: a count refutes a time or does not, it never confirms."""
    if (shares > 1).any():
        return "fails"
    return "partly" if (shares > reached).any() else "cannot tell"


def measure(pairs: Sequence[str], timed_steps: int, grid: pd.DataFrame) -> pd.DataFrame:
    """Steps of KD on CIFAR-100, timed here, beside the recorded ones, a row per pair and `views`.

    Columns: step_gflops and step_seconds; gflops_ratio and seconds_ratio, here / recorded. A pair that the paper does
    not distil on CIFAR-100 is a UserError.
    """
    before = _kd(grid, "cifar100").set_index(["pair", "views"])
    rows = []
    for pair in pairs:
        choose("pair", pair, before.index.unique("pair"))
        for views, old in before.loc[pair].iterrows():
            kind = {"teacher": old["teacher"], "student": old["student"], "method": "kd", "views": views}
            now = paper_costs.step(kind, timed_steps)
            gflops = now.step_flops / 1e9
            ratios = gflops / old["step_gflops"], now.step_seconds / old["step_seconds"]
            rows.append((pair, views, gflops, now.step_seconds, *ratios))
    return pd.DataFrame(rows, columns=["pair", "views", "step_gflops", "step_seconds", "gflops_ratio", "seconds_ratio"])


def slowness(here: pd.DataFrame) -> float:
    """How many times as long as the recording machine this one takes: the geometric mean over the measured kinds."""
    return math.exp(here["seconds_ratio"].map(math.log).mean())


def hours_of_one(grid: pd.DataFrame, times: float) -> pd.DataFrame:
    """Hours of one experiment on CIFAR-100, a row per pair, a column per kind, at `times` the recorded step times."""
    kinds = _kd(grid, "cifar100")
    hours = kinds.assign(hours=steps_of("cifar100") * kinds["step_seconds"] * times / 3600)
    table = hours.pivot(index="pair", columns="views", values="hours")[list(VIEWS)].rename(columns=VIEWS)
    return table.rename_axis(index=None, columns="teacher/student")


def full_paper(grid: pd.DataFrame, times: float) -> pd.DataFrame:
    """All trainings of Tables 1 to 6, a row per dataset, method and what a step sees, and their sum.

    `hours` are those of one recorded worker, `hours_here` the same at `times` its step times.
    """
    grid = grid.assign(data=grid["dataset"].map(DATASETS), hours_here=grid["hours"] * times)
    columns = ["runs", "epochs", "pflops", "hours", "hours_here"]
    sums = grid.groupby(["data", "method", "views"], sort=False)[columns].sum()
    sums.loc[("both", "all", "")] = sums.sum()
    return sums


def full_paper_table(whole: pd.DataFrame) -> pd.DataFrame:
    """`full_paper` as readers see it: counts as they are, hours with the two digits that such an estimate has."""
    shown = whole.reset_index()
    shown["method"] = shown["method"].str.upper().replace({"ALL": "all"})
    for name in ("runs", "epochs", "pflops"):
        shown[name] = shown[name].map("{:,.0f}".format)
    for name in ("hours", "hours_here"):
        shown[name] = shown[name].map(about)
    names = {"data": "dataset", "method": "method", "views": "a step sees", "runs": "runs", "epochs": "epochs"}
    names |= {"pflops": "PFLOPs", "hours": "hours, as recorded", "hours_here": "hours here"}
    return tables.table(shown, names)


def about(hours: float) -> str:
    """A number with two significant digits: `890,000`."""
    return f"{float(f'{hours:.2g}'):,.0f}"


def kinds_of(grid: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Every recorded kind of training on a dataset, to read."""
    kinds = grid[grid["dataset"] == dataset].sort_values(paper_costs.KIND)
    kinds = kinds.assign(method=kinds["method"].str.upper())
    names = {"pair": "teacher/student", "method": "method", "views": "a step sees", "runs": "runs", "epochs": "epochs"}
    names |= {
        "step_seconds": "seconds per step",
        "step_gflops": "GFLOPs per step",
        "hours": "hours",
        "pflops": "PFLOPs",
    }
    return tables.table(kinds, names, {"step_gflops": 0, "hours": 0, "pflops": 0})


def counted_table(kinds: pd.DataFrame) -> pd.DataFrame:
    """`experiments` as readers see it: work per step and in all, a row per pair; a dash where the tables have none."""
    named = {"step_gflops": "GFLOPs per step", "pflops": "PFLOPs per experiment"}
    wide = kinds.pivot(index="pair", columns="views").reindex(kinds["pair"].unique())
    columns = {
        f"{VIEWS[views]}: {named[quantity]}": wide[quantity, views].map("{:.1f}".format, na_action="ignore")
        for quantity in named
        for views in VIEWS
    }
    return pd.DataFrame(columns).fillna("–").rename_axis(index=None, columns="teacher/student")


def here_table(here: pd.DataFrame) -> pd.DataFrame:
    """`measure` as readers see it."""
    names = {"pair": "teacher/student", "views": "a step sees", "step_gflops": "GFLOPs per step"}
    names |= {"step_seconds": "seconds per step", "gflops_ratio": "operations, here / recorded"}
    return tables.table(here, names | {"seconds_ratio": "time, here / recorded"}, {"step_gflops": 1})


def clock_in_words(here: pd.DataFrame, timed_steps: int) -> str:
    """How the times were taken, here and in the recording, and how they compare."""
    facts = report.recorded_provenance("costs")
    low, high = here["seconds_ratio"].agg(["min", "max"])
    off = (here["gflops_ratio"] - 1).abs().max()
    expected, took = facts["check_estimated_seconds"], facts["check_measured_seconds"]
    return (
        f"**How the times were taken.** Each kind trains one step to warm up and then {timed_steps} that "
        f"{'is' if timed_steps == 1 else 'are'} timed, with one thread: on a processor by the process's own clock, "
        "which stands still while others run, though they share its caches and memory. The recording was made in the "
        f"same way ({facts['date']}, {facts['machine']}); {facts['check_steps']} more steps of one pair, estimated at "
        f"{expected:.1f} s, then took {took:.1f} s ({took / expected - 1:+.0%}). Here a step takes "
        f"{slowness(here):.2f} times as long as there, from {low:.2f} to {high:.2f} by kind; that range is how far to "
        f"trust the tables below. The counts of operations differ by {off:.1%}."
    )


def verdicts(grid: pd.DataFrame, reached: float) -> list[Verdict]:
    """The chapter's verdicts, one per dataset whose hours the paper states; `reached`: ResNet-50's share."""
    return [_verdict(dataset, experiments(grid, dataset)["pflops"], reached) for dataset in CLAIMS]


def _verdict(dataset: str, work: pd.Series, reached: float) -> Verdict:
    """Whether the hours stated for experiments of so much `work` (PFLOPs) are possible, and plausible."""
    most = max(said_hours(dataset))
    shares = share_of_peak(work, most)
    counted = Finding(
        by="arithmetic",
        says=judge(shares, reached),
        numbers=f"{work.min():.1f} to {work.max():.0f} PFLOPs per experiment: {shares.min():.0%} to "
        f"{shares.max():.0%} of the card's peak at {most:g} hours; ResNet-50 reaches {reached:.0%}",
        n=f"{len(work)} kinds of experiment",
        test="at the longest time none needs more than the card's peak (fails) or than ResNet-50's share of it "
        "(partly); a count cannot confirm a time",
    )
    return report.verdict_on(CLAIMS[dataset], counted)


@plots.style()
def share_bars(kinds: pd.DataFrame, hours: tuple[float, float], reached: float) -> plots.Chart:
    """For each pair and kind of experiment: from the share of the peak in the most hours to that in the fewest."""
    names = list(kinds["pair"].drop_duplicates())
    chart = plots.Chart(figsize=(plots.WIDTH, 0.48 * len(names) + 1.9), layout="constrained")
    ax = chart.subplots()
    ax.axvspan(100, 150, color=plots.ACCENT, alpha=0.12, lw=0, label="more than the peak")
    ax.axvline(100 * reached, color=plots.INK, ls="--", lw=1.2, label="reached by ResNet-50")
    for index, (views, label) in enumerate(VIEWS.items()):
        group = kinds[kinds["views"] == views]
        place = group["pair"].map(names.index) + 0.24 * (index - 1)
        low, high = (100 * share_of_peak(group["pflops"], each) for each in reversed(hours))
        ax.barh(place, high - low, 0.2, left=low, color=plots.COLOURS[index], label=label)
    ax.set(xscale="log", xlim=(1.5, 150))
    _ticks(ax.xaxis, [2, 5, 10, 20, 50, 100], " %")
    ax.set_yticks(range(len(names)), names, fontsize=10)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("share of the card's peak rate, in float32")
    chart.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return chart


@plots.style()
def step_times(grid: pd.DataFrame, here: pd.DataFrame) -> plots.Chart:
    """Seconds per step against GFLOPs per step on CIFAR-100: every recorded kind, and those measured here."""
    old = grid[grid["dataset"] == "cifar100"]
    chart = plots.Chart(figsize=(plots.WIDTH, 4.4), layout="constrained")
    ax = chart.subplots()
    rate = old["step_gflops"].sum() / old["step_seconds"].sum()
    ends = pd.Series([old["step_gflops"].min(), old["step_gflops"].max()])
    ax.plot(ends, ends / rate, color=plots.INK, lw=1, label=f"{rate:.0f} GFLOP/s")
    ax.plot(old["step_gflops"], old["step_seconds"], "o", color="0.55", ms=5, label="recorded")
    ax.plot(here["step_gflops"], here["step_seconds"], "D", color=plots.COLOURS[1], ms=7, label="this run")
    ax.set(xscale="log", yscale="log", xlabel="GFLOPs per step", ylabel="seconds per step")
    _ticks(ax.xaxis, [20, 50, 100, 200, 500])
    _ticks(ax.yaxis, [0.1, 0.2, 0.5, 1, 2, 5])
    ax.legend()
    return chart


def _ticks(axis: Axis, values: list[float], unit: str = "") -> None:
    """Label a logarithmic axis at these values, and nowhere else."""
    axis.set_ticks(values, [f"{value:g}{unit}" for value in values])
    axis.set_minor_formatter(NullFormatter())
