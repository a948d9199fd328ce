"""Chapter 12: what a constant image does to T. stddev, measured beside its closed forms; figure and verdicts."""

from collections.abc import Mapping, Sequence

import pandas as pd
from torch import nn

from kdutils import paper, report, theory
from kdutils.data import Dataset
from kdutils.metrics import responses
from kdutils.paper import SCHEME_LABELS
from kdutils.plots import COLOURS, PANEL, WIDTH, Chart, mark, style
from kdutils.report import Finding, Verdict, rules

CHAPTER, RECORDED = "12_bad_augmentation", "bad_resnet56"
BATCH, K, IMAGES = 64, 640, 50_000  # of the paper's measurement
ORDINARY = ["identity", "cutmix", "cutmixpick_t"]  # schemes that the bad ones are compared with
LABELS = SCHEME_LABELS | {"constant": "Constant image", "first": "First image"}
PROTECTED = "The originals beside the augmented images keep a constant image from being ranked best."


def ratios(table: pd.DataFrame) -> pd.DataFrame:
    """T. stddev over Identity's with its standard error, and both readings' names: scheme, ratio, error."""
    values, errors = (table.set_index("scheme")[name] for name in ("t_stddev", "t_stddev_se"))
    return pd.DataFrame({"ratio": values / values["identity"], "error": errors / values["identity"]}).reset_index()


def printed() -> float:
    """The paper's number for the bad augmentation, 10⁻³."""
    return 1e3 * float(paper.claims().set_index("id").loc["bad-ranked-worst", "number"])


def predicted_in_words() -> str:
    """What the closed forms give for the paper's wrn_40_2, beside the number it prints."""
    published = paper.table(3).query("metric == 't_stddev' and teacher == 'wrn_40_2'").set_index("scheme")["mean"]
    factor = theory.first_image_factor(BATCH)
    one_hot = factor * 1e3 * theory.one_hot_identity_stddev(100, K)
    half = theory.CONSTANT_IMAGE_FACTOR * published["identity"]
    return (
        f"For mini-batches of {BATCH} the factor is {factor:.3f}. The paper's wrn_40_2 reads "
        f"{published['identity']:.3f}e-3 under Identity, so the released code's reading should give "
        f"**{factor * published['identity']:.2f}e-3; the paper prints {printed():.2f}e-3**. (A teacher that is always "
        f"certain and always right would give {one_hot:.2f}e-3.) The other reading would have given {half:.2f}e-3: "
        f"less than the {published['cutmixpick_t']:.2f}e-3 of the paper's best scheme."
    )


def measured_in_words(table: pd.DataFrame, images: int) -> str:
    """Both factors as measured on a small dataset, beside the closed forms, which the second allows for its size."""
    rows = table.set_index("scheme")
    ratio = rows["t_stddev"] / rows["t_stddev"]["identity"]
    anatomy = rows.loc["identity", ["var_confidence", "var_coupling", "var_batch"]]
    endless = 2 * anatomy["var_confidence"]
    adjusted = ((3 + BATCH * endless / anatomy.sum()) / 4) ** 0.5
    error = ratio["first"] * ((rows.t_stddev_se / rows.t_stddev)[["first", "identity"]] ** 2).sum() ** 0.5
    return (
        f"Measured here: constant {ratio['constant']:.6f} times Identity, predicted {theory.CONSTANT_IMAGE_FACTOR}. "
        f"First image {report.plus_minus(ratio['first'], error)} times Identity, predicted "
        f"{theory.first_image_factor(BATCH):.2f} with infinitely many images and {adjusted:.2f} with {images:,}."
    )


