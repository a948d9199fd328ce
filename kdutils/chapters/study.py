"""A study of schemes: T. stddev of the teacher beside the students that were distilled with each scheme."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kdutils import paper, report, stats

RUNS = 3  # that each published mean and spread rests on
ENDS = ("identity", "cutmixpick_t")  # the two ends of T. stddev's order


def beside_students(ranked: pd.DataFrame, students: pd.DataFrame) -> pd.DataFrame:
    """One point a scheme that both hold, in the order of `ranked`: what Fig. 1b draws.

    `ranked` is a frame of `metrics.rank_schemes`; `students` has a row a run with `scheme`, `test_loss` (nats) and
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
    """The three correlations of two columns as a sentence's worth of text, each with its interval and p-value."""
    found = {name: stats.correlation(points[x], points[y], name) for name in ("pearson", "spearman", "kendall")}
    return "; ".join(
        f"{name.title()}'s {found[name].r:.2f} (95 % interval {found[name].low:.2f} to {found[name].high:.2f}, "
        f"{stats.p_text(found[name].p)})"
        for name in found
    )


def two_ends(studies: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What CutMixPick (T. ent.) saves against Identity in each study, paired by seed: a row a study.

    `studies`: title -> runs with scheme, seed, test_loss (nats) and test_accuracy (per cent). Columns: n, the seeds
    that have both; the mean and standard deviation of each end's loss; saved (nats) and gained (points of accuracy),
    each with its 95 % t interval and p-value. A study with fewer than two such seeds, begun but no more, has no row.
    """
    rows = {title: _ends(runs) for title, runs in studies.items() if len(_both_ends(runs)) > 1}
    return pd.DataFrame(rows).T.astype({"n": int})


def _both_ends(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of the two ends side by side, a row a seed that has both."""
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


def ends_in_words(few: pd.DataFrame, more: pd.DataFrame) -> str:
    """What becomes of the gain of the two ends from the 50- to the 100-images study, as a paired test by seed."""
    if len(_both_ends(few).index.intersection(_both_ends(more).index)) < 2:
        return "Whether the gain changes from 50 to 100 images a class needs two seeds of both studies, not there yet."
    found = ends_compared(few, more)
    low, high = found.low, found.high
    verdict = (
        "the two gains cannot be told apart" if low <= 0 <= high else f"the gain {'shrinks' if low > 0 else 'grows'}"
    )
    return (
        f"From 50 to 100 images a class, what CutMixPick (T. ent.) saves against Identity changes by "
        f"{-found.mean:+.3f} nats (95 % interval {-high:+.3f} to {-low:+.3f}, paired over {found.n} seeds, "
        f"{stats.p_text(found.t_p)}): {verdict}."
    )


def few_shot_claim(points: pd.DataFrame, size: str) -> report.Verdict:
    """The verdict on the recorded few-shot study, by the rule that its design states (book/results/README.md)."""
    found = stats.correlation(points["t_stddev"], points["test_loss"])
    runs = sorted({int(points["n"].min()), int(points["n"].max())})
    return report.Verdict(
        chapter="04_correlation",
        claim="Few-shot CIFAR-100: T. stddev orders the schemes as the test loss of the students.",
        paper="not tried",
        recorded=f"r = {found.r:.2f} ({found.low:.2f} to {found.high:.2f}), {stats.p_text(found.p)}, "
        f"{found.n} schemes, {' to '.join(map(str, runs))} seeds",
        this_run="the recorded runs decide",
        holds="holds" if found.r > 0 and found.p < 0.05 else "fails" if found.r <= 0 else "cannot tell",
        test="stated before the first run: Pearson's r > 0 with p < 5 % over the schemes (r ≤ 0: fails)",
        size=size,
    )


def published_correlations() -> pd.DataFrame:
    """Pearson, Spearman and Kendall of T. stddev and S. test loss for each of the 18 published pairs (Tables 3-6).

    Columns: dataset, pair, method, r, p, n, and `p_holm`, corrected for the 18 tests of one method.
    """
    methods = ("pearson", "spearman", "kendall")
    found = stats.correlations(
        paper.pairs(), ["dataset", "pair"], "t_stddev", "test_loss", methods, interval="none"
    ).drop(columns=["low", "high"])
    return found.assign(p_holm=found.groupby("method")["p"].transform(stats.holm))


def inversions() -> pd.DataFrame:
    """Pairs of schemes that a published pair of networks orders against T. stddev, and by how much (Tables 3-6).

    One row a published pair: how many of its 36 pairs of schemes disagree, and how many of these by more than twice the
    standard error of the difference, from the printed spreads of three runs.
    """
    rows = []
    for (dataset, pair), group in paper.pairs().groupby(["dataset", "pair"], sort=False):
        a, b = np.triu_indices(len(group), 1)
        metric = np.subtract.outer(*[group["t_stddev"].to_numpy()] * 2)[a, b]
        loss = np.subtract.outer(*[group["test_loss"].to_numpy()] * 2)[a, b]
        error = np.sqrt(np.add.outer(*[group["test_loss_std"].to_numpy() ** 2] * 2)[a, b] / RUNS)
        against = metric * loss < 0
        rows.append((dataset, pair, len(a), int(against.sum()), int((against & (np.abs(loss) > 2 * error)).sum())))
    return pd.DataFrame(rows, columns=["dataset", "pair", "compared", "against", "clearly"])


def students_of_one_teacher() -> pd.DataFrame:
    """Spearman's correlation of the test losses of two students of one teacher over the nine schemes (Tables 3-6)."""
    rows = []
    for (dataset, teacher), group in paper.pairs().groupby(["dataset", "teacher"], sort=False):
        losses = group.pivot(index="scheme", columns="student", values="test_loss")
        if losses.shape[1] == 2:
            first, second = losses
            found = stats.correlation(losses[first], losses[second], "spearman", interval="none")
            rows.append((dataset, teacher, first, second, found.r, found.p))
    return pd.DataFrame(rows, columns=["dataset", "teacher", "first", "second", "rho", "p"])


def extremes() -> tuple[int, int, int]:
    """On how many published pairs Identity is the worst of nine and CutMix the best of seven; and of how many."""
    losses = paper.pairs().pivot(index=["dataset", "pair"], columns="scheme", values="test_loss")
    seven = losses.drop(columns=["cutmixpick_s", "cutmixpick_t"])
    worst, best = losses.idxmax(axis=1) == "identity", seven.idxmin(axis=1) == "cutmix"
    return int(worst.sum()), int(best.sum()), len(losses)


def claims(size: str) -> list[report.Verdict]:
    """The verdicts on what Sec. 4.1 and 5.1 say of the published pairs beside their correlation."""
    wrong, alike = inversions(), students_of_one_teacher()
    worst, best, pairs = extremes()
    significant = int(((alike["p"] < 0.05) & (alike["rho"] > 0)).sum())
    share = wrong["clearly"].sum() / wrong["compared"].sum()

    def verdict(name: str, claim: str, found: str, holds: str, test: str) -> report.Verdict:
        chapter, ours = "04_correlation", "the published numbers decide"
        return report.Verdict(
            chapter=chapter,
            claim_ids=(name,),
            claim=claim,
            paper=found,
            this_run=ours,
            holds=holds,
            test=test,
            size=size,
        )

    return [
        verdict(
            "minor-counterexamples",
            "Departures from the correlation are minor.",
            f"{wrong['against'].sum()} of {wrong['compared'].sum()} orders go against T. stddev, "
            f"{wrong['clearly'].sum()} clearly",
            "holds" if share < 0.05 else "fails",
            "fewer than 5 % of all orders of two schemes contradict T. stddev by over two standard errors",
        ),
        verdict(
            "student-invariance",
            "The goodness of a scheme does not depend on the student.",
            f"two students of one teacher rank alike for {significant} of {len(alike)} teachers",
            all_most_few(significant, len(alike)),
            "Spearman's ρ of their losses > 0 with p < 5 % for every teacher with two students (most: partly)",
        ),
        verdict(
            "identity-worst",
            "Identity is the worst scheme.",
            f"on {worst} of {pairs} pairs",
            all_most_few(worst, pairs),
            "highest published test loss on every pair (most: partly)",
        ),
        verdict(
            "cutmix-best",
            "Of the seven existing schemes CutMix is the best.",
            f"on {best} of {pairs} pairs",
            all_most_few(best, pairs),
            "lowest published test loss of seven on every pair (most: partly)",
        ),
    ]


def all_most_few(count: int, total: int) -> str:
    """The verdict on a claim about all of `total` cases of which `count` are as claimed."""
    return "holds" if count == total else "partly" if 2 * count > total else "fails"
