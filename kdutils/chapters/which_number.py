"""Ten numbers that a teacher gives of a scheme without a student: what they are, and how each orders the students.

The design is in `book/results/README.md`. A predictor is oriented so that lower should mean a better scheme. Shares are
in 0..1, calibration errors in per cent.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

from kdutils import plots, stats
from kdutils.chapters import anatomy, unseen
from kdutils.data import Dataset
from kdutils.metrics import responses
from kdutils.report import recorded_runs, tables

PREDICTORS = {
    "T. stddev": ("t_stddev", 1),
    "entropy of x'": ("entropy", -1),
    "label disagreement": ("label_disagreement", -1),
    "view disagreement": ("view_disagreement", -1),
    "mean covariance": ("mean_covariance", 1),
    "confidence part": ("var_confidence", 1),
    "coupling part": ("var_coupling", 1),
    "batch part": ("var_batch", 1),
    "ECE on x'": ("ece", 1),
    "ACE on x'": ("ace", 1),
}
"""Name -> the column that holds it and the sign that makes lower better."""
BASE = "T. stddev"
TEMPERATURES = (1, 4)
SINGLE = "after_predictors"  # recorded: what only the single images tell
SINGLES = {"resnet20": SINGLE} | {name: f"{SINGLE}_{name}" for name in ("resnet32", "resnet44", "resnet56")}
"""Teacher -> what only the single images tell of it, with its accuracy and calibration on the test images."""
RANKINGS = {
    1: ("after_unseen_rank", "fewshot_rank"),
    4: ("after_unseen_rank_tau4", "rank_resnet20_few_tau4"),
}
"""Temperature -> the recorded rankings of the eight others and of the paper's nine."""
SCHEMES = tuple(name for name in unseen.ALL if name != "cutmixpick_s")  # S. ent. needs a student to pick by


class Calibration(NamedTuple):
    """The teacher's calibration errors in per cent."""

    ece: float
    ace: float


def single_images(teacher: nn.Module, dataset: Dataset, schemes: Sequence[str], steps: int) -> pd.DataFrame:
    """What only the single x' tell, over `steps` mini-batches: view disagreement and calibration, a row per scheme.

    Columns: scheme, view_disagreement (the share of x' whose predicted class is not that of x), ece and ace against the
    class that shows more, and the same at temperature 4 (ece_tau4, ace_tau4). Schemes that need a student are refused.
    """
    rows = []
    for scheme in schemes:
        moved, p, labels = [], [], []
        for seen in responses.views(teacher, dataset, scheme, steps):
            moved.append(seen.p.argmax(1) != seen.p_prime.argmax(1))
            p.append(seen.p_prime)
            labels.append(torch.where(seen.lam >= 0.5, seen.label, seen.partner_label))
        hard, soft = (calibration(torch.cat(p), torch.cat(labels), temperature) for temperature in TEMPERATURES)
        rows.append((scheme, float(torch.cat(moved).float().mean()), *hard, *soft))
    return pd.DataFrame(rows, columns=["scheme", "view_disagreement", "ece", "ace", "ece_tau4", "ace_tau4"])


def calibration(p: Tensor, labels: Tensor, temperature: float = 1.0) -> Calibration:
    """Both calibration errors of probabilities [N, C], made as soft as at `temperature`."""
    softer = (p.clamp(min=torch.finfo(p.dtype).tiny).log() / temperature).softmax(1)
    right = softer.argmax(1) == labels
    ece = stats.calibration_error(softer.amax(1), right)
    return Calibration(100 * ece, 100 * stats.adaptive_calibration_error(softer, labels))


def numbers(ranking: pd.DataFrame, single: pd.DataFrame, temperature: int = 1) -> pd.DataFrame:
    """A ranking of the teacher at a temperature, and what the single images tell at the same, scheme by scheme."""
    if temperature != 1:
        renamed = {f"{name}_tau{temperature}": name for name in Calibration._fields}
        single = single.drop(columns=list(Calibration._fields)).rename(columns=renamed)
    return ranking.merge(single, on="scheme")


def scores(found: pd.DataFrame) -> pd.DataFrame:
    """Those of `PREDICTORS` that a frame has, oriented, scheme by scheme: lower should mean a better scheme."""
    rows = found.set_index("scheme")
    return pd.DataFrame({name: sign * rows[column] for name, (column, sign) in PREDICTORS.items() if column in rows})


