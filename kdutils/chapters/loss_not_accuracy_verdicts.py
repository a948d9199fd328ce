"""The verdicts of the chapter on loss and accuracy."""

import pandas as pd

from kdutils import paper, report, stats
from kdutils.chapters import loss_not_accuracy
from kdutils.report import Finding, Verdict, Word, few_shot, rules
from kdutils.report.few_shot import ONE_PAIR, rests

FEW = "three schemes per pair; KD's accuracy stands for Identity's"
MISLEADS_TEST = (
    "some two schemes disagree, loss and accuracy both differing at 5 % by Welch's tests, with Holm's correction for "
    "all that disagree; else it cannot be told, as no count can exclude it"
)
HIDES_TEST = (
    "where the loss goes with T. stddev (p < 5 %), accuracy does not follow: it rises with T. stddev (p < 5 %); if it "
    "falls as expected (p < 5 %): fails; in between it cannot be told"
)


def verdicts(live: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """The chapter's two verdicts; `live`: this run's points (`few_shot.beside_students`) on `dataset`."""
    ours, study = few_shot.points(), few_shot.study()
    here = {"by": report.kind_of(dataset), "size": size, "n": f"1 pair, {live['n'].sum()} students"}
    photographs = {"by": "photographs", "size": "laptop"}
    published = loss_not_accuracy.published()
    pairs = f"{len(published.drop_duplicates(['dataset', 'pair']))} pairs, {published['scheme'].nunique()} schemes each"
    recount = {"by": "published", "n": pairs}
    misleads = [_misleads(live, "this run: ", **here), _misleads(published, "", **recount)]
    hides = [_hides(live, "this run: ", short_of=ONE_PAIR, **here), _hides_within(published, short_of=FEW, **recount)]
    if len(study):
        misleads.insert(0, _misleads(ours, "few-shot: ", n=rests(ours), **photographs))
        hides.insert(0, _hides(study, "few-shot study: ", n=rests(study), short_of=ONE_PAIR, **photographs))
    if len(ours) and ours["pair"].nunique() > 1:
        short = few_shot.pairs_short_of()
        hides.insert(0, _hides_within(ours, n=rests(ours), short_of=short, **photographs))
    return [
        report.verdict_on("accuracy-can-mislead", *misleads),
        report.verdict_on("accuracy-hides-correlation", *hides),
    ]


def _misleads(points: pd.DataFrame, source: str, **facts: str) -> Finding:
    """Whether some two schemes are surely in one order by loss and in the other by accuracy."""
    by = [name for name in ("dataset", "pair") if name in points]
    found = loss_not_accuracy.comparisons(points, by)
    against = found[found["disagree"]]
    clear = int((stats.holm(against["p"].fillna(1)) < rules.LEVEL).sum()) if len(against) else 0
    return Finding(
        says="holds" if clear else "cannot tell",
        numbers=f"{source}{len(against)} of {len(found)} comparisons disagree, {clear} of them clearly",
        test=MISLEADS_TEST,
        **facts,
    )


def hidden(loss: tuple[float, float], accuracy: tuple[float, float]) -> Word:
    """By `HIDES_TEST`, from a coefficient or slope on T. stddev and its p-value, of loss and of accuracy."""
    return rules.from_test(*accuracy) if rules.from_test(*loss) == "holds" else "cannot tell"


def _hides(points: pd.DataFrame, source: str, **facts: str) -> Finding:
    """Whether accuracy hides the correlation over the schemes of one pair."""
    found = [stats.correlation(points["t_stddev"], points[name]) for name in loss_not_accuracy.QUANTITIES]
    told = [f"{each.r:.2f} ({each.low:.2f} to {each.high:.2f}, {stats.p_text(each.p)})" for each in found]
    return Finding(
        says=hidden(*((each.r, each.p) for each in found)),
        numbers=f"{source}r = {told[0]} with loss, {told[1]} with accuracy",
        test=HIDES_TEST,
        **facts,
    )


def _hides_within(points: pd.DataFrame, **facts: str) -> Finding:
    """The same within several pairs, errors clustered by teacher."""
    loss, accuracy = (loss_not_accuracy.within_pairs(points, name) for name in loss_not_accuracy.QUANTITIES)
    return Finding(
        says=hidden(loss, accuracy),
        numbers=f"within pairs, per 10⁻³ of T. stddev: {loss[0]:+.3f} nats ({stats.p_text(loss[1])}), "
        f"{accuracy[0]:+.2f} points of accuracy ({stats.p_text(accuracy[1])})",
        test=HIDES_TEST,
        **facts,
    )


def calibration_in_words(points: pd.DataFrame, means: pd.DataFrame) -> str:
    """What part of this run's gains in loss is confidence; `means`: loss, calibrated, confidence, factor per scheme."""
    gain = means.loc["identity"] - means.drop("identity")
    best = gain["loss"].idxmax()
    beside = points.set_index("scheme").join(means)
    r = {name: stats.correlation(beside["t_stddev"], beside[name]) for name in ("loss", "calibrated")}
    told = {name: f"r = {found.r:.2f} ({stats.p_text(found.p)})" for name, found in r.items()}
    return (
        f"Best by loss is {paper.SCHEME_LABELS[best]}: it saves {gain.loc[best, 'loss']:.3f} nats against Identity, of "
        f"which {gain.loc[best, 'confidence']:.3f} are confidence. T. stddev and the loss: {told['loss']}; T. stddev "
        f"and the loss without misplaced confidence: {told['calibrated']}. A factor above one means that a student is "
        "less confident than it might be."
    )
