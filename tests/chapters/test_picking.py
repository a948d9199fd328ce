"""What is picked from a pool, against plain sorting; the counts over published pairs, against counting by hand."""

import pandas as pd
import pytest
import torch
from scipy.stats import binomtest, entropy

from kdutils import data, models, paper
from kdutils.chapters import picking


@pytest.fixture(scope="module")
def pool() -> picking.Pool:
    torch.manual_seed(0)
    return picking.pool(models.build("tiny", 10, 16), data.load("digits"), batch_size=32)


def test_half_of_the_pool_is_picked_and_no_image_left_out_has_a_higher_entropy(pool: picking.Pool) -> None:
    assert pool.images.shape == (64, 3, 16, 16)
    assert int(pool.picked.sum()) == 32
    assert pool.entropy[pool.picked].min() >= pool.entropy[~pool.picked].max()
    assert pool.entropy.tolist() == pytest.approx(entropy(pool.logits.softmax(1).numpy(), axis=1).tolist(), rel=1e-5)


def test_share_is_that_of_the_larger_image(pool: picking.Pool) -> None:
    assert float(pool.share.min()) >= 0.5
    assert float(pool.share.max()) <= 1.0


def test_gallery_shows_the_surest_above_the_least_sure(pool: picking.Pool) -> None:
    chart = picking.show(pool, data.load("digits").classes)
    shown = [float(ax.get_xlabel().split("\n")[1]) for ax in chart.axes]
    assert len(shown) == 2 * picking.SHOWN
    assert shown == sorted(shown)


def test_histogram_counts_every_image_once(pool: picking.Pool) -> None:
    (ax,) = picking.histogram(pool).axes
    assert sum(patch.get_height() for patch in ax.patches) == len(pool.entropy)


def test_counts_over_published_pairs() -> None:
    pairs = paper.pairs().set_index(["dataset", "pair", "scheme"])["test_loss"].unstack()
    lower = int((pairs["cutmixpick_t"] < pairs["cutmixpick_s"]).sum())
    signs = picking.compared("test_loss", "cutmixpick_t", "cutmixpick_s")
    assert (signs.positive, signs.negative) == (lower, 18 - lower)
    assert signs.p == pytest.approx(binomtest(lower, 18).pvalue)
    teachers = picking.compared("t_stddev", "cutmixpick_t", "cutmix")
    assert teachers.positive + teachers.negative + teachers.ties == 10, "five teachers a data set"


def test_a_claim_that_the_numbers_turn_against_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = pd.DataFrame({"cutmix": [1.0, 1.2], "cutmixpick_s": [0.9, 1.0], "cutmixpick_t": [0.8, 1.1]})
    assert [v.holds for v in picking.claims(losses, losses, "quick")] == ["holds"] * 3
    turned = paper.pairs().assign(test_loss=lambda f: -f["test_loss"], t_stddev=lambda f: -f["t_stddev"])
    monkeypatch.setattr(paper, "pairs", lambda: turned)
    assert [v.holds for v in picking.claims(losses, losses, "quick")] == ["fails"] * 3


def test_gain_table_ends_with_mean_and_test() -> None:
    gains = {"cifar100": paper.gains(1, ("KD+CutMixPick", 240), ("KD+CutMix", 240))}
    table = picking.gain_table(gains, {name: picking.gain_test(gain) for name, gain in gains.items()})
    assert table.loc["mean", "cifar100"] == pytest.approx(gains["cifar100"]["gain"].mean(), abs=0.006)
    assert len(table) == 9


def test_recorded_losses_stand_beside_the_published_ones_paired_by_seed() -> None:
    runs = [("identity", 3.0), ("cutmix", 2.5), ("cutmixpick_s", 2.4), ("cutmixpick_t", 2.1)]
    frame = pd.DataFrame(
        [(scheme, seed, loss + seed + 0.01 * seed * i) for seed in range(3) for i, (scheme, loss) in enumerate(runs)],
        columns=["scheme", "seed", "test_loss"],
    )
    found = picking.beside_published(frame)
    assert found["n"].tolist() == [3] * 4
    assert found.loc["cutmixpick_t", "less_cutmix"] == pytest.approx(-0.4 + 0.02)
    pairs = paper.pairs().query("dataset == 'cifar100'").set_index(["pair", "scheme"])["test_loss"].unstack()
    assert found.loc["cutmixpick_t", "paper"] == pytest.approx((pairs["cutmixpick_t"] - pairs["cutmix"]).mean())
    assert pd.isna(found.loc["cutmix", "less_cutmix"])


def test_recorded_teachers_speak_in_the_verdict_on_t_stddev() -> None:
    frame = pd.DataFrame(
        {"scheme": ["cutmix", "cutmixpick_t"], "t_stddev": [4e-3, 3e-3], "t_stddev_se": 1e-5, "n_u": 80}
    )
    rankings = {"a": frame, "b": frame.assign(t_stddev=[4e-3, 3.5e-3])}
    assert picking.t_stddev_gaps(rankings)["difference"].tolist() == pytest.approx([-1.0, -0.5])
    losses = pd.DataFrame({"cutmix": [1.0, 1.2], "cutmixpick_s": [0.9, 1.0], "cutmixpick_t": [0.8, 1.1]})
    first, *others = picking.claims(losses, losses, "quick", rankings)
    assert first.recorded == "lower in 2 of 2 recorded rankings, by 0.75 ± 0.35 (n = 2) (10⁻³)"
    assert "teachers" in first.test
    assert all("pairs" in each.test for each in others)
