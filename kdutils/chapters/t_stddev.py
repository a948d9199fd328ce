"""Chapter 3: T. stddev of our teachers beside the paper's, how it settles, and the paper's worked example."""

import math
from collections.abc import Mapping

import pandas as pd
from matplotlib.ticker import LogLocator
from scipy.stats import norm
from torch import Tensor

from kdutils import paper, report, stats, theory
from kdutils.metrics import responses
from kdutils.paper import SCHEME_LABELS
from kdutils.plots import PANEL, WIDTH, Chart, mark, style
from kdutils.report import rules, tables

TEACHERS = {f"resnet{depth}": f"rank_resnet{depth}" for depth in (20, 32, 44)} | {
    "resnet56": "rank_resnet56_seed0",
    "resnet20, Tiny ImageNet": "tiny_imagenet_rank",
}
"""Our teacher -> its recorded ranking; on CIFAR-100 unless it says otherwise."""
AGAIN = "rank_resnet56_seed1"  # resnet56 once more, with another seed
BATCH, EPOCHS, IMAGES = 64, 10, 50_000  # of the paper's worked example (A.3)
COUNTS = (3, 6, 10, 15, 20, 30, 50, 80, 150, 300)  # windows after which a measurement is looked at


def windows() -> int:
    """The windows of ten epochs of CIFAR-100, K = 640: five mini-batches of x and x' each, the last one not full."""
    return EPOCHS * math.ceil(IMAGES / BATCH) // 5


def recorded_teachers() -> dict[str, pd.DataFrame]:
    """The recorded rankings of our teachers (`TEACHERS`)."""
    return {name: report.recorded(run) for name, run in TEACHERS.items()}


def our_teachers() -> pd.DataFrame:
    """T. stddev of our teachers, teachers x schemes."""
    return pd.DataFrame({name: frame.set_index("scheme")["t_stddev"] for name, frame in recorded_teachers().items()}).T


def published_teachers(part: str = "mean") -> pd.DataFrame:
    """T. stddev (10⁻³) that Tables 3 to 6 print, or its `std`; teachers x schemes, as "resnet56, CIFAR-100"."""
    cells = pd.concat([paper.table(number) for number in (3, 4, 5, 6)])
    cells = cells[cells["metric"] == "t_stddev"]
    names = cells["teacher"] + ", " + cells["dataset"].map(tables.DATASETS)
    return cells.assign(name=names).pivot(index="name", columns="scheme", values=part)[list(SCHEME_LABELS)]


def beside_paper() -> pd.DataFrame:
    """Our resnet56 beside the paper's, as readers see it."""
    beside = report.beside_paper(report.recorded(TEACHERS["resnet56"]), "cifar100", "resnet56").set_index("scheme")
    columns = {"t_stddev_paper": "paper (10⁻³)", "t_stddev": "ours (10⁻³)", "t_stddev_se": "its std. error (10⁻³)"}
    shown = beside[list(columns)].mul(1e3).assign(n_u=beside["n_u"], ratio=beside["t_stddev_ratio"])
    shown.insert(1, "std", published_teachers("std").loc["resnet56, CIFAR-100"])
    names = {"scheme": "scheme", "t_stddev_paper": "paper (10⁻³)", "std": "its std over runs (10⁻³)"}
    return tables.table(shown, names | columns | {"n_u": "windows", "ratio": "ours / paper's"})


def beside_in_words() -> str:
    """How far our resnet56 is from the paper's, and from itself with another seed."""
    ours, again = (report.recorded(name) for name in (TEACHERS["resnet56"], AGAIN))
    ratio = report.beside_paper(ours, "cifar100", "resnet56").set_index("scheme")["t_stddev_ratio"]
    z = (again["t_stddev"] - ours["t_stddev"]) / (again["t_stddev_se"] ** 2 + ours["t_stddev_se"] ** 2) ** 0.5
    return (
        f"Ours differs from the paper's by {ratio.min() - 1:+.1%} to {ratio.max() - 1:+.1%}; under Identity "
        f"({ratio['identity'] - 1:+.1%}) that can only mean how confident our teacher is of the images it was trained "
        f"on. A second recorded run with another seed differs by at most {z.abs().max():.1f} standard errors."
    )


def others() -> pd.DataFrame:
    """T. stddev (10⁻³) of all our teachers, with test accuracy and windows above; schemes x teachers."""
    columns = {}
    for name, frame in recorded_teachers().items():
        accuracy = report.recorded_provenance(TEACHERS[name])["teacher_test_accuracy"]
        values, errors = (1e3 * frame.set_index("scheme")[column] for column in ("t_stddev", "t_stddev_se"))
        shown = [
            report.plus_minus(value, error) if pd.notna(value) else "–"
            for value, error in zip(values, errors, strict=True)
        ]
        title = f"{name} ({accuracy:.1f} % right, {frame['n_u'].max()} windows)"
        columns[title] = pd.Series(shown, index=values.index)
    return pd.DataFrame(columns).rename(index=SCHEME_LABELS).rename_axis(index=None, columns="scheme")


