"""Streams: one value after another, an alarm at any time, and false alarms that are counted over the whole time.

The functions take whole streams, (streams, time) or (time,), and return the height at each time that an alarm is judged
by, so that many streams run side by side. `Adwin` reads one value at a time, in memory that hardly grows.

An arrival that is missing (NaN) is no evidence: with a warning it is passed over, the height stays, and goes on from
there with the next.
"""

import math
import warnings

import torch
from torch import Tensor
from torch.nn import functional as F

from utils.arguments import as_float, floats, number_in, whole

BETS = (-0.75, -0.5, -0.25, -0.1, -0.05, -0.02, -0.01, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75)  # shares at risk
AT_ONCE = 32  # arrivals whose bets are worked out together: all of a long stream would need much memory


def there_in(x: Tensor) -> Tensor:
    """Which values of streams (..., T) are not missing, bool, with a warning if some are.

    Raises ValueError if one stream has none, or x is one number.
    """
    if not x.dim():
        raise ValueError("x must hold streams, (..., T), got one number")
    there = x.isfinite()
    if not there.any(-1).all():
        raise ValueError("x has a stream without a single finite value: there is nothing to watch")
    if not there.all():
        missing = int((~there).sum())
        warnings.warn(f"{missing} of {there.numel()} arrivals are NaN or infinite: they are passed over", stacklevel=3)
    return there


def cusum(x: Tensor, *, mean: float, slack: float) -> Tensor:
    """Page's two-sided cumulative sum: how far the values have gone away from `mean`, less `slack` each time.

    Built in lesson 12. Page 1954. An alarm is raised where it reaches a threshold chosen on streams without drift.

    x  (..., T); the answer has the same shape, float64. NaN and infinite values are passed over, with a warning
    """
    x, mean, slack = floats("x", x), number_in("mean", mean), number_in("slack", slack)
    arrived, heights = there_in(x), []
    up = down = torch.zeros(x.shape[:-1], dtype=torch.float64, device=x.device)
    for value, there in zip(x.unbind(-1), arrived.unbind(-1), strict=True):
        up = (up + value - mean - slack).clamp_min(0).where(there, up)
        down = (down - value + mean - slack).clamp_min(0).where(there, down)
        heights.append(torch.maximum(up, down))
    return torch.stack(heights, -1)


def e_detector(x: Tensor, *, mean: float) -> Tensor:
    """Evidence that the mean of values in [0, 1] is `mean` no more, at each time: a gambler who may begin at any time.

    Built in lesson 12. Shiryaev-Roberts with bets: M_t = (1 + M_(t-1)) (1 + b (x_t - mean) / worst case), averaged over
    bets b up and down. While E[x_t | all before it] = `mean`, M_t - t is a fair game. So an alarm at M >= A comes after
    A steps or more on average, whatever the distribution of such values and however often one looks (Shin, Ramdas &
    Rinaldo 2024, arXiv:2203.03532). It is not enough that the values have this mean: with days, weeks or any other
    memory in them alarms come far sooner. And `mean` must be known: an error of it is won like a change.

    x  (..., T) in [0, 1]; the answer has the same shape, float64. NaN is passed over, with a warning
    Raises ValueError if x or mean lies outside.
    """
    x, mean = floats("x", x), number_in("mean", mean, "(0, 1)", hint="scale it and the values first")
    if not ((0 <= x) & (x <= 1) | x.isnan()).all():
        raise ValueError("e_detector needs values in [0, 1]: scale them first")
    bets = torch.tensor(BETS, dtype=torch.float64, device=x.device)
    stake = torch.where(bets > 0, bets / mean, bets / (1 - mean))  # the worst x leaves 1 - |b|
    wealth = torch.zeros(*x.shape[:-1], len(BETS), dtype=torch.float64, device=x.device)
    there, evidence = there_in(x), []
    complete = bool(there.all())
    for values, arrived in zip(x.split(AT_ONCE, -1), there.split(AT_ONCE, -1), strict=True):
        wealths = 1 + stake * (values.movedim(-1, 0)[..., None] - mean)  # (times, ..., bets)
        for after, came in zip(wealths, arrived.unbind(-1), strict=True):
            after.mul_(1 + wealth).clamp_max_(1e300)
            wealth = after if complete else after.copy_(after.where(came[..., None], wealth))
        evidence.append(wealths.mean(-1).movedim(0, -1))
    return torch.cat(evidence, -1)


def first_alarm(height: Tensor, threshold: float) -> Tensor:
    """The first time at which each stream reaches the threshold, (...,) int64, counted from 0; T where none does.

    A height that is NaN reaches none.
    """
    there = floats("height", height) >= number_in("threshold", threshold, "[-inf, inf]")
    return F.pad(there, (0, 1), value=True).int().argmax(-1)


