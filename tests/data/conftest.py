"""Fixtures of the tests of datasets."""

import pytest

from tests.data.pictures import picture


@pytest.fixture
def tree(tmp_path):
    """Three classes, 4 training and 2 test images each, 32 x 32."""

    def make(size=(32, 32), parts=("train", "test")):
        for part, n in zip(parts, (4, 2), strict=True):
            for c, name in enumerate(("ant", "bee", "cow")):
                (tmp_path / part / name).mkdir(parents=True)
                for i in range(n):
                    picture(10 * c + i + (100 if n == 2 else 0), size).save(tmp_path / part / name / f"{i}.png")
        return tmp_path

    return make
