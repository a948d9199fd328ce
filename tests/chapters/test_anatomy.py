"""The closed form against rankings by hand, and the shared source of mixed images against a plain count."""

import pandas as pd
import pytest
import torch

from kdutils import augment, data, models
from kdutils.chapters import anatomy


def test_the_closed_form_is_compared_over_the_measured_schemes() -> None:
    frame = pd.DataFrame(
        {
            "scheme": ["identity", "flip", "cutmixpick_s"],
            "t_stddev": [1.0, 2.0, None],
            "t_stddev_pairs": [1.1, 1.9, None],
            "t_stddev_se": [0.04, 0.06, None],
            "n_u": [30, 30, 0],
        }
    )
    row = anatomy.closed_form({"one": frame}).loc["one"]
    assert row[["windows", "schemes", "furthest off", "beyond"]].tolist() == [30, 2, "identity", 1]
    assert row[["mean ratio", "its ratio"]].tolist() == pytest.approx([1.025, 1.1])


def test_couples_are_the_mixed_images_that_show_the_same_one(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = data.load("digits")
    rng = torch.Generator().manual_seed(0)
    answers = torch.rand(3, 64, 10, generator=rng)
    partners = [torch.randperm(64, generator=rng) for _ in answers]
    calls = iter(answers)
    made = iter(
        augment.Augmented(torch.zeros(64, 3, 16, 16), torch.arange(64), partner, torch.full((64,), 0.5))
        for partner in partners
    )
    monkeypatch.setitem(augment.SCHEMES, "cutmix", lambda *_: next(made))
    monkeypatch.setattr(anatomy, "read_logits", lambda *_: next(calls))
    couples = [
        (p[i], p[int(partner[i])])
        for p, partner in zip(answers.softmax(2).double(), partners, strict=True)
        for i in range(64)
        if int(partner[i]) != i
    ]
    a, b = (torch.stack(side) for side in zip(*couples, strict=True))
    by_class = [torch.cov(torch.stack([a[:, c], b[:, c]]), correction=0)[0, 1] for c in range(10)]
    expected = 2 * float(sum(by_class)) / 10 / (4 * 320)
    assert anatomy.shared_source(torch.nn.Identity(), digits, "cutmix", 3) == pytest.approx(expected, rel=1e-6)


def test_nothing_is_shared_where_nothing_is_mixed() -> None:
    assert anatomy.shared_source(models.build("tiny", 10, 16), data.load("digits"), "flip", 2) == 0
