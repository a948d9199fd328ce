"""What chapter 15 makes of `risk.compare`: variance against T. stddev per predictor, biases, and the verdicts."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.ticker import LogLocator

from kdutils import plots, report, stats
from kdutils.paper import SCHEME_LABELS
from kdutils.report import Finding, Verdict, rules

CHAPTER = "15_assumption"
RUNS = {"training images": "assumption_cifar100", "test images": "assumption_cifar100_test"}
"""Images of the pool -> the recorded run."""
BIASED = 3  # standard errors
PARTS = {"variance": "variance", "gap": "squared gap"}
BLIND = "For a predictor that does not look at the image, the variance of the risk follows T. stddev."


def agreement(frame: pd.DataFrame, part: str = "variance") -> pd.DataFrame:
    """Spearman's correlation of a part of the risk with T. stddev over the schemes, with its exact p; per predictor."""
    return stats.correlations(frame, ["predictor"], "t_stddev", part, ["spearman"]).set_index("predictor")


def agreements(runs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """`agreement` of both parts in several runs, as text: predictor x "part, run"."""
    columns = {
        f"{label}, {name}": agreement(frame, part).apply(_rho, axis=1)
        for name, frame in runs.items()
        for part, label in PARTS.items()
    }
    return pd.DataFrame(columns).rename_axis(index=None, columns="predictor")


def _rho(row: pd.Series) -> str:
    return f"{row['r']:.2f} ({stats.p_text(row['p'])})"


def most_trained(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the most trained student, by scheme."""
    students = frame["predictor"][frame["predictor"].str.match("converged|epoch")]
    return frame[frame["predictor"] == students.iloc[-1]].set_index("scheme")


def in_words(frame: pd.DataFrame) -> str:
    """What CutMix does to the risk of the most trained student."""
    cutmix = most_trained(frame).loc["cutmix"]
    return (
        f"With the {cutmix.predictor} student, CutMix multiplies the variance by "
        f"{report.plus_minus(cutmix.variance_ratio, cutmix.variance_ratio_se)} and adds a bias of "
        f"{report.plus_minus(cutmix.bias, cutmix.bias_se)} nats to a true risk of {cutmix.true_risk:.2f} nats; the "
        f"squared bias makes up {cutmix.squared_bias / cutmix.gap:.0%} of the gap."
    )


@plots.style()
def against_t_stddev(frame: pd.DataFrame, predictors: Sequence[str]) -> plots.Chart:
    """A panel per predictor: the variance of its risk over Identity's against T. stddev, one point per scheme."""
    found = agreement(frame)
    chart = plots.Chart(figsize=(plots.WIDTH, 4.2), layout="constrained")
    for ax, predictor in zip(chart.subplots(1, len(predictors)), predictors, strict=True):
        for row in frame[frame["predictor"] == predictor].itertuples():
            colour, marker = plots.mark(row.scheme)
            label = SCHEME_LABELS.get(row.scheme, row.scheme)
            look = {"color": colour, "marker": marker, "ms": 7, "capsize": 2, "ls": "", "label": label}
            ax.errorbar(1e3 * row.t_stddev, row.variance_ratio, row.variance_ratio_se, **look)
        ax.set(yscale="log", xlabel="T. stddev (10⁻³)")
        ax.set_title(f"{predictor}\nρ = {_rho(found.loc[predictor])}", fontsize=9.5)
        ax.yaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), major_formatter="{x:g}")
        ax.minorticks_off()
        ax.margins(x=0.12)
    chart.axes[0].set_ylabel("variance of the risk, Identity = 1")
    chart.legend(*chart.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=9)
    return chart


def verdicts(live: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """The chapter's verdicts; `live`: this run's `risk.compare` on `dataset`."""
    photographs = {name: report.recorded(run) for name, run in RUNS.items()}
    here = {"by": report.kind_of(dataset), "size": size, "n": "this run", "short_of": "one pair of networks"}
    ours = {"by": "photographs", "size": "laptop", "n": "1 pair of networks, 200 batches each"}
    average = Finding(
        by="theorem",
        says="holds",
        numbers="averaged over all blind predictors, the variance is a multiple of the sum of Var(u) over classes",
        short_of="an average over predictors",
        test="a derivation",
    )
    return [
        report.verdict_on("same-distribution", unbiased(photographs, **ours), unbiased({"": live}, **here)),
        report.verdict_on(
            "teacher-as-student", follows(photographs, "teacher", **ours), follows({"": live}, "teacher", **here)
        ),
        Verdict(
            chapter=CHAPTER,
            claim=BLIND,
            paper="not asked",
            findings=[average, follows(photographs, "blind", **ours), follows({"": live}, "blind", **here)],
        ),
    ]


def unbiased(runs: Mapping[str, pd.DataFrame], **rests: str) -> Finding:
    """Whether the most trained student's risk has no bias under any scheme, in each of the runs."""
    words, told = [], []
    for name, frame in runs.items():
        rows = most_trained(frame).drop("identity")
        biased = int((rows["bias"].abs() > BIASED * rows["bias_se"]).sum())
        share = (rows["squared_bias"] / rows["gap"]).max()
        words.append(rules.all_or_some(len(rows) - biased, len(rows)))
        told.append(f"{_named(name)}{biased} of {len(rows)} schemes biased, bias² up to {share:.0%} of the gap")
    return Finding(
        says=rules.all_parts(words),
        numbers="; ".join(told),
        test=f"most trained student: no scheme but Identity has a bias beyond {BIASED} standard errors (half or more "
        "have one: fails)",
        **rests,
    )


def follows(runs: Mapping[str, pd.DataFrame], predictor: str, **rests: str) -> Finding:
    """Whether the variance of a predictor's risk rises with T. stddev over the schemes, in each of the runs."""
    found = {name: agreement(frame).loc[predictor] for name, frame in runs.items()}
    return Finding(
        says=rules.all_parts([rules.from_test(each["r"], each["p"]) for each in found.values()]),
        numbers="; ".join(f"{_named(name)}ρ = {_rho(each)}" for name, each in found.items()),
        test="Spearman's ρ of variance and T. stddev over nine schemes, exact p < 5 %, in every run: above zero holds, "
        "below fails",
        **rests,
    )


def _named(name: str) -> str:
    return f"{name}: " if name else ""
