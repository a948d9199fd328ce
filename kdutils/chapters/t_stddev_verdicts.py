"""The verdicts of the chapter on T. stddev: the order of the schemes, and what the paper says of windows and epochs."""

import math
import re

import pandas as pd
from scipy.stats import ttest_ind_from_stats

from kdutils import paper, report, stats
from kdutils.chapters import t_stddev
from kdutils.report import Finding, Verdict, rules

ORDER = ("identity", "flip", "crop_flip", "cutout", "autoaugment", "mixup", "cutmix")
"""The paper's order of the seven existing schemes, by falling T. stddev (Sec. 5.1)."""
RUNS = 3  # of each value that the paper prints
STATED = paper.claims().set_index("id")["number"]


def verdicts(live: pd.DataFrame, told_apart: str, dataset: str, size: str) -> list[Verdict]:
    """The chapter's verdicts; `live`: this run's ranking on `dataset`, `told_apart` what it says of neighbours."""
    ours, published = t_stddev.our_teachers(), t_stddev.published_teachers()
    here = {"by": report.kind_of(dataset), "size": size, "n": "this run", "short_of": "one teacher"}
    run = pd.DataFrame({dataset: live.set_index("scheme")["t_stddev"]}).T
    photographs = {"by": "photographs", "size": "laptop", "n": f"{len(ours)} teachers"}
    recount = {"by": "published", "n": f"{len(published)} teachers"}
    live_error = Finding(says="cannot tell", numbers=f"{dataset}: {told_apart}", test="as above", **here)
    return [
        report.verdict_on(
            "order-of-schemes", in_order(ours, **photographs), in_order(published, **recount), in_order(run, **here)
        ),
        report.verdict_on(
            "autoaugment-beats-cutout", beats(ours, **photographs), beats(published, **recount), beats(run, **here)
        ),
        report.verdict_on("ten-epochs-enough", our_error(), printed_spread(), live_error),
        report.verdict_on("window-count", arithmetic(t_stddev.windows(), int(STATED["window-count"]), "windows")),
        report.verdict_on("window-size", window_size()),
    ]


def in_order(teachers: pd.DataFrame, **rests: str) -> Finding:
    """Whether T. stddev (teachers x schemes) falls in the paper's order, over all these teachers as one experiment."""
    values = -teachers[list(ORDER)].to_numpy()
    places = [list(range(len(ORDER)))] * len(values)
    taus = [stats.correlation(*each, "kendall", interval="none") for each in zip(places, values, strict=True)]
    mean, p = sum(tau.r for tau in taus) / len(taus), stats.permutation_p(places, values, "kendall")
    alone = sum(tau.r > 0 and tau.p < rules.LEVEL for tau in taus)
    lowest = min(range(len(taus)), key=lambda place: taus[place].r)
    return Finding(
        says=rules.from_test(mean, p),
        numbers=f"mean τ = {mean:.2f} ({stats.p_text(p)}); {alone} of {len(taus)} teachers significant alone; "
        f"lowest {taus[lowest].r:.2f} ({teachers.index[lowest]})",
        test="Kendall's τ of falling T. stddev with the paper's order of seven schemes, mean over teachers, above zero "
        "with p < 5 %, schemes permuted for all teachers alike",
        **rests,
    )


def beats(teachers: pd.DataFrame, **rests: str) -> Finding:
    """Whether AutoAugment has a lower T. stddev than Cutout for surely most teachers."""
    lower = int((teachers["autoaugment"] < teachers["cutout"]).sum())
    low, high = rules.count_interval(lower, len(teachers))
    return Finding(
        says=rules.from_count(lower, len(teachers)),
        numbers=f"lower for {lower} of {len(teachers)} (exact interval {low:.0%} to {high:.0%})",
        test="lower for surely more than half of the teachers, exact 95 % interval",
        **rests,
    )


def our_error() -> Finding:
    """What our resnet56's error after ten epochs would resolve among its own schemes."""
    rows = t_stddev.recorded_teachers()["resnet56"].set_index("scheme").loc[list(paper.SCHEME_LABELS)]
    scale = math.sqrt(rows["n_u"].max() / t_stddev.windows())
    error = scale * rows["t_stddev_se"]
    gaps, errors = -rows["t_stddev"].diff().iloc[1:], (error**2 + error.shift() ** 2).pow(0.5).iloc[1:]
    told = int((gaps > 2 * errors).sum())
    return Finding(
        by="photographs",
        says=rules.all_or_some(told, len(gaps)),
        numbers=f"error of ten epochs {1e3 * error.mean():.4f}e-3; {told} of {len(gaps)} neighbours of our resnet56 "
        "would be told apart",
        n="1 teacher",
        size="laptop",
        short_of="an error extrapolated from one epoch",
        test="all neighbours differ by more than two standard errors (most: partly)",
    )


def printed_spread() -> Finding:
    """Whether the paper's printed spreads tell neighbouring schemes apart."""
    told, compared = 0, 0
    spread = t_stddev.published_teachers("std")
    for teacher, means in t_stddev.published_teachers().iterrows():
        row = pd.DataFrame({"mean": means, "std": spread.loc[teacher]}).loc[list(paper.SCHEME_LABELS)]
        p = [_welch(*pair) for pair in zip(row.itertuples(), row[1:].itertuples(), strict=False)]
        told += int((stats.holm(p) < rules.LEVEL).sum())
        compared += len(p)
    rms = float((spread.stack() ** 2).mean() ** 0.5)
    return Finding(
        by="published",
        says=rules.all_or_some(told, compared),
        numbers=f"{told} of {compared} neighbours told apart; root mean square of the printed spreads {rms:.4f}e-3",
        n=f"{len(spread)} teachers",
        test=f"neighbours in the paper's order differ by Welch's test over {RUNS} runs, p < 5 % after Holm's "
        "correction per teacher: all (most: partly)",
    )


def _welch(one: tuple, other: tuple) -> float:
    """Two-sided p of two printed means with their standard deviations; equal numbers without spread have p = 1."""
    if one.std == other.std == 0:
        return float(one.mean == other.mean)
    return float(ttest_ind_from_stats(one.mean, one.std, RUNS, other.mean, other.std, RUNS, equal_var=False).pvalue)


def arithmetic(counted: int, stated: int, of: str) -> Finding:
    """A number that the paper states, counted again."""
    return Finding(
        by="arithmetic",
        says="holds" if counted == stated else "fails",
        numbers=f"{counted} {of}; the paper says {stated}",
        test="the same number",
    )


def window_size() -> Finding:
    """Whether the 10 that A.3 gives for K is the 640 of Sec. 3.2."""
    images, batches = map(int, re.findall(r"\d+", STATED["window-size"]))
    return arithmetic(batches * t_stddev.BATCH, images, f"images in {batches} mini-batches of {t_stddev.BATCH}")
