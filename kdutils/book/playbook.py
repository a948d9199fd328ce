"""What to do with a teacher, images and a budget: each piece of advice as the verdict on a claim has it."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from kdutils import report
from kdutils.report.verdict import signed


class Advice(NamedTuple):
    """What to do in a situation if a claim holds (or holds in part), if it fails, and while nobody knows."""

    situation: str
    claim: str
    holds: str
    fails: str
    unknown: str


ADVICE = {
    "The teacher": (
        Advice(
            "You have augmentations to choose from and no time for students.",
            "unseen-choice",
            "Rank them (`kdutils rank`) and take the one with the lowest T. stddev.",
            "Do not take the first of a ranking alone: a blind choice did better. Try the first few with students.",
            "Rank them, and train one student with each of the first two or three.",
        ),
        Advice(
            "You have many of them, and students only for some.",
            "unseen-joint",
            "Rank them, and leave out the half with the higher T. stddev: its order is better than chance.",
            "Do not leave any out by T. stddev.",
            "Leave out only what is far behind in T. stddev.",
        ),
        Advice(
            "Some of them may hide what an image shows.",
            "unseen-fooled",
            "Leave those out first: T. stddev likes them, and their students do not. Heed the warning of a collapse.",
            "They may stay in the ranking.",
            "Leave them out: the proposition does not cover them.",
        ),
        Advice(
            "You could rank by another number.",
            "which-number-best",
            "T. stddev is enough.",
            "Look at the number that is ahead of it as well.",
            "Rank by T. stddev, as the paper does: no other number is known to be better.",
        ),
        Advice(
            "The teacher will be softened by a temperature when it teaches.",
            "which-number-temperature",
            "Read it at that temperature for the ranking.",
            "Read it at temperature 1 for the ranking.",
            "Read it at temperature 1, as the paper does.",
        ),
        Advice(
            "You train the teacher yourself.",
            "taught-impaired",
            "Train it with crop and flip alone: mixed labels cost its students more than they give.",
            "Train it with mixed images as well: its students are the better for it.",
            "Train it with crop and flip, as the paper does.",
        ),
    ),
    "The images": (
        Advice(
            "You have few images per class and want one scheme without a ranking.",
            "pick-lowers-test-loss",
            "Take CutMixPick by the teacher's entropy.",
            "Take CutMix: the picking does not pay.",
            "Take CutMix; with passes of the teacher to spare, CutMixPick.",
        ),
        Advice(
            "You could pick by what the student says as well.",
            "pick-asks-student",
            "Look there which of the three scores beat a random half; each costs one forward pass more per step.",
            "Do not: a random half does as well or better.",
            "Pick by the teacher's entropy, which costs one forward pass less per step.",
        ),
        Advice(
            "You could gather more images, or augment those that you have.",
            "worth-something",
            "Augment first: look there how many images each scheme stands in for.",
            "Gather images: these schemes need more of them, not fewer.",
            "Augment first, which costs less, and check the test loss against plain KD.",
        ),
        Advice(
            "You have ten times the images that a scheme was tried with.",
            "worth-less-with-more",
            "Expect it to stand in for a smaller multiple of them than it did.",
            "Expect it to stand in for at least the same multiple of them.",
            "Try it again: what it was worth with few images tells little of many.",
        ),
        Advice(
            "You need probabilities that can be trusted, not only predictions.",
            "inherits-ece",
            "Choose by test loss: the schemes that lower it also calibrate.",
            "Calibrate the student afterwards: the schemes with the lower loss are the less calibrated ones.",
            "Calibrate the student afterwards, on images held out.",
        ),
        Advice(
            "You need a student that stands in for its teacher, errors included.",
            "inherits-agreement",
            "Choose by test loss: the schemes that lower it also bring the student closer.",
            "Do not choose by test loss: the schemes with the lower loss are further from the teacher.",
            "Measure agreement; a better student need not be a closer one.",
        ),
    ),
    "The budget": (
        Advice(
            "You have time to try one thing: a newer loss, or a better input.",
            "input-before-loss",
            "Change the input first.",
            "Change the loss first.",
            "Change the input first: it needs no weights of its own.",
        ),
        Advice(
            "You want to combine both.",
            "loss-input-interact",
            "Try the pair that you mean to use: gains do not simply add up.",
            "Choose each by itself and add them.",
            "Choose each by itself, and check the pair.",
        ),
        Advice(
            "You can afford more epochs.",
            "stronger-admits-longer",
            "Spend them with a strong scheme.",
            "Do not count on a strong scheme to make them pay.",
            "Watch the loss on images held out, and stop where it turns.",
        ),
    ),
}
"""Topic -> advice."""


def page(claims: pd.DataFrame, verdicts: Sequence[report.Verdict]) -> str:
    """The playbook as MyST text: by topic, the situation, what to do, and the verdict that says so, with its chapter.

    `claims`: the paper's claims and those made since.
    """
    words = {claim: verdict for verdict in verdicts for claim in verdict.claim_ids}
    chapters = claims.set_index("id")["chapter"]
    head = "| If | then | because |\n| --- | --- | --- |\n"
    parts = [
        f"## {topic}\n\n{head}" + "\n".join(_row(each, words.get(each.claim), chapters[each.claim]) for each in rows)
        for topic, rows in ADVICE.items()
    ]
    return "\n\n".join(parts) + "\n"


def _row(advice: Advice, verdict: report.Verdict | None, chapter: str) -> str:
    """A line of the table; advice on what is not tested says so in its last cell."""
    word = verdict.holds if verdict else "not tested"
    said = {"holds": advice.holds, "partly": advice.holds, "fails": advice.fails}.get(word, advice.unknown)
    claim = f"{verdict.claim} " if verdict else ""
    return f"| {advice.situation} | {said} | {claim}{signed(word)} ({{doc}}`/notebooks/{chapter}`) |"
