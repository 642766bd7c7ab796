"""Our epsilon and clipped gradients beside those of opacus and dp-accounting."""

import numpy as np
import pytest

from pin import pinned
from privacy_peers import CLIPS, SETTINGS, apart, by_definition, one_batch
from utils.privacy import clipped_sum, privacy_eps, rdp, rdp_eps


def test_fifty_settings():
    assert len(SETTINGS) == 50


def test_renyi_divergences_and_epsilon_are_those_of_opacus():
    answers = pinned("opacus")["epsilon"]
    orders = np.array(answers["orders"])
    for setting, found in zip(SETTINGS, answers["settings"], strict=True):
        sigma, rate, updates, _ = setting
        ours, theirs = updates * rdp(sigma, rate, orders), np.array(found["rdp"], dtype=float)
        known = np.isfinite(theirs)  # opacus' series may fail to converge
        assert ours[known] == pytest.approx(theirs[known], rel=1e-6, abs=1e-12), setting
        assert rdp_eps(*setting, orders=orders) == pytest.approx(found["eps"], rel=1e-4), setting
        assert rdp_eps(*setting) <= found["eps"] * (1 + 2e-3), setting  # with more orders, no worse


def test_the_loss_distribution_gives_the_epsilon_of_dp_accounting():
    for setting, theirs in zip(SETTINGS, pinned("dp-accounting")["epsilon"], strict=True):
        assert privacy_eps(*setting) == pytest.approx(theirs["pld"], rel=1e-3), setting
        assert rdp_eps(*setting) <= theirs["rdp"] * (1 + 2e-3), setting


def test_clipped_gradients_are_those_of_opacus():
    """Each is held against the definition, so that the sum of the two distances bounds how far they are apart."""
    model, x, y = one_batch()
    for clip, theirs in zip(CLIPS, pinned("opacus")["gradients"], strict=True):
        ours = apart([*clipped_sum(model, x, y, clip)[0].values()], by_definition(model, x, y, clip))
        assert set(theirs) == {"hooks", "functorch", "ghost"} and ours + max(theirs.values()) < 2e-6, (ours, theirs)
