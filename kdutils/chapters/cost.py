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

from kdutils import costs, paper, plots, report
from kdutils.errors import choose

PEAK = (
    2 * 4352 * 1.545e9
)  # FLOP/s of a 2080 Ti in float32: multiply-adds, cores, boost clock (NVIDIA's Turing white paper)
RESNET50_RATE = 294  # images/s in float32 training on a 2080 Ti (Lambda, "RTX 2080 Ti Deep Learning Benchmarks", 2019)
STEPS = costs.EPOCHS * costs.IMAGES["cifar100"] / costs.BATCH  # of one experiment on CIFAR-100
DATASETS = {"cifar100": "CIFAR-100", "tinyimagenet": "Tiny ImageNet"}
VIEWS = {"x": "KD", "x, x'": "KD with a scheme", "x, pool": "KD with CutMixPick"}  # what a step sees -> the experiment


def recorded() -> pd.DataFrame:
    """The recorded table of `kdutils costs` with `pair`, which is the student's name where it learns alone."""
    frame = report.recorded("costs").fillna({"teacher": ""})
    return frame.assign(pair=(frame["teacher"] + "/" + frame["student"]).str.removeprefix("/"))


def experiments(grid: pd.DataFrame) -> pd.DataFrame:
    """The kinds of KD experiment on CIFAR-100, lightest pair first: `pair`, `views`, GFLOPs a step, PFLOPs in all."""
    kinds = _kd(grid)
    kinds = kinds.assign(pflops=STEPS * kinds["step_gflops"] / 1e6)[["pair", "views", "step_gflops", "pflops"]]
    weight = kinds.groupby("pair")["pflops"].transform("max")
    return kinds.assign(weight=weight).sort_values(["weight", "pflops"], ignore_index=True).drop(columns="weight")


def _kd(grid: pd.DataFrame) -> pd.DataFrame:
    """The rows of KD on CIFAR-100."""
    return grid[(grid["dataset"] == "cifar100") & (grid["method"] == "kd")]


def said_hours() -> tuple[float, float]:
    """The fewest and the most hours that the paper states for a KD experiment on CIFAR-100 (A.5)."""
    stated = paper.claims().set_index("id").loc["cheap-experiments", "number"]
    fewest, most = map(float, re.findall(r"\d+", stated))
    return fewest, most


def share_of_peak(pflops: pd.Series, hours: float) -> pd.Series:
    """The share of the card's peak rate at which so much work takes so many hours."""
    return pflops * 1e15 / (hours * 3600 * PEAK)


def resnet50_share() -> float:
    """The share of that peak at which the card trains ResNet-50 on images of 224 x 224, from a published benchmark."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:  # counts without calculating
        torchvision.models.resnet50()(torch.empty(1, 3, 224, 224)).sum().backward()
    return RESNET50_RATE * counter.get_total_flops() / PEAK


def judge(shares: pd.Series, reached: float) -> str:
    """The verdict from the shares that the most hours imply: a count refutes a time or does not, it never confirms."""
    if (shares > 1).any():
        return "fails"
    return "partly" if (shares > reached).any() else "cannot tell"


def measure(pairs: Sequence[str], timed_steps: int, grid: pd.DataFrame) -> pd.DataFrame:
    """Steps of KD on CIFAR-100, timed here, beside the recorded ones, a row a pair and `views`.

    Columns: step_gflops and step_seconds; gflops_ratio and seconds_ratio, here / recorded. A pair that the paper does
    not distil on CIFAR-100 is a UserError.
    """
    before = _kd(grid).set_index(["pair", "views"])
    rows = []
    for pair in pairs:
        choose("pair", pair, before.index.unique("pair"))
        for views, old in before.loc[pair].iterrows():
            kind = {"teacher": old["teacher"], "student": old["student"], "method": "kd", "views": views}
            now = costs.step(kind, timed_steps)
            gflops = now.step_flops / 1e9
            ratios = gflops / old["step_gflops"], now.step_seconds / old["step_seconds"]
            rows.append((pair, views, gflops, now.step_seconds, *ratios))
    return pd.DataFrame(rows, columns=["pair", "views", "step_gflops", "step_seconds", "gflops_ratio", "seconds_ratio"])


def slowness(here: pd.DataFrame) -> float:
    """How many times as long as the recording machine this one takes: the geometric mean over the measured kinds."""
    return math.exp(here["seconds_ratio"].map(math.log).mean())


def hours_of_one(grid: pd.DataFrame, times: float) -> pd.DataFrame:
    """Hours of one experiment on CIFAR-100, a row a pair and a column a kind, at `times` the recorded step times."""
    kinds = _kd(grid)
    hours = kinds.assign(hours=STEPS * kinds["step_seconds"] * times / 3600)
    return hours.pivot(index="pair", columns="views", values="hours")[list(VIEWS)].rename(columns=VIEWS)


def full_paper(grid: pd.DataFrame, times: float) -> pd.DataFrame:
    """All trainings of Tables 1 to 6, a row a data set, method and what a step sees, and their sum.

    `hours` are those of one recorded worker, `hours_here` the same at `times` its step times.
    """
    grid = grid.assign(data=grid["dataset"].map(DATASETS), hours_here=grid["hours"] * times)
    columns = ["runs", "epochs", "pflops", "hours", "hours_here"]
    sums = grid.groupby(["data", "method", "views"], sort=False)[columns].sum()
    sums.loc[("both", "all", "")] = sums.sum()
    return sums.round().astype(int)


def kinds_of(grid: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Every recorded kind of training on a data set, to read."""
    kinds = grid[grid["dataset"] == dataset].sort_values(costs.KIND)
    columns = ["method", "views", "runs", "epochs", "step_seconds", "step_gflops", "hours", "pflops"]
    return kinds.set_index("pair")[columns].round({"step_seconds": 3, "step_gflops": 0, "hours": 0, "pflops": 0})


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
    """Seconds a step against GFLOPs a step on CIFAR-100: every recorded kind, and those measured here."""
    old = grid[grid["dataset"] == "cifar100"]
    chart = plots.Chart(figsize=(plots.WIDTH, 4.4), layout="constrained")
    ax = chart.subplots()
    rate = old["step_gflops"].sum() / old["step_seconds"].sum()
    ends = pd.Series([old["step_gflops"].min(), old["step_gflops"].max()])
    ax.plot(ends, ends / rate, color=plots.INK, lw=1, label=f"{rate:.0f} GFLOP/s")
    ax.plot(old["step_gflops"], old["step_seconds"], "o", color="0.55", ms=5, label="recorded")
    ax.plot(here["step_gflops"], here["step_seconds"], "D", color=plots.COLOURS[1], ms=7, label="this run")
    ax.set(xscale="log", yscale="log", xlabel="GFLOPs a step", ylabel="seconds a step")
    _ticks(ax.xaxis, [20, 50, 100, 200, 500])
    _ticks(ax.yaxis, [0.1, 0.2, 0.5, 1, 2, 5])
    ax.legend()
    return chart


def _ticks(axis: Axis, values: list[float], unit: str = "") -> None:
    """Label a logarithmic axis at these values, and nowhere else."""
    axis.set_ticks(values, [f"{value:g}{unit}" for value in values])
    axis.set_minor_formatter(NullFormatter())
