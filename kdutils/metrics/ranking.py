"""The running statistics of a ranking: what each mini-batch adds to a scheme's row, and the table they end in."""

import warnings
from dataclasses import dataclass, field

import pandas as pd
import torch
from torch import Tensor

from kdutils.augment import Augmented, Scheme
from kdutils.errors import UserError, choose
from kdutils.inference.devices import double
from kdutils.metrics.running_stats import GroupedMoments, Tally, jackknife_error
from kdutils.metrics.stream import MiniBatch
from kdutils.metrics.teacher_check import Agreement

LEAST = 1e-9  # a T. stddev below this is rounding
COLLAPSE = 0.05  # a scheme is warned about if its outputs vary within a batch by less than this share of x's
COLUMNS = [
    "scheme",
    "t_stddev",
    "t_stddev_se",
    "n_u",
    "entropy",
    "mean_covariance",
    "mean_correlation",
    "label_disagreement",
    "mean_covariance_se",
    "mean_correlation_se",
    "var_confidence",
    "var_coupling",
    "var_batch",
    "t_stddev_pairs",
]


def t_stddev(u: Tensor) -> float:
    """T. stddev of windows `u` [n_u, C]: the unbiased standard deviation over windows, mean over classes (Eq. 10)."""
    return float(u.std(0, unbiased=True).mean())


def mean_covariance(p: Tensor) -> Tensor:
    """Mean over the N x N matrix Cov(P, P) of one batch of probabilities `p` [N, C], rows as variables (Eq. 12).

    The mean over all pairs of rows is the variance, over classes, of the mean row: no N x N matrix is needed.
    """
    return p.mean(0).var(unbiased=True)


def mean_correlation(p: Tensor) -> Tensor:
    """Mean over the N x N matrix Cor(P, P) of one batch of probabilities `p` [N, C], rows as variables (Eq. 12)."""
    return mean_covariance(p / p.std(1, unbiased=True, keepdim=True))


@dataclass
class Row:
    """The running statistics of one scheme; their memory does not grow with the number of steps."""

    scheme: Scheme
    u: GroupedMoments = field(default_factory=GroupedMoments)  # mean probabilities of the windows, [C]
    scalars: Tally = field(default_factory=Tally)  # per batch: covariance, correlation, within, entropy, disagreement
    classes: Tally = field(default_factory=Tally)  # per batch [4, C]: what the anatomy needs, see `anatomy`
    window: Tensor | float = 0.0

    def add(self, p: Tensor, made: Augmented, p_prime: Tensor, labels: Tensor) -> None:
        """Take in one mini-batch: the teacher's probabilities of x and x' [N, C], and what x' was made of."""
        both = torch.cat([p_prime, p])
        dominant = torch.where(made.lam >= 0.5, labels[made.own], labels[made.partner])
        surprise = torch.special.entr(p_prime).sum(1)
        disagreement = (p_prime.argmax(1) != dominant).float().mean()
        within = p_prime.var(0).mean()
        self.scalars.add(
            torch.stack([mean_covariance(both), mean_correlation(both), within, surprise.mean(), disagreement])
        )
        mixed = (made.partner != made.own).to(p).unsqueeze(1)
        sources = p[made.own] + mixed * p[made.partner]
        parts = [p_prime, p_prime.square(), sources * p_prime, (1 + mixed) * p_prime]
        self.classes.add(torch.stack([part.mean(0) for part in parts]))
        self.window = self.window + double(both).mean(0)

    def close_window(self, steps: int) -> None:
        """End a window of K images: its mean probability is one u (Eq. 9)."""
        self.u.add(self.window / steps)
        self.window = 0.0

    def anatomy(self, mean_p: Tensor, var_p: Tensor, k: int) -> dict[str, float]:
        """The three parts of Var(u), each the mean over classes; they add up to the measured variance.

        With n = K/2 pairs per window: confidence [Var p(x) + Var p(x')] / 4n; coupling 2 Cov(p(x), p(x')) / 4n over
        each x' and the images it was made of; batch: the rest, which is what a mini-batch has in common.
        `t_stddev_pairs` is what T. stddev would be without that rest.
        """
        mean, square, product, sources = self.classes.mean
        confidence = (var_p + square - mean.square()) / (2 * k)
        coupling = 2 * (product - mean_p * sources) / (2 * k)
        pairs = confidence + coupling
        return {
            "var_confidence": float(confidence.mean()),
            "var_coupling": float(coupling.mean()),
            "var_batch": float((self.u.variance() - pairs).mean()),
            "t_stddev_pairs": float(pairs.clamp(min=0).sqrt().mean()),
        }


