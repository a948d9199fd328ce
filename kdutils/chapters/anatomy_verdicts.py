"""Chapter 14 on the recorded teachers: its tables and sentences, the contest of predictors, and the verdicts."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from kdutils import paper, report, stats
from kdutils.chapters import anatomy, t_stddev
from kdutils.report import Finding, Verdict, few_shot, recorded_runs, rules

CHAPTER = "14_anatomy"
NEAR, HALF = 0.1, 0.5  # shares of the single variances in the fall of Var(u): nearly none, and half
VARIANTS = {
    "as released": "rank_resnet56_seed0",
    "one transform per image": "rank_resnet56_sample",
    "τ = 4": "rank_resnet56_tau4",
}
"""How T. stddev of our resnet56 was measured -> the recorded ranking."""
BETTER = "Some other score of the teacher alone predicts the order of the losses better than T. stddev."


def recorded_teachers() -> dict[str, pd.DataFrame]:
    """The rankings of chapter 3's teachers and that of the few-shot study."""
    return {"resnet20, 5,000 images": report.recorded("fewshot_rank")} | t_stddev.recorded_teachers()


def confidence_shares(teachers: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The share of the single variances in the fall of Var(u) from Identity to each scheme; schemes x teachers.

    Empty where a scheme lowers Var(u) by no more than 5 %, or raises it.
    """
    shares = {}
    for name, frame in teachers.items():
        changes = anatomy.changes(frame)
        shares[name] = changes.loc[changes["change"] < 0, "confidence"]
    return pd.DataFrame(shares).reindex(paper.SCHEME_LABELS).dropna(how="all")


def shares_table(teachers: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """`confidence_shares` as a reader sees it."""
    shares = confidence_shares(teachers).rename(index=paper.SCHEME_LABELS)
    return (
        shares.map("{:.0%}".format, na_action="ignore")
        .astype(object)
        .fillna("–")
        .rename_axis(index=None, columns="scheme")
    )


def variants_table(rankings: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """T. stddev (10⁻³) with its error under each way to measure it, schemes x ways."""
    columns = {
        name: pd.Series(
            [report.plus_minus(1e3 * row.t_stddev, 1e3 * row.t_stddev_se) for row in frame.itertuples()],
            index=frame["scheme"],
        )
        for name, frame in ((name, frame.dropna(subset=["t_stddev"])) for name, frame in rankings.items())
    }
    table = pd.DataFrame(columns).reindex(paper.SCHEME_LABELS).dropna(how="all").astype(object).fillna("–")
    return table.rename(index=paper.SCHEME_LABELS).rename_axis(index=None, columns="scheme")


def swaps(one: pd.DataFrame, other: pd.DataFrame) -> str:
    """Which schemes stand in another order by T. stddev in the second ranking, with both differences."""
    a, b = (frame.set_index("scheme")[["t_stddev", "t_stddev_se"]].mul(1e3).dropna() for frame in (one, other))
    names = [name for name in a.index if name in b.index]
    told = [
        f"{paper.SCHEME_LABELS[x]} and {paper.SCHEME_LABELS[y]} ({_difference(a, x, y)}, then {_difference(b, x, y)})"
        for place, x in enumerate(names)
        for y in names[place + 1 :]
        if (a.loc[x, "t_stddev"] - a.loc[y, "t_stddev"]) * (b.loc[x, "t_stddev"] - b.loc[y, "t_stddev"]) < 0
    ]
    return "; ".join(told) or "none"


def _difference(values: pd.DataFrame, x: str, y: str) -> str:
    error = (values.loc[x, "t_stddev_se"] ** 2 + values.loc[y, "t_stddev_se"] ** 2) ** 0.5
    return report.plus_minus(values.loc[x, "t_stddev"] - values.loc[y, "t_stddev"], error)


def granularity_in_words() -> str:
    """What one transform per image instead of per mini-batch does to our resnet56's order and to the batch part."""
    released, sample, single = (
        report.recorded(name) for name in (VARIANTS["as released"], "rank_resnet56_sample", "anatomy_resnet56")
    )
    left = sample.set_index("scheme")["var_batch"] * 1e6
    found = single.set_index("scheme")["shared_source"].dropna() * 1e6
    mixed = "; ".join(f"{paper.SCHEME_LABELS[name]} {left[name]:.2f}, shared {found[name]:.2f}" for name in found.index)
    plain = left[["identity", "flip", "crop_flip", "cutout", "autoaugment"]]
    return (
        f"With one transform per image these schemes of our resnet56 change places (difference in T. stddev, 10⁻³): "
        f"{swaps(released, sample)}. The batch part is then (10⁻⁶): {mixed}; for the five schemes that mix nothing it "
        f"lies between {plain.min():.2f} and {plain.max():.2f}."
    )


class Contest(NamedTuple):
    """Scores of the teacher judged on the published pairs, and the best of the rivals on pairs it was not chosen on."""

    judged: pd.DataFrame  # pairs x candidates, Spearman's rho with the losses
    table: pd.DataFrame  # `anatomy.summary`
    rivals: list[str]  # scores of our resnet56 other than its T. stddev
    left_out: pd.DataFrame  # `anatomy.chosen_on_others` among the rivals
    signs: stats.SignTest  # of the rival's rho less T. stddev's, over pairs


def contest() -> Contest:
    """All candidates against T. stddev on the 18 published pairs."""
    losses, own = anatomy.published()
    ours = anatomy.scores(report.recorded(VARIANTS["as released"]))
    ours["T. stddev at τ = 4"] = report.recorded(VARIANTS["τ = 4"]).set_index("scheme")["t_stddev"]
    ours["log-likelihood gap"] = -report.recorded("anatomy_resnet56").set_index("scheme")["gap"]
    candidates = {
        "T. stddev": own,
        "T. stddev of other teachers": anatomy.from_others(own, "teacher"),
        "students of other teachers": anatomy.from_others(losses, "teacher"),
    }
    judged = anatomy.judge(losses, candidates | {f"{name}, our resnet56": score for name, score in ours.items()})
    rivals = [f"{name}, our resnet56" for name in ours if name != "T. stddev"]
    left_out = anatomy.chosen_on_others(judged, rivals)
    signs = stats.sign_test((left_out["rho"] - judged["T. stddev"]).round(9))
    return Contest(judged, anatomy.summary(judged), rivals, left_out, signs)


def contest_in_words(found: Contest) -> str:
    """Who is best, and what is left of it on pairs that the choice did not see."""
    median, signs = found.table["median"], found.signs
    best = median[found.rivals].max()
    names = [name for name in found.rivals if median[name] == best]
    return (
        f"Median for the T. stddev of the pair's own teacher: {median['T. stddev']:.3f}; of other teachers: "
        f"{median['T. stddev of other teachers']:.3f}. Best of the other scores, with {best:.3f}: {'; '.join(names)}. "
        f"Left out one pair at a time, with the score chosen that does best on the others: median "
        f"{found.left_out['rho'].median():.3f}, better than T. stddev on {signs.positive} pairs, worse on "
        f"{signs.negative}, equal on {signs.ties} (sign test {stats.p_text(signs.p)})."
    )


def on_few_shot() -> pd.DataFrame | recorded_runs.Missing:
    """Spearman's rho of each score with the losses of the few-shot study, whose teacher it is; and over how many."""

    def table(frame: pd.DataFrame, runs: pd.DataFrame, softer: pd.DataFrame, single: pd.DataFrame) -> pd.DataFrame:
        scores = anatomy.scores(frame)
        scores |= {"T. stddev at τ = 4": softer.set_index("scheme")["t_stddev"]}
        scores |= {"log-likelihood gap": -single.set_index("scheme")["gap"]}
        loss = few_shot.beside_students(frame, runs).set_index("scheme")["test_loss"].to_frame("rho").T
        found = anatomy.judge(loss, scores).T
        both = [int(scores[name].reindex(loss.columns).notna().sum()) for name in found.index]
        found = found.assign(schemes=both).round(3).rename(columns={"rho": "Spearman's ρ"})
        return found.rename_axis(index=None, columns="score")

    return recorded_runs.read(table, "fewshot_rank", "fewshot", "rank_resnet20_few_tau4", "anatomy_resnet20_few")


def verdicts(live: pd.DataFrame, found: Contest, dataset: str, size: str) -> list[Verdict]:
    """The chapter's verdicts; `live`: this run's ranking on `dataset`."""
    ours = recorded_teachers()
    photographs = {
        "by": "photographs",
        "size": "laptop",
        "n": f"{len(ours)} rankings of {len(t_stddev.TEACHERS)} teachers",
    }
    here = {"by": report.kind_of(dataset), "size": size, "n": "this run", "short_of": "one teacher"}
    signs = found.signs
    better = Finding(
        by="published",
        says=rules.from_test(signs.positive - signs.negative, signs.p),
        numbers=f"best of {len(found.rivals)} scores: {signs.positive} better, {signs.negative} worse, {signs.ties} "
        f"equal ({stats.p_text(signs.p)})",
        n=f"{len(found.judged)} pairs",
        test="chosen on the other pairs, it orders the losses of the one left out better than T. stddev: sign test, "
        "p < 5 %",
    )
    return [
        report.verdict_on("variance-proxy", proxy(ours, **photographs), proxy({dataset: live}, **here)),
        Verdict(chapter=CHAPTER, claim=BETTER, paper="not asked", findings=[better]),
    ]


def proxy(teachers: Mapping[str, pd.DataFrame], **rests: str) -> Finding:
    """Whether the single variances have next to no share in the fall of Var(u) from Identity to CutMix."""
    shares = confidence_shares(teachers).reindex(["cutmix"]).loc["cutmix"].reindex(list(teachers))
    told = f"{shares.min():.0%} to {shares.max():.0%}" if len(shares) > 1 else f"{shares.iloc[0]:.0%}"
    falls = f"single variances make {told} of the fall to CutMix"
    return Finding(
        says=rules.all_parts([_near(share) for share in shares]),
        numbers=falls if shares.notna().all() else "Var(u) does not fall to CutMix",
        test=f"their share in the fall of Var(u) from Identity to CutMix, every ranking: below {NEAR:.0%} (below "
        f"{HALF:.0%}: partly; above: fails)",
        **rests,
    )


def _near(share: float) -> rules.Word:
    if pd.isna(share):
        return "cannot tell"
    return "holds" if share < NEAR else "partly" if share < HALF else "fails"
