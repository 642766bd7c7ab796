"""Poisoned training data, filters against it, repairs, and what can be promised. Built in lesson 10."""

from utils.poisoning.attacks import Poisoned, add_trigger, backdoor, clean_label, draw, flip_labels, success
from utils.poisoning.defenses import (
    activity,
    anomaly,
    certified_votes,
    group_bound,
    highest,
    invert_trigger,
    losses,
    parts_of,
    poison_bound,
    prune,
    prune_asleep,
    small_clusters,
    spectral_scores,
    stamp,
)

__all__ = [
    "Poisoned",
    "activity",
    "add_trigger",
    "anomaly",
    "backdoor",
    "certified_votes",
    "clean_label",
    "draw",
    "flip_labels",
    "group_bound",
    "highest",
    "invert_trigger",
    "losses",
    "parts_of",
    "poison_bound",
    "prune",
    "prune_asleep",
    "small_clusters",
    "spectral_scores",
    "stamp",
    "success",
]
