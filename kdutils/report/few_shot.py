"""The few-shot students of our own on CIFAR-100, which several chapters read: one pair whole, five more as they come.

The studies and their designs are in `book/results/README.md`. T. stddev is in 1e-3, losses in nats, accuracies in per
cent.
"""

from collections.abc import Mapping

import pandas as pd

from kdutils import augment, paper, stats
from kdutils.report import campaigns, recorded_runs, tables

STUDY, PAIRS = "fewshot", "few_pairs"  # recorded students: of one pair, of the others
WHOLE, BESIDE = "whole", "after_unseen"  # of four inputs with all images, and with 50 per class at the same precision
STUDY_PAIR = ("resnet20", "resnet8")
RANKINGS = {"resnet20": "fewshot_rank"} | {name: f"few_rank_{name}" for name in ("resnet32", "resnet44", "resnet56")}
"""Teacher -> the recorded ranking of it on the same 5,000 images."""

FAMILY = ("cutmix", "cutmixpick_s", "cutmixpick_t")
"""CutMix and its two picks: three of the nine schemes, made of the same images."""
PICKS = ("cutmixpick_s", "cutmixpick_t")
SUBSETS = {"all nine schemes": (), "the seven existing schemes": PICKS, "without CutMix and its picks": FAMILY}
"""Set of schemes -> those it leaves out."""
ENDS = ("identity", "cutmixpick_t")  # the two ends of T. stddev's order
ONE_PAIR = "one pair of networks"  # why a study may not decide a claim about networks in general


def students() -> pd.DataFrame:
    """All recorded few-shot students of KD with a scheme: teacher, student, pair, scheme, seed, loss and accuracy."""
    teacher, student = STUDY_PAIR
    frames = recorded_runs.there(lambda runs: runs, {name: (name,) for name in (STUDY, PAIRS)})
    if STUDY in frames:
        frames[STUDY] = frames[STUDY].assign(teacher=teacher, student=student)
    columns = ["teacher", "student", "scheme", "seed", "test_loss", "test_accuracy"]
    parts = [frame[columns] for frame in frames.values()]
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return whole[whole["scheme"].isin(augment.NINE)].assign(pair=whole["teacher"] + "/" + whole["student"])


def points() -> pd.DataFrame:
    """T. stddev beside the students of each of our pairs whose teacher is ranked: the `beside_students` of all pairs.

    Columns besides: dataset, teacher, student, pair. A pair is there once it has students of every scheme that its
    teacher's ranking holds; CutMixPick (S. ent.) was picked by a student of `STUDY_PAIR`, and is that pair's alone.
    """
    frames = []
    for (teacher, student), runs in students().groupby(["teacher", "student"], sort=False):
        for ranked in recorded_runs.there(lambda ranked: ranked, {"": (RANKINGS.get(teacher, ""),)}).values():
            if (teacher, student) != STUDY_PAIR:
                ranked = ranked[ranked["scheme"] != "cutmixpick_s"]
            found = beside_students(ranked, runs)
            if len(found) == ranked["t_stddev"].notna().sum():
                pair = {"dataset": "cifar100", "teacher": teacher, "student": student, "pair": f"{teacher}/{student}"}
                frames.append(found.assign(**pair))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["pair", "scheme"])


def study() -> pd.DataFrame:
    """The points of the study that is whole: one pair, nine schemes, three seeds."""
    return points().query("pair == @pair", local_dict={"pair": "/".join(STUDY_PAIR)})


def pairs_short_of() -> str:
    """Why the study of pairs may not decide yet, or "" if it is whole with its teachers' rankings."""
    missing = [name for name in RANKINGS.values() if name not in recorded_runs.recorded_names()]
    return campaigns.short_of(PAIRS) or (f"no ranking yet of {len(missing)} teachers" if missing else "")


def one_pair_short_of(recording: str) -> str:
    """Why a recorded study of one pair may not decide a general claim, and what is missing of it."""
    return "; ".join(filter(None, (ONE_PAIR, campaigns.short_of(recording))))


