"""Predictors are judged by rank, and nothing of a pair is used to predict it."""

import numpy as np
import pandas as pd
import pytest
import torch

from kdutils import views
from kdutils.chapters import predictors

INDEX = pd.MultiIndex.from_tuples(
    [("d", "a", "a/s"), ("d", "a", "a/t"), ("e", "a", "a/s"), ("e", "b", "b/s")], names=["dataset", "teacher", "pair"]
)
LOSSES = pd.DataFrame([[1, 2, 3], [1, 3, 2], [3, 2, 1], [2, 1, 3]], index=INDEX, columns=["x", "y", "z"], dtype=float)


@pytest.mark.parametrize(("apart", "first"), [("pair", [2, 2, 2]), ("teacher", [2, 1, 3]), ("dataset", [2.5, 1.5, 2])])
def test_others_leave_out_what_is_shared(apart: str, first: list) -> None:
    assert predictors.from_others(LOSSES, apart).iloc[0].tolist() == pytest.approx(first)


def test_judged_by_spearman_over_shared_schemes() -> None:
    score = pd.Series({"x": 1.0, "y": 5.0, "z": 9.0, "other": 0.0})
    found = predictors.judge(LOSSES, {"T. stddev": score, "reverse": -score, "own": LOSSES})
    assert found["T. stddev"].tolist() == pytest.approx([1, 0.5, -1, 0.5])
    assert found["reverse"].tolist() == pytest.approx((-found["T. stddev"]).tolist())
    table = predictors.summary(found)
    assert table.loc["own", ["median", "worst", "better than T. stddev", "worse"]].tolist() == [1, 1, 3, 0]
    assert table.index[0] == "own"


def test_a_score_is_chosen_without_the_pair_that_judges_it() -> None:
    judged = pd.DataFrame({"a": [0.0, 0.9, 0.9, 0.9], "b": [1.0, 0.5, 0.5, 0.5]}, index=INDEX)
    found = predictors.chosen_on_others(judged, ["a", "b"])
    assert found["chosen"].tolist() == ["a", "b", "b", "b"], "on all four pairs the means are 0.675 and 0.625"
    assert found["rho"].tolist() == [0.0, 0.5, 0.5, 0.5]
    assert predictors.chosen_on_others(judged, ["a", "b"], "teacher")["chosen"].tolist() == ["a", "a", "a", "b"]


def test_published_frames_hold_every_pair_and_scheme() -> None:
    losses, t_stddev = predictors.published()
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
    found = predictors.changes(frame)
    assert found.index.tolist() == ["less"]
    assert found.loc["less"].tolist() == pytest.approx([-0.25, 0.5, 1.5, -1.0])


def test_the_gap_weighs_both_labels_by_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    p, p_prime = torch.tensor([[0.5, 0.25, 0.25]]), torch.tensor([[0.2, 0.4, 0.4]])
    image, label = torch.zeros(1, 3, 1, 1), torch.tensor([0])
    seen = views.Views(image, image, p, p_prime, label, label, torch.tensor([1]), torch.tensor([0.75]))
    monkeypatch.setattr(views, "views", lambda *_, **__: iter([seen, seen]))
    expected = np.log(0.5) - (0.75 * np.log(0.2) + 0.25 * np.log(0.4))
    assert predictors.likelihood_gap(None, None, "cutmix", 2) == pytest.approx((expected, 0), rel=1e-6)
