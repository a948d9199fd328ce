"""Fixtures of the tests of runs: short runs, a small ranking, an empty store."""

import pytest

from kdutils import runs
from kdutils.runs import RankSpec, RunSpec, Store
from tests.runs.helpers import EPOCHS


@pytest.fixture(scope="module")
def make(teacher_file):
    """A short run on 40 digits: two batches per epoch."""

    def make(scheme="identity", **changed):
        options = dict(images_per_class=4, batch_size=20, epochs=EPOCHS, teacher="tiny", student="tiny")
        return RunSpec(**{**options, "scheme": scheme, "teacher_weights": str(teacher_file), **changed})

    return make


@pytest.fixture(scope="module")
def undisturbed(make, tmp_path_factory):
    """A scheme's run that nothing disturbs: its specification and its result."""
    made = {}

    def undisturbed(scheme):
        if scheme not in made:
            made[scheme] = make(scheme), runs.run(make(scheme), tmp_path_factory.mktemp("whole"))
        return made[scheme]

    return undisturbed


@pytest.fixture
def ranking(teacher_file):
    schemes = ("cutmixpick_s", "flip", "identity")
    return RankSpec(teacher="tiny", teacher_weights=str(teacher_file), schemes=schemes, steps=6, k=256)


@pytest.fixture
def shelf(tmp_path):
    return Store(tmp_path)
