"""Chapter 12: its figure shows what it is given, its closed forms are those of drawn probabilities, words follow."""

import numpy as np
import pandas as pd
import pytest
import torch

from kdutils import theory
from kdutils.chapters import bad_augmentation
from kdutils.metrics import responses

OURS = {"by": "photographs"}


def ranking(constant: float = 0.5, first: float = 4.0, error: float = 0.01) -> pd.DataFrame:
    """T. stddev as multiples of Identity's, whose own is 4e-3."""
    values = {"identity": 1.0, "cutmix": 0.9, "cutmixpick_t": 0.8, "constant": constant, "first": first}
    columns = {"t_stddev": [4e-3 * value for value in values.values()], "t_stddev_se": 4e-3 * error, "n_u": 30}
    return pd.DataFrame({"scheme": list(values), **columns})


def test_the_fading_line_leaves_warned_points_hollow() -> None:
    ranked = pd.DataFrame({"t_stddev": [4e-3, 3e-3, 2e-3], "t_stddev_se": 1e-4, "warning": [False, False, True]})
    (ax,) = bad_augmentation.fade_line([0, 0.5, 1], ranked, {"cutmix": 0.9}).axes
    (points,) = [each for each in ax.collections if len(each.get_offsets()) == 3]
    assert points.get_offsets()[:, 1].tolist() == pytest.approx([1, 0.75, 0.5])
    first, second, hollow = points.get_facecolors()[:, :3].tolist()
    assert first == second != hollow


def test_the_theorems_are_those_of_drawn_probabilities() -> None:
    """A window of five mini-batches of x beside one constant x', or beside the first x of each mini-batch."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), size=(4000, 5, bad_augmentation.BATCH))
    identity = p.mean((1, 2)).std(0).mean()
    constant = ((p.mean((1, 2)) + p[0, 0, 0]) / 2).std(0).mean()
    first = ((p.mean((1, 2)) + p[:, :, 0].mean(1)) / 2).std(0).mean()
    assert constant / identity == pytest.approx(theory.CONSTANT_IMAGE_FACTOR)
    assert first / identity == pytest.approx(theory.first_image_factor(bad_augmentation.BATCH), rel=0.05)


@pytest.mark.parametrize(
    ("constant", "first", "word"),
    [(2.0, 4.0, "holds"), (0.5, 4.0, "partly"), (0.5, 0.6, "fails"), (1.01, 4.0, "cannot tell")],
)
def test_the_highest_of_all_needs_both_readings(constant: float, first: float, word: str) -> None:
    assert bad_augmentation.ranked_worst(ranking(constant, first), **OURS).says == word


@pytest.mark.parametrize(("constant", "word"), [(0.5, "fails"), (0.9, "holds"), (0.8, "cannot tell")])
def test_a_constant_image_is_ranked_best_or_kept_from_it(constant: float, word: str) -> None:
    assert bad_augmentation.not_best(ranking(constant), **OURS).says == word


def test_each_claim_has_its_verdict_and_who_decides() -> None:
    found = bad_augmentation.verdicts(ranking(), 0.0, "digits", "quick")
    assert [(verdict.claim_ids, verdict.holds, verdict.decided_by) for verdict in found] == [
        (("bad-variance-zero",), "partly", "theorem"),
        (("bad-ranked-worst",), "partly", "theorem"),
        (("bad-does-not-arise",), "holds", "theorem"),
        ((), "fails", "photographs"),
    ]
    zero = found[0].found("digits")[0]
    assert (zero.says, zero.numbers) == ("partly", "with the originals 0.5 times Identity's, x' alone 0")
    assert found[1].found("photographs")[0].says == "partly", "the recorded run agrees with the closed forms"


def test_premises_are_measured_beside_x(monkeypatch: pytest.MonkeyPatch) -> None:
    p = torch.rand(128, 4, generator=torch.Generator().manual_seed(0)).softmax(1)
    zeros = torch.zeros(128)
    seen = {
        "identity": responses.Views(zeros, zeros, p, p, zeros, zeros, zeros, zeros),
        "constant": responses.Views(zeros, zeros, p, p[:1].expand(128, 4), zeros, zeros, zeros, zeros),
    }
    monkeypatch.setattr(responses, "views", lambda *given, **_: given[2])
    monkeypatch.setattr(responses, "collect", lambda name: seen[name])
    table = bad_augmentation.premises(None, None, list(seen), 2, 0).set_index("scheme")
    assert table.loc["identity"].tolist() == [0, 1, 1]
    assert table.loc["constant", ["variance", "alone"]].tolist() == pytest.approx([0, 0], abs=1e-6)
    assert table.loc["constant", "shift"] == pytest.approx(float((p[0] - p.mean(0)).abs().sum() / 2))


def test_the_sentences_carry_the_numbers() -> None:
    assert "**22.40e-3; the paper prints 22.44e-3**" in bad_augmentation.predicted_in_words()
    assert "constant 0.500000 times Identity" in bad_augmentation.recorded_in_words()
    losses = {"identity": 1.0, "fade_75": 1.25, "constant": 2.0}
    assert "the faded image +0.250 nats, Constant image +1.000 nats" in bad_augmentation.students_in_words(losses)