def relative(live: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """T. stddev over Identity's of the paper's resnet56, of ours and of this run: scheme, source, ratio."""
    sources = {
        "paper": published_teachers().loc["resnet56, CIFAR-100"],
        "recorded": report.recorded(TEACHERS["resnet56"]).set_index("scheme")["t_stddev"],
        f"this run ({dataset})": live.set_index("scheme")["t_stddev"],
    }
    return pd.concat(
        [(each / each["identity"]).rename("ratio").reset_index().assign(source=name) for name, each in sources.items()]
    ).dropna(subset=["ratio"])


def ceiling_in_words(images: int, classes: int, k: int, measured: float, error: float) -> str:
    """What a perfect teacher would read under Identity on so few images, and how far this one is from it."""
    endless = theory.one_hot_identity_stddev(classes, k)
    finite = endless * math.sqrt((images - k // 2) / (images - 1))
    z = (measured - finite) / error
    p = 2 * float(norm.sf(abs(z)))
    within = "; chance can make that" if p >= rules.LEVEL else ""
    where = f"above that ({stats.p_text(p)}{within})" if z > 0 else "below that"
    return (
        f"**What this size can show.** A window holds {k // 2} different images out of {images:,}, so that windows "
        "differ less than if they were drawn from an infinite population. A teacher that is always right and always "
        f"certain would read {1e3 * endless:.2f}e-3 under Identity with infinitely many images, and "
        f"{1e3 * finite:.2f}e-3 with these. This one reads {report.plus_minus(1e3 * measured, 1e3 * error)}e-3, "
        f"{abs(z):.1f} standard errors {where}."
    )


def worked_example() -> str:
    """The paper's A.3, counted again."""
    stated = paper.claims().set_index("id").loc["window-count", "number"]
    batches = EPOCHS * math.ceil(IMAGES / BATCH)
    return (
        f"Appendix A.3 counts the windows of ten epochs of CIFAR-100: {batches} mini-batches / 5 = {windows()}; the "
        f"paper prints {stated}. Two digits have changed places, a slip that touches no result. It also calls $K$ ten "
        f"where Sec. 3.2 has 640: ten mini-batches of {BATCH}, five of $x$ and five of $x'$, are {10 * BATCH} images."
    )


def errors_in_words() -> str:
    """The error of our resnet56 after ten epochs beside the spread that the paper prints."""
    ours = report.recorded(TEACHERS["resnet56"])
    error = 1e3 * ours["t_stddev_se"].mean() * math.sqrt(ours["n_u"].iloc[0] / windows())
    spread = float((published_teachers("std").filter(like="CIFAR-100", axis=0).stack() ** 2).mean() ** 0.5)
    return (
        f"From the recorded run, the error after the paper's ten epochs would be {error:.4f}e-3 on average. The "
        f"standard deviations over runs that Tables 3 and 4 print have a root mean square of {spread:.4f}e-3."
    )


def growth(means: Mapping[str, Tensor], k: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """T. stddev of schemes (mean probabilities per mini-batch, [steps, C]) by steps at this K, and by K in the end."""
    by_steps, by_k = [], []
    for name, each in means.items():
        steps = len(each)
        counts = [n for n in COUNTS if n <= steps // (k // 128)]
        by_steps.append(responses.growing(each, k // 128, counts).assign(scheme=name))
        for size in (1, 3, 5, 10):
            by_k.append(responses.growing(each, size, [steps // size]).assign(scheme=name, k=128 * size))
    return pd.concat(by_steps), pd.concat(by_k)


def differences_table(ladder: pd.DataFrame) -> pd.DataFrame:
    """`metrics.neighbours` as readers see it: a dash for steps that are too many."""
    columns = {"better": "better", "worse": "next", "difference": "difference (10⁻³)", "se": "its std. error (10⁻³)"}
    columns |= {"told": "told apart", "holm_p": "p after Holm", "more_steps": "more mini-batches"}
    shown = ladder.rename(columns={"p_holm": "holm_p"}).replace({"more_steps": {math.inf: math.nan}})
    shown[["difference", "se"]] *= 1e3
    shown[["better", "worse"]] = shown[["better", "worse"]].replace(SCHEME_LABELS)
    return tables.table(shown.assign(told=shown["apart"].map({True: "yes", False: "no"})), columns, {"more_steps": 0})


@style()
def convergence(by_steps: pd.DataFrame, by_k: pd.DataFrame) -> Chart:
    """T. stddev with two standard errors: left against mini-batches measured, right against K (two log axes).

    Columns: scheme, t_stddev, t_stddev_se, and steps or k. The dotted lines on the right fall as 1 / sqrt(K) from the
    first point, as they would if mini-batches were independent.
    """
    chart = Chart(figsize=(WIDTH, 4.4), layout="constrained")
    left, right = chart.subplots(1, 2)
    for ax, frame, x in ((left, by_steps, "steps"), (right, by_k, "k")):
        for scheme, points in frame.groupby("scheme", sort=False):
            colour, marker = mark(scheme)
            drawn = {"color": colour, "marker": marker, "ms": 7, "mec": PANEL, "mew": 0.5, "capsize": 2}
            label = SCHEME_LABELS.get(scheme, scheme)
            ax.errorbar(points[x], 1e3 * points["t_stddev"], 2e3 * points["t_stddev_se"], label=label, **drawn)
            if ax is right:
                first = points.iloc[0]
                ax.plot(points[x], 1e3 * first["t_stddev"] * (first[x] / points[x]) ** 0.5, ":", color=colour)
    left.set(xlabel="mini-batches measured", ylabel="T. stddev (10⁻³)")
    right.set(xlabel="K (images per window)", xscale="log", yscale="log")
    right.set_xticks(by_k["k"].unique(), [f"{k}" for k in by_k["k"].unique()])
    right.yaxis.set(major_locator=LogLocator(subs=(1, 1.5, 2, 3, 5, 7)), major_formatter="{x:g}")
    right.minorticks_off()
    chart.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return chart
