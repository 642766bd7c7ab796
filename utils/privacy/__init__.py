"""Differential privacy: training that hides each example, its guarantee, and tests of that. Built in lesson 09."""

from utils.privacy.accountant import gaussian_eps, privacy_eps, rdp, rdp_eps
from utils.privacy.dpsgd import clipped_sum, dp_sgd, per_example_gradients
from utils.privacy.lower_bound import audited_eps, eps_lower, one_run_eps

__all__ = [
    "audited_eps",
    "clipped_sum",
    "dp_sgd",
    "eps_lower",
    "gaussian_eps",
    "one_run_eps",
    "per_example_gradients",
    "privacy_eps",
    "rdp",
    "rdp_eps",
]
