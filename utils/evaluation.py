"""What is left of a model's accuracy: rates with intervals, before and after an attack."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import total_ordering

from torch import Tensor, nn

from utils.models import predict

Z = 1.959964  # the two-sided 95 % point of the normal distribution


@total_ordering
@dataclass(frozen=True, eq=False)
class Rate:
    """k out of n, with Wilson's 95 % interval (1927). Prints `236/397 = 59 % [55, 64]`; compares like a number."""

    k: int
    n: int

    def __post_init__(self):
        if not 0 <= self.k <= self.n or self.n == 0:
            raise ValueError(f"a rate needs 0 <= k <= n and n > 0, got k = {self.k}, n = {self.n}")

    def __float__(self) -> float:
        return self.k / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval, two numbers in [0, 1]."""
        p, n = float(self), self.n
        middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
        half = Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
        low, high = max(middle - half, 0.0), min(middle + half, 1.0)
        return low if self.k else 0.0, high if self.k < self.n else 1.0  # rounding must not exclude none or all

    def lead(self, other: "Rate") -> float:
        """By how much this rate is above the other at least, at 95 % confidence; 0 or less if that is unclear.

        The lower end of the interval of the difference (Newcombe 1998, method 10). It takes the two rates as measured
        on different images. On the same images it errs on the side of caution.
        """
        gap = float(self) - float(other)
        return gap - math.hypot(float(self) - self.interval[0], other.interval[1] - float(other))

    def clearly_above(self, other: "Rate") -> bool:
        """True if this rate is higher and the 95 % interval of the difference leaves out 0."""
        return self.lead(other) > 0

    def clearly_below(self, other: "Rate") -> bool:
        """`other.clearly_above(self)`."""
        return other.clearly_above(self)

    def __eq__(self, other):
        return float(self) == float(other) if isinstance(other, (Rate, int, float)) else NotImplemented

    def __lt__(self, other):
        return float(self) < float(other) if isinstance(other, (Rate, int, float)) else NotImplemented

    def __hash__(self):
        return hash(float(self))

    def __repr__(self):
        low, high = (round(100 * bound) for bound in self.interval)
        return f"{self.k}/{self.n} = {100 * float(self):.0f} % [{low}, {high}]"


def accuracy(model: nn.Module, data: tuple[Tensor, Tensor]) -> Rate:
    """The rate of right predictions on `data`, a pair (x, y)."""
    x, y = data
    return Rate(int((predict(model, x) == y).sum()), len(y))


def robust_accuracy(model: nn.Module, data: tuple[Tensor, Tensor], attack: Callable, *, eps: float) -> Rate:
    """The rate of right predictions after `attack(model, x, y, eps=eps)`: an upper bound on the true robustness."""
    x, y = data
    return accuracy(model, (attack(model, x, y, eps=eps), y))


@dataclass(frozen=True)
class Sweep:
    """Accuracies `rates[i]` at the budgets `eps[i]`."""

    eps: tuple[float, ...]
    rates: tuple[Rate, ...]

    def at(self, eps: float) -> Rate:
        """The rate at the measured budget nearest to `eps`."""
        return min(zip(self.eps, self.rates, strict=True), key=lambda pair: abs(pair[0] - eps))[1]


def sweep(model: nn.Module, attack: Callable, data: tuple[Tensor, Tensor], *, eps: Sequence[float]) -> Sweep:
    """`robust_accuracy` for each budget in `eps`, from one attack."""
    budgets = tuple(float(e) for e in eps)
    return Sweep(budgets, tuple(robust_accuracy(model, data, attack, eps=e) for e in budgets))
