"""What DP-SGD's epsilon is: bounds from Rényi divergences, and tighter ones from the privacy loss. Built in lesson 09.

One update of DP-SGD draws each example with probability `rate` and adds Gaussian noise whose standard deviation is
`noise_multiplier` times the clipping norm. Seen along the one direction in which an example can make a difference, and
in units of the clipping norm, it answers z from N(0, σ²) without the example, and from the mixture
(1 - q) N(0, σ²) + q N(1, σ²) with it. All of this module is about that pair. Neighbours: one example added or removed.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy import ndarray
from scipy import fft, optimize, special

ORDERS = 1 + np.geomspace(1e-4, 1000, 1000)
CELLS = 2**18  # of a privacy-loss distribution, at most


def check_setting(noise_multiplier: float, rate: float, updates: int, privacy_delta: float) -> None:
    if not noise_multiplier >= 0:
        raise ValueError(f"noise_multiplier must be a number >= 0, got {noise_multiplier!r}")
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must lie in [0, 1], it is a probability: got {rate!r} (a batch size? divide it by N)")
    if not (updates == int(updates) and updates >= 0):
        raise ValueError(f"updates must be a whole number >= 0, got {updates!r}")
    if not 0 < privacy_delta < 1:
        raise ValueError(f"privacy_delta must lie between 0 and 1, got {privacy_delta!r}")


# One Gaussian answer, exactly.


def gaussian_delta(noise_multiplier: float, eps: float) -> float:
    """The smallest delta of one Gaussian answer at `eps`. Balle & Wang 2018 (arXiv:1805.06530), theorem 8."""
    half, shift = 1 / (2 * noise_multiplier), eps * noise_multiplier
    return float(special.ndtr(half - shift) - math.exp(eps + special.log_ndtr(-half - shift)))


def gaussian_eps(noise_multiplier: float, privacy_delta: float) -> float:
    """The smallest epsilon of one Gaussian answer that every example is in: no sampling, one update."""
    check_setting(noise_multiplier, 1, 1, privacy_delta)
    if noise_multiplier == 0:
        return math.inf
    if gaussian_delta(noise_multiplier, 0) <= privacy_delta:
        return 0.0
    high = 1 / (2 * noise_multiplier**2) + math.sqrt(2 * math.log(1 / privacy_delta)) / noise_multiplier
    return optimize.brentq(lambda eps: gaussian_delta(noise_multiplier, eps) - privacy_delta, 0, high, xtol=1e-12)


# Rényi divergences.


def rdp(noise_multiplier: float, rate: float, orders: ndarray) -> ndarray:
    """The Rényi divergence of one update at each order > 1, whole or not. Mironov et al. 2019 (arXiv:1908.10530).

    The integral of E[(mixture / N(0, σ²))^order] under N(0, σ²), as a sum over a fine grid. The integrand is smooth
    and falls off like a bell at both ends, where such sums are exact to rounding.
    """
    sigma, order = noise_multiplier, np.atleast_1d(np.asarray(orders, float))[:, None]
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
    check_setting(noise_multiplier, rate, updates, privacy_delta)
    if rate == 0 or updates == 0:
        return 0.0
    if noise_multiplier == 0:
        return math.inf
    return eps_from_rdp(updates * rdp(noise_multiplier, rate, orders), np.asarray(orders, float), privacy_delta)


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


def privacy_losses(noise_multiplier: float, rate: float, *, removed: bool = True, step: float | None = None) -> Losses:
    """The privacy loss of one update, log(P / Q) under P, as a grid that is never too kind.

    removed  P is the mixture and Q is N(0, σ²); else the other way round: the example is added
    step     None: a twentieth of the loss's spread

    The mass in each cell is moved to the cell's two ends, so that the probability under Q stays the same as well. So
    the curve of delta against exp(epsilon), which is convex, is replaced by chords: an upper bound, exact on the grid.
    Doroshenko et al. 2022 (arXiv:2207.04380), "connect the dots".
    """
    sigma, q = noise_multiplier, rate

    def loss(z):
        return np.logaddexp(np.log1p(-q) if q < 1 else -np.inf, math.log(q) + (2 * z - 1) / (2 * sigma**2))

    low, high = float(loss(-12 * sigma)), float(loss(1 + 12 * sigma))  # beyond lies a probability of 1e-32
    if step is None:
        z = np.linspace(-8 * sigma, 8 * sigma, 400)
        spread = math.sqrt(np.average((loss(z) - loss(0.0)) ** 2, weights=np.exp(-(z**2) / (2 * sigma**2))))
        step = max(spread / 20, (high - low) / CELLS)
    edges = step * np.arange(math.floor(low / step), math.ceil(high / step) + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = 0.5 + sigma**2 * (np.log(np.expm1(edges) + q) - math.log(q))  # where the loss is at an edge
    z[np.isnan(z)] = -np.inf  # below log(1 - q), which no loss is
    z[0], z[-1] = -np.inf, np.inf
    base = between(z / sigma)
    mixture = (1 - q) * base + q * between((z - 1) / sigma)
    if removed:
        p, q_mass = mixture, base
    else:
        p, q_mass, edges = base[::-1], mixture[::-1], -edges[::-1]
    up = np.clip((p - q_mass * np.exp(edges[:-1])) / -math.expm1(-step), 0, p)  # of each cell, to its upper end
    mass = np.append(p - up, 0) + np.append(0, up)
    return Losses(step, round(edges[0] / step), mass, 0.0)


def compose(one: Losses, updates: int, tail: float = 1e-16) -> Losses:
    """The loss of `updates` independent updates, a sum, by one Fourier transform.

    A circle of sums takes the place of the line. What wraps around has at most the probability `tail` (Chernoff's
    bound, from the masses themselves) and is counted as an infinite loss.
    """
    loss = one.step * (one.first + np.arange(len(one.mass)))
    with np.errstate(divide="ignore"):
        log_mass = np.log(one.mass)
    ends = []
    for side in (1, -1):
        rates = np.geomspace(1e-2, 1e3, 60)
        growth = np.array([special.logsumexp(log_mass + side * r * loss) for r in rates])
        ends.append(side * np.min((updates * growth - math.log(tail / 2)) / rates))
    first, last = math.floor(ends[1] / one.step), math.ceil(ends[0] / one.step)
    size = fft.next_fast_len(max(last - first + 1, len(one.mass)), real=True)
    sums = np.maximum(fft.irfft(fft.rfft(one.mass, size) ** updates, size), 0)
    sums = np.roll(sums, updates * one.first - first)
    return Losses(one.step, first, sums, 1 - (1 - one.infinite) ** updates + tail)


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

    Built in lesson 09. From the privacy-loss distribution, rounded upward: an upper bound, and the tightest here.

    noise_multiplier  standard deviation of the noise in units of the clipping norm, >= 0; without noise: infinity
    rate              the probability with which each example is in a batch, independently (Poisson sampling)
    updates           weight updates
    privacy_delta     at least 1e-12 or so: rounding of the Fourier transform would show below

    Raises ValueError that names the argument at fault.
    """
    check_setting(noise_multiplier, rate, updates, privacy_delta)
    if rate == 0 or updates == 0:
        return 0.0
    if noise_multiplier == 0:
        return math.inf
    both = (privacy_losses(noise_multiplier, rate, removed=removed) for removed in (True, False))
    return max(smallest_eps(compose(one, int(updates), tail=1e-6 * privacy_delta), privacy_delta) for one in both)
