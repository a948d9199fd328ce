"""The teacher's numbers as predictors: measured image by image, oriented, judged against made-up students."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats as scipy_stats

from kdutils import data, models, stats
from kdutils.chapters import unseen, which_number
from kdutils.chapters.which_number import BASE, PREDICTORS, SCHEMES
from kdutils.metrics import responses

COLUMNS = dict(PREDICTORS.values())


def predictors(noise=0.0, draw=0, schemes=SCHEMES):
    """Made-up scores: place in `schemes` for T. stddev, the same with noise for all others."""
    draws, place = np.random.default_rng(draw), np.arange(len(schemes), dtype=float)
    scores = {name: place + (name != BASE) * noise * draws.normal(size=len(place)) for name in PREDICTORS}
    return pd.DataFrame(scores, index=list(schemes))


def students(loss, seeds=3):
    """Made-up students of each scheme of a series, the same loss for each seed but for a thousandth."""
    rows = [(name, seed, value + 1e-3 * seed) for name, value in loss.items() for seed in range(seeds)]
    return pd.DataFrame(rows, columns=["scheme", "seed", "test_loss"]).assign(test_accuracy=20.0)


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(0)
    return models.build("tiny", 10, 16).eval()


def test_single_images_are_counted_as_the_views_say(teacher):
    digits = data.load("digits")
    row = which_number.single_images(teacher, digits, ["cutmix"], 3).iloc[0]
    seen = responses.collect(responses.views(teacher, digits, "cutmix", 3))
    told = responses.answers(seen)
    assert row["view_disagreement"] == pytest.approx((seen.p.argmax(1).numpy() != told["said"]).mean())
    assert row["ece"] == pytest.approx(100 * stats.calibration_error(told["confidence"], ~told["disagrees"]), rel=1e-6)
    ace = stats.adaptive_calibration_error(seen.p_prime, told["mixed_label"])
    assert row["ace"] == pytest.approx(100 * ace, rel=1e-6)
    assert 0 < row["view_disagreement"] < 1


def test_identity_never_moves_a_prediction(teacher):
    table = which_number.single_images(teacher, data.load("digits"), ["identity", "cutmix"], 2)
    assert list(table["scheme"]) == ["identity", "cutmix"]
    assert table["view_disagreement"][0] == 0 < table["view_disagreement"][1]


def test_calibration_at_a_temperature_is_that_of_softer_logits():
    draws = torch.Generator().manual_seed(0)
    logits, labels = 8 * torch.randn(400, 10, generator=draws), torch.randint(10, (400,), generator=draws)
    for temperature in (1.0, 4.0):
        p = (logits / temperature).softmax(1)
        found = which_number.calibration(logits.softmax(1), labels, temperature)
        ece = stats.calibration_error(p.amax(1), p.argmax(1) == labels)
        ace = stats.adaptive_calibration_error(p, labels)
        assert found == pytest.approx((100 * ece, 100 * ace), rel=1e-4)
    assert which_number.calibration(logits.softmax(1), labels, 4.0).ece < found.ece + 1e-9


def test_scores_are_oriented_so_that_lower_is_better():
    frame = pd.DataFrame({"scheme": ["a", "b"], **{column: [1.0, 2.0] for column in COLUMNS}})
    found = which_number.scores(frame)
    assert list(found) == list(PREDICTORS)
    assert {name: found.loc["b", name] > found.loc["a", name] for name in found} == {
        name: sign > 0 for name, (_, sign) in PREDICTORS.items()
    }
    assert list(which_number.scores(frame.drop(columns=["ece", "ace"]))) == list(PREDICTORS)[:-2]


def test_the_other_temperatures_calibration_takes_the_place_of_the_first():
    ranking = pd.DataFrame({"scheme": ["a"], "t_stddev": [0.1]})
    single = pd.DataFrame({"scheme": ["a"], "ece": [1.0], "ace": [2.0], "ece_tau4": [3.0], "ace_tau4": [4.0]})
    assert which_number.numbers(ranking, single).loc[0, ["ece", "ace"]].tolist() == [1.0, 2.0]
    assert which_number.numbers(ranking, single, 4).loc[0, ["ece", "ace"]].tolist() == [3.0, 4.0]


def test_losses_are_of_the_sixteen_schemes_with_all_their_seeds():
    loss = pd.Series(1.0, index=[*unseen.ALL, unseen.FOOL, "none"])
    runs = students(loss)
    found = which_number.losses(runs[~((runs["scheme"] == "augmix") & (runs["seed"] == 2))])
    assert set(found.index) == set(SCHEMES) - {"augmix"}
    assert found.to_numpy() == pytest.approx(1.001)


def test_judged_is_spearmans_rho_and_the_lead_of_t_stddev():
    scores, draws = predictors(noise=4.0), np.random.default_rng(5)
    loss = pd.Series(np.arange(16) + draws.normal(0, 2, 16), index=list(SCHEMES))[::-1]
    table = which_number.judged(scores, loss)
    for name in PREDICTORS:
        rho = scipy_stats.spearmanr(scores[name], loss[list(SCHEMES)]).statistic
        assert table.loc[name, "rho"] == pytest.approx(rho)
        assert table.loc[name, "lead"] == pytest.approx(table.loc[BASE, "rho"] - rho)
    assert (table["holm_p"] >= table["p"]).all()
    assert table.loc[BASE, "lead_p"] == 1
    assert set(table["n"]) == {16}


def test_schemes_without_a_student_are_left_out():
    loss = pd.Series(np.arange(10.0), index=list(SCHEMES[:10]))
    assert set(which_number.judged(predictors(), loss)["n"]) == {10}


def test_the_lever_is_how_much_better_the_softer_t_stddev_orders():
    loss = pd.Series(np.arange(16.0), index=list(SCHEMES))
    cool, warm = predictors(), predictors()
    cool[BASE] = np.random.default_rng(0).permutation(16)
    found = which_number.lever(cool, warm, loss)
    assert found.difference == pytest.approx(1 - scipy_stats.spearmanr(cool[BASE], loss).statistic)
    assert found.p < 0.05
    assert which_number.lever(warm, cool, loss).difference < 0


def pairs(best="entropy", count=6):
    """Made-up pairs whose losses follow one predictor exactly and T. stddev roughly; as `few_shot.points`."""
    frames = []
    for number in range(count):
        draws = np.random.default_rng(number)
        frame = pd.DataFrame({column: draws.normal(size=9) for column in COLUMNS if column not in ("ece", "ace")})
        sign = COLUMNS[best]
        loss = sign * frame[best] if best != "t_stddev" else frame[best]
        names = {"dataset": "cifar100", "teacher": f"t{number}", "pair": f"t{number}/s", "n": 2}
        frames.append(frame.assign(scheme=list("abcdefghi"), test_loss=loss, **names))
    return pd.concat(frames)


def test_over_pairs_each_predictor_is_judged_on_its_own_pair():
    found = which_number.over_pairs(pairs())
    assert found.shape == (6, len(PREDICTORS) - 2)
    assert found["entropy of x'"].to_numpy() == pytest.approx(1)
    assert found[BASE].max() < 1


def test_left_out_chooses_on_the_other_pairs():
    chosen, signs = which_number.left_out(which_number.over_pairs(pairs()))
    assert set(chosen["chosen"]) == {"entropy of x'"}
    assert (signs.positive, signs.negative) == (6, 0)
    _, against = which_number.left_out(which_number.over_pairs(pairs("t_stddev")))
    assert (against.positive, against.negative) == (0, 6)


@pytest.fixture
def singles(monkeypatch):
    """What the single images tell of two of three made-up teachers, as if recorded: ECE orders as the losses do."""
    points = pairs(count=3)
    kept = {f"of_t{number}": points[points["teacher"] == f"t{number}"] for number in (0, 1)}
    frames = {
        name: each[["scheme"]].assign(ece=each["test_loss"], ace=-each["test_loss"]) for name, each in kept.items()
    }
    names = ("teacher_accuracy", "teacher_ece", "teacher_ace")
    facts = {"of_t0": (70.0, 9.0, 0.1), "of_t1": (60.0, 8.0, 0.2)}
    monkeypatch.setattr(which_number, "SINGLES", {f"t{number}": f"of_t{number}" for number in range(3)})
    for name, answer in {
        "recorded_names": lambda: list(frames),
        "recorded": lambda name: frames[name][lambda frame: frame["scheme"] != "i"],
        "recorded_provenance": lambda name: dict(zip(names, facts[name], strict=True)),
    }.items():
        monkeypatch.setattr(which_number.recorded_runs, name, answer)
    return points


def test_what_single_images_tell_is_judged_on_the_pairs_of_its_own_teacher(singles):
    found = which_number.with_single_images(singles)
    assert len(found) == len(singles)
    missing = found[found["ece"].isna()].groupby("teacher")["scheme"].agg("".join)
    assert missing.to_dict() == {"t0": "i", "t1": "i", "t2": "abcdefghi"}
    shown = which_number.pairs_table(singles)
    assert shown.loc["ECE on x'"].tolist() == ["1.00", "1.00", "–"]
    assert shown.loc["ACE on x'"].tolist() == ["-1.00", "-1.00", "–"]
    assert list(which_number.over_pairs(singles)) == list(PREDICTORS)[:-2], "the choice is among what rankings hold"


def test_a_teacher_stands_beside_the_losses_of_its_pairs(singles):
    table = which_number.teachers(singles)
    assert set(table["teacher"]) == {"t0", "t1"}
    assert table["test_loss"].is_monotonic_increasing
    assert table.loc["t1/s", ["accuracy", "ece", "ace"]].tolist() == [60.0, 8.0, 0.2]
    assert table.loc["t0/s", "test_loss"] == pytest.approx(singles.query("teacher == 't0'")["test_loss"].mean())
    assert which_number.teachers_table(singles).loc["t0/s", "T. ACE (%)"] == "0.100"
    assert which_number.teachers_in_words(singles) == "Teachers measured on the test images: 2."


def test_how_far_a_predictor_goes_with_t_stddev():
    table = which_number.beside_t_stddev({1: predictors(), 4: predictors(noise=50.0)})
    assert BASE not in table.index
    assert (table["ρ with T. stddev, τ = 1"] == "1.00").all()
    assert (table["ρ with T. stddev, τ = 4"].astype(float) < 0.9).all()


def test_what_is_not_recorded_is_said(monkeypatch):
    monkeypatch.setattr(which_number.recorded_runs, "recorded_names", lambda: ["fewshot_rank"])
    assert which_number.recorded() == "not recorded yet: after_predictors, after_unseen_rank"


def test_tables_and_chart_hold_every_predictor():
    loss = pd.Series(np.arange(16.0), index=list(SCHEMES))
    both = {1: which_number.judged(predictors(noise=3.0), loss), 4: which_number.judged(predictors(), loss)}
    table = which_number.judged_table(both)
    assert table.index[0] == BASE
    assert table.loc[BASE, "its p"] == "–"
    assert (table["ρ at τ = 4"] == "1.00").all()
    assert "ρ at τ = 4" not in which_number.judged_table({1: both[1]})
    (ax,) = which_number.chart(both).axes
    soft, hard = ax.lines[:2]
    assert dict(zip(hard.get_ydata(orig=True), hard.get_xdata(), strict=True)) == pytest.approx(
        both[1]["rho"].to_dict()
    )
    assert list(soft.get_xdata()) == pytest.approx([1] * 10)


def test_the_signs_are_those_that_the_design_fixed():
    assert {name for name, (_, sign) in PREDICTORS.items() if sign < 0} == {
        "entropy of x'",
        "label disagreement",
        "view disagreement",
    }
