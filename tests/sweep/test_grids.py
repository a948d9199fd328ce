"""Grids: the product of their lists, and what cannot be one."""

import pytest

from kdutils import sweep
from kdutils.errors import UserError
from kdutils.runs import RunSpec


def test_a_grid_is_the_product_of_its_lists_the_last_varies_first() -> None:
    specs = sweep.grid(student="tiny", teacher="tiny", scheme=["none", "cutmix"], seed=range(3))
    assert [(spec.scheme, spec.seed) for spec in specs] == [(s, n) for s in ("none", "cutmix") for n in range(3)]
    assert all(isinstance(spec, RunSpec) and spec.student == "tiny" for spec in specs)


def test_a_pair_names_teacher_and_student_and_the_teachers_file() -> None:
    specs = sweep.grid(pair=["resnet56/resnet20", "resnet32x4/vgg8"], teacher_weights="some/{teacher}.pth")
    assert [(s.teacher, s.student, s.teacher_weights) for s in specs] == [
        ("resnet56", "resnet20", "some/resnet56.pth"),
        ("resnet32x4", "vgg8", "some/resnet32x4.pth"),
    ]


@pytest.mark.parametrize(
    ("lists", "complaint"),
    [
        ({"student": "tiny", "teacher": "tiny", "scheme": []}, "the grid is empty: no value for scheme"),
        ({"student": "tiny", "teacher": "tiny", "scheme": ["none", "cutmx"]}, "Did you mean 'cutmix'"),
        ({"student": "tiny", "teacher": "tiny", "sheme": "none"}, "unknown parameter 'sheme'"),
        ({"pair": "resnet56"}, "a pair is written teacher/student"),
        ({"pair": 5}, "a pair is written teacher/student.*not 5"),
        ({"student": "tiny", "teacher": 5, "teacher_weights": "some.pth"}, "teacher: Input should be a valid string"),
        ({"student": "tiny", "method": "ce", "epochs": True}, "epochs: Input should be a number or a text .got True"),
        ({"student": "tiny", "method": "ce", "seed": [0, False]}, "seed: Input should be a number or a text"),
        ({"student": "tiny", "method": "ce", "lr": True}, "lr: Input should be a number or a text"),
        ({"student": {"tiny": 1}, "method": "ce"}, "student: write a value or a list of values .got {'tiny': 1}"),
        ({"student": "tiny", "method": "ce", "seed": b"AB"}, "seed: write a value or a list"),
        ({"student": "tiny", "method": "ce", "seed": {1, 2}}, "seed: write a value or a list"),
        ({"student": "tiny", "seed": range(10**6), "epochs": range(1, 501)}, "a grid of 500,000,000 runs; at most"),
        ({"scheme": "none"}, "name at least one student"),
        ({"student": "tiny", "method": "kd"}, "needs a teacher"),
        ({"pair": "tiny/tiny", "student": "resnet8"}, "leave out the pair, or student"),
        ({"student": "tiny", "method": "ce", "seed": "0-2"}, r"seed: Input should be a valid integer \(got '0-2'\)"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(lists: dict, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        sweep.grid(**lists)
