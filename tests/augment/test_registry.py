"""The registry: names, chains, and what a ranking may be asked for."""

import pytest
import torch
from torchvision.transforms import v2

from kdutils import augment
from kdutils.augment import NINE, SCHEMES, Draw, Scheme
from kdutils.errors import UserError
from tests.augment.images import N, draw, noise, stream


@pytest.fixture
def registered():
    """Take back what a test registers."""
    before = dict(SCHEMES)
    yield augment.register
    SCHEMES.clear()
    SCHEMES.update(before)


def invert(x):
    return 255 - x


# --- Names --------------------------------------------------------------------------------------------------------


def test_a_scheme_of_ones_own_is_a_function_and_one_line(registered, settings):
    mine = registered("invert", "Invert", invert)
    assert augment.find("invert") is SCHEMES["invert"] is mine
    assert torch.equal(mine(noise(), stream(), settings).x, 255 - noise())


def test_a_cell_that_registers_may_be_run_again_and_counts_then(registered, settings):
    registered("mine", "Mine", invert)
    registered("mine", "Mine", lambda x: x // 2)
    assert torch.equal(augment.find("mine")(noise(), stream(), settings).x, noise() // 2)


@pytest.mark.parametrize("name", ["cutmix", "randaugment"])
def test_a_name_of_the_package_is_not_given_away(name, registered):
    before = SCHEMES[name]
    with pytest.raises(UserError, match=f"'{name}' is a scheme of the package; choose another name"):
        registered(name, "Mine", invert)
    assert SCHEMES[name] is before


@pytest.mark.parametrize("name", ["", "all", "none", "a+b", "a,b", "a b"])
def test_a_name_that_could_not_be_asked_for_is_refused(name, registered):
    with pytest.raises(UserError, match="cannot name a scheme"):
        registered(name, "Mine", invert)


def test_a_label_is_that_of_the_scheme_or_chain_and_else_the_name_itself(registered):
    registered("mine", "My scheme", lambda x: x)
    names = ["cutmixpick_gap", "mine", "flip+cutmix", "Identity", "nothing+cutmix"]
    expected = ["CutMixPick (gap)", "My scheme", "Flip + CutMix", "Identity", "nothing+cutmix"]
    assert [augment.label(name) for name in names] == expected


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(UserError, match=r"unknown scheme 'cutmx'\. Did you mean 'cutmix'"):
        augment.find("flip+cutmx")


# --- Chains -------------------------------------------------------------------------------------------------------


def test_a_chain_is_one_scheme_after_another_from_the_same_stream(settings):
    chain = augment.find("flip+cutout")
    made = chain(noise(), stream(), settings)
    twin = draw(settings)
    assert torch.equal(made.x, augment.cutout(augment.flip(noise(), twin), twin))
    assert (chain.name, chain.label, chain.pick) == ("flip+cutout", "Flip + Cutout", "")


@pytest.mark.parametrize("name", ["flip+mixup", "mixup+flip"])
def test_a_chain_with_a_mixing_scheme_knows_what_it_mixed(name, settings):
    made = augment.find(name)(noise(), stream(), settings)
    twin = draw(settings)
    if name == "mixup+flip":
        expected = augment.mixup(noise(), twin)
        expected = expected._replace(x=augment.flip(expected.x, twin))
    else:
        expected = augment.mixup(augment.flip(noise(), twin), twin)
    assert all(torch.equal(a, b) for a, b in zip(made, expected, strict=True))


def test_a_chain_ends_in_a_pick_and_pools_as_it_does(settings):
    chain = augment.find("cutout+cutmixpick_t")
    assert chain.pick == "teacher"
    assert len(chain(noise(), stream(), settings, runs=2).x) == 2 * N
    with pytest.raises(UserError, match="a scheme that picks must come last"):
        augment.find("cutmixpick_t+cutout")


def test_mixing_twice_is_refused(settings):
    with pytest.raises(UserError, match=r"'mixup\+cutmix' mixes images twice"):
        augment.find("mixup+cutmix")(noise(), stream(), settings)


def test_autoaugment_after_a_float_scheme_sees_what_uint8_images_would_show(digits):
    """torchvision takes float images to lie in 0..1: given 0..255 as floats it makes nonsense, down to -254."""
    settings = augment.settings(digits)
    for seed in range(40):
        whole = augment.autoaugment(noise(), draw(settings, generator=stream(seed)))
        assert torch.equal(augment.autoaugment(noise().float(), draw(settings, generator=stream(seed))), whole)
        nearly = noise().float() + 0.4 * (noise() < 255)
        assert torch.equal(augment.autoaugment(nearly, draw(settings, generator=stream(seed))), whole)
    made = torch.cat([augment.find("mixup+autoaugment")(noise(), stream(seed), settings).x for seed in range(20)])
    assert made.dtype == torch.uint8


# --- What may be asked for ----------------------------------------------------------------------------------------


def test_all_are_the_papers_nine_whatever_else_is_registered(registered):
    registered("mine", "Mine", invert)
    assert [scheme.name for scheme in augment.wanted("all")] == list(NINE) == list(SCHEMES)[:9]


def test_names_schemes_and_chains_may_be_asked_for_together():
    mine = Scheme("mine", "Mine", invert)
    assert [each.name for each in augment.wanted(["flip", mine, "cutout+flip"])] == ["flip", "mine", "cutout+flip"]
    assert augment.wanted(mine) == [mine]


def test_a_mapping_names_transforms_functions_schemes_and_names(settings):
    asked = {"randaugment": v2.RandAugment(), "mine": invert, "cut": "cutmix", "own": Scheme("x", "X", invert)}
    found = augment.wanted(asked)
    assert [each.name for each in found] == list(asked)
    assert [each.built_in for each in found] == [False, False, True, False]
    assert found[2].fn is augment.cutmix
    for each in found:
        assert each(noise(), stream(), settings).x.shape == noise().shape


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ([], "no scheme to rank; choose from: identity, flip"),
        ({}, "no scheme to rank"),
        (["flip", "flip"], "'flip' is named 2 times"),
        ({"mine": 3}, "a transform is called with images; a int cannot be"),
        (
            v2.RandAugment(),
            r"a scheme is asked for by its name, and a RandAugment has none: give \{'randaugment': \.\.\.\}",
        ),
        (["flip", v2.RandAugment()], "a RandAugment has none"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(asked, message):
    with pytest.raises(UserError, match=message):
        augment.wanted(asked)


def test_a_built_in_function_takes_x_and_draw(settings):
    for scheme in SCHEMES.values():
        assert scheme.fn(noise(), Draw(stream(), settings.draws(N), settings)) is not None
