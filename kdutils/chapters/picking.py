"""CutMixPick looked at closely: what is picked from a pool, what is left, and what picking gains (Sec. 4.2)."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from kdutils import augment, paper, plots, recordings, report, seeds, stats
from kdutils.chapters import gallery
from kdutils.data import Dataset
from kdutils.views import read_logits, reader

SHOWN = 8  # images a row of the gallery
TEST_RULE = "so on more published {cases} than not, by a sign test with p < 5 % (on no more: fails; else cannot tell)"
MIXED = ("cutmix", "cutmixpick_s", "cutmixpick_t")


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
    """The pool that `runs` CutMix passes make of one random mini-batch, one draw an image, a batch of it picked.

    The paper draws one box a mini-batch; here each image has its own, so that one pool shows boxes of all sizes.
    """
    settings = augment.settings(dataset, "sample")
    order = torch.randperm(len(dataset.train), generator=seeds.generator(seed, "pool"))[:batch_size]
    x = augment.standard(dataset.train.batch(order)[0], seeds.generator(seed, "pool x"), settings)
    made = augment.SCHEMES["cutmix"](x, seeds.generator(seed, "pool x'"), settings, runs)
    logits = read_logits(reader(teacher), dataset, made.x)
    picked = torch.zeros(len(made.x), dtype=torch.bool)
    picked[augment.pick(logits, batch_size)] = True
    return Pool(made.x, logits, augment.entropy(logits), torch.maximum(made.lam, 1 - made.lam), picked)


def show(pool: Pool, classes: tuple[str, ...]) -> plots.Chart:
    """The surest images, which are left out, above the least sure, which are picked; answer and entropy under each."""
    order = pool.entropy.argsort()
    chosen = torch.cat([order[:SHOWN], order[-SHOWN:]])
    answers = pool.logits[chosen].argmax(1).tolist()
    captions = [f"{classes[c]}\n{h:.2f}" for c, h in zip(answers, pool.entropy[chosen].tolist(), strict=True)]
    return gallery.captioned(pool.images[chosen], captions, SHOWN, ("left out", "picked"))


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


def gain_test(gains: pd.DataFrame) -> stats.PairedTest:
    """The paired tests of a frame of `paper.gains`: one row of Table 1 or 2 against another."""
    return stats.paired_test(gains["row"], gains["base"])


def gain_table(gains: Mapping[str, pd.DataFrame], tests: Mapping[str, stats.PairedTest]) -> pd.DataFrame:
    """The gain of each pair in percentage points, a column a data set, with mean and t test at the foot."""
    columns = {name: gain.set_index("pair")["gain"] for name, gain in gains.items()}
    table = pd.DataFrame(columns)
    table.loc["mean"] = {name: round(test.mean, 2) for name, test in tests.items()}
    table.loc["p (paired t)"] = {name: round(test.t_p, 3) for name, test in tests.items()}
    return table


def compared(value: str, lower: str, higher: str) -> stats.SignTest:
    """On how many published pairs `value` ("t_stddev", "test_loss") of scheme `lower` is below that of `higher`.

    T. stddev belongs to the teacher, so each teacher of a data set counts once.
    """
    each = ["dataset", "teacher"] if value == "t_stddev" else ["dataset", "pair"]
    cells = paper.pairs().drop_duplicates([*each, "scheme"]).pivot(index=each, columns="scheme", values=value)
    return stats.sign_test(cells[higher] - cells[lower])


def beside_published(runs: pd.DataFrame) -> pd.DataFrame:
    """S. test loss of recorded runs (scheme, seed, test_loss) beside the paper's nine CIFAR-100 pairs (Tables 3 and 4).

    A row a scheme: n seeds, mean and standard deviation; less_cutmix, the difference from CutMix paired by seed, with
    its 95 % t interval and p-value; paper and paper_std, the same difference over the published pairs.
    """
    wide = runs.pivot(index="seed", columns="scheme", values="test_loss")
    published = paper.pairs().query("dataset == 'cifar100'").pivot(index="pair", columns="scheme", values="test_loss")
    rows = {}
    for scheme in ("identity", *MIXED):
        losses, gap = wide[scheme].dropna(), published[scheme] - published["cutmix"]
        rows[scheme] = {"n": len(losses), "test_loss": losses.mean(), "std": losses.std(ddof=1)}
        if scheme != "cutmix":
            both = wide[[scheme, "cutmix"]].dropna()
            test = stats.paired_test(both[scheme], both["cutmix"])
            rows[scheme] |= {"less_cutmix": test.mean, "low": test.low, "high": test.high, "p": test.t_p}
            rows[scheme] |= {"paper": gap.mean(), "paper_std": gap.std(ddof=1)}
    return pd.DataFrame(rows).T.astype({"n": int})


def t_stddev_gaps(rankings: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """T. stddev of CutMix and of CutMixPick (T. ent.) for each ranking (10^-3), with errors and windows, a row each."""
    rows = {}
    for name, frame in rankings.items():
        found = frame.set_index("scheme").loc[["cutmix", "cutmixpick_t"]]
        value, error = found["t_stddev"] * 1e3, found["t_stddev_se"] * 1e3
        rows[name] = {"windows": int(found["n_u"].iloc[0])}
        for scheme in found.index:
            rows[name] |= {scheme: value[scheme], f"{scheme}_se": error[scheme]}
        rows[name]["difference"] = value["cutmixpick_t"] - value["cutmix"]
    return pd.DataFrame(rows).T.astype({"windows": int})


def claims(
    live: pd.DataFrame, recorded: pd.DataFrame, size: str, rankings: Mapping[str, pd.DataFrame] | None = None
) -> list[report.Verdict]:
    """The verdicts on the paper's three claims about picking.

    `live` and `recorded` hold the students' test losses, a row a seed and a column a scheme; `rankings` the recorded
    rankings of teachers, by name.
    """
    spoken = {
        "pick-lowers-t-stddev": ("t_stddev", "cutmixpick_t", "cutmix", "Picking lowers T. stddev below CutMix's."),
        "pick-lowers-test-loss": ("test_loss", "cutmixpick_t", "cutmix", "Picking lowers S. test loss below CutMix's."),
        "teacher-entropy-better": ("test_loss", "cutmixpick_t", "cutmixpick_s", "T. ent. picks better than S. ent."),
    }
    found = [_verdict(name, *parts, live, recorded, size) for name, parts in spoken.items()]
    if rankings:
        fall = -t_stddev_gaps(rankings)["difference"]
        said = f"lower in {(fall > 0).sum()} of {len(fall)} recorded rankings, by {report.mean_std(fall)} (10⁻³)"
        found[0] = found[0].model_copy(update={"recorded": said})
    return found


def _verdict(
    name: str, value: str, lower: str, higher: str, claim: str, live: pd.DataFrame, recorded: pd.DataFrame, size: str
) -> report.Verdict:
    signs = compared(value, lower, higher)
    of_students = value == "test_loss"
    return report.Verdict(
        chapter="05_cutmixpick",
        claim_ids=(name,),
        claim=claim,
        paper=f"{signs.positive} of {signs.positive + signs.negative + signs.ties}, sign test {stats.p_text(signs.p)}",
        recorded=_gap(recorded, lower, higher) if of_students else recordings.NOT_YET,
        this_run=_gap(live, lower, higher) if of_students else "see the chapter on T. stddev",
        holds="fails" if signs.positive <= signs.negative else "holds" if signs.p < 0.05 else "cannot tell",
        test=TEST_RULE.format(cases="pairs" if of_students else "teachers"),
        size=size,
    )


def _gap(losses: pd.DataFrame, lower: str, higher: str) -> str:
    """The mean difference of two schemes' losses over the seeds that have both."""
    both = losses[[lower, higher]].dropna()
    gap = both[higher] - both[lower]
    return f"S. test loss {'lower' if gap.mean() > 0 else 'higher'} by {report.mean_std(gap * np.sign(gap.mean()))}"
