"""The covariance metric: the published arrows, and its exact parts against the full matrix."""

import numpy as np
import pandas as pd
import pytest

from kdutils.chapters import covariance


def test_arrows_are_counted_as_the_paper_marks_them() -> None:
    found = covariance.arrows("mean_covariance").set_index(["pair", "scheme"])
    assert len(found) == 6 * 8
    assert found.loc[("resnet56/resnet20", "autoaugment"), ["up", "loss_up"]].tolist() == [True, False]
    assert found.loc[("resnet56/ShuffleV2", "flip"), ["up", "loss_up"]].tolist() == [False, True]
    assert not found.loc[("vgg13/vgg8", "cutmix"), "against"]
    assert covariance.arrows("t_stddev")["pair"].unique().tolist() == found.index.get_level_values(0).unique().tolist()


def test_the_parts_add_up_to_the_mean_of_the_whole_matrix() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet([0.2, 0.3, 0.4, 0.5], size=(20, 16))  # batches x images x classes, unequal shares
    found = covariance.take_apart(p.mean(axis=1))
    matrices = [np.cov(batch).mean() for batch in p]  # Eq. 12 as the paper computes it
    assert found["covariance"] == pytest.approx(np.mean(matrices))
    assert found["covariance_se"] == pytest.approx(np.std(matrices, ddof=1) / 20**0.5)
    assert found["varying"] + found["drift"] == pytest.approx(found["covariance"], rel=1e-12)
    assert found["drift"] > 0.1 * found["covariance"], "shares are unequal"


def test_a_larger_window_divides_the_variance_and_is_noisier() -> None:
    u = np.random.default_rng(1).dirichlet(np.full(10, 5.0), size=4000)
    found = covariance.take_apart(u)
    assert found["t_stddev_1"] / found["t_stddev_5"] == pytest.approx(5**0.5, rel=0.02)
    errors = [found[f"t_stddev_{k}_se"] / found[f"t_stddev_{k}"] for k in (1, 5)]
    assert errors[1] / errors[0] == pytest.approx(5**0.5, rel=0.2)


def test_published_covariances_are_nearly_what_t_stddev_makes_them() -> None:
    found = covariance.predicted()
    assert len(found) == 3 * 9
    assert (found["from_t_stddev"] + found["rest"]).to_numpy() == pytest.approx(found["covariance"].to_numpy())
    row = found[(found["teacher"] == "vgg13") & (found["scheme"] == "identity")]
    assert row["from_t_stddev"].item() == pytest.approx(5 * 100 / 99 * 5.519e-3**2)
    assert row["covariance"].item() == pytest.approx(0.00015447)


def test_a_ranking_that_contradicts_the_papers_anomalies_is_said_to():
    frame = pd.DataFrame(
        {
            "scheme": ["identity", "cutout", "autoaugment", "cutmixpick_t", "cutmixpick_s"],
            "mean_covariance": [3.0, 2.0, 1.0, 0.5, float("nan")],
            "mean_covariance_se": [0.3, 0.3, 0.4, 0.3, float("nan")],
            "mean_correlation": [3.0, 2.0, 4.0, 2.5, float("nan")],
        }
    )
    assert covariance.behind(frame, "mean_correlation", "cutmixpick_t") == ["identity", "autoaugment"]
    within, barely, below, above = (
        frame.assign(mean_covariance=[3.0, 2.0, 2.0 + step, 0.5, float("nan")]) for step in (-0.9, 0.9, -1.1, 1.1)
    )  # an error is (0.3^2 + 0.4^2)^0.5 = 0.5
    said = covariance.anomalies(below, below)
    assert "-1100000.0 ± 500000.0 and -1100000.0 ± 500000.0" in said
    assert "**against the paper**" in said
    assert said.count("Identity, AutoAugment") == 2  # ours, once for both, and Table 10's
    assert "**as in the paper**" in covariance.anomalies(above)
    for rankings in ((within,), (barely,), (below, within), (below, above)):
        assert "its sign cannot be told" in covariance.anomalies(*rankings)


def test_red_arrows_are_counted_by_pair_and_by_scheme() -> None:
    red = covariance.red_arrows()
    by_pair, by_scheme = (covariance.red_arrows_table(red, by) for by in ("pair", "scheme"))
    assert len(by_pair) == 7
    assert len(by_scheme) == 9
    for metric, label in covariance.METRICS.items():
        expected = covariance.arrows(metric)["against"].sum()
        assert by_pair.loc["all together", label] == by_scheme.loc["all together", label] == expected
    assert "to CutMix" in by_scheme.index


def test_steps_of_a_pair_of_ours_go_with_the_loss_or_against_it() -> None:
    points = pd.DataFrame(
        {
            "t_stddev": [5.0, 4, 3, 2],
            "mean_covariance": [5.0, 6, 3, 2],
            "mean_correlation": [1.0, 2, 3, 4],
            "test_loss": [4.0, 3, 2, 2.5],
        }
    )
    found = covariance.steps_against(points)
    assert found["t_stddev"].tolist() == [False, False, True]
    assert found["mean_covariance"].tolist() == [True, False, True]
    assert found["mean_correlation"].tolist() == [True, True, False]


def test_words_on_the_published_covariances_follow_their_numbers() -> None:
    found = covariance.predicted()
    words = covariance.explained_in_words(found)
    assert "above zero in 27 of the 27" in words
    assert "(resnet56, vgg13), it is the rest that puts it there" in words
    row = (found["teacher"] == "resnet56") & (found["scheme"] == "autoaugment")
    turned = found.assign(from_t_stddev=found["from_t_stddev"].mask(row, 2e-4), rest=found["rest"].mask(row, 0.0))
    assert "it is not the rest" in covariance.explained_in_words(turned)
    table = covariance.explained_table(found)
    share = (found["rest"] / found["covariance"])[found["scheme"] == "cutmix"]
    assert table.loc["CutMix"].tolist() == [f"{share.min():.1%}", f"{share.max():.1%}"]


def test_a_drift_below_zero_is_counted_as_noise() -> None:
    frame = pd.DataFrame({"scheme": ["identity", "cutmix"], "mean_covariance": [1e-4, 1e-4], "t_stddev": [5e-3, 4e-3]})
    frame = frame.assign(t_stddev_se=[5e-5, 4e-5], var_confidence=[2.1e-5, 1.9e-5], var_coupling=0.0, var_batch=0.0)
    words = covariance.drift_in_words(frame)
    assert "Identity -6.1%, CutMix 4.0%. Each is uncertain by about 2.0%" in words
    assert "1 of 2 are, by that noise" in words


def test_tables_have_labels_and_units() -> None:
    u = np.random.default_rng(0).dirichlet(np.full(10, 5.0), size=40)
    parts = covariance.take_apart(u)
    table = covariance.parts_table({"cutmix": parts})
    assert table.loc["CutMix", "drift (10⁻⁶)"] == f"{parts['drift'] * 1e6:.1f}"