def threshold_for(height: Tensor, run_length: float) -> float:
    """The lowest threshold with a mean of `run_length` steps to a false alarm on streams without drift, (streams, T).

    Streams that reach no alarm count with all their T steps and no alarm: total steps / alarms, so T may be shorter
    than the run length. The threshold is one of the heights reached, by bisection.

    Raises ValueError where a height is NaN, and where no height that is reached gives so long a run.
    """
    run_length = number_in("run_length", run_length, "(0, inf)")
    height = torch.atleast_2d(floats("height", height))
    if height.isnan().any():
        raise ValueError("height must not be NaN, or the threshold is one that nothing reaches: take such streams out")
    tops = height.amax(-1).sort().values

    def run_until_alarm(threshold: float) -> float:
        alarms = first_alarm(height, threshold)
        false = (alarms < height.shape[-1]).sum()
        return float((alarms + 1).clamp_max(height.shape[-1]).sum() / false)

    if (longest := run_until_alarm(float(tops[-1]))) < run_length:
        raise ValueError(
            f"run_length {run_length:g} is more than these {height.numel():,} steps show, {longest:,.4g} at the "
            "highest threshold: use more streams"
        )
    low, high = 0, len(tops) - 1
    while low < high:
        middle = (low + high) // 2
        if run_until_alarm(float(tops[middle])) >= run_length:
            high = middle
        else:
            low = middle + 1
    return float(tops[low])


class Adwin:
    """A window that grows while its values agree, and forgets its older part when the two parts have other means.

    Built in lesson 12. ADWIN2 of Bifet & Gavalda 2007: buckets of 1, 2, 4 ... values, at most `each` of a size, so a
    window of W values needs memory of order log W. While the mean stays as it is, a look cuts the window with
    probability at most `failure_prob` (their theorem 3.1, with the bound for variances that they use in practice).

    mean, size  of the window now
    """

    def __init__(self, failure_prob: float = 0.002, *, each: int = 5, every: int = 32):
        self.failure_prob = number_in("failure_prob", failure_prob, "(0, 1)")
        self.each, self.every = (whole(name, n) for name, n in (("each", each), ("every", every)))
        self.rows: list[list[tuple[float, float]]] = []  # rows[i]: (sum, sum of squares) of 2 ** i values, oldest first
        self.size, self.total, self.squares, self.seen = 0, 0.0, 0.0, 0

    @property
    def mean(self) -> float:
        return self.total / self.size if self.size else math.nan

    def update(self, value: float) -> bool:
        """Read a value in [0, 1]; True if the window was cut. NaN is passed over, with a warning."""
        given, value = value, as_float(value)
        if value is None or not 0 <= value <= 1:
            if value is not None and math.isnan(value):
                warnings.warn("an arrival is NaN: it is passed over", stacklevel=2)
                return False
            raise ValueError(f"Adwin reads values in [0, 1], got {given!r}: scale them first")
        self._add(value)
        self.seen += 1
        cut = False
        while self.seen % self.every == 0 and self._parts_differ():
            self._forget()
            cut = True
        return cut

    def _add(self, value: float) -> None:
        self.size, self.total, self.squares = self.size + 1, self.total + value, self.squares + value * value
        bucket, i = (value, value * value), 0
        while bucket:
            if i == len(self.rows):
                self.rows.append([])
            self.rows[i].append(bucket)
            bucket = None
            if len(self.rows[i]) > self.each:
                (a, aa), (b, bb) = self.rows[i].pop(0), self.rows[i].pop(0)
                bucket, i = (a + b, aa + bb), i + 1

    def _forget(self) -> None:
        """Drop the oldest bucket."""
        total, squares = self.rows[-1].pop(0)
        self.size, self.total, self.squares = (
            self.size - 2 ** (len(self.rows) - 1),
            self.total - total,
            self.squares - squares,
        )
        while self.rows and not self.rows[-1]:
            self.rows.pop()

    def _parts_differ(self) -> bool:
        """Whether some older part of the window has another mean than the rest, beyond chance."""
        variance = max(self.squares / self.size - self.mean**2, 0)
        surprise = math.log(2 * self.size / self.failure_prob)  # one chance for each place to cut
        n, total = 0, 0.0
        for i in reversed(range(len(self.rows))):
            for sum_, _ in self.rows[i]:
                n, total = n + 2**i, total + sum_
                left = self.size - n
                if not left:
                    return False
                m = 1 / (1 / n + 1 / left)
                bound = math.sqrt(2 / m * variance * surprise) + 2 / (3 * m) * surprise
                if abs(total / n - (self.total - total) / left) > bound:
                    return True
        return False
