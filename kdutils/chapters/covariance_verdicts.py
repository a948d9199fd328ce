"""The verdicts of the chapter on covariance and correlation as metrics."""

import pandas as pd
from scipy.stats import norm

from kdutils import paper, report, stats
from kdutils.chapters import covariance
from kdutils.report import Finding, Verdict, few_shot, recorded_runs, rules
from kdutils.report.few_shot import ONE_PAIR, rests

ANOMALOUS = {"resnet56", "vgg13"}  # whose AutoAugment falls behind Cutout, as the text says
DEMOTED = {"identity", "autoaugment"}  # what is behind CutMixPick (T. ent.) by mean correlation, as the text says
NOT_THE_PAPERS = "a public resnet56, not the paper's"
RECORDED = {f"resnet56, seed {seed}": (f"rank_resnet56_seed{seed}",) for seed in (0, 1)}

MISORDERS_TEST = (
    "as printed: AutoAugment is above Cutout for resnet56 and vgg13 only, and there are more red arrows than T. stddev "
    "has, by a sign test over the steps in which they differ, 5 %; ours: AutoAugment above Cutout by a z test of their "
    "errors at 5 %"
)
WORSE_TEST = "more steps against the loss than {other} has, by a sign test over the steps in which they differ, 5 %"
DEMOTES_TEST = "the schemes with a larger mean correlation are the two that the text names"
HARD_TEST = (
    "at the same cost the mean covariance separates the schemes less than half as well as T. stddev, in every ranking "
    "(in none: fails)"
)
LOSS_TEST = "a lower test loss than Cutout's: over pairs by a sign test at 5 %, over seeds by a paired t test at 5 %"


