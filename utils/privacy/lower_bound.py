"""Epsilon from below: what a distinguisher of two worlds proves about a mechanism. Built in lesson 09."""

import math

import numpy as np
from numpy import ndarray
from scipy import optimize, stats

from utils.arguments import floats, number_in, whole
from utils.smoothing import clopper_pearson_below


def eps_lower(
    hits: int | ndarray, n_in: int, alarms: int | ndarray, n_out: int, privacy_delta: float, failure_prob: float = 0.05
) -> ndarray:
    """The largest epsilon that the counts of a test refute: hits of n_in runs with an example, alarms of n_out without.

    Under (epsilon, delta)-privacy, P(hit) <= exp(epsilon) P(alarm) + delta. Each share is bounded from its count
    (Clopper & Pearson 1934), wrongly with probability failure_prob / 2: with probability at least 1 - failure_prob the
    true epsilon is not below the answer, a number >= 0 (or an array, for arrays of counts). Jagielski et al. 2020
    (arXiv:2006.07709). It holds for a test that was fixed before these runs.
    """
    hits, alarms = np.asarray(hits, float), np.asarray(alarms, float)
    n_in, n_out = (whole(name, n) for name, n in (("n_in", n_in), ("n_out", n_out)))
    privacy_delta = number_in("privacy_delta", privacy_delta, "[0, 1)")
    failure_prob = number_in("failure_prob", failure_prob, "(0, 1)")
    if not (((0 <= hits) & (hits <= n_in)).all() and ((0 <= alarms) & (alarms <= n_out)).all()):
        raise ValueError(
            f"need 0 <= hits <= n_in and 0 <= alarms <= n_out, got {hits} of {n_in} and {alarms} of {n_out}"
        )
    hit = clopper_pearson_below(hits, n_in, failure_prob / 2)  # surely not above the share of hits
    alarm = 1 - clopper_pearson_below(n_out - alarms, n_out, failure_prob / 2)  # surely not below that of alarms
    return np.log(np.maximum((hit - privacy_delta) / alarm, 1))


def audited_eps(scores_in: ndarray, scores_out: ndarray, privacy_delta: float, failure_prob: float = 0.05) -> float:
    """A lower bound on epsilon from a score of each run, (n_in,) with the example and (n_out,) without it.

    One half of the runs choose the test: above or below which score to say "in", or "out". The others count, so that
    the answer exceeds the true epsilon with probability at most failure_prob. The runs are independent, in any order
    that does not depend on their scores.
    """
    given = {"scores_in": scores_in, "scores_out": scores_out}
    scores = [floats(name, side).cpu().numpy() for name, side in given.items()]
    for name, side in zip(given, scores, strict=True):
        if side.ndim != 1 or len(side) < 2 or np.isnan(side).any():
            raise ValueError(f"{name} must hold the scores of two runs at least, (n,), none of them NaN")
    (in_choose, in_count), (out_choose, out_count) = (np.array_split(s, 2) for s in scores)

    def bounds(a, b, side, thresholds):
        """The epsilon from the event side * score >= threshold in the worlds a and b, for each threshold."""
        counts = [len(s) - np.searchsorted(np.sort(side * s), thresholds) for s in (a, b)]
        return eps_lower(counts[0], len(a), counts[1], len(b), privacy_delta, failure_prob)

    tests = []
    for swapped in (False, True):
        a, b = (out_choose, in_choose) if swapped else (in_choose, out_choose)
        for side in (1, -1):
            thresholds = np.unique(side * np.concatenate([a, b]))
            found = bounds(a, b, side, thresholds)
            tests.append((found.max(), thresholds[found.argmax()], side, swapped))
    _, threshold, side, swapped = max(tests)
    a, b = (out_count, in_count) if swapped else (in_count, out_count)
    return float(bounds(a, b, side, threshold))


def one_run_eps(right: int, guesses: int, examples: int, privacy_delta: float, failure_prob: float = 0.05) -> float:
    """The largest epsilon that one training run refutes, from guesses which examples were in it. Used in lesson 14.

    A fair coin for each of `examples` put it in or left it out; somebody who saw the model says "in" or "out" of
    `guesses` of them, and `right` are right. Under (epsilon, delta)-privacy these guesses are, however they depend on
    each other, no better than coins that fall right with probability exp(epsilon) / (1 + exp(epsilon)), but for a term
    in delta: Steinke, Nasr & Jagielski 2023 (arXiv:2305.08846), theorem 5.2. With probability at least
    1 - failure_prob the true epsilon is not below the answer, a number >= 0. A random half of a pool, instead of coins,
    is near enough for an audit, and not for a proof.
    """
    counts = {"right": right, "guesses": guesses, "examples": examples}
    right, guesses, examples = (whole(name, n, 0) for name, n in counts.items())
    if not right <= guesses <= examples:
        raise ValueError(f"need right <= guesses <= examples, got {right}, {guesses} and {examples}")
    privacy_delta = number_in("privacy_delta", privacy_delta, "[0, 1)")
    failure_prob = number_in("failure_prob", failure_prob, "(0, 1)")
    steps = np.arange(1, right + 1)

    def surprise(eps: float) -> float:
        """How rare so many right guesses are at most, if epsilon is `eps`."""
        share = 1 / (1 + math.exp(-eps))
        reached = stats.binom.sf(right - 1, guesses, share)
        fewer = stats.binom.sf(right - steps - 1, guesses, share) - reached
        most = (2 * fewer / steps).max() if right else 0.0
        return min(reached + most * examples * privacy_delta, 1.0)

    if surprise(0.0) > failure_prob:
        return 0.0
    return float(optimize.brentq(lambda eps: surprise(eps) - failure_prob, 0.0, 60.0, xtol=1e-6))