@dataclass
class Ranking:
    """All schemes measured on the same mini-batches. `frame()` is the table, `difference` compares two of its rows."""

    rows: dict[str, Row]
    k: int
    teacher: Agreement | None = None
    x: Tally = field(default_factory=Tally)  # per batch [2, C]: p(x) and p(x)^2
    x_within: Tally = field(default_factory=Tally)

    def add(self, batch: MiniBatch, temperature: float = 1.0) -> None:
        """Take in one mini-batch; the teacher's probabilities are those at `temperature`."""
        p = (batch.x_logits / temperature).softmax(1)
        self.x.add(torch.stack([p.mean(0), p.square().mean(0)]))
        self.x_within.add(p.var(0).mean())
        for name, made in batch.made.items():
            p_prime = (batch.made_logits[name] / temperature).softmax(1)
            self.rows[name].add(p, made, p_prime, batch.labels)

    def close_window(self, steps: int) -> None:
        """End a window of K images, `steps` mini-batches, of every scheme that is measured."""
        for row in self.rows.values():
            if row.scalars.n:
                row.close_window(steps)

    def frame(self) -> pd.DataFrame:
        """One row per scheme, in the order asked for; see `metrics.rank_schemes`."""
        mean_p, square_p = self.x.mean
        lines = [self._line(name, row, mean_p, square_p) for name, row in self.rows.items()]
        frame = pd.DataFrame(lines, columns=COLUMNS)
        if self.teacher:
            frame.attrs |= self.teacher.facts()
        return frame

    def _line(self, name: str, row: Row, mean_p: Tensor, square_p: Tensor) -> dict[str, object]:
        if row.u.n == 0:  # S. ent. without a student: nothing was measured
            return {"scheme": name, "n_u": 0}
        covariance, correlation, _, surprise, disagreement = row.scalars.mean.tolist()
        covariance_se, correlation_se, *_ = row.scalars.standard_error.tolist()
        return {
            "scheme": name,
            "t_stddev": row.u.stddev(),
            "t_stddev_se": row.u.standard_error(),
            "n_u": row.u.n,
            "entropy": surprise,
            "mean_covariance": covariance,
            "mean_correlation": correlation,
            "label_disagreement": disagreement,
            "mean_covariance_se": covariance_se,
            "mean_correlation_se": correlation_se,
            **row.anatomy(mean_p, square_p - mean_p.square(), self.k),
        }

    def difference(self, first: str, second: str) -> tuple[float, float]:
        """T. stddev of `first` minus that of `second`, and its standard error; both saw the same mini-batches."""
        measured = {name: row.u for name, row in self.rows.items() if row.u.n}
        a, b = (measured[choose("measured scheme", name, measured)] for name in (first, second))
        return a.stddev() - b.stddev(), jackknife_error(a.without_each_group() - b.without_each_group())

    def check(self) -> None:
        """UserError for a T. stddev that is zero or not finite: it ranks nothing."""
        for name, row in self.rows.items():
            value = row.u.stddev() if row.u.n else 1.0
            if not LEAST < value < float("inf"):
                raise UserError(
                    f"T. stddev of {name!r} is {value:.3g}: the teacher's predictions hardly depend on the images. Are "
                    "its weights, the normalisation and the temperature right?"
                )

    def warn_of_collapse(self) -> None:
        """Warn of schemes whose outputs hardly vary within a batch: a low T. stddev is then no sign of a good one."""
        for name, row in self.rows.items():
            share = float(row.scalars.mean[2] / self.x_within.mean) if row.u.n else 1.0
            if share < COLLAPSE:
                warnings.warn(
                    f"the outputs for {name!r} collapse: within a mini-batch they vary {share:.1%} as much as those of "
                    "x. T. stddev assumes that x' is distributed as x (Prop. 3.1); do not rank this scheme by it",
                    stacklevel=3,
                )
