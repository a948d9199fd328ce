"""Sentences of the chapters that state a result and are not computed: each is tied to the numbers that it rests on."""

from collections.abc import Callable
from itertools import permutations
from typing import NamedTuple

import nbformat
import numpy as np
import pytest
from scipy.stats import chi2, spearmanr

from kdutils import paper
from kdutils.book import notebooks
from kdutils.chapters import large_images, mixed_labels, more_methods, pick_your_own, prolonged, tables_1_2


class Sentence(NamedTuple):
    """Words as they stand in a chapter, and whether the numbers still say so."""

    chapter: str
    words: str
    still_true: Callable[[], bool]


def choices_differ(schemes: str) -> bool:
    return pick_your_own.choices(paper.pairs(), schemes)["chosen"].nunique() > 1


def on_every_pair(row: tables_1_2.Row, base: tables_1_2.Row) -> bool:
    """Does `row` beat `base` on every pair of Tables 1 and 2?"""
    return all(tables_1_2.gains(tables_1_2.Comparison(table, row, (base,)))["gain"].gt(0).all() for table in (1, 2))


def spread_beyond_schemes() -> bool:
    """Do the 18 smaller pairs differ in Fisher's z by more than nine schemes' noise (p < 5 %)?"""
    frame = large_images.strengths()
    z = np.arctanh(frame["r"][~frame["dataset"].isin(large_images.LARGE)])
    return chi2.sf((len(z) - 1) * z.var(ddof=1) * (9 - 3), len(z) - 1) < 0.05


def exact_p_crosses() -> bool:
    """Is Spearman's p on ImageNet100 below 5 % by the usual approximation only?"""
    pair = paper.pairs(large=True).query("dataset == 'imagenet100'")
    exact = large_images.coefficients("imagenet100").set_index("method")["p"]["spearman"]
    return spearmanr(pair["t_stddev"], pair["test_loss"]).pvalue < 0.05 <= exact


def reach_of_large_images() -> bool:
    frame = large_images.strengths()
    large = frame["dataset"].isin(large_images.LARGE)
    return frame["reach"][large].min() > frame["reach"][~large].max()


def noise_of_weak_pairs() -> bool:
    lowest = large_images.strengths().nsmallest(3, "r").dropna(subset=["noise"])
    return len(lowest) == 2 and bool((lowest["noise"] / lowest["spread"]).gt(0.33).all())


def only_spread_goes_with_r() -> bool:
    p = large_images.accounts(large_images.strengths())["p"]
    return list(p < 0.05) == [False, False, True]


def several_gain_as_much_alone() -> bool:
    cifar = prolonged.published().query("dataset == 'cifar100'")
    return (cifar["alone"] >= cifar["picked"]).sum() >= 3 and prolonged.admits_longer(cifar)["cifar100"].t_p >= 0.05


def least_significant_rho(n: int) -> float:
    """The smallest Spearman's rho above zero of `n` points without ties whose exact two-sided p is below 5 %."""
    squares = ((np.array(list(permutations(range(n)))) - np.arange(n)) ** 2).sum(axis=1)
    rho = 1 - 6 * squares / (n * (n**2 - 1))
    return min(r for r in np.unique(rho[rho > 0]) if 2 * (rho >= r - 1e-12).mean() < 0.05)


SENTENCES = [
    Sentence(
        "01_proposition",
        "Where the squared bias is more than five times the variance (at $K = 640$), that is less than one mini-batch",
        lambda: notebooks.parameters(notebooks.find("01_proposition"))["k"].default == 5 * 128 == 640,
    ),
    Sentence(
        "06_prolonged",
        "prolonging can cost plain KD accuracy, and costs CutMixPick none",
        lambda: prolonged.published()["alone"].lt(0).any() and prolonged.published()["picked"].ge(0).all(),
    ),
    Sentence("06_prolonged", "On CIFAR-100 several pairs gain as much or more", several_gain_as_much_alone),
    Sentence(
        "08_more_methods",
        "on both tables the interval of the difference lies below zero",
        lambda: more_methods.combined(more_methods.published()).query("quantity == 'less'")["high"].lt(0).all(),
    ),
    Sentence("09_large_images", "It is larger than nine schemes' noise alone would make it", spread_beyond_schemes),
    Sentence("09_large_images", "by enough to cross 5 %, as they do for Spearman's ρ on ImageNet100", exact_p_crosses),
    Sentence("09_large_images", "These numbers do not show that hard data, or many classes", only_spread_goes_with_r),
    Sentence("09_large_images", "the noise is a third of the spread and more", noise_of_weak_pairs),
    Sentence("09_large_images", "reaches less far down than on any of the small ones", reach_of_large_images),
    Sentence(
        "07_tables_1_2",
        "CutMixPick at 240 epochs does not improve CRD on every pair, and prolonging does not improve CRD+CutMixPick "
        "on every pair; only both together do.",
        lambda: (
            not on_every_pair(tables_1_2.CRD_PICK, tables_1_2.CRD)
            and not on_every_pair(tables_1_2.CRD_PICK_LONG, tables_1_2.CRD_PICK)
            and on_every_pair(tables_1_2.CRD_PICK_LONG, tables_1_2.CRD)
        ),
    ),
    Sentence(
        "13_mixed_labels",
        "on photographs the teacher's prediction finds more support than the label, but little of either",
        lambda: all(
            votes["label"] < votes["teacher"] < votes["neither"] for votes in mixed_labels.recorded_votes().values()
        ),
    ),
    Sentence(
        "19_unseen",
        "With eight points a $\\rho$ below about 0.74 cannot be told from chance",
        lambda: round(least_significant_rho(8), 2) == 0.74,
    ),
    Sentence(
        "17_pick_your_own",
        "does as well and costs no forward pass at all. Among all nine schemes that is so.",
        lambda: not choices_differ("all nine schemes"),
    ),
    Sentence(
        "17_pick_your_own",
        "Among the seven it chooses another scheme for some teachers",
        lambda: choices_differ("the seven existing schemes"),
    ),
]


def text_of(chapter: str) -> str:
    """The words of a chapter's text cells, line breaks as spaces."""
    cells = nbformat.read(notebooks.find(chapter), as_version=4).cells
    return " ".join(" ".join(cell.source.split()) for cell in cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: f"{sentence.chapter}: {sentence.words[:40]}")
def test_a_sentence_that_states_a_result_is_there_and_true(sentence: Sentence) -> None:
    assert sentence.words in text_of(sentence.chapter)
    assert sentence.still_true()
