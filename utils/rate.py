"""A rate with its interval: what a measurement of yes and no comes to. It needs no torch.

Rate        k of n images: what may be said of other images
Trainings   the same of several trainings of one recipe: what may be said of other trainings
RateWithin  a rate whose interval was found in another way
"""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from functools import total_ordering

ONE_TRAINING = "one training says nothing about others: compare Trainings with Trainings, of the same images"
Z = 1.959964  # the two-sided 95 % point of the normal distribution


@total_ordering
@dataclass(frozen=True, eq=False)
class Rate:
    """k out of n, with Wilson's 95 % interval (1927). Prints `236/397 = 59 % [55, 64]`; compares like a number.

    Takes whole numbers of any kind, also NumPy's and tensors of no dimension, and keeps Python's. Else ValueError.
    """

    k: int
    n: int

    def __post_init__(self):
        for name in ("k", "n"):
            object.__setattr__(self, name, counted(name, getattr(self, name)))
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
        if isinstance(other, Trainings):
            raise TypeError(ONE_TRAINING)
        gap = float(self) - float(other)
        return gap - math.hypot(float(self) - self.interval[0], other.interval[1] - float(other))

    def lead_at_most(self, other: "Rate") -> float:
        """By how much this rate is above the other at most, at 95 % confidence; below 0 if it is surely lower.

        The upper end of the interval of which `lead` is the lower. Who says that there is no difference needs it small.
        """
        return -other.lead(self)

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


def counted(name: str, value) -> int:
    """A count as one of Python's whole numbers; else ValueError. True is none."""
    found = value.item() if hasattr(value, "item") and not getattr(value, "ndim", 0) else value
    if isinstance(found, bool) or not isinstance(found, (int, float)) or found % 1 != 0:
        raise ValueError(f"a rate needs whole numbers k and n, got {name} = {value!r}")
    return int(found)


@dataclass(frozen=True, eq=False, repr=False)
class RateWithin(Rate):
    """A rate with a 95 % interval of another kind than Wilson's, or one that was kept: `low` to `high`."""

    low: float
    high: float

    @property
    def interval(self) -> tuple[float, float]:
        return self.low, self.high


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Trainings(Rate):
    """What each of several trainings came to, on the same images. Prints `80, 96, 109 of 397 = 24 % [15, 33]`.

    It stands wherever a Rate may: its number is the mean over the trainings, and k and n are added up. Its interval
    (Student's t, 95 %) and its comparisons (Welch 1947) cover other trainings, judged on images like these; what other
    images would change, they don't cover. Counts are whole, so equal ones don't say that trainings never differ: they
    are taken as if one training had had one image more.

    rates  a Rate for each training, at least two, all of the same n
    """

    rates: tuple[Rate, ...]

    def __init__(self, rates: Iterable[Rate]):
        rates = tuple(rates)
        if len(rates) < 2 or len({rate.n for rate in rates}) != 1:
            raise ValueError(f"this needs rates of at least two trainings, all of the same n, got {list(rates)}")
        object.__setattr__(self, "rates", rates)
        super().__init__(sum(rate.k for rate in rates), sum(rate.n for rate in rates))

    @property
    def variance(self) -> float:
        """Of the mean, above 0: how far other trainings may move it."""
        trainings, n = len(self.rates), self.rates[0].n
        return (statistics.variance(map(float, self.rates)) or 1 / (trainings * n**2)) / trainings

    @property
    def interval(self) -> tuple[float, float]:
        half = student(len(self.rates) - 1) * math.sqrt(self.variance)
        return max(float(self) - half, 0.0), min(float(self) + half, 1.0)

    def lead(self, other: Rate) -> float:
        """By how much this mean is above the other's at least, at 95 % confidence; 0 or less if that is unclear.

        The lower end of Welch's interval of the difference. Raises TypeError beside a single Rate.
        """
        if not isinstance(other, Trainings):
            raise TypeError(ONE_TRAINING)
        gap, a, b = float(self) - float(other), self.variance, other.variance
        freedom = (a + b) ** 2 / (a**2 / (len(self.rates) - 1) + b**2 / (len(other.rates) - 1))
        return gap - student(freedom) * math.sqrt(a + b)

    def __repr__(self):
        low, high = (round(100 * bound) for bound in self.interval)
        counts = ", ".join(str(rate.k) for rate in self.rates)
        return f"{counts} of {self.rates[0].n} = {100 * float(self):.0f} % [{low}, {high}]"


def student(freedom: float) -> float:
    """The two-sided 95 % point of Student's t distribution."""
    from scipy.special import stdtrit  # here, because the grader imports rates and nothing of SciPy

    return float(stdtrit(freedom, 0.975))