def verdicts(ranked: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """The chapter's verdicts; `ranked`: this run's ranking of a teacher on `dataset`."""
    recorded = recorded_runs.there(lambda frame: frame, RECORDED)
    live = {"by": report.kind_of(dataset), "size": size, "short_of": "another teacher than the paper's"}
    rankings = f"{len(recorded)} rankings of one teacher"
    ours = {"by": "photographs", "size": "laptop", "n": rankings, "short_of": NOT_THE_PAPERS}
    misorders, demotes, hard = [], [], [_hard({"this run": ranked}, **{**live, "short_of": ""})]
    if recorded:
        misorders, demotes = [_above(recorded, **ours)], [_demotes(recorded, **ours)]
        hard.insert(0, _hard(recorded, **{**ours, "short_of": ""}))
    red = covariance.red_arrows()
    misorders.append(_above({"this run": ranked}, **live))
    return [
        report.verdict_on("covariance-misorders", *_study_arrows("mean_covariance"), *misorders, _misorders(red)),
        report.verdict_on("correlation-worse", *_study_arrows("mean_correlation"), _worse(red)),
        report.verdict_on("correlation-demotes-pick", *demotes, _published_demotes()),
        report.verdict_on("autoaugment-loss-below-cutout", *_study_loss(), _published_loss()),
        report.verdict_on("covariance-hard-to-estimate", *hard),
        report.verdict_on("batch-count", _batches()),
    ]


def _misorders(red: pd.DataFrame) -> Finding:
    """Red arrows of the mean covariance, and whose AutoAugment it puts behind Cutout, as printed."""
    rows = covariance.published("mean_covariance").drop_duplicates(["teacher", "scheme"])
    values = rows.pivot(index="teacher", columns="scheme", values="value")
    behind = list(values.index[values["autoaugment"] > values["cutout"]])
    signs, total = _more_arrows(red, "mean_covariance", "t_stddev"), red.sum()
    return Finding(
        by="published",
        says=rules.from_test(signs.positive - signs.negative, signs.p) if set(behind) == ANOMALOUS else "fails",
        numbers=f"{total['mean_covariance']} of {len(red)} steps go against the loss, by T. stddev "
        f"{total['t_stddev']} ({stats.p_text(signs.p)}); AutoAugment is behind Cutout for {', '.join(behind)}",
        n=f"{red.index.unique('pair').size} pairs",
        test=MISORDERS_TEST,
    )


def _above(rankings: dict[str, pd.DataFrame], **facts: str) -> Finding:
    """Whether rankings of ours put AutoAugment above Cutout by mean covariance."""
    differences = {title: covariance.autoaugment_less_cutout(frame) for title, frame in rankings.items()}
    tests = {title: (value, 2 * float(norm.sf(abs(value) / error))) for title, (value, error) in differences.items()}
    told = [f"{title} {value * 1e6:+.1f} ± {error * 1e6:.1f}" for title, (value, error) in differences.items()]
    return Finding(
        says=rules.all_parts(list(rules.from_tests(tests).values())),
        numbers=f"AutoAugment less Cutout (10⁻⁶): {', '.join(told)}",
        test=MISORDERS_TEST,
        **facts,
    )


def _worse(red: pd.DataFrame) -> Finding:
    """Whether the mean correlation has more red arrows than the mean covariance."""
    signs = _more_arrows(red, "mean_correlation", "mean_covariance")
    total = red.sum()
    return Finding(
        by="published",
        says=rules.from_test(signs.positive - signs.negative, signs.p),
        numbers=f"{total['mean_correlation']} of {len(red)} steps against {total['mean_covariance']} "
        f"({stats.p_text(signs.p)})",
        n=f"{red.index.unique('pair').size} pairs",
        test=WORSE_TEST.format(other="the mean covariance"),
    )


def _more_arrows(red: pd.DataFrame, more: str, fewer: str) -> stats.SignTest:
    return stats.sign_test(red[more].astype(int) - red[fewer].astype(int))


def _study_arrows(metric: str) -> list[Finding]:
    """How often a metric goes against the loss in the few-shot study.

    The covariance is compared with T. stddev, the correlation with the covariance.
    """
    study = few_shot.study()
    if not len(study):
        return []
    red = covariance.steps_against(study)
    other = "t_stddev" if metric == "mean_covariance" else "mean_covariance"
    signs, total = _more_arrows(red, metric, other), red.sum()
    return [
        Finding(
            by="photographs",
            says=rules.from_test(signs.positive - signs.negative, signs.p),
            numbers=f"few-shot study: {total[metric]} of {len(red)} steps go against the loss, by "
            f"{covariance.METRICS[other]} {total[other]} ({stats.p_text(signs.p)})",
            n=rests(study),
            size="laptop",
            short_of=ONE_PAIR,
            test=WORSE_TEST.format(other=covariance.METRICS[other].replace("mean", "the mean")),
        )
    ]


def _demotes(rankings: dict[str, pd.DataFrame], **facts: str) -> Finding:
    """Whether our resnet56 ranks CutMixPick as the paper's does by mean correlation."""
    behind = {name: covariance.behind(frame, "mean_correlation", "cutmixpick_t") for name, frame in rankings.items()}
    right = sum(set(names) == DEMOTED for names in behind.values())
    return Finding(
        says="holds" if right == len(behind) else "cannot tell" if right else "fails",
        numbers="; ".join(f"behind it, {title}: {_labels(names)}" for title, names in behind.items()),
        test=DEMOTES_TEST,
        **facts,
    )


def _published_demotes() -> Finding:
    behind = covariance.published_behind("cutmixpick_t")
    return Finding(
        by="published",
        says="holds" if set(behind) == DEMOTED else "fails",
        numbers=f"behind it: {_labels(behind)}",
        n="1 teacher",
        test=DEMOTES_TEST,
    )


def _labels(names: list[str] | set[str]) -> str:
    """The printed names, in the order of the schemes."""
    return ", ".join(label for name, label in paper.SCHEME_LABELS.items() if name in names) or "none"


def _hard(rankings: dict[str, pd.DataFrame], **facts: str) -> Finding:
    """Whether the mean covariance is much noisier than T. stddev at the same cost."""
    found = {title: covariance.noise(frame)["separation"] for title, frame in rankings.items()}
    worse = [each["mean covariance"] < each["T. stddev"] / 2 for each in found.values()]
    return Finding(
        says="holds" if all(worse) else "cannot tell" if any(worse) else "fails",
        numbers="; ".join(
            f"{title}: separation {each['mean covariance']:.1f}, T. stddev {each['T. stddev']:.1f}"
            for title, each in found.items()
        ),
        test=HARD_TEST,
        **facts,
    )


def _published_loss() -> Finding:
    """On how many published pairs AutoAugment has a lower test loss than Cutout."""
    losses = paper.pairs().pivot(index=["dataset", "pair"], columns="scheme", values="test_loss")
    signs = stats.sign_test(losses["cutout"] - losses["autoaugment"])
    total = len(losses)
    return Finding(
        by="published",
        says=rules.from_test(signs.positive - signs.negative, signs.p),
        numbers=f"lower on {signs.positive} of {total} pairs ({stats.p_text(signs.p)})",
        n=f"{total} pairs",
        test=LOSS_TEST,
    )


def _study_loss() -> list[Finding]:
    """The same of the few-shot study, paired by seed."""
    for runs in recorded_runs.there(pd.DataFrame, {"study": (few_shot.STUDY,)}).values():
        losses = runs.pivot(index="seed", columns="scheme", values="test_loss")[["cutout", "autoaugment"]].dropna()
        test = stats.paired_test(losses["cutout"], losses["autoaugment"])
        return [
            Finding(
                by="photographs",
                says=rules.from_test(test.mean, test.t_p),
                numbers=f"few-shot study: AutoAugment less Cutout {-test.mean:+.3f} nats ({-test.high:+.3f} to "
                f"{-test.low:+.3f}, {stats.p_text(test.t_p)})",
                n=f"1 pair, {test.n} seeds",
                size="laptop",
                short_of=ONE_PAIR,
                test=LOSS_TEST,
            )
        ]
    return []


def _batches() -> Finding:
    """Whether ten epochs can be as many batches as the paper prints."""
    printed = int(paper.claims().set_index("id")["number"]["batch-count"])
    possible = sorted({10 * (50000 // 64), 10 * -(-50000 // 64), 10 * 50000 // 64, -(-10 * 50000 // 64)})
    return Finding(
        by="arithmetic",
        says="holds" if printed in possible else "fails",
        numbers=f"possible: {', '.join(f'{count:,}' for count in possible)}",
        test="50,000 images in batches of 64: the last one kept, dropped or carried over",
    )