def recorded(temperature: int = 1) -> pd.DataFrame | recorded_runs.Missing:
    """The recorded predictors of the 16 schemes that have all of them (`scores`), or what is missing."""

    def joined(single: pd.DataFrame, *rankings: pd.DataFrame) -> pd.DataFrame:
        both = pd.concat(rankings).drop_duplicates("scheme")
        return scores(numbers(both, single, temperature)).reindex(list(SCHEMES))

    return recorded_runs.read(joined, SINGLE, *RANKINGS[temperature])


def all_recorded() -> dict[int, pd.DataFrame]:
    """`recorded` at each temperature that it is there for."""
    found = {temperature: recorded(temperature) for temperature in TEMPERATURES}
    return {key: frame for key, frame in found.items() if not isinstance(frame, recorded_runs.Missing)}


def losses(runs: pd.DataFrame) -> pd.Series:
    """Mean test loss of each of the 16 schemes that has all its seeds."""
    groups = runs[runs["scheme"].isin(SCHEMES)].groupby("scheme")["test_loss"]
    return groups.mean()[groups.count() >= unseen.SEEDS]


def judged(predictors: pd.DataFrame, loss: pd.Series) -> pd.DataFrame:
    """How each predictor orders the test losses, over the schemes that both have: a row per predictor.

    Columns: rho, p (by pairings), holm_p (for all of them), lead (T. stddev's rho less its own), lead_p (by swaps), n.
    """
    both = predictors[predictors.index.isin(loss.index)].dropna()
    y, rows = loss[both.index], {}
    for name in both:
        order, ahead = stats.rank_order(both[name], y), stats.lead(both[BASE], both[name], y)
        rows[name] = (order.r, order.p, *ahead, order.n)
    table = pd.DataFrame.from_dict(rows, "index", columns=["rho", "p", "lead", "lead_p", "n"])
    return table.assign(holm_p=stats.holm(table["p"]))


def lever(cool: pd.DataFrame, warm: pd.DataFrame, loss: pd.Series) -> stats.Lead:
    """By how much T. stddev read at temperature 4 (`warm`) orders the losses better than at 1 (`cool`)."""
    names = [name for name in cool.index if name in warm.index and name in loss.index]
    return stats.lead(warm.loc[names, BASE], cool.loc[names, BASE], loss[names])


