"""Messages that name the value, the choices and what was probably meant."""

import pytest

from kdutils.errors import UserError, choose


def test_a_known_name_comes_back():
    assert choose("scheme", "flip", iter(["identity", "flip"])) == "flip"


def test_an_unknown_name_is_answered_with_the_choices_and_the_nearest():
    with pytest.raises(UserError, match=r"unknown scheme 'cutmx'\. Did you mean 'cutmix'\? Choose one of: flip, cut"):
        choose("scheme", "cutmx", ["flip", "cutmix"])


def test_nothing_is_suggested_where_nothing_is_near():
    with pytest.raises(UserError, match=r"^unknown scheme 'zzz'\. Choose one of: flip, cutmix$"):
        choose("scheme", "zzz", ["flip", "cutmix"])
