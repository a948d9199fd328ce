"""Running statistics whose memory does not grow with the number of observations."""

import torch
from torch import Tensor

from kdutils.errors import UserError
from kdutils.inference.devices import double

GROUPS = 50


class Tally:
    """Count, mean and variance of observations of one shape, in double precision."""

    def __init__(self) -> None:
        self.n = 0
        self.total: Tensor | float = 0.0
        self.squares: Tensor | float = 0.0

    def add(self, value: Tensor) -> None:
        """Take in one observation."""
        value = double(value)
        self.n += 1
        self.total = self.total + value
        self.squares = self.squares + value.square()

    @property
    def mean(self) -> Tensor:
        """Mean over the observations."""
        return self.total / self.n

    @property
    def standard_error(self) -> Tensor:
        """Standard error of the mean, for independent observations."""
        variance = (self.squares - self.total**2 / self.n).clamp(min=0) / (self.n - 1)
        return (variance / self.n).sqrt()


class GroupedMoments:
    """Mean standard deviation over classes of vectors [C], with a delete-a-group jackknife for its error.

    Vector number i falls into group i mod 50; only the groups' sums are kept. With up to 50 vectors it is the
    delete-one jackknife (Efron & Tibshirani, 1993, ch. 11).
    """

    def __init__(self) -> None:
        self.n = 0
        self.totals: list[Tensor] = []
        self.squares: list[Tensor] = []

    def add(self, u: Tensor) -> None:
        """Take in one vector [C]."""
        u, group = double(u), self.n % GROUPS
        if group == len(self.totals):
            self.totals.append(torch.zeros_like(u))
            self.squares.append(torch.zeros_like(u))
        self.totals[group] += u
        self.squares[group] += u.square()
        self.n += 1

    def variance(self) -> Tensor:
        """The unbiased variance of each class, [C]: m of Eq. 10."""
        total, squares = sum(self.totals), sum(self.squares)
        return _variance(torch.tensor(float(self.n)), total, squares)

    def stddev(self) -> float:
        """The mean over classes of the standard deviation: T. stddev (Eq. 10)."""
        return float(self.variance().sqrt().mean())

    def without_each_group(self) -> Tensor:
        """T. stddev with each group left out in turn, [groups]: for errors of it, and of differences of two of them."""
        if self.n < 3:
            raise UserError(f"a standard error needs at least 3 windows of K images, not {self.n}: take more steps")
        totals, squares = torch.stack(self.totals), torch.stack(self.squares)
        sizes = torch.full((len(totals), 1), self.n // GROUPS) + (torch.arange(len(totals)) < self.n % GROUPS)[:, None]
        left = self.n - sizes.to(totals)
        return _variance(left, totals.sum(0) - totals, squares.sum(0) - squares).sqrt().mean(1)

    def standard_error(self) -> float:
        """Standard error of `stddev()`."""
        return jackknife_error(self.without_each_group())


def jackknife_error(left_out: Tensor) -> float:
    """The jackknife's standard error from the estimates [groups] with each group left out."""
    groups = len(left_out)
    return float(((groups - 1) / groups * (left_out - left_out.mean()).square().sum()).sqrt())


def _variance(n: Tensor, total: Tensor, squares: Tensor) -> Tensor:
    return ((squares - total.square() / n.to(total)) / (n.to(total) - 1)).clamp(min=0)
