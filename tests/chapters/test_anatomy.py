"""The closed form against rankings by hand, and the shared source of mixed images against a plain count."""

import numpy as np
import pandas as pd
import pytest
import torch

from kdutils import augment, data, models
from kdutils.chapters import anatomy
from kdutils.metrics import responses


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


INDEX = pd.MultiIndex.from_tuples(
    [("d", "a", "a/s"), ("d", "a", "a/t"), ("e", "a", "a/s"), ("e", "b", "b/s")], names=["dataset", "teacher", "pair"]
)
LOSSES = pd.DataFrame([[1, 2, 3], [1, 3, 2], [3, 2, 1], [2, 1, 3]], index=INDEX, columns=["x", "y", "z"], dtype=float)


@pytest.mark.parametrize(("apart", "first"), [("pair", [2, 2, 2]), ("teacher", [2, 1, 3]), ("dataset", [2.5, 1.5, 2])])
def test_others_leave_out_what_is_shared(apart: str, first: list) -> None:
    assert anatomy.from_others(LOSSES, apart).iloc[0].tolist() == pytest.approx(first)


def test_judged_by_spearman_over_shared_schemes() -> None:
    score = pd.Series({"x": 1.0, "y": 5.0, "z": 9.0, "other": 0.0})
    found = anatomy.judge(LOSSES, {"T. stddev": score, "reverse": -score, "own": LOSSES})
    assert found["T. stddev"].tolist() == pytest.approx([1, 0.5, -1, 0.5])
    assert found["reverse"].tolist() == pytest.approx((-found["T. stddev"]).tolist())
    table = anatomy.summary(found)
    assert table.loc["own", ["median", "worst", "better than T. stddev", "worse"]].tolist() == [1, 1, 3, 0]
    assert table.index[0] == "own"


def test_a_score_is_chosen_without_the_pair_that_judges_it() -> None:
    judged = pd.DataFrame({"a": [0.0, 0.9, 0.9, 0.9], "b": [1.0, 0.5, 0.5, 0.5]}, index=INDEX)
    found = anatomy.chosen_on_others(judged, ["a", "b"])
    assert found["chosen"].tolist() == ["a", "b", "b", "b"], "on all four pairs the means are 0.675 and 0.625"
    assert found["rho"].tolist() == [0.0, 0.5, 0.5, 0.5]
    assert anatomy.chosen_on_others(judged, ["a", "b"], "teacher")["chosen"].tolist() == ["a", "a", "a", "b"]


def test_published_frames_hold_every_pair_and_scheme() -> None:
    losses, t_stddev = anatomy.published()
    assert losses.shape == t_stddev.shape == (18, 9)
    assert losses.loc[("cifar100", "vgg13", "vgg13/vgg8"), "identity"] == 1.1856
    assert t_stddev.loc[("cifar100", "vgg13", "vgg13/vgg8"), "identity"] == 5.519


def test_shares_of_a_change_add_up() -> None:
    frame = pd.DataFrame(
        {
            "scheme": ["identity", "same", "less"],
            "var_confidence": [2.0, 2, 1.5],
            "var_coupling": [2.0, 2, 0.5],
            "var_batch": [0.0, 0.01, 1],
        }
    )
    found = anatomy.changes(frame)
    assert found.index.tolist() == ["less"]
    assert found.loc["less"].tolist() == pytest.approx([-0.25, 0.5, 1.5, -1.0])


def test_the_gap_weighs_both_labels_by_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    p, p_prime = torch.tensor([[0.5, 0.25, 0.25]]), torch.tensor([[0.2, 0.4, 0.4]])
    image, label = torch.zeros(1, 3, 1, 1), torch.tensor([0])
    seen = responses.Views(image, image, p, p_prime, label, label, torch.tensor([1]), torch.tensor([0.75]))
    monkeypatch.setattr(responses, "views", lambda *_, **__: iter([seen, seen]))
    expected = np.log(0.5) - (0.75 * np.log(0.2) + 0.25 * np.log(0.4))
    assert anatomy.likelihood_gap(None, None, "cutmix", 2) == pytest.approx((expected, 0), rel=1e-6)
