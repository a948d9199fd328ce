"""Whose label is right for a mixed image, and what follows: stronger schemes for KD than for CE (Sec. 4.1, A.4)?"""

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from kdutils import paper, plots, report, stats
from kdutils.chapters import more_methods
from kdutils.plots import ACCENT, COLOURS, INK, WIDTH, Chart, style
from kdutils.report import Finding, Verdict, campaigns, recorded_runs, rules

RECORDED, JUDGED = "disagreement_by_lambda", "disagreement_by_lambda_judge"
"""Recorded runs of a public resnet56 on CIFAR-100: its predictions by lambda, and whom a public resnet44 sides with."""
RANKINGS = ("rank_resnet20", "rank_resnet32", "rank_resnet44", "rank_resnet56_seed0", "rank_resnet56_seed1")
LARGE = "few_large_rank"  # recorded ranking of a teacher of ImageNet on photographs of ten of its classes
SIDES = ("teacher", "label", "neither")
NOT_IMAGENET = "the claim is about ImageNet, which was not measured"
JUDGED_AT = 0.01  # level of the sign test of a judge's votes

HALF_TEST = (
    "more than half of the mixed images are disputed, by the exact 95 % interval of the share; of several networks by "
    "the 95 % t interval of their mean"
)
JUDGE_TEST = (
    "on disputed images a second network sides with the teacher more often than with the label (sign test, p < 1 %), "
    "and with the teacher on more than half of them (exact 95 % interval); one of the two: partly"
)
FREEDOM_TEST = "mean gain in test accuracy over the schemes: KD's above CE's by a paired t test over seeds, p < 5 %"


def gains(students: pd.DataFrame) -> pd.DataFrame:
    """What each scheme adds to CE and to KD on x alone: a row per scheme, method and seed.

    `students` has the columns method ("ce", "kd"), scheme ("none" among them), seed, test_accuracy and test_loss. Under
    CE x' has the labels that the scheme gives it. Columns: scheme, method, seed, accuracy_gain (percentage points),
    loss_gain (nats).
    """
    schemes = [name for name in students["scheme"].unique() if name != "none"]
    return pd.concat([more_methods.gains(students, name).assign(scheme=name) for name in schemes], ignore_index=True)


def means(gained: pd.DataFrame) -> pd.DataFrame:
    """The mean gain in accuracy per scheme and method, its standard deviation over seeds, and their number."""
    by = gained.groupby(["scheme", "method"], sort=False)["accuracy_gain"]
    return by.agg(["mean", "std", "count"]).reset_index()


def bars(gained: pd.DataFrame) -> plots.Chart:
    """`means` as bars, CE beside KD."""
    label = "gain in test accuracy over x alone (percentage points)"
    table = means(gained).assign(method=lambda rows: rows["method"].str.upper())
    return plots.bars_with_errors(table, "mean", error="std", hue="method", label=label)


def freedom(gained: pd.DataFrame) -> stats.PairedTest:
    """KD's gain less CE's, each the mean over schemes, paired by seed."""
    wide = gained.groupby(["seed", "method"])["accuracy_gain"].mean().unstack()
    return stats.paired_test(wide["kd"], wide["ce"])


def disputed_in_words(said: pd.DataFrame, known: float) -> str:
    """How often the teacher predicts something else than the label, and what (`responses.answers`).

    `known`: the share of the same images before mixing on which it is right.
    """
    wrong, total = int(said["disagrees"].sum()), len(said)
    low, high = proportion_confint(wrong, total, method="wilson")
    third = float((said.loc[said["disagrees"], "answer"] == "neither").mean())
    return (
        f"On **{wrong / total:.1%}** of {total:,} mixed images (95 % interval {low:.1%} to {high:.1%}) the teacher "
        f"predicts another class than the label. On the same images before mixing it is right on {known:.1%}. Of the "
        f"disagreements {third:.0%} name a third class that is in neither of the two images; the others name the one "
        "that shows less."
    )


def shape_in_words(table: pd.DataFrame) -> str:
    """Where on the scale of lambda a teacher disagrees (`responses.by_lambda`), and whether the curve is symmetric."""
    most = table.loc[table["neither"].idxmax()]
    above = table.loc[(table["lam_low"] - 0.5).abs().idxmin(), "disagreement"]
    below = table.loc[(table["lam_high"] - 0.5).abs().idxmin(), "disagreement"]
    return (
        f"A third class is most frequent for λ from {most['lam_low']:.1f} to {most['lam_high']:.1f}, with "
        f"{most['neither']:.0%} of the images. Just above one half the teacher disagrees on {above:.0%}, just below on "
        f"{below:.0%}: of two images that show equally much it recognises the one "
        f"{'pasted in' if above > below else 'underneath'} more often."
    )


