"""What is picked from a pool, against plain sorting; the counts over published pairs, against counting by hand."""

import pandas as pd
import pytest
import torch
from scipy.stats import binomtest, entropy, norm

from kdutils import data, models, paper
from kdutils.chapters import cutmixpick


@pytest.fixture(scope="module")
def pool() -> cutmixpick.Pool:
    torch.manual_seed(0)
    return cutmixpick.pool(models.build("tiny", 10, 16), data.load("digits"), batch_size=32)


def test_half_of_the_pool_is_picked_and_no_image_left_out_has_a_higher_entropy(pool: cutmixpick.Pool) -> None:
    assert pool.images.shape == (64, 3, 16, 16)
    assert int(pool.picked.sum()) == 32
    assert pool.entropy[pool.picked].min() >= pool.entropy[~pool.picked].max()
    assert pool.entropy.tolist() == pytest.approx(entropy(pool.logits.softmax(1).numpy(), axis=1).tolist(), rel=1e-5)


def test_share_is_that_of_the_larger_image(pool: cutmixpick.Pool) -> None:
    assert float(pool.share.min()) >= 0.5
    assert float(pool.share.max()) <= 1.0


def test_gallery_shows_the_surest_above_the_least_sure(pool: cutmixpick.Pool) -> None:
    chart = cutmixpick.show(pool, data.load("digits").classes)
    shown = [float(ax.get_xlabel().split("\n")[1]) for ax in chart.axes]
    assert len(shown) == 2 * cutmixpick.SHOWN
    assert shown == sorted(shown)


def test_histogram_counts_every_image_once(pool: cutmixpick.Pool) -> None:
    (ax,) = cutmixpick.histogram(pool).axes
    assert sum(patch.get_height() for patch in ax.patches) == len(pool.entropy)


def test_counts_over_published_pairs() -> None:
    pairs = paper.pairs().set_index(["dataset", "pair", "scheme"])["test_loss"].unstack()
    lower = int((pairs["cutmixpick_t"] < pairs["cutmixpick_s"]).sum())
    signs = cutmixpick.compared("test_loss", "cutmixpick_t", "cutmixpick_s")
    assert (signs.positive, signs.negative) == (lower, 18 - lower)
    assert signs.p == pytest.approx(binomtest(lower, 18).pvalue)
    teachers = cutmixpick.compared("t_stddev", "cutmixpick_t", "cutmix")
    assert teachers.positive + teachers.negative + teachers.ties == 10, "five teachers per dataset"


def test_gain_table_ends_with_means_and_tests() -> None:
    table = cutmixpick.gain_table()
    gains = paper.gains(1, ("KD+CutMixPick", 240), ("KD+CutMix", 240))
    assert table.loc[gains["pair"], "CIFAR-100"].tolist() == [f"{gain:+.2f}" for gain in gains["gain"]]
    assert table.loc["mean (95 % interval)", "CIFAR-100"].startswith(f"{gains['gain'].mean():+.2f} (")
    assert table.loc["gains, sign test", "Tiny ImageNet"] == "6 of 7, p = 0.12"


def test_words_on_a_pool_follow_its_numbers(pool: cutmixpick.Pool) -> None:
    turned = pool._replace(share=torch.where(pool.picked, 0.9, 0.6))
    assert "not picking boxes of middling size" in cutmixpick.pool_in_words(turned)
    assert "also picking boxes" in cutmixpick.pool_in_words(turned._replace(share=1.4 - turned.share))


def test_recorded_losses_stand_beside_the_published_ones_paired_by_seed() -> None:
    runs = [("identity", 3.0), ("cutmix", 2.5), ("cutmixpick_s", 2.4), ("cutmixpick_t", 2.1)]
    frame = pd.DataFrame(
        [(scheme, seed, loss + seed + 0.01 * seed * i) for seed in range(3) for i, (scheme, loss) in enumerate(runs)],
        columns=["scheme", "seed", "test_loss"],
    )
    found = cutmixpick.beside_published(frame)
    assert found["n"].tolist() == [3] * 4
    assert found.loc["cutmixpick_t", "less_cutmix"] == pytest.approx(-0.4 + 0.02)
    pairs = paper.pairs().query("dataset == 'cifar100'").set_index(["pair", "scheme"])["test_loss"].unstack()
    assert found.loc["cutmixpick_t", "paper"] == pytest.approx((pairs["cutmixpick_t"] - pairs["cutmix"]).mean())
    assert pd.isna(found.loc["cutmix", "less_cutmix"])


def test_gaps_of_t_stddev_come_with_the_p_value_of_their_errors() -> None:
    frame = pd.DataFrame(
        {"scheme": ["cutmix", "cutmixpick_t"], "t_stddev": [4e-3, 3e-3], "t_stddev_se": [3e-4, 4e-4], "n_u": 80}
    )
    found = cutmixpick.t_stddev_gaps({"a": frame, "b": frame.assign(t_stddev=[4e-3, 3.5e-3])})
    assert found["difference"].tolist() == pytest.approx([-1.0, -0.5])
    assert found["p"].tolist() == pytest.approx([2 * norm.cdf(-2), 2 * norm.cdf(-1)])
