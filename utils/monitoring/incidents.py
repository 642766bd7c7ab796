"""Streams in which something happens at some time, and how unusual each arrival is. Built in lesson 13."""

import math

import torch
from torch import Tensor

from utils.arguments import floats
from utils.monitoring.samples import as_precise


def surprise(usual: Tensor, now: Tensor) -> Tensor:
    """How unusual each number is, from 0 (like most) to 1 (beyond all), (channels, m) float64.

    The share of usual numbers at least as extreme, as a surprise: -log(share) / log(n). For usual numbers it has a mean
    of about 1 / log(n), whatever their distribution, so `e_detector` can watch any of them.

    usual, now  (channels, n) and (channels, m): numbers from before, and those of the arrivals. The surprise of
                NaN is NaN, which `e_detector` passes over

    Raises ValueError if a usual number is NaN (what is usual would be counted wrong), or there are fewer than two.
    """
    usual, now = check_usual(usual, now)
    ordered, now, n = usual.sort(-1).values, now.contiguous(), usual.shape[-1]
    below = torch.searchsorted(ordered, now, right=True)
    above = n - torch.searchsorted(ordered, now)
    share = (2 * torch.minimum(below, above).double() / n).clamp(1 / n, 1)
    return (-share.log() / math.log(n)).clamp(0, 1).where(~now.isnan(), math.nan)


def check_usual(usual: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
    """Both in float64, as precise as the coarser of them. Raises ValueError for NaN in `usual`, or fewer than two."""
    sides = {"usual": usual, "now": now}
    usual, now = as_precise(*(x if isinstance(x, Tensor) else floats(name, x) for name, x in sides.items()))
    if not usual.dim() or usual.shape[-1] < 2:
        raise ValueError(f"usual must hold two numbers at least, got {tuple(usual.shape)}")
    if usual.isnan().any():
        raise ValueError("usual must not hold NaN: take such examples out, or they count as the largest of all")
    return usual, now


def mixed(
    calm: Tensor, odd: Tensor, *, share: float, change: int, runs: int, length: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Draw usual arrivals, and from time `change` on a share of odd ones among them. Both with replacement.

    calm, odd  (channels, n) and (channels, m): the signals of single arrivals

    Returns streams of signals (channels, runs, length), and (runs, length) int64: -1 for a usual arrival, else which of
    the m odd ones it is.
    """
    random = torch.Generator().manual_seed(seed)
    usual = calm[:, torch.randint(calm.shape[1], (runs, length), generator=random)]
    event = torch.randint(odd.shape[1], (runs, length), generator=random)
    happens = torch.rand(runs, length, generator=random) < share
    event = event.where(happens & (torch.arange(length) >= change), -1)
    return usual.where(event < 0, odd[:, event]), event