def close_to_half(said: pd.DataFrame) -> pd.DataFrame:
    """How often teacher and label disagree where both images show nearly equally much, by which of them shows more."""
    close = said[(said["lam"] - 0.5).abs() < 0.1]
    more = pd.Series(np.where(close["lam"] >= 0.5, "underneath", "pasted in"), index=close.index)
    found = close.groupby(more)["disagrees"].agg(["mean", "sem", "size"])
    names = {"mean": "share of disagreements", "sem": "its std. error", "size": "images"}
    return found.round(3).rename(columns=names).rename_axis(index=None, columns="the image that shows more")


def _rankings() -> dict[str, pd.DataFrame]:
    """The recorded rankings of public networks on CIFAR-100, by scheme."""
    return recorded_runs.there(lambda frame: frame.set_index("scheme"), {name: (name,) for name in RANKINGS})


def _of_networks(shares: pd.DataFrame) -> pd.DataFrame:
    """Shares by scheme and ranking, as schemes x networks: the seeds of a network count once."""
    return shares.T.groupby(lambda name: name.removeprefix("rank_").split("_")[0]).mean().T


def recorded_shares() -> pd.DataFrame:
    """Label disagreement of public networks on CIFAR-100 by scheme, with the mean over four networks and its spread."""
    frames = _rankings()
    shares = pd.DataFrame({name: frame["label_disagreement"] for name, frame in frames.items()})
    networks = _of_networks(shares)
    titles = {
        name: f"{name.removeprefix('rank_')} (n = {320 * frame['n_u'].max():,})" for name, frame in frames.items()
    }
    shown = shares.rename(columns=lambda name: titles[name].replace("_seed", ", seed "))
    shown = shown.assign(**{"mean of networks": networks.mean(axis=1), "their std": networks.std(axis=1, ddof=1)})
    return shown.rename(index=paper.SCHEME_LABELS).map("{:.1%}".format).replace("nan%", "–").rename_axis(None)


def votes(said: pd.DataFrame, opinion: pd.DataFrame) -> pd.Series:
    """With whom a judge sides on the images that teacher and label dispute: images per side (`SIDES`)."""
    sides = np.select([opinion["said"] == said["said"], opinion["said"] == said["mixed_label"]], SIDES[:2], SIDES[2])
    return pd.Series(sides)[said["disagrees"].to_numpy()].value_counts().reindex(SIDES, fill_value=0)


def recorded_votes() -> dict[str, pd.Series]:
    """The recorded judge's votes, if they are there."""
    return recorded_runs.there(lambda frame: frame.set_index("side")["images"].reindex(SIDES), {"recorded": (JUDGED,)})


def votes_in_words(counts: pd.Series) -> str:
    """The judge's votes of this run, and of the recorded one."""
    shares = counts / counts.sum()
    told = (
        f"Here the judge predicts what the teacher does on {shares['teacher']:.0%} of the disputed images and the "
        f"label on {shares['label']:.0%}. "
    )
    for recorded in recorded_votes().values():
        shares = recorded / recorded.sum()
        return told + (
            f"On CIFAR-100, with a resnet56 as the teacher and a resnet44 as the judge, it is {shares['teacher']:.0%} "
            f"and {shares['label']:.0%}; on the other **{shares['neither']:.0%}** it predicts a third class."
        )
    return told + "The same on CIFAR-100 is not recorded yet."


