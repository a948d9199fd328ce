"""Who decides a claim: photographs before published numbers, never digits, and nothing that falls short."""

from itertools import permutations

import pytest
from pydantic import ValidationError

from kdutils.report import evidence
from kdutils.report.evidence import Finding, deciding


def finding(by: str, says: str = "holds", **more: str) -> Finding:
    return Finding(by=by, says=says, numbers="1", test="a rule", **more)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_our_photographs_decide_before_a_recount_and_digits_only_demonstrate(order: tuple[int, ...]) -> None:
    every = [finding("photographs", "fails"), finding("published"), finding("digits", "cannot tell")]
    assert deciding([every[place] for place in order]).by == "photographs"


def test_a_recount_decides_where_photographs_are_missing_short_or_cannot_tell() -> None:
    published = finding("published")
    assert deciding([finding("digits", "fails"), published]) is published
    assert deciding([finding("photographs", "fails", short_of="one pair of networks"), published]) is published
    assert deciding([finding("photographs", "cannot tell"), published]) is published
    unsure = finding("published", "cannot tell")
    assert deciding([finding("photographs", "cannot tell"), unsure]).by == "photographs", "the first that may decide"


def test_of_two_studies_the_one_that_may_decide_does() -> None:
    begun = finding("photographs", "holds", short_of="3 of 90 runs recorded")
    whole = finding("photographs", "fails")
    assert deciding([begun, whole]) is whole
    assert deciding([whole, finding("photographs", "fails", n="another")]) is whole


@pytest.mark.parametrize(("words", "says"), [(("holds", "cannot tell"), "cannot tell"), (("fails", "holds"), "partly")])
def test_studies_of_one_kind_have_to_agree_whichever_comes_first(words: tuple[str, str], says: str) -> None:
    both = [finding("photographs", word, n=f"study {word}") for word in words]
    for order in (both, both[::-1]):
        assert deciding(order).says == says
        assert all(found.n in deciding(order).n for found in both)
    decided = deciding([*both, finding("published", "fails")])
    assert decided.by == ("published" if says == "cannot tell" else "photographs"), "who cannot tell hands over"


@pytest.mark.parametrize(("dataset", "kind"), [("digits", "digits"), ("cifar100", "photographs")])
def test_a_description_of_this_run_decides_nothing_whatever_its_images(dataset: str, kind: str) -> None:
    found = evidence.described(dataset, "2 points", 2, "quick", "a rule")
    assert (found.by, found.numbers, found.n) == (kind, "this run: 2 points", "2 seeds")
    assert deciding([found]) is None


def test_digits_alone_decide_nothing() -> None:
    assert deciding([finding("digits")]) is None
    assert deciding([]) is None
    assert deciding([finding("published", "not tested")]) is None


def test_a_theorem_and_arithmetic_come_first() -> None:
    assert deciding([finding("photographs", "fails"), finding("theorem")]).by == "theorem"
    assert deciding([finding("published"), finding("arithmetic", "fails")]).by == "arithmetic"


def test_every_kind_and_word_has_its_name() -> None:
    assert set(evidence.EVIDENCE_LABELS) == set(evidence.EVIDENCE)
    with pytest.raises(ValidationError, match="'theorem', 'arithmetic', 'photographs'"):
        finding("hearsay")
    assert evidence.kind_of("digits") == "digits"
    assert evidence.kind_of("cifar100") == evidence.kind_of("folder") == "photographs"
