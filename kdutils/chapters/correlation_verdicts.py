"""The verdicts of the chapter on the correlation: on the paper's pairs, on ours, and on what stands beside them."""

from collections.abc import Sequence

import pandas as pd

from kdutils import paper, report, stats
from kdutils.chapters import correlation, how_sure
from kdutils.report import Finding, Verdict, few_shot, rules

MINOR = 0.05  # share of all orders of two schemes that may be clearly against T. stddev
BEFORE = dict(
    zip(few_shot.SUBSETS, ("stated before the first run", "looked at afterwards", "looked at afterwards"), strict=True)
)
"""Set of schemes -> when its test was stated: the study's design names all nine schemes only."""
MINOR_TEST = (
    f"fewer than {100 * MINOR:g} % of all orders contradict T. stddev (more: fails), by the exact 95 % interval, both "
    "counting those that do so by Welch's test at 5 % and all that do so at all; if the two counts differ in what they "
    "tell, it cannot be told, as an order that is not clear need not be chance"
)


def verdicts(live: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """The chapter's verdicts; `live` holds this run's points (`few_shot.beside_students`) on `dataset`."""
    ours = few_shot.points()
    return [
        *(_correlated(name, live, ours, dataset, size) for name in ("cifar100", "tinyimagenet")),
        *_counterexamples(),
        _invariance(ours),
        _at_the_end("identity-worst", ours, "identity", best=False),
        _at_the_end("cutmix-best", ours, "cutmix", best=True, without=few_shot.PICKS),
        *few_shot_claims(few_shot.study()),
    ]


def _correlated(name: str, live: pd.DataFrame, ours: pd.DataFrame, dataset: str, size: str) -> Verdict:
    """Whether S. test loss rises with T. stddev on the published pairs of a dataset, and on our own of CIFAR-100."""
    group = correlation.published_correlations().query(
        "method == 'pearson' and dataset == @name", local_dict={"name": name}
    )
    good = int(((group["p"] < rules.LEVEL) & (group["r"] > 0)).sum())
    recount = Finding(
        by="published",
        says=rules.all_or_some(good, len(group)),
        numbers=f"{good} of {len(group)} pairs with r > 0, p < 5 %",
        n=f"{len(group)} pairs of 9 schemes",
        test="Pearson's r > 0 with p < 5 %, the paper's own measure, on every pair (on most: partly)",
    )
    found = stats.correlation(live["t_stddev"], live["test_loss"])
    this_run = Finding(
        by=report.kind_of(dataset),
        says=rules.from_correlation(found),
        numbers=f"this run: {correlation.r_text(found)}",
        n=f"{found.n} schemes",
        size=size,
        short_of=few_shot.ONE_PAIR,
        test=recount.test,
    )
    own = [*_over_pairs(ours), *one_pair()] if name == "cifar100" else []
    demonstrated = dataset == name or (dataset == "digits" and name == "cifar100")  # the pairs of small images
    return report.verdict_on(f"correlation-{name}", *own, recount, *([this_run] if demonstrated else []))


def _over_pairs(ours: pd.DataFrame) -> list[Finding]:
    """What our pairs together say of the correlation, by the rule of the study's design; nothing for a single pair."""
    if ours["pair"].nunique() < 2:
        return []
    each = stats.correlations(ours, ["pair"], "t_stddev", "test_loss", interval="none")
    good = int(((stats.holm(each["p"]) < rules.LEVEL) & (each["r"] > 0)).sum())
    slope = how_sure.mixed_model(ours, by="teacher")
    rises = rules.from_interval(slope.low, slope.high)
    return [
        Finding(
            by="photographs",
            says="cannot tell" if rises == "holds" and 2 * good <= len(each) else rises,
            numbers=f"{good} of {len(each)} pairs significant; common slope {slope.slope:.3f} "
            f"({slope.low:.3f} to {slope.high:.3f}) nats per 10⁻³",
            n=few_shot.rests(ours),
            size="laptop",
            short_of=few_shot.pairs_short_of(),
            test="the slope of a mixed model, random per teacher, lies above zero, and most pairs have r > 0 with "
            "p < 5 % after Holm's correction",
        )
    ]


def one_pair() -> list[Finding]:
    """What the few-shot study says of the correlation with all schemes, as evidence on a claim about many pairs."""
    study = few_shot.study()
    return [found.model_copy(update={"short_of": few_shot.ONE_PAIR}) for found in few_shot_claims(study)[0].findings]


def few_shot_claims(study: pd.DataFrame) -> list[Verdict]:
    """Three claims of the book's own on the few-shot study: with all schemes, the seven existing, without CutMix's."""
    verdicts = []
    for name, row in few_shot.subsets(study).iterrows():
        found = stats.Correlation(row["r"], row["p"], row["low"], row["high"], int(row["schemes"]))
        measured = Finding(
            by="photographs",
            says=rules.from_correlation(found),
            numbers=f"{correlation.r_text(found)}, exact {stats.p_text(row['exact_p'])}; ρ = {row['rho']:.2f} "
            f"({stats.p_text(row['rho_p'])})",
            n=few_shot.rests(study[~study["scheme"].isin(few_shot.SUBSETS[name])]),
            size="laptop",
            test=f"{BEFORE[name]}: Pearson's r > 0 with p < 5 % over the schemes",
        )
        claim = f"Few-shot CIFAR-100, {name}: the students' test loss rises with the teacher's T. stddev."
        verdicts.append(Verdict(chapter="04_correlation", claim=claim, paper="not tried", findings=[measured]))
    return verdicts


def _counterexamples() -> list[Verdict]:
    """Whether departures from the order of T. stddev are minor, and due to finite samples."""
    against, compared = correlation.inversions(), 36 * len(paper.pairs().drop_duplicates(["dataset", "pair"]))
    clear = against[against["p"] < rules.LEVEL]
    most = clear.groupby(["pair", "dataset"]).size()
    left = int((stats.holm(against["p"]) < rules.LEVEL).sum())
    both = [rules.from_count(compared - count, compared, 1 - MINOR) for count in (len(clear), len(against))]
    minor = Finding(
        by="published",
        says=both[0] if both[0] == both[1] else "cannot tell",
        numbers=f"{len(against)} of {compared} orders of two schemes ({len(against) / compared:.1%}) go against "
        f"T. stddev, {len(clear)} ({len(clear) / compared:.1%}) of them clearly, {most.max()} of these on "
        f"{most.idxmax()[0]}",
        n="18 pairs",
        test=MINOR_TEST,
    )
    finite = Finding(
        by="published",
        says="cannot tell",
        numbers=f"{len(clear)} orders are against T. stddev beyond the spread of three runs, {left} after Holm's "
        f"correction for {len(against)}",
        n="18 pairs",
        test="the noise of runs is printed; that of the test images, which is common to all runs, is in no table, "
        "so that no count can exclude it",
    )
    return [
        report.verdict_on("minor-counterexamples", minor),
        report.verdict_on("counterexamples-finite-samples", finite),
    ]


def _invariance(ours: pd.DataFrame) -> Verdict:
    """Whether different students order the schemes alike."""
    alike = correlation.students_of_one_teacher(paper.pairs())
    good = int(((alike["p"] < rules.LEVEL) & (alike["rho"] > 0)).sum())
    recount = Finding(
        by="published",
        says=rules.all_or_some(good, len(alike)),
        numbers=f"two students of one teacher rank the schemes alike for {good} of {len(alike)} teachers",
        n=f"{len(alike)} teachers with two students",
        test="Spearman's ρ of their losses > 0 with p < 5 % for every teacher with two students (most: partly)",
    )
    return report.verdict_on("student-invariance", *_our_invariance(ours), recount)


def _our_invariance(ours: pd.DataFrame) -> list[Finding]:
    """The same of our pairs, by the rule of the study's design; nothing for a single pair."""
    if ours["pair"].nunique() < 2:
        return []
    w, p = correlation.concordance(ours)
    alike = correlation.students_of_one_teacher(ours)
    positive = bool((alike["rho"] > 0).all())
    return [
        Finding(
            by="photographs",
            says="holds" if p < 0.01 and positive else "fails" if not positive else "cannot tell",
            numbers=f"Kendall's W = {w:.2f} ({stats.p_text(p)}); students of one teacher: "
            + ", ".join(f"{row.first} and {row.second} ρ = {row.rho:.2f}" for row in alike.itertuples()),
            n=few_shot.rests(ours),
            size="laptop",
            short_of=few_shot.pairs_short_of(),
            test="the orders of the schemes agree beyond chance at 1 % (Kendall's W), and ρ > 0 for all two students "
            "of one teacher",
        )
    ]


def _at_the_end(claim: str, ours: pd.DataFrame, scheme: str, best: bool, without: Sequence[str] = ()) -> Verdict:
    """Whether one scheme is the best, or the worst, of those left."""
    end = "lowest" if best else "highest"
    count, total, _ = correlation.extreme(paper.pairs(), scheme, best, without)
    recount = Finding(
        by="published",
        says=rules.all_or_some(count, total),
        numbers=f"{end} test loss on {count} of {total} pairs",
        n=f"{total} pairs",
        test=f"{end} published test loss on every pair (on most: partly)",
    )
    return report.verdict_on(claim, *_our_end(ours, scheme, best, without), _study_end(scheme, best, without), recount)


def _our_end(ours: pd.DataFrame, scheme: str, best: bool, without: Sequence[str]) -> list[Finding]:
    """The same over our pairs, by the rule of the study's design; nothing for a single pair."""
    if ours["pair"].nunique() < 2:
        return []
    count, total, mean_rank = correlation.extreme(ours, scheme, best, without)
    end, parts = ("lowest" if best else "highest"), [2 * count > total, mean_rank]
    return [
        Finding(
            by="photographs",
            says="holds" if all(parts) else "partly" if any(parts) else "fails",
            numbers=f"{end} test loss on {count} of {total} pairs; mean rank {'' if mean_rank else 'not '}at that end",
            n=few_shot.rests(ours),
            size="laptop",
            short_of=few_shot.pairs_short_of(),
            test=f"the {end} test loss on most pairs, and the mean rank at that end (one of the two: partly)",
        )
    ]


def _study_end(scheme: str, best: bool, without: Sequence[str]) -> Finding:
    """The same within the few-shot study, over its seeds."""
    runs = few_shot.students().query("pair == @pair", local_dict={"pair": "/".join(few_shot.STUDY_PAIR)})
    losses = runs.pivot(index="seed", columns="scheme", values="test_loss").drop(columns=list(without)).dropna()
    order = losses.mean().sort_values(ascending=best)
    rival = next(name for name in order.index if name != scheme)
    gap = stats.paired_test(losses[scheme], losses[rival])
    label = paper.SCHEME_LABELS
    return Finding(
        by="photographs",
        says=rules.from_extreme(losses, scheme, best),
        numbers=f"place {order.index.get_loc(scheme) + 1} of {len(order)} from the {'best' if best else 'worst'}; "
        f"{label[scheme]} less {label[rival]} {gap.mean:+.3f} nats ({gap.low:+.3f} to {gap.high:+.3f})",
        n=f"1 pair, {losses.size} students",
        size="laptop",
        short_of=few_shot.ONE_PAIR,
        test=f"its loss is {'below' if best else 'above'} that of every other scheme, paired t tests over seeds at 5 %",
    )
