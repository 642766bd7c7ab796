"""What DP-SGD's epsilon is: bounds from Rényi divergences, and tighter ones from the privacy loss. Built in lesson 09.

One update of DP-SGD draws each example with probability `rate` and adds Gaussian noise whose standard deviation is
`noise_multiplier` times the clipping norm. Seen along the one direction in which an example can make a difference, and
in units of the clipping norm, it answers z from N(0, σ²) without the example, and from the mixture
(1 - q) N(0, σ²) + q N(1, σ²) with it. All of this module is about that pair. Neighbours: one example added or removed.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy import ndarray
from scipy import fft, optimize, special

from utils.arguments import number_in, whole

ORDERS = 1 + np.geomspace(1e-4, 1000, 1000)
CELLS = 2**18  # of a privacy-loss distribution, at most
MOST = 2**22  # cells of a sum of losses: more would take seconds


def check_setting(
    noise_multiplier: float, rate: float, updates: int, privacy_delta: float
) -> tuple[float, float, int, float]:
    """The same as plain numbers. Raises ValueError that names the one at fault."""
    return (
        number_in("noise_multiplier", noise_multiplier, "[0, inf]"),
        number_in("rate", rate, "[0, 1]", hint="it is a probability; a batch size? divide it by N"),
        whole("updates", updates, 0),
        number_in("privacy_delta", privacy_delta, "(0, 1)"),
    )


# One Gaussian answer, exactly.


def gaussian_delta(noise_multiplier: float, eps: float) -> float:
    """The smallest delta of one Gaussian answer at `eps`. Balle & Wang 2018 (arXiv:1805.06530), theorem 8."""
    half, shift = 1 / (2 * noise_multiplier), eps * noise_multiplier
    return float(special.ndtr(half - shift) - math.exp(eps + special.log_ndtr(-half - shift)))


def gaussian_eps(noise_multiplier: float, privacy_delta: float) -> float:
    """The smallest epsilon of one Gaussian answer that every example is in: no sampling, one update.

    Below a noise of 1e-6 rounding leaves no more than the simpler bound of the two tails, too high by a millionth.
    """
    noise_multiplier, _, _, privacy_delta = check_setting(noise_multiplier, 1, 1, privacy_delta)
    if noise_multiplier < 1e-150:
        return math.inf
    if noise_multiplier == math.inf or gaussian_delta(noise_multiplier, 0) <= privacy_delta:
        return 0.0
    high = 1 / (2 * noise_multiplier**2) + math.sqrt(-2 * math.log(privacy_delta)) / noise_multiplier
    if noise_multiplier < 1e-6:
        return high
    return optimize.brentq(lambda eps: gaussian_delta(noise_multiplier, eps) - privacy_delta, 0, high, xtol=1e-12)


# Rényi divergences.


def rdp(noise_multiplier: float, rate: float, orders: ndarray) -> ndarray:
    """The Rényi divergence of one update at each order > 1, whole or not. Mironov et al. 2019 (arXiv:1908.10530).

    The integral of E[(mixture / N(0, σ²))^order] under N(0, σ²), as a sum over a fine grid. The integrand is smooth
    and falls off like a bell at both ends, where such sums are exact to rounding. Below a noise of 0.06 it is two bells
    that do not touch, at 0 and at the order, up to a share of 1e-14.
    """
    sigma, rate, _, _ = check_setting(noise_multiplier, rate, 1, 0.5)
    order = np.atleast_1d(np.asarray(orders, float))[:, None]
    if not (order > 1).all() or not np.isfinite(order).all():
        raise ValueError(f"orders must be numbers above 1, got {orders!r}")
    if rate == 0 or sigma == math.inf:
        return np.zeros(len(order))
    if sigma < 1e-150:
        return np.full(len(order), math.inf)
    if sigma < 0.06:
        order = order[:, 0]
        stays = order * (np.log1p(-rate) if rate < 1 else -np.inf)
        moved = order * math.log(rate) + order * (order - 1) / (2 * sigma**2)
        return np.maximum(np.logaddexp(stays, moved) / (order - 1), 0)
    step = min(sigma, sigma**2) / 6
    found = []
    for few in np.array_split(order, max(len(order) // 16, 1)):
        z = np.arange(-12 * sigma, few.max() + 12 * sigma, step)
        density = -(z**2) / (2 * sigma**2) - math.log(sigma * math.sqrt(2 * math.pi))
        with np.errstate(divide="ignore"):
            ratio = np.logaddexp(np.log1p(-rate), math.log(rate) + (2 * z - 1) / (2 * sigma**2))
        found.append((special.logsumexp(few * ratio + density, axis=1) + math.log(step)) / (few[:, 0] - 1))
    return np.maximum(np.concatenate(found), 0)


def eps_from_rdp(divergence: ndarray, orders: ndarray, privacy_delta: float) -> float:
    """The smallest epsilon of all orders. Canonne, Kamath & Steinke 2020 (arXiv:2004.00010), prop. 12."""
    eps = divergence + np.log1p(-1 / orders) - (math.log(privacy_delta) + np.log(orders)) / (orders - 1)
    return max(float(np.min(eps)), 0.0)


def rdp_eps(
    noise_multiplier: float, rate: float, updates: int, privacy_delta: float, orders: ndarray = ORDERS
) -> float:
    """Epsilon of `updates` updates by Rényi divergences, which add up: an upper bound, quick and somewhat loose."""
    sigma, rate, updates, privacy_delta = check_setting(noise_multiplier, rate, updates, privacy_delta)
    if rate == 0 or updates == 0 or sigma == math.inf:
        return 0.0
    if sigma == 0:
        return math.inf
    orders, best = np.sort(np.atleast_1d(np.asarray(orders, float))), math.inf
    for few in np.array_split(orders, max(len(orders) // 16, 1)):
        divergence = updates * rdp(sigma, rate, few)
        best = min(best, eps_from_rdp(divergence, few, privacy_delta))
        last = few[-1]  # higher orders have no smaller divergence, nor any smaller one of the terms after it
        if divergence[-1] + math.log1p(-1 / last) - math.log(last) / (last - 1) >= best:
            break
    return best


# The privacy loss.


class Losses(NamedTuple):
    """A distribution of the privacy loss on a grid.

    step      between two losses of the grid
    first     the smallest loss, in steps: loss i is (first + i) * step
    mass      the probability of each, (cells,)
    infinite  the probability of a loss beyond all bounds
    """

    step: float
    first: int
    mass: ndarray
    infinite: float


def between(z: ndarray) -> ndarray:
    """The standard normal probability of each interval of the increasing numbers z, precise in both tails."""
    return np.where(
        z[:-1] > 0, special.ndtr(-z[:-1]) - special.ndtr(-z[1:]), special.ndtr(z[1:]) - special.ndtr(z[:-1])
    )


def privacy_losses(
    noise_multiplier: float, rate: float, *, removed: bool = True, step: float | None = None, missing: float = 0.0
) -> Losses:
    """The privacy loss of one update, log(P / Q) under P, as a grid that is never too kind.

    removed  P is the mixture and Q is N(0, σ²); else the other way round: the example is added
    step     None: a twentieth of the loss's spread, or what CELLS cells allow
    missing  the probability that may be counted as an infinite loss, if that spares a coarse grid

    The mass in each cell is moved to the cell's two ends, so that the probability under Q stays the same as well. So
    the curve of delta against exp(epsilon), which is convex, is replaced by chords: an upper bound, exact on the grid.
    Doroshenko et al. 2022 (arXiv:2207.04380), "connect the dots".
    """
    sigma, q = noise_multiplier, rate

    def loss(z):
        return np.logaddexp(np.log1p(-q) if q < 1 else -np.inf, math.log(q) + (2 * z - 1) / (2 * sigma**2))

    low, high = float(loss(-12 * sigma)), float(loss(1 + 12 * sigma))  # beyond lies a probability of 1e-32
    infinite = 0.0
    if step is None:
        z = np.linspace(-8 * sigma, 8 * sigma, 400)
        spread = math.sqrt(np.average((loss(z) - loss(0.0)) ** 2, weights=np.exp(-(z**2) / (2 * sigma**2))))
        if (high - low) / CELLS > spread / 20 and missing:
            end = sigma * max(1 / sigma - special.ndtri(min(missing / (2 * q), 0.5)), -special.ndtri(missing / 2))
            if end < 1 + 12 * sigma:
                high = float(loss(end))
                infinite = missing if removed else 0.0  # the other way round, what lies beyond is below all others
        step = max(spread / 20, (high - low) / CELLS)
    edges = step * np.arange(math.floor(low / step), math.ceil(high / step) + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = np.where(edges < 700, np.log(np.expm1(np.minimum(edges, 700)) + q), edges)
        z = 0.5 + sigma**2 * (grown - math.log(q))  # where the loss is at an edge
    z[np.isnan(z)] = -np.inf  # below log(1 - q), which no loss is
    z[0] = -np.inf
    if not infinite:
        z[-1] = np.inf
    base = between(z / sigma)
    mixture = (1 - q) * base + q * between((z - 1) / sigma)
    if removed:
        p, q_mass = mixture, base
    else:
        p, q_mass, edges = base[::-1], mixture[::-1], -edges[::-1]
    grown = np.exp(np.minimum(edges[:-1], 700))  # beyond, more than needed goes up
    up = np.clip((p - q_mass * grown) / -math.expm1(-step), 0, p)  # of each cell, to its upper end
    mass = np.append(p - up, 0) + np.append(0, up)
    return Losses(step, round(edges[0] / step), mass, infinite)


def compose(one: Losses, updates: int, tail: float = 1e-16, privacy_delta: float | None = None) -> Losses:
    """The loss of `updates` independent updates, a sum, by one Fourier transform.

    A circle of sums takes the place of the line. What wraps around has at most the probability `tail` (Chernoff's
    bound, from the masses themselves) and is counted as an infinite loss.

    privacy_delta  if given, the transform is of masses times exp(tilt loss), which puts its middle where delta is about
                   so large: a transform rounds to 1e-16 of its largest values, which would hide a delta of 1e-12. What
                   is then found of smaller losses is too high, if anything
    """
    loss = one.step * (one.first + np.arange(len(one.mass)))
    with np.errstate(divide="ignore"):
        log_mass = np.log(one.mass)
    mass, height, tilt = one.mass, 0.0, 0.0
    if privacy_delta is not None:
        _, tilt = chernoff(log_mass, loss, updates, privacy_delta)
        height = special.logsumexp(log_mass + tilt * loss)
        log_mass = log_mass + tilt * loss - height
        mass = np.exp(log_mass)
    last, first = (chernoff(log_mass, side * loss, updates, tail / 2)[0] for side in (1, -1))
    first, last = math.floor(-first / one.step), math.ceil(last / one.step)
    if max(last - first + 1, len(one.mass)) > MOST:
        return Losses(one.step, 0, np.zeros(1), 1.0)  # nothing is known: a bound, too
    size = fft.next_fast_len(max(last - first + 1, len(one.mass)), real=True)
    sums = np.maximum(fft.irfft(fft.rfft(mass, size) ** updates, size), 0)
    sums = np.roll(sums, updates * one.first - first)
    if tilt:
        with np.errstate(divide="ignore"):
            back = updates * height - tilt * one.step * (first + np.arange(size))
            sums = np.exp(np.minimum(np.log(sums) + back, 0))
        tail *= privacy_delta  # to the right of its middle the tilt had raised all by 1 / delta and more
    return Losses(one.step, first, sums, 1 - (1 - one.infinite) ** updates + tail)


def chernoff(log_mass: ndarray, loss: ndarray, updates: int, tail: float) -> tuple[float, float]:
    """What a sum of losses exceeds with probability `tail` at most, and the rate r of this bound by E[exp(r loss)].

    The best of some rates; of higher ones, if the highest is the best. The bound falls and then rises with the rate,
    because log E[exp(r loss)] is convex: so halves are left out, one after another.
    """
    rates = np.geomspace(1e-2, 1e3, 60)

    @cache
    def bound(i: int) -> float:
        return float((updates * special.logsumexp(log_mass + rates[i] * loss) - math.log(tail)) / rates[i])

    while True:
        low, high = 0, len(rates) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if bound(middle) <= bound(middle + 1) else (middle + 1, high)
        if low < len(rates) - 1 or rates[-1] > 1e15:
            return bound(low), float(rates[low])
        rates = rates * 1e4
        bound.cache_clear()


def delta_at(sums: Losses, eps: float) -> float:
    """The delta of a distribution of losses at `eps`: the mean of max(0, 1 - exp(eps - loss))."""
    start = max(math.floor(eps / sums.step) - sums.first, 0)  # smaller losses add nothing
    loss = sums.step * (sums.first + np.arange(start, len(sums.mass)))
    return float(sums.infinite + (sums.mass[start:] * -np.expm1(np.minimum(eps - loss, 0))).sum())


def smallest_eps(sums: Losses, privacy_delta: float) -> float:
    """The smallest epsilon >= 0 at which delta is at most `privacy_delta`; infinite if there is none."""
    if sums.infinite >= privacy_delta:
        return math.inf
    if delta_at(sums, 0) <= privacy_delta:
        return 0.0
    high = sums.step * (sums.first + len(sums.mass))
    return optimize.brentq(lambda eps: delta_at(sums, eps) - privacy_delta, 0, high, xtol=1e-9) + 1e-9


def privacy_eps(noise_multiplier: float, rate: float, updates: int, privacy_delta: float) -> float:
    """The epsilon of DP-SGD: (epsilon, privacy_delta)-differential privacy under adding or removing one example.

    Built in lesson 09. From the privacy-loss distribution, rounded upward: an upper bound, and the tightest here. What
    is kept: too high by up to 0.1 % or so for the grid; too low by 1e-6 of itself at most for rounding, down to a delta
    of 1e-18. Where the grid would be coarse (hardly any noise, very small rates) or rounding could show, the smallest
    of it, `rdp_eps` and the bound without sampling; where the sum of losses would fill the memory, of the last two.

    noise_multiplier  standard deviation of the noise in units of the clipping norm, >= 0; without noise: infinity
    rate              the probability with which each example is in a batch, independently (Poisson sampling). This is
                      no bound for shuffled batches, or cut ones (Chua et al. 2024, arXiv:2403.17673)
    updates           weight updates
    privacy_delta     between 0 and 1

    Raises ValueError that names the argument at fault.
    """
    sigma, rate, updates, delta = check_setting(noise_multiplier, rate, updates, privacy_delta)
    if rate == 0 or updates == 0 or sigma == math.inf:
        return 0.0
    if sigma == 0:
        return math.inf
    if updates * rate * gaussian_delta(max(sigma, 1e-6), 0) <= delta:  # how far apart the two worlds are, added up
        return 0.0
    others = min(gaussian_eps(sigma / math.sqrt(updates), delta), rdp_eps(sigma, rate, updates, delta))
    if sigma < 1e-3:
        return others
    missing = 1e-7 * delta / updates
    each = [privacy_losses(sigma, rate, removed=removed, missing=missing) for removed in (True, False)]
    if updates * np.finfo(float).eps < 1e-6 * delta:
        sums = [compose(one, updates, 1e-6 * delta) for one in each]
        eps = max(smallest_eps(s, delta) for s in sums)
        if max(len(one.mass) for one in each) < CELLS // 2 and eps < math.inf:
            return eps
    else:
        sums = [compose(one, updates, 1e-6, delta) for one in each]
    return min(max(smallest_eps(s, delta) for s in sums), others)
