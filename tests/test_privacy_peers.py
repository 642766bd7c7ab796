"""Our epsilon and clipped gradients beside those of opacus and dp-accounting."""

import itertools

import numpy as np
import pytest

from privacy_peers import ENVIRONMENTS, asked
from small_env import small_env
from utils.privacy import privacy_eps, rdp, rdp_eps

SETTINGS = [
    (sigma, rate, updates, 1e-5)
    for sigma, (rate, updates) in itertools.product(
        (0.6, 0.8, 1.1, 2.0, 4.0),
        [
            (0.004, 250),
            (0.004, 3500),
            (0.0256, 40),
            (0.0256, 585),
            (0.1, 10),
            (0.1, 300),
            (0.3, 30),
            (0.5, 100),
            (1.0, 1),
            (1.0, 20),
        ],
    )
]


@pytest.fixture(scope="module")
def opacus():
    return small_env("opacus", ENVIRONMENTS["opacus"])


def test_fifty_settings():
    assert len(SETTINGS) == 50


def test_renyi_divergences_and_epsilon_are_those_of_opacus(opacus):
    for setting, found in zip(SETTINGS, asked(opacus, "opacus", SETTINGS), strict=True):
        sigma, rate, updates, _ = setting
        orders = np.array(found["orders"])
        ours = updates * rdp(sigma, rate, orders)
        known = np.isfinite(found["rdp"])  # opacus' series may fail to converge, and says so by infinity
        assert ours[known] == pytest.approx(np.array(found["rdp"])[known], rel=1e-6, abs=1e-12), setting
        assert rdp_eps(*setting, orders=orders) == pytest.approx(found["eps"], rel=1e-4), setting
        assert rdp_eps(*setting) <= found["eps"] * (1 + 2e-3), setting  # with more orders, no worse


def test_the_loss_distribution_gives_the_epsilon_of_dp_accounting():
    found = asked(small_env("dp-accounting", ENVIRONMENTS["dp-accounting"]), "dp-accounting", SETTINGS)
    for setting, theirs in zip(SETTINGS, found, strict=True):
        assert privacy_eps(*setting) == pytest.approx(theirs["pld"], rel=1e-3), setting
        assert rdp_eps(*setting) <= theirs["rdp"] * (1 + 2e-3), setting


def test_clipped_gradients_are_those_of_opacus(opacus):
    for clip in (0.5, 5.0):
        apart = asked(opacus, "gradients", {"data": "digits", "clip": clip})
        assert set(apart) == {"hooks", "functorch", "ghost"} and max(apart.values()) < 2e-6, apart