def recorded_in_words() -> str:
    """Both factors of our resnet56 beside a simulation with as few windows."""
    old = report.recorded(RECORDED).set_index("scheme")
    windows = int(old.loc["first", "n_u"])
    few, spread = theory.first_image_factor_measured(BATCH, K, windows, 100)
    many, _ = theory.first_image_factor_measured(BATCH, K, 10 * IMAGES // (K // 2), 100, 5)
    found = old["t_stddev"] / old["t_stddev"]["identity"]
    return (
        f"Recorded on CIFAR-100 with a public resnet56, from {windows} windows: constant {found['constant']:.6f} "
        f"times Identity, first image **{found['first']:.2f}** times. That is less than "
        f"{theory.first_image_factor(BATCH):.2f} because {windows} windows have only {5 * windows} first images for "
        f"100 classes: a simulation with as many windows gives {few:.2f} ± {spread:.2f} (standard deviation), and one "
        f"with the windows of the paper's ten epochs {many:.2f}."
    )


def premises(teacher: nn.Module, images: Dataset, schemes: Sequence[str], steps: int, seed: int) -> pd.DataFrame:
    """What each scheme does to the single probabilities, as multiples of those of x.

    Columns: scheme; shift, the total variation between the mean probabilities of x' and of x; variance, of single
    probabilities; alone, T. stddev of x' alone with a mini-batch as window.
    """
    rows = []
    for name in schemes:
        seen = responses.collect(responses.views(teacher, images, name, steps, seed=seed))
        shift = float((seen.p_prime.mean(0) - seen.p.mean(0)).abs().sum() / 2)
        alone, plain = (p.unflatten(0, (-1, BATCH)).mean(1).std(0).mean() for p in (seen.p_prime, seen.p))
        rows.append((name, shift, float(seen.p_prime.var(0).mean() / seen.p.var(0).mean()), float(alone / plain)))
    return pd.DataFrame(rows, columns=["scheme", "shift", "variance", "alone"])


def students_in_words(losses: Mapping[str, float]) -> str:
    """How the students of a faded and a constant x' fare against Identity's: scheme -> test loss of one student."""
    worse = {name: loss - losses["identity"] for name, loss in losses.items() if name != "identity"}
    told = ", ".join(f"{LABELS.get(name, 'the faded image')} {more:+.3f} nats" for name, more in worse.items())
    return f"Test loss less Identity's: {told}. One student each, with one seed: a demonstration and no test."


@style()
def fade_line(shares: Sequence[float], ranked: pd.DataFrame, levels: Mapping[str, float]) -> Chart:
    """T. stddev with two standard errors, as multiples of the first row's, against the share of a constant image.

    `ranked`: a row per share, with `t_stddev`, its error, and `warning`, which leaves a point hollow. `levels`: scheme
    -> the height of a dotted line.
    """
    chart = Chart(figsize=(WIDTH, 4.2), layout="constrained")
    ax = chart.subplots()
    value, error = (ranked[name] / ranked["t_stddev"].iloc[0] for name in ("t_stddev", "t_stddev_se"))
    ax.errorbar(shares, value, 2 * error, color=COLOURS[0], capsize=3, zorder=1)
    faces = [PANEL if hollow else COLOURS[0] for hollow in ranked["warning"]]
    ax.scatter(shares, value, 60, faces, edgecolors=COLOURS[0], linewidths=1.5, zorder=2)
    for scheme, level in levels.items():
        ax.axhline(level, ls=":", color=mark(scheme).colour, label=SCHEME_LABELS.get(scheme, scheme))
    ax.set(xlabel="share of the constant image in x'", ylabel="T. stddev, Identity = 1", ylim=(0, None))
    chart.legend(loc="outside upper center", ncols=2)
    return chart


def verdicts(live: pd.DataFrame, alone: float, dataset: str, size: str) -> list[Verdict]:
    """The chapter's verdicts; `live`: this run's ranking of both readings, `alone`: T. stddev of constant x' alone."""
    old = report.recorded(RECORDED)
    ours = {"by": "photographs", "size": "laptop", "n": f"1 teacher, {int(old['n_u'].iloc[0])} windows"}
    here = {"by": report.kind_of(dataset), "size": size, "n": "this run", "short_of": "one teacher"}
    return [
        report.verdict_on("bad-variance-zero", *zero(old, live, alone, ours, here)),
        report.verdict_on("bad-ranked-worst", worst_by_theory(), ranked_worst(old, **ours), ranked_worst(live, **here)),
        report.verdict_on("bad-does-not-arise", *collapses(old, live, ours, here)),
        Verdict(
            chapter=CHAPTER,
            claim=PROTECTED,
            paper="argued",
            findings=[not_best(old, **ours), not_best(live, **here)],
        ),
    ]


def zero(old: pd.DataFrame, live: pd.DataFrame, alone: float, ours: dict, here: dict) -> list[Finding]:
    """Whether a constant image makes the variance zero: of the x' alone, and with the originals beside them."""
    test = "zero (below 1 % of Identity's T. stddev) with the originals and of the x' alone; one of the two: partly"
    factor = theory.CONSTANT_IMAGE_FACTOR
    kept, seen = (dict(ratios(table)[["scheme", "ratio"]].to_numpy())["constant"] for table in (old, live))
    return [
        Finding(
            by="theorem",
            says="partly",
            numbers=f"of the x' alone zero; with the originals T. stddev is {factor} times Identity's, whatever the "
            "teacher",
            test=test,
        ),
        Finding(
            says=_is(kept < 0.01),
            numbers=f"with the originals {kept:.4g} times Identity's",
            test=test,
            **ours | {"short_of": "the x' alone were not recorded"},
        ),
        Finding(
            says=rules.all_parts([_is(seen < 0.01), _is(alone < 0.01)]),
            numbers=f"with the originals {seen:.4g} times Identity's, x' alone {alone:.2g}",
            test=test,
            **here,
        ),
    ]


def _is(so: bool) -> rules.Word:
    return "holds" if so else "fails"


def worst_by_theory() -> Finding:
    """What the closed forms say of both readings' places."""
    first, constant = theory.first_image_factor(BATCH), theory.CONSTANT_IMAGE_FACTOR
    return Finding(
        by="theorem",
        says=rules.all_parts([_is(first > 1), _is(constant > 1)]),
        numbers=f"first image of the batch {first:.2f} times Identity's, one constant image {constant} times",
        test="above Identity's T. stddev in both readings (in one: partly)",
    )


def ranked_worst(table: pd.DataFrame, **rests: str) -> Finding:
    """Whether both readings have a higher T. stddev than every ordinary scheme."""
    found = ratios(table).set_index("scheme")["ratio"]
    words = [_beyond(table, name, "max") for name in ("first", "constant")]
    return Finding(
        says=rules.all_parts(words),
        numbers=f"first image {found['first']:.3g} times Identity's, constant image {found['constant']:.3g} times",
        test="above Identity, CutMix and CutMixPick by two standard errors in both readings (in one: partly)",
        **rests,
    )


def collapses(old: pd.DataFrame, live: pd.DataFrame, ours: dict, here: dict) -> list[Finding]:
    """Whether the originals keep a batch from collapsing: T. stddev above zero though all x' are one image."""
    test = "with the originals beside them T. stddev is above zero, by two standard errors, though all x' are one image"
    proved = Finding(
        by="theorem",
        says=_is(theory.CONSTANT_IMAGE_FACTOR > 0),
        numbers=f"T. stddev is {theory.CONSTANT_IMAGE_FACTOR} times Identity's: the originals' part of it stays",
        test="above zero, though all x' are one image",
    )
    found = [proved]
    for table, rests in ((old, ours), (live, here)):
        row = ratios(table).set_index("scheme").loc["constant"]
        says = rules.from_interval(row["ratio"] - 2 * row["error"], row["ratio"] + 2 * row["error"])
        found.append(Finding(says=says, numbers=f"{row['ratio']:.4g} times Identity's", test=test, **rests))
    return found


def not_best(table: pd.DataFrame, **rests: str) -> Finding:
    """Whether a constant image, with the originals beside it, has a higher T. stddev than the best ordinary scheme."""
    found = ratios(table).set_index("scheme")["ratio"]
    best = found[ORDINARY].idxmin()
    return Finding(
        says=_beyond(table, "constant", "min"),
        numbers=f"constant image {found['constant']:.3g} times Identity's, {LABELS[best]} {found[best]:.3g} times",
        test="its T. stddev is above that of the best of Identity, CutMix and CutMixPick by two standard errors "
        "(below: fails)",
        **rests,
    )


def _beyond(table: pd.DataFrame, scheme: str, end: str) -> rules.Word:
    """Whether a scheme's T. stddev is above that of the ordinary scheme at this end, by two standard errors."""
    rows = ratios(table).set_index("scheme")
    other = rows.loc[rows.loc[ORDINARY, "ratio"].agg(f"idx{end}")]
    difference = rows.loc[scheme, "ratio"] - other["ratio"]
    margin = 2 * (rows.loc[scheme, "error"] ** 2 + other["error"] ** 2) ** 0.5
    return rules.from_interval(difference - margin, difference + margin)