def over_pairs(points: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rho of each predictor with each pair's test losses, pairs x predictors; of `few_shot.points`."""
    key = ["dataset", "teacher", "pair"]
    loss = points.pivot(index=key, columns="scheme", values="test_loss")
    held = {
        name: sign * points.pivot(index=key, columns="scheme", values=column)
        for name, (column, sign) in PREDICTORS.items()
        if column in points
    }
    return anatomy.judge(loss, held)


def with_single_images(points: pd.DataFrame) -> pd.DataFrame:
    """`few_shot.points` with what only the single images tell, where that is recorded of the pair's teacher.

    Not for CutMixPick (S. ent.), which needs a student to pick by.
    """
    there = recorded_runs.there(lambda single: single, {teacher: (name,) for teacher, name in SINGLES.items()})
    singles = [frame.assign(teacher=teacher) for teacher, frame in there.items()]
    return points.merge(pd.concat(singles), "left", ["teacher", "scheme"]) if singles else points


def teachers(points: pd.DataFrame) -> pd.DataFrame:
    """Each pair's mean test loss (nats), lowest first, and its teacher on the test images: a row per pair.

    Columns: teacher, accuracy, ece, ace (per cent), test_loss. A pair whose teacher is not measured has no row.
    """
    named = {teacher: name for teacher, name in SINGLES.items() if name in recorded_runs.recorded_names()}
    facts = {teacher: recorded_runs.recorded_provenance(name) for teacher, name in named.items()}
    columns = ["accuracy", "ece", "ace"]
    known = {teacher: [found[f"teacher_{column}"] for column in columns] for teacher, found in facts.items()}
    rows = points.groupby(["pair", "teacher"])["test_loss"].mean().reset_index("teacher")
    found = rows.merge(pd.DataFrame.from_dict(known, "index", columns=columns), left_on="teacher", right_index=True)
    return found[["teacher", *columns, "test_loss"]].sort_values("test_loss")


def left_out(found: pd.DataFrame) -> tuple[pd.DataFrame, stats.SignTest]:
    """Leave one pair out: the best predictor other than T. stddev on the others, judged on it (`chosen_on_others`).

    And the sign test of its rho less T. stddev's over the pairs. Needs two pairs at least.
    """
    chosen = anatomy.chosen_on_others(found, [name for name in found if name != BASE])
    return chosen, stats.sign_test((chosen["rho"] - found[BASE]).round(9))


def numbers_table(found: pd.DataFrame) -> pd.DataFrame:
    """A frame of `numbers` as a reader wants it; T. stddev in 1e-3, covariance and the parts of Var(u) in 1e-6."""
    units = {"t_stddev": (1e3, " (10⁻³)"), "ece": (1, " (%)"), "ace": (1, " (%)"), "entropy": (1, " (nats)")}
    units |= dict.fromkeys(("mean_covariance", "var_confidence", "var_coupling", "var_batch"), (1e6, " (10⁻⁶)"))
    shown = found[["scheme"]].assign(**{c: units.get(c, (1,))[0] * found[c] for c, _ in PREDICTORS.values()})
    names = {column: name + units.get(column, (1, ""))[1] for name, (column, _) in PREDICTORS.items()}
    return tables.table(shown, {"scheme": "scheme", **names}, 2)


def pairs_table(points: pd.DataFrame) -> pd.DataFrame:
    """`over_pairs` as a reader wants it, a column per pair, or that no pair is recorded yet."""
    if points.empty:
        return tables.nothing_yet(recorded_runs.NOT_YET)
    judged = over_pairs(with_single_images(points)).droplevel(["dataset", "teacher"]).T
    shown = judged.map(lambda rho: "–" if pd.isna(rho) else f"{rho:.2f}")
    shown.columns = shown.columns.str.replace("/", "/ ")  # where a narrow column may break
    return shown.rename_axis(index=None, columns="predictor")


def teachers_table(points: pd.DataFrame) -> pd.DataFrame:
    """`teachers` as a reader wants it."""
    names = {"pair": "pair", "accuracy": "T. accuracy (%)", "ece": "T. ECE (%)", "ace": "T. ACE (%)"}
    digits = {"accuracy": 1, "ece": 1, "ace": 3, "test_loss": 2}
    return tables.table(teachers(points), names | {"test_loss": "mean S. test loss (nats)"}, digits)


def teachers_in_words(points: pd.DataFrame) -> str:
    """How the teacher's ACE and the pairs' mean test losses go together: described, as teachers are few."""
    found = teachers(points)
    known = found["teacher"].nunique()
    if known < 3:
        return f"Teachers measured on the test images: {known}."
    rho = found["ace"].corr(found["test_loss"], "spearman")
    return (
        f"Over {len(found)} pairs of {known} teachers, Spearman's ρ of the teacher's ACE on the test images and the "
        f"pair's mean test loss is {rho:.2f}. The students differ too, and {known} teachers are too few for a test."
    )


def beside_t_stddev(by_temperature: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """Spearman's rho of each predictor with T. stddev over the schemes, both oriented; a column per temperature."""
    found = {
        f"ρ with T. stddev, τ = {temperature}": frame.dropna().corr("spearman")[BASE].drop(BASE)
        for temperature, frame in by_temperature.items()
    }
    return pd.DataFrame(found).map("{:.2f}".format).rename_axis(index=None, columns="predictor")


def judged_table(by_temperature: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """Frames of `judged`, at temperature 1 and perhaps at 4, as a reader wants them; the best predictor first."""
    table = by_temperature[1].rename_axis("predictor")
    names = {"predictor": "predictor", "rho": "Spearman's ρ", "holm_p": "p, Holm", "lead": "T. stddev is ahead by"}
    names |= {"lead_p": "its p"}
    if 4 in by_temperature:
        table, names = table.assign(rho_4=by_temperature[4]["rho"]), names | {"rho_4": "ρ at τ = 4"}
    table = table.assign(
        lead_p=table["lead_p"].where(table.index != BASE), lead=table["lead"].where(table.index != BASE)
    )
    return tables.table(table.sort_values("rho", ascending=False), names, {"rho": 2, "lead": 2, "rho_4": 2})


@plots.style()
def chart(by_temperature: dict[int, pd.DataFrame]) -> plots.Chart:
    """Spearman's rho of each predictor with the test losses, a filled point at temperature 1, an open one at 4."""
    drawing = plots.Chart(figsize=(plots.WIDTH, 4.4), layout="constrained")
    ax = drawing.subplots()
    order = by_temperature[1]["rho"].sort_values().index
    for temperature, face in ((4, plots.PANEL), (1, plots.COLOURS[0])):
        if temperature in by_temperature:
            rho = by_temperature[temperature]["rho"].reindex(order)
            ax.plot(rho, order, "o", ms=9, mfc=face, mec=plots.COLOURS[0], label=f"τ = {temperature}")
    ax.axvline(0, color=plots.INK, lw=0.8)
    ax.set(xlabel="Spearman's ρ with the mean S. test loss", xlim=(-1.05, 1.05), xticks=(-1, -0.5, 0, 0.5, 1))
    drawing.legend(loc="outside upper center", ncols=2)
    return drawing