def rests(points: pd.DataFrame) -> str:
    """`1 pair, 9 schemes, 27 students`"""
    pairs, schemes = points["pair"].nunique(), points["scheme"].nunique()
    return f"{pairs} {'pair' if pairs == 1 else 'pairs'}, {schemes} schemes, {points['n'].sum()} students"


def subsets(frame: pd.DataFrame, x: str = "t_stddev", y: str = "test_loss") -> pd.DataFrame:
    """How much of a pair's correlation rests on CutMix: a row for each of `SUBSETS`.

    Columns: schemes (how many), r, low, high (Fisher's 95 % interval), p (Student's t), exact_p (over all pairings),
    rho and rho_p (Spearman's, exact).
    """
    rows = {}
    for name, without in SUBSETS.items():
        rest = frame[~frame["scheme"].isin(without)]
        found = stats.correlation(rest[x], rest[y])
        ranks = stats.correlation(rest[x], rest[y], "spearman", interval="none")
        exact = stats.permutation_p(rest[x], rest[y])
        rows[name] = (found.n, found.r, found.low, found.high, found.p, exact, ranks.r, ranks.p)
    columns = ["schemes", "r", "low", "high", "p", "exact_p", "rho", "rho_p"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("set")


def beside_students(ranked: pd.DataFrame, students: pd.DataFrame) -> pd.DataFrame:
    """One point per scheme that both hold, in the order of `ranked`: what Fig. 1b draws.

    `ranked` is a frame of `metrics.rank_schemes`; `students` has a row per run with `scheme`, `test_loss` (nats) and
    `test_accuracy` (per cent). Adds the means over runs, their unbiased standard deviations (`_std`) and their number
    `n`; T. stddev and its error become multiples of 1e-3, as the paper prints them.
    """
    runs = students.dropna(subset=["test_loss"]).groupby("scheme")
    means = runs[["test_loss", "test_accuracy"]].mean()
    spreads = runs[["test_loss", "test_accuracy"]].std(ddof=1).add_suffix("_std")
    points = ranked.dropna(subset=["t_stddev"]).merge(
        means.join(spreads).join(runs.size().rename("n")), left_on="scheme", right_index=True
    )
    return points.assign(t_stddev=points["t_stddev"] * 1e3, t_stddev_se=points["t_stddev_se"] * 1e3)


def in_words(points: pd.DataFrame, x: str = "t_stddev", y: str = "test_loss") -> str:
    """The three correlations of two columns as a sentence's worth of text, each with Fisher's interval and p-value."""
    found = {name: stats.correlation(points[x], points[y], name) for name in ("pearson", "spearman", "kendall")}
    return "; ".join(
        f"{name.title()}'s {found[name].r:.2f} (95 % interval {found[name].low:.2f} to {found[name].high:.2f}, "
        f"{stats.p_text(found[name].p)})"
        for name in found
    )


def two_ends(studies: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What CutMixPick (T. ent.) saves against Identity in each study, paired by seed: a row per study.

    `studies`: title -> runs with scheme, seed, test_loss (nats) and test_accuracy (per cent). Columns: n, the seeds
    that have both; the mean and standard deviation of each end's loss; saved (nats) and gained (points of accuracy),
    each with its 95 % t interval and p-value. A study with fewer than two such seeds, begun but no more, has no row.
    """
    rows = {title: _ends(runs) for title, runs in studies.items() if len(_both_ends(runs)) > 1}
    return pd.DataFrame(rows).T.astype({"n": int})


def ends_table(studies: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """`two_ends` as a reader wants it: losses with their spread, and what is saved and gained with its interval."""
    found = two_ends(studies)
    shown = {f"{paper.SCHEME_LABELS[end]} (nats)": _each(found, "{0:.3f} ± {1:.3f}", end, f"{end}_std") for end in ENDS}
    for name, label in (("saved", "saved (nats)"), ("gained", "gained (points)")):
        parts = (name, f"{name}_low", f"{name}_high", f"{name}_p")
        shown[label] = _each(found, "{0:+.2f} ({1:+.2f} to {2:+.2f}, {3})", *parts)
    return pd.DataFrame({"seeds": found["n"], **shown}).rename_axis(columns="transfer set")


def _each(frame: pd.DataFrame, form: str, *columns: str) -> list[str]:
    """The columns of each row in a text; the last of four is a p-value."""
    rows = frame[list(columns)].itertuples(index=False, name=None)
    return [form.format(*row[:3], *map(stats.p_text, row[3:])) for row in rows]


def _both_ends(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of the two ends side by side, a row per seed that has both."""
    return runs[runs["scheme"].isin(ENDS)].pivot(index="seed", columns="scheme").dropna()


def _ends(runs: pd.DataFrame) -> dict[str, float]:
    wide = _both_ends(runs)
    loss, accuracy = (wide[name][list(ENDS)] for name in ("test_loss", "test_accuracy"))
    saved = stats.paired_test(loss[ENDS[0]], loss[ENDS[1]])
    gained = stats.paired_test(accuracy[ENDS[1]], accuracy[ENDS[0]])
    row = {"n": saved.n, **loss.mean(), **loss.std(ddof=1).add_suffix("_std")}
    for name, found in (("saved", saved), ("gained", gained)):
        row |= {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high, f"{name}_p": found.t_p}
    return row


def ends_compared(first: pd.DataFrame, second: pd.DataFrame) -> stats.PairedTest:
    """What CutMixPick saves in the `first` study less what it saves in the `second`, over the seeds of both."""
    saved = []
    for runs in (first, second):
        loss = _both_ends(runs)["test_loss"]
        saved.append(loss[ENDS[0]] - loss[ENDS[1]])
    both = pd.concat(saved, axis=1, join="inner")
    return stats.paired_test(both.iloc[:, 0], both.iloc[:, 1])


def ends_in_words(studies: Mapping[str, pd.DataFrame]) -> str:
    """What becomes of the gain of the two ends from the first of two studies to the second, paired by seed."""
    (first, few), (second, more) = studies.items()
    if len(_both_ends(few).index.intersection(_both_ends(more).index)) < 2:
        return f"Whether the gain changes from {first} to {second} needs two seeds of both studies, not there yet."
    found = ends_compared(few, more)
    low, high = found.low, found.high
    verdict = (
        "the two gains cannot be told apart" if low <= 0 <= high else f"the gain {'shrinks' if low > 0 else 'grows'}"
    )
    return (
        f"From {first} to {second}, what CutMixPick (T. ent.) saves against Identity changes by {-found.mean:+.3f} "
        f"nats (95 % interval {-high:+.3f} to {-low:+.3f}, paired over {found.n} seeds, {stats.p_text(found.t_p)}): "
        f"{verdict}."
    )


def whole() -> pd.DataFrame:
    """The recorded students with all images of CIFAR-100; none while none is recorded."""
    return recorded_runs.or_empty(WHOLE, "scheme", "test_loss")


def whole_in_words() -> str:
    """The inputs from the lowest mean test loss to the highest, with all images and with few, and how much is there."""
    many, few = whole(), recorded_runs.or_empty(BESIDE, "scheme", "test_loss")
    state = f"state: {campaigns.how_much(WHOLE)}"
    if many.empty:
        return f"{state}."
    beside = few[few["scheme"].isin(many["scheme"])]
    return f"From the lowest test loss, with all images: {_order(many)}; with 50 per class: {_order(beside)}; {state}."


def _order(runs: pd.DataFrame) -> str:
    """`CutMix 1.234, Identity 1.345`"""
    means = runs.groupby("scheme")["test_loss"].mean().sort_values()
    return ", ".join(f"{tables.scheme_label(scheme)} {loss:.3f}" for scheme, loss in means.items())
