"""The verdicts of the chapter on CutMixPick: what picking does to T. stddev and to the students' test loss."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from kdutils import paper, report, stats
from kdutils.chapters import cutmixpick
from kdutils.report import Finding, Verdict, few_shot, recorded_runs, rules
from kdutils.report.few_shot import ONE_PAIR

SIGN_TEST = (
    "so on more published {cases} than not, by a sign test at 5 % with Holm's correction for the chapter's three claims"
)
SEED_TEST = (
    "a lower test loss by a paired t test over seeds at 5 %, with Holm's correction for the two claims on losses"
)
PAIR_TEST = (
    "a lower test loss on more pairs than not by a sign test at 5 %, with Holm's correction for two claims on losses"
)
TEACHER_TEST = (
    "T. stddev is lower beyond its standard errors for every teacher, by z tests at 5 % with Holm's correction (for "
    "most: partly)"
)


class Compared(NamedTuple):
    """A claim that `value` is lower under one scheme than under another."""

    value: str
    lower: str
    higher: str


CLAIMS = {
    "pick-lowers-t-stddev": Compared("t_stddev", "cutmixpick_t", "cutmix"),
    "pick-lowers-test-loss": Compared("test_loss", "cutmixpick_t", "cutmix"),
    "teacher-entropy-better": Compared("test_loss", "cutmixpick_t", "cutmixpick_s"),
}
ON_LOSSES = ("pick-lowers-test-loss", "teacher-entropy-better")


def verdicts(live: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """The chapter's three verdicts; `live`: this run's test losses, a row per seed and a column per scheme."""
    recounted, found = _recounted(), {name: [] for name in CLAIMS}
    found["pick-lowers-t-stddev"] = _teachers(cutmixpick.rankings())
    study = recorded_runs.there(cutmixpick.losses, {"few-shot study": ("fewshot",)})
    for title, losses in study.items():
        for name, each in _over_seeds(losses, f"{title}: ").items():
            found[name].append(Finding(by="photographs", size="laptop", short_of=ONE_PAIR, **each))
    for name, each in _over_pairs(few_shot.students()).items():
        found[name].append(Finding(by="photographs", size="laptop", short_of=few_shot.pairs_short_of(), **each))
    found["pick-lowers-test-loss"] += _again()
    for name, each in _over_seeds(live, "this run: ").items():
        found[name].append(Finding(by=report.kind_of(dataset), size=size, short_of=ONE_PAIR, **each))
    return [report.verdict_on(name, *found[name], recounted[name]) for name in CLAIMS]


def _recounted() -> dict[str, Finding]:
    """Claim -> how many of the published teachers or pairs are as it says."""
    signs = {name: cutmixpick.compared(*each) for name, each in CLAIMS.items()}
    words = rules.from_tests({name: (each.positive - each.negative, each.p) for name, each in signs.items()})
    found = {}
    for name, each in signs.items():
        cases = "teachers" if CLAIMS[name].value == "t_stddev" else "pairs"
        total = each.positive + each.negative + each.ties
        found[name] = Finding(
            by="published",
            says=words[name],
            numbers=f"so on {each.positive} of {total} {cases}, sign test {stats.p_text(each.p)}",
            n=f"{total} {cases}",
            test=SIGN_TEST.format(cases=cases),
        )
    return found


def _teachers(rankings: Mapping[str, pd.DataFrame]) -> list[Finding]:
    """Whether picking lowers T. stddev of the teachers that we have, each counted once."""
    counted = {name: frame for name, frame in rankings.items() if name != cutmixpick.FEW}
    if not counted:
        return []
    gaps = cutmixpick.t_stddev_gaps(counted)
    words = rules.from_tests({row.Index: (-row.difference, row.p) for row in gaps.itertuples()})
    clear = sum(word == "holds" for word in words.values())
    return [
        Finding(
            by="photographs",
            says=rules.all_or_some(clear, len(gaps)),
            numbers=f"lower beyond its errors for {clear} of {len(gaps)} teachers, by "
            f"{-gaps['difference'].max():.2f} to {-gaps['difference'].min():.2f} (10⁻³)",
            n=f"{len(gaps)} teachers, no student",
            size="laptop",
            test=TEACHER_TEST,
        )
    ]


def _over_seeds(losses: pd.DataFrame, source: str) -> dict[str, dict[str, str]]:
    """Claim on test losses -> what students say of it, paired by seed."""
    tests = {}
    for name in ON_LOSSES:
        both = losses[[CLAIMS[name].higher, CLAIMS[name].lower]].dropna()
        if len(both) > 1:
            tests[name] = stats.paired_test(both.iloc[:, 0], both.iloc[:, 1])
    corrected = dict(zip(tests, stats.holm([test.t_p for test in tests.values()]), strict=True))
    return {
        name: {
            "says": rules.from_test(test.mean, corrected[name]),
            "numbers": f"{source}{_less(name, test, corrected[name])}",
            "n": f"1 pair, {test.n} seeds",
            "test": SEED_TEST,
        }
        for name, test in tests.items()
    }


def _over_pairs(students: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Claim on test losses -> on how many of our few-shot pairs of networks it is so; nothing for a single pair."""
    losses = students.pivot_table(index="pair", columns="scheme", values="test_loss")
    if len(losses) < 2 or not {CLAIMS[name].higher for name in ON_LOSSES} | {"cutmixpick_t"} <= set(losses):
        return {}
    signs = {
        name: stats.sign_test((losses[CLAIMS[name].higher] - losses[CLAIMS[name].lower]).dropna()) for name in ON_LOSSES
    }
    words = rules.from_tests({name: (each.positive - each.negative, each.p) for name, each in signs.items()})
    return {
        name: {
            "says": words[name],
            "numbers": f"few-shot pairs: lower on {each.positive} of {each.positive + each.negative + each.ties}, sign "
            f"test {stats.p_text(each.p)}",
            "n": f"{each.positive + each.negative + each.ties} pairs",
            "test": PAIR_TEST,
        }
        for name, each in signs.items()
    }


def _less(name: str, test: stats.PairedTest, corrected: float | None = None) -> str:
    """`CutMixPick (T. ent.) less CutMix -0.161 nats (-0.301 to -0.021, p = 0.036, corrected p = 0.072)`"""
    lower, higher = (paper.SCHEME_LABELS[scheme] for scheme in CLAIMS[name][1:])
    p = stats.p_text(test.t_p) + ("" if corrected is None else f", corrected {stats.p_text(corrected)}")
    return f"{lower} less {higher} {-test.mean:+.3f} nats ({-test.high:+.3f} to {-test.low:+.3f}, {p})"


def _again() -> list[Finding]:
    """The same of the students of Table 1's rows, in 16 bits: only CutMix and the pick by the teacher are there."""
    name, title = "pick-lowers-test-loss", "few-shot, rows of Table 1"
    found = []
    for runs in recorded_runs.there(pd.DataFrame, {title: ("few_table1",)}).values():
        short = runs[(runs["method"] == "kd") & (runs["epochs"] == runs["epochs"].min())]
        losses = cutmixpick.losses(short).reindex(columns=list(CLAIMS[name][1:])).dropna()
        if len(losses) > 1:
            test = stats.paired_test(losses["cutmix"], losses["cutmixpick_t"])
            found.append(
                Finding(
                    by="photographs",
                    says=rules.from_test(test.mean, test.t_p),
                    numbers=f"{title}: {_less(name, test)}",
                    n=f"1 pair, {test.n} seeds",
                    size="laptop",
                    short_of=ONE_PAIR,
                    test="a lower test loss by a paired t test over seeds at 5 %",
                )
            )
    return found