def verdicts(said: pd.DataFrame, counts: pd.Series, gained: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """The chapter's three verdicts, from this run's predictions, the judge's votes and what schemes gain."""
    live = {"by": report.kind_of(dataset), "size": size}
    here = _disputed(int(said["disagrees"].sum()), len(said), f"this run, {dataset}", **live)
    disputed = [*_of_ten_classes(), *_of_our_networks(), here]
    judged = []
    for recorded in recorded_votes().values():
        judged.append(_judged(recorded, "CIFAR-100, resnet56 and resnet44", by="photographs", size="laptop"))
    judged.append(_judged(counts, f"this run, {dataset}", **live))
    return [
        report.verdict_on("label-disagreement", *disputed),
        report.verdict_on("teacher-labels-better", *judged),
        report.verdict_on("kd-admits-more", _admits(gained, f"this run, {dataset}", **live)),
    ]


def _of_ten_classes() -> list[Finding]:
    """The share that a teacher of ImageNet disputes on photographs of ten of its classes, in whole mini-batches.

    Images of a mini-batch share one box, so the share has no interval of independent images.
    """
    state = campaigns.short_of(LARGE)
    facts = {"by": "photographs", "size": "laptop", "test": HALF_TEST}
    for frame in recorded_runs.there(lambda frame: frame.set_index("scheme"), {LARGE: (LARGE,)}).values():
        share = frame.loc["cutmix", "label_disagreement"]
        short = "ten classes of ImageNet: with a thousand a teacher can disagree more often"
        numbers = f"photographs at 128 pixels, a teacher of ImageNet: {share:.1%}"
        return [Finding(says="cannot tell", numbers=numbers, short_of="; ".join(filter(None, (short, state))), **facts)]
    return [report.awaited("a teacher of ImageNet on ten of its classes", HALF_TEST, state)]


def _of_our_networks() -> list[Finding]:
    """The share of CutMix's images that public networks dispute on CIFAR-100, each network one observation."""
    shares = {name: frame.loc[["cutmix"], "label_disagreement"] for name, frame in _rankings().items()}
    each = _of_networks(pd.DataFrame(shares)).loc["cutmix"] if shares else []
    if len(each) < 2:
        return []
    low, high = stats.t_interval(each.mean(), each.std(ddof=1), len(each))
    told = ", ".join(f"{name} {share:.1%}" for name, share in each.items())
    return [
        Finding(
            by="photographs",
            says=rules.from_interval(low, high, bound=0.5),
            numbers=f"CIFAR-100: {told}; mean {each.mean():.1%} ({low:.1%} to {high:.1%})",
            n=f"{len(each)} networks",
            size="laptop",
            short_of=NOT_IMAGENET,
            test=HALF_TEST,
        )
    ]


def _disputed(count: int, total: int, source: str, **facts: str) -> Finding:
    """Whether teacher and label disagree on more than half, on images that are not ImageNet's."""
    return Finding(
        says=rules.from_count(count, total),
        numbers=f"{source}: {count / total:.1%}",
        n=f"{total:,} images",
        short_of=NOT_IMAGENET,
        test=HALF_TEST,
        **facts,
    )


def _judged(counts: pd.Series, source: str, **facts: str) -> Finding:
    """Whether a second network finds the teacher's prediction more relevant than the label."""
    teacher, label, neither = (int(counts[side]) for side in SIDES)
    test = stats.sign_test([1] * teacher + [-1] * label or [0])
    parts = [
        rules.from_test(teacher - label, test.p, JUDGED_AT),
        rules.from_count(teacher, total) if (total := teacher + label + neither) else "cannot tell",
    ]
    return Finding(
        says=rules.all_parts(parts),
        numbers=f"{source}: the judge sides with the teacher on {teacher:,}, with the label on {label:,} "
        f"({stats.p_text(test.p)}), with neither on {neither:,}",
        n=f"{total:,} disputed images",
        test=JUDGE_TEST,
        **facts,
    )


def _admits(gained: pd.DataFrame, source: str, **facts: str) -> Finding:
    """Whether the strong schemes gain more under the teacher's labels than under their own."""
    test = freedom(gained)
    return Finding(
        says=rules.from_test(test.mean, test.t_p),
        numbers=f"{source}: KD gains {test.mean:+.1f} points more ({test.low:+.1f} to {test.high:+.1f}, "
        f"{stats.p_text(test.t_p)})",
        n=f"1 pair, {test.n} seeds",
        test=FREEDOM_TEST,
        **facts,
    )


ANSWER_LABELS = {"own": "the image underneath", "neither": "neither of the two", "partner": "the image pasted in"}


@style()
def answer_shares(table: pd.DataFrame) -> Chart:
    """What a network predicts of a mixed image at each lambda (`responses.by_lambda`): stacked bars, and how often it
    disagrees with the label that lambda prefers, with the 95 % interval."""
    chart = Chart(figsize=(WIDTH, 5), layout="constrained")
    ax = chart.subplots()
    centre, width = (table["lam_low"] + table["lam_high"]) / 2, 0.92 * (table["lam_high"] - table["lam_low"])
    bottom = 0 * centre
    for (name, label), colour in zip(ANSWER_LABELS.items(), COLOURS, strict=False):
        ax.bar(centre, table[name], width, bottom, color=colour, alpha=0.55, label=label)
        bottom = bottom + table[name]
    around = [table["disagreement"] - table["low"], table["high"] - table["disagreement"]]
    ax.errorbar(
        centre, table["disagreement"], around, fmt="o-", color=INK, capsize=3, label="disagreement with the label"
    )
    ax.axvline(0.5, color=ACCENT, ls="--", lw=1)
    ax.set(xlabel="λ, the share of the image underneath", ylabel="share of the mixed images", xlim=(0, 1), ylim=(0, 1))
    chart.legend(loc="outside upper center", ncols=2)
    return chart
