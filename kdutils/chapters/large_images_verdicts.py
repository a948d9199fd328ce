"""The verdicts of the chapter on large images: the published pairs, and our own study at 128 pixels as it comes."""

import pandas as pd

from kdutils import paper, report, stats
from kdutils.chapters import correlation, large_images
from kdutils.report import Finding, Verdict, campaigns, few_shot, recorded_runs, rules
from kdutils.report.few_shot import rests

TEN_CLASSES = "ten easy classes, neither ImageNet100 nor ImageNet"
OURS_TEST = "Fisher's z of r less that of the few-shot study on CIFAR-100 lies below zero at 5 %"
OWN_TEST = "stated before the first run: Pearson's r > 0 with p < 5 % over the schemes"


def verdicts(points: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """The chapter's verdicts, on the published numbers; `points` are this run's, on `dataset`."""
    frame, ours = large_images.strengths(), large_images.study()
    gaps = {name: large_images.gap(frame, name) for name in large_images.LARGE}
    return [
        report.verdict_on("weaker-on-large-images", _ours_weaker(ours), _weaker(gaps)),
        report.verdict_on(
            "significant-on-imagenet100",
            *_live(points, dataset, size),
            _significant(large_images.coefficients("imagenet100")),
        ),
        report.verdict_on("weak-on-imagenet", _weak(large_images.coefficients("imagenet"), gaps["imagenet"])),
        report.verdict_on("harder-therefore-weaker", _harder(frame)),
        report.verdict_on("kd-fails-on-imagenet", _kd_itself()),
        *own_claims(ours),
    ]


def _weaker(gaps: dict[str, large_images.Gap]) -> Finding:
    """Whether r is lower on both large datasets than on the smaller ones."""
    words = rules.from_tests({name: (-found.difference, found.p) for name, found in gaps.items()})
    return Finding(
        by="published",
        says=rules.all_parts(list(words.values())),
        numbers=large_images.gaps_in_words(gaps),
        n="20 pairs of 9 schemes",
        test="Fisher's z lies below the mean of the 18 smaller pairs on both, by a t test with their spread, p < 5 % "
        "after Holm's correction for the two",
    )


def _significant(found: pd.DataFrame) -> Finding:
    """Whether the correlation is significant, by the measure of the paper's 18 smaller pairs."""
    row = found.set_index("method").loc["pearson"]
    return Finding(
        by="published",
        says=rules.from_test(row["r"], row["p"]),
        numbers=large_images.in_words(found),
        n="1 pair, 9 schemes",
        test="Pearson's r > 0 with p < 5 %, the measure of all other pairs; the rank correlations stand beside it",
    )


def _weak(found: pd.DataFrame, below: large_images.Gap) -> Finding:
    """Whether the correlation is weak: not significant by itself, and below what the smaller pairs have."""
    row = found.set_index("method").loc["pearson"]
    weak = rules.from_test(-below.difference, below.p)
    return Finding(
        by="published",
        says="fails" if row["p"] < rules.LEVEL else weak,
        numbers=f"{large_images.in_words(found)}; {large_images.gaps_in_words({'imagenet': below})}",
        n="1 pair, 9 schemes",
        test="Pearson's r is not significant at 5 % and surely below that of the 18 smaller pairs (significant: fails)",
    )


def _harder(frame: pd.DataFrame) -> Finding:
    """Whether r falls where the problem is harder for the student."""
    found = stats.correlation(frame["hardness"], frame["r"], "spearman", interval="none")
    return Finding(
        by="published",
        says=rules.from_test(-found.r, found.p),
        numbers=f"Spearman's ρ of r with hardness: {found.r:.2f} ({stats.p_text(found.p)})",
        n=f"{found.n} pairs",
        test="over the 20 pairs r falls as the student's test loss with Identity rises: ρ < 0, p < 5 %",
    )


def _kd_itself() -> Finding:
    """What the tables say of the paper's other account of ImageNet, that KD itself hardly works there: nothing."""
    losses = paper.pairs(large=True).query("dataset == 'imagenet'")["test_loss"]
    return Finding(
        by="published",
        says="cannot tell",
        numbers=f"the nine students of KD differ by {losses.max() - losses.min():.3f} nats; one without a teacher "
        "is in no table",
        n="1 pair",
        test="needs a student without a teacher: whether KD gains over it, and r with that gain",
    )


def _live(points: pd.DataFrame, dataset: str, size: str) -> list[Finding]:
    """This run's correlation, if it is of ImageNet100: digits cannot demonstrate what large images do."""
    if dataset != "imagenet100":
        return []
    found = stats.correlation(points["t_stddev"], points["test_loss"], interval="none")
    return [
        Finding(
            by=report.kind_of(dataset),
            says=rules.from_correlation(found),
            numbers=f"this run: r = {found.r:.2f} ({stats.p_text(found.p)})",
            n=f"{found.n} schemes",
            size=size,
            test="Pearson's r > 0 with p < 5 %",
        )
    ]


def study_short_of() -> str:
    """Why our study at 128 pixels may not decide yet, or "" if its students and its teacher's ranking are recorded."""
    return campaigns.short_of(large_images.STUDY) or campaigns.short_of(large_images.RANKING)


def _ours_weaker(ours: pd.DataFrame) -> Finding:
    """Whether r is lower in our study at 128 pixels than in the one on CIFAR-100."""
    few, state = few_shot.study(), study_short_of()
    if len(ours) < 4 or not len(few):
        return report.awaited("our students at 128 pixels", OURS_TEST, state or recorded_runs.NOT_YET)
    gap = large_images.less_than_few_shot(ours, few)
    return Finding(
        by="photographs",
        says=rules.from_test(-gap.difference, gap.p),
        numbers=f"at 128 pixels z lower by {-gap.difference:.2f} ({-gap.high:.2f} to {-gap.low:.2f}, "
        f"{stats.p_text(gap.p)}) than on CIFAR-100",
        n=rests(ours.assign(pair="one")),
        size="laptop",
        short_of="; ".join(part for part in (TEN_CLASSES, state) if part),
        test=OURS_TEST,
    )


def own_claims(ours: pd.DataFrame) -> list[Verdict]:
    """Claims of the book's own on our study at 128 pixels, with all schemes and without CutMix's; none if absent."""
    verdicts = []
    for name, without in (("all its schemes", ()), ("without CutMix and its picks", few_shot.FAMILY)):
        points = ours[~ours["scheme"].isin(without)]
        if len(points) < 4:
            continue
        found = stats.correlation(points["t_stddev"], points["test_loss"])
        ranks = stats.correlation(points["t_stddev"], points["test_loss"], "spearman", interval="none")
        measured = Finding(
            by="photographs",
            says=rules.from_correlation(found),
            numbers=f"{correlation.r_text(found)}; ρ = {ranks.r:.2f} ({stats.p_text(ranks.p)})",
            n=rests(points.assign(pair="one")),
            size="laptop",
            short_of=study_short_of(),
            test=OWN_TEST,
        )
        claim = f"Photographs at 128 pixels, {name}: the students' test loss rises with their teacher's T. stddev."
        verdicts.append(Verdict(chapter="09_large_images", claim=claim, paper="not tried", findings=[measured]))
    return verdicts
