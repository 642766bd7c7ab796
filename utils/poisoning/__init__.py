"""Poisoned training data, filters against it, and what differential privacy promises of it. Built in lesson 10."""

from utils.poisoning.attacks import Poisoned, add_trigger, backdoor, clean_label, draw, flip_labels, success
from utils.poisoning.defenses import (
    activity,
    fine_prune,
    group_bound,
    highest,
    losses,
    prune,
    small_clusters,
    spectral_scores,
)

__all__ = [
    "Poisoned",
    "activity",
    "add_trigger",
    "backdoor",
    "clean_label",
    "draw",
    "fine_prune",
    "flip_labels",
    "group_bound",
    "highest",
    "losses",
    "prune",
    "small_clusters",
    "spectral_scores",
    "success",
]
