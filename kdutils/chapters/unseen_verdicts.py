"""The verdicts on what T. stddev says of schemes that the paper does not have, by the rules of the study's design."""

import pandas as pd

from kdutils import augment, report, stats
from kdutils.chapters import unseen
from kdutils.report import Finding, Verdict, few_shot, rules

ORDER_TEST = "Spearman's rho of T. stddev and mean S. test loss is above zero with an exact p < 5 % (below zero: fails)"
JOINT_TEST = "the same over all 17, with p < 5 %"
CHOICE_TEST = (
    "the mean test loss of the eight less that of the scheme with the lowest T. stddev, paired by seed, has a 95 % "
    "interval above zero (below: fails)"
)
FOOLED_TEST = (
    "the test loss of the scheme less that of the eight's lowest T. stddev, paired by seed, has a 95 % interval above "
    "zero (below: fails)"
)


def verdicts(live: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """The chapter's four verdicts; `live`: this run's points (`few_shot.beside_students`) on `dataset`."""
    runs = unseen.students()
    return [
        report.verdict_on("unseen-order", _order(runs, unseen.EIGHT, ORDER_TEST), _live(live, dataset, size)),
        report.verdict_on("unseen-choice", _paired(runs, unseen.EIGHT, CHOICE_TEST, choice)),
        report.verdict_on("unseen-joint", _order(runs, unseen.ALL, JOINT_TEST)),
        report.verdict_on("unseen-fooled", _paired(runs, (*unseen.EIGHT, unseen.FOOL), FOOLED_TEST, fooled)),
    ]


def choice(losses: pd.DataFrame) -> tuple[stats.PairedTest, str]:
    """What the choice by T. stddev saves against a blind one, from losses per seed and scheme; and in words."""
    chosen, means = unseen.predicted(unseen.ranked())[0], losses.mean()
    test = stats.paired_test(losses.mean(axis=1), losses[chosen])
    best, regret = means.idxmin(), means[chosen] - means.min()
    words = f"{augment.label(chosen)} is chosen; the best is {augment.label(best)}, by {regret:.3f} nats"
    return test, f"{words}; against the mean of the eight the choice saves {_interval(test)}"


def fooled(losses: pd.DataFrame) -> tuple[stats.PairedTest, str]:
    """By how much the scheme that shows nothing is worse than the chosen one, from losses per seed and scheme."""
    chosen, measured = unseen.predicted(unseen.ranked())[0], 1e3 * unseen.ranked().set_index("scheme")["t_stddev"]
    test = stats.paired_test(losses[unseen.FOOL], losses[chosen])
    told = [f"{augment.label(name)} (T. stddev {measured[name]:.2f})" for name in (unseen.FOOL, chosen)]
    return test, f"{told[0]} is worse than {told[1]} by {_interval(test)}"


def _interval(test: stats.PairedTest) -> str:
    return f"{test.mean:.3f} nats ({test.low:.3f} to {test.high:.3f}, {stats.p_text(test.t_p)})"


def _order(runs: pd.DataFrame, schemes: tuple[str, ...], test: str) -> Finding:
    """Whether T. stddev orders these schemes; awaited until a seed has all of them."""
    seeds = unseen.whole_seeds(runs, schemes)
    if seeds.empty:
        return report.awaited("the few-shot study of unseen schemes", test, unseen.state(runs, schemes))
    points = unseen.points(runs, schemes)
    found = stats.correlation(points["t_stddev"], points["test_loss"], "spearman")
    return Finding(
        by="photographs",
        says=rules.from_correlation(found),
        numbers=few_shot.in_words(points),
        n=f"{len(points)} schemes, {points['n'].sum()} students",
        size="laptop",
        short_of=unseen.state(runs, schemes),
        test=test,
    )


def _paired(runs: pd.DataFrame, schemes: tuple[str, ...], test: str, compare) -> Finding:
    """A difference over seeds that have all of these schemes; awaited until two have."""
    losses = unseen.whole_seeds(runs, schemes)
    if len(losses) < 2:
        return report.awaited("the few-shot study of unseen schemes", test, unseen.state(runs, schemes))
    found, words = compare(losses)
    return Finding(
        by="photographs",
        says=rules.from_interval(found.low, found.high),
        numbers=words,
        n=f"{len(losses)} seeds",
        size="laptop",
        short_of=unseen.state(runs, schemes),
        test=test,
    )


def _live(points: pd.DataFrame, dataset: str, size: str) -> Finding:
    """The order of this run's schemes."""
    found = stats.correlation(points["t_stddev"], points["test_loss"], "spearman")
    return Finding(
        by=report.kind_of(dataset),
        says=rules.from_correlation(found),
        numbers=f"this run: {few_shot.in_words(points)}",
        n=f"{len(points)} schemes",
        size=size,
        short_of=few_shot.ONE_PAIR,
        test=ORDER_TEST,
    )


def in_words(runs: pd.DataFrame) -> str:
    """What the recorded students say so far, or that there are none."""
    found = _order(runs, unseen.EIGHT, ORDER_TEST)
    short = f" ({found.short_of})" if found.short_of else ""
    if found.says == "not tested":
        return f"The students of these schemes: *{found.short_of}*. The prediction above stands until they are."
    return f"Over the eight: {found.numbers}: *{found.says}*{short}."
