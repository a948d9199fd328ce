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
    said = covariance.anomalies(frame)
    assert said.startswith("**Against the paper**")
    assert "below Cutout's, by 2.0 standard errors" in said  # 1 / (0.3^2 + 0.4^2)^0.5
    assert said.count("Identity, AutoAugment") == 2  # ours, and Table 10's
    assert "**As in the paper**" in covariance.anomalies(frame.assign(mean_covariance=[3.0, 1.0, 2.0, 0.5, 0.4]))
