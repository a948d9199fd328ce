"""The verdicts on what an augmentation is worth in images, by the rules of the study's design."""

import pandas as pd

from kdutils import augment, report
from kdutils.chapters import worth_in_images
from kdutils.chapters.worth_in_images import AT, SCHEMES, SEEDS, SIZES, Worth
from kdutils.report import Finding, Verdict, campaigns, rules

EACH = "of each of the three schemes; some hold and others fail: partly"
TESTS = {
    "worth-something": f"the exchange rate at {AT} images per class has a 95 % interval above 1 (below: fails), {EACH}",
    "worth-less-with-more": "the slope of log2 of the exchange rate over log2 of the images has a 95 % interval below "
    f"zero (above: fails), {EACH}",
}
WHAT = "the few-shot study of images per class"
TOO_SHORT = "the interval of a bootstrap of three seeds is too short"


def verdicts(live: pd.DataFrame, dataset: str, size: str) -> list[Verdict]:
    """The chapter's two verdicts; `live`: this run's students on `dataset`, of two numbers of images at least."""
    runs = worth_in_images.students()
    if worth_in_images.fewest_seeds(runs) < 2:
        found = {name: report.awaited(WHAT, test, state(runs)) for name, test in TESTS.items()}
    else:
        found = judged(runs)
    shown, least = worth_in_images.worth(live), live["images_per_class"].min()
    numbers = f"with {least} images per class {rates_in_words(shown, least)}"
    this_run = report.described(dataset, numbers, live["seed"].nunique(), size, TESTS["worth-something"])
    beside = {"worth-something": [this_run]}
    return [report.verdict_on(name, finding, *beside.get(name, [])) for name, finding in found.items()]


def state(runs: pd.DataFrame) -> str:
    """Why the students may not decide yet; "" once all are there."""
    return campaigns.lacking(len(runs), (1 + len(SCHEMES)) * len(SIZES) * SEEDS)


def judged(runs: pd.DataFrame) -> dict[str, Finding]:
    """What students of every cell, two at least, say of the two claims."""
    found = worth_in_images.worth(runs)
    rates = worth_in_images.rates(found).query("images_per_class == @AT").set_index("scheme").loc[list(SCHEMES)]
    slopes = worth_in_images.slopes(found).reindex(list(SCHEMES))
    says = {
        "worth-something": [rules.from_interval(row.low, row.high) for row in rates.itertuples()],
        "worth-less-with-more": [rules.from_interval(-row.high, -row.low) for row in slopes.itertuples()],
    }
    numbers = {"worth-something": rates_in_words(found, AT), "worth-less-with-more": slopes_in_words(slopes)}
    rests = {"by": "photographs", "size": "laptop", "short_of": state(runs)}
    n = f"{1 + len(SCHEMES)} schemes, {len(SIZES)} numbers of images, {len(runs)} students; {TOO_SHORT}"
    return {
        name: Finding(says=rules.all_parts(says[name]), numbers=numbers[name], n=n, test=TESTS[name], **rests)
        for name in TESTS
    }


def rates_in_words(found: Worth, size: int) -> str:
    """`CutMix is worth 1.80 (1.50 to 2.10) times the images; ...` at one number of images."""
    rows = worth_in_images.rates(found)
    return "; ".join(
        f"{augment.label(row.scheme)} is worth {worth_in_images.with_interval(row, found.curve)} times the images"
        for row in rows[rows["images_per_class"] == size].itertuples()
    )


def slopes_in_words(slopes: pd.DataFrame) -> str:
    """`CutMix -0.30 (-0.50 to -0.10); ...`: how log2 of the rate changes as the images double."""
    said = [
        f"{augment.label(row.Index)} {worth_in_images.slope_in_words(row)}"
        if pd.notna(row.slope)
        else f"{augment.label(row.Index)} out of reach of the curve at too many sizes"
        for row in slopes.itertuples()
    ]
    return "change of log2 of the rate as the images double: " + "; ".join(said)


def in_words(runs: pd.DataFrame) -> str:
    """What is recorded so far; once all is, the rates at which schemes are judged and how sure they are."""
    short = state(runs)
    if short:
        return f"State of the study: *{short}*."
    said = rates_in_words(worth_in_images.worth(runs), AT)
    return f"All students are recorded. With {AT} images per class, {said}. Mind that {TOO_SHORT}."
