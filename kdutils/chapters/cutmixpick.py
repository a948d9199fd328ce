"""CutMixPick looked at closely: what is picked from a pool, what is left, and what picking gains (Sec. 4.2)."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.stats import norm
from torch import Tensor, nn

from kdutils import augment, paper, plots, seeds, stats
from kdutils.chapters import nine_schemes
from kdutils.data import Dataset
from kdutils.metrics.responses import read_logits, reader
from kdutils.report import recorded_runs, tables

SHOWN = 8  # images per row of the gallery
MIXED = ("cutmix", "cutmixpick_s", "cutmixpick_t")
FEW = "resnet20, 5,000 images"  # the few-shot study's ranking, of a teacher that is ranked on all images as well
RANKINGS = {
    "resnet20": "rank_resnet20",
    "resnet32": "rank_resnet32",
    "resnet44": "rank_resnet44",
    "resnet56": "rank_resnet56_seed0",
    "resnet20, Tiny ImageNet": "tiny_imagenet_rank",
    FEW: "fewshot_rank",
}
"""Teacher -> its recorded ranking; on CIFAR-100 unless the name says otherwise."""


class Pool(NamedTuple):
    """CutMix images [N, 3, H, W] with the teacher's logits [N, C] and entropy [N] (nats), and which are picked.

    `share` is the part of the area that the larger of the two images fills, [N].
    """

    images: Tensor
    logits: Tensor
    entropy: Tensor
    share: Tensor
    picked: Tensor


def pool(teacher: nn.Module, dataset: Dataset, batch_size: int = 64, runs: int = 2, seed: int = 0) -> Pool:
    """The pool that `runs` CutMix passes make of one random mini-batch, one draw per image, a batch of it picked.

    The paper draws one box per mini-batch; here each image has its own, so that one pool shows boxes of all sizes.
    """
    settings = augment.settings(dataset, "sample")
    order = torch.randperm(len(dataset.train), generator=seeds.generator(seed, "pool"))[:batch_size]
    generator = seeds.generator(seed, "pool x")
    x = augment.standard(dataset.for_standard(dataset.train, order, generator), generator, settings)
    made = augment.SCHEMES["cutmix"](x, seeds.generator(seed, "pool x'"), settings, runs)
    logits = read_logits(reader(teacher), dataset, made.x)
    picked = torch.zeros(len(made.x), dtype=torch.bool)
    picked[augment.pick(logits, batch_size)] = True
    return Pool(made.x, logits, augment.entropy(logits), torch.maximum(made.lam, 1 - made.lam), picked)


def show(pool: Pool, classes: tuple[str, ...]) -> plots.Chart:
    """The images the teacher is most confident of (left out) above the least (picked); prediction and entropy below."""
    order = pool.entropy.argsort()
    chosen = torch.cat([order[:SHOWN], order[-SHOWN:]])
    predicted = pool.logits[chosen].argmax(1).tolist()
    captions = [f"{classes[c]}\n{h:.2f}" for c, h in zip(predicted, pool.entropy[chosen].tolist(), strict=True)]
    return nine_schemes.captioned(pool.images[chosen], captions, SHOWN, ("left out", "picked"))


@plots.style()
def histogram(pool: Pool) -> plots.Chart:
    """The entropies of a pool, what is left out and what is picked in two colours."""
    chart = plots.Chart(figsize=(plots.WIDTH, 3.6), layout="constrained")
    ax = chart.subplots()
    bins = np.linspace(0, float(pool.entropy.max()), 25)
    parts = [pool.entropy[~pool.picked].numpy(), pool.entropy[pool.picked].numpy()]
    ax.hist(parts, bins, stacked=True, label=["left out", "picked"], color=[plots.COLOURS[0], plots.COLOURS[1]])
    ax.axvline(float(pool.entropy[pool.picked].min()), color=plots.INK, lw=1)
    ax.set(xlabel="entropy of the teacher's probabilities (nats)", ylabel="images")
    chart.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return chart


def pool_in_words(pool: Pool) -> str:
    """What is picked from a pool beside what is left out: entropy, and how the two images share the area."""
    kept, rest = pool.picked, ~pool.picked
    shares = float(pool.share[kept].mean()), float(pool.share[rest].mean())
    return (
        f"Mean entropy of the {int(kept.sum())} picked images: {pool.entropy[kept].mean():.3f} nats; of the "
        f"{int(rest.sum())} left out: {pool.entropy[rest].mean():.3f}. In the picked ones the larger of the two images "
        f"fills {shares[0]:.0%} of the area on average, in those left out {shares[1]:.0%}: picking by entropy is here "
        + ("also picking boxes of middling size." if shares[0] < shares[1] else "not picking boxes of middling size.")
    )


def gain_table() -> pd.DataFrame:
    """What CutMixPick gains over CutMix in Tables 1 and 2, in percentage points: a row per pair, then the mean."""
    pick, cutmix = ("KD+CutMixPick", 240), ("KD+CutMix", 240)
    columns, feet = {}, {}
    for number, dataset in ((1, "cifar100"), (2, "tinyimagenet")):
        gains = paper.gains(number, pick, cutmix)
        test = stats.paired_test(gains["row"], gains["base"])
        columns[tables.DATASETS[dataset]] = gains.set_index("pair")["gain"].map("{:+.2f}".format)
        feet[tables.DATASETS[dataset]] = [
            f"{test.mean:+.2f} ({test.low:.2f} to {test.high:.2f})",
            stats.p_text(test.t_p),
            f"{test.positive} of {test.n}, {stats.p_text(test.sign_p)}",
        ]
    foot = pd.DataFrame(feet, index=["mean (95 % interval)", "paired t test", "gains, sign test"])
    return pd.concat([pd.DataFrame(columns), foot]).rename_axis(index=None, columns="teacher/student")


def compared(value: str, lower: str, higher: str) -> stats.SignTest:
    """On how many published pairs `value` ("t_stddev", "test_loss") of scheme `lower` is below that of `higher`.

    T. stddev belongs to the teacher, so each teacher of a dataset counts once.
    """
    each = ["dataset", "teacher"] if value == "t_stddev" else ["dataset", "pair"]
    cells = paper.pairs().drop_duplicates([*each, "scheme"]).pivot(index=each, columns="scheme", values=value)
    return stats.sign_test(cells[higher] - cells[lower])


def beside_published(runs: pd.DataFrame) -> pd.DataFrame:
    """S. test loss of recorded runs (scheme, seed, test_loss) beside the paper's nine CIFAR-100 pairs (Tables 3 and 4).

    A row per scheme: n seeds, mean and standard deviation; less_cutmix, the difference from CutMix paired by seed, with
    its 95 % t interval and p-value; paper and paper_std, the same difference over the published pairs.
    """
    wide = losses(runs)
    published = paper.pairs().query("dataset == 'cifar100'").pivot(index="pair", columns="scheme", values="test_loss")
    rows = {}
    for scheme in ("identity", *MIXED):
        each, gap = wide[scheme].dropna(), published[scheme] - published["cutmix"]
        rows[scheme] = {"n": len(each), "test_loss": each.mean(), "std": each.std(ddof=1)}
        if scheme != "cutmix":
            both = wide[[scheme, "cutmix"]].dropna()
            test = stats.paired_test(both[scheme], both["cutmix"])
            rows[scheme] |= {"less_cutmix": test.mean, "low": test.low, "high": test.high, "p": test.t_p}
            rows[scheme] |= {"paper": gap.mean(), "paper_std": gap.std(ddof=1)}
    return pd.DataFrame(rows).T.astype({"n": int}).rename_axis("scheme")


def losses(runs: pd.DataFrame) -> pd.DataFrame:
    """The test losses of runs, a row per seed and a column per scheme."""
    return runs.pivot(index="seed", columns="scheme", values="test_loss")


def t_stddev_gaps(rankings: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """T. stddev of CutMix and of CutMixPick (T. ent.) for each ranking (10^-3), a row each.

    Columns: windows; cutmix and cutmixpick_t with their standard errors (`_se`); difference (pick less CutMix) and its
    two-sided p-value by a z test. The two errors count as independent, which makes p too large, if anything: both
    schemes are measured on the same images.
    """
    rows = {}
    for name, frame in rankings.items():
        found = frame.set_index("scheme").loc[["cutmix", "cutmixpick_t"]]
        value, error = found["t_stddev"] * 1e3, found["t_stddev_se"] * 1e3
        rows[name] = {"windows": int(found["n_u"].iloc[0])}
        for scheme in found.index:
            rows[name] |= {scheme: value[scheme], f"{scheme}_se": error[scheme]}
        rows[name]["difference"] = value["cutmixpick_t"] - value["cutmix"]
        rows[name]["p"] = 2 * norm.sf(abs(rows[name]["difference"]) / np.hypot(*error))
    return pd.DataFrame(rows).T.astype({"windows": int}).rename_axis("teacher")


def rankings() -> dict[str, pd.DataFrame]:
    """The recorded ones of `RANKINGS`."""
    return recorded_runs.there(lambda frame: frame, {title: (name,) for title, name in RANKINGS.items()})
