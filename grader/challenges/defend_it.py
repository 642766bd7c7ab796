"""Defend it: weights for one of the course's networks and a wrapper from a list. The score is what all attacks leave.

No code of a team runs. The file is a safetensors file, whose header names network and wrapper:
`save_file(model.state_dict(), "defense.safetensors", {"network": "small_cnn", "wrapper": "none"})`.
"""

import base64
import json
import warnings

import safetensors.torch
import torch
from torch import Tensor, nn

from grader.challenges.entry import Challenge, Entry, Judgement, digest_of, score_of
from grader.challenges.images import held_out
from grader.challenges.networks import WRAPPERS, trained_networks
from grader.result import text_for_file
from utils.attacks import worst_case
from utils.checkup import examine
from utils.data import load
from utils.evaluation import accuracy
from utils.models import mlp, small_cnn
from utils.rate import Rate

DEFENDED_IMAGES = 200  # images
NETWORKS = {"small_cnn": small_cnn, "mlp": mlp}


class Refused(ValueError):
    """No defense, and why, in words for the team."""


def hide_images(seed: int) -> dict[str, Tensor]:
    x, y = held_out(DEFENDED_IMAGES, seed)
    return {"x": x, "y": y}


def defense_of(content: bytes) -> tuple[nn.Module, str]:
    """The model in a file, and what it is in words. Raises `Refused`. Nothing but safetensors is opened."""
    try:
        weights = safetensors.torch.load(content)
        length = int.from_bytes(content[:8], "little")
        about = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    except Exception:  # whatever hostile bytes can cause
        raise Refused("the file is no safetensors file, and nothing else is opened") from None
    network, wrapper = about.get("network"), about.get("wrapper", "none")
    if network not in NETWORKS or wrapper not in WRAPPERS:
        raise Refused(
            f"its header must name a network ({', '.join(NETWORKS)}) and a wrapper ({', '.join(WRAPPERS)}), "
            f"and names {text_for_file(network, 60)} and {text_for_file(wrapper, 60)}"
        )
    made = NETWORKS[network](load("digits")).cpu()
    wanted = {name: (value.shape, value.dtype) for name, value in made.state_dict().items()}
    if {name: (value.shape, value.dtype) for name, value in weights.items()} != wanted:
        raise Refused(f"the weights are not those of {network}: other names, shapes or types of numbers")
    if not all(value.isfinite().all() for value in weights.values()):
        raise Refused("the weights hold NaN or infinity")
    made.load_state_dict(weights)
    return WRAPPERS[wrapper](made).eval().requires_grad_(False), f"{network}, {wrapper}"


def judge_defense(entry: Entry, hidden: dict[str, Tensor], seed: int) -> Judgement:
    """Clean accuracy, the worst case over all attacks, and the check-up with its adaptive attack; the lowest counts."""
    x, y, eps = hidden["x"], hidden["y"], load("digits").eps
    try:
        model, what = defense_of(base64.b64decode(entry["weights"]))
    except Refused as problem:
        return {
            "score": score_of(Rate(0, len(y))),
            "shown": {},
            "against": [str(problem)],
            "problems": [],
            "digest": "",
            "isolation": [],
        }
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        clean = accuracy(model, (x, y))
        found = worst_case(model, x, y, eps=eps, seed=seed % 2**31)
        left = accuracy(model, (found, y))
        report = examine(model, x, y, eps=eps)
    adapted = report.adapted
    score = left if adapted is None or left.k <= adapted.k else adapted
    shown = {
        "clean": f"{clean!r}",
        "worst case": f"{left!r}",
        "adaptive attack": "none" if adapted is None else f"{adapted!r}",
    }
    shown |= {"check-up": ", ".join(report.flags) or "no flag", "what": what}
    return {
        "score": score_of(score),
        "shown": shown,
        "against": [],
        "problems": [],
        "digest": digest_of([found, shown]),
        "isolation": [],
    }


def weights_entry(model: nn.Module, network: str, wrapper: str) -> Entry:
    content = safetensors.torch.save(model.state_dict(), {"network": network, "wrapper": wrapper})
    return {"cells": [], "weights": base64.b64encode(content).decode()}


def our_defenses() -> dict[str, Entry]:
    """An undefended network, two masks on it, and one trained on attacked images."""
    usual, hardened = trained_networks(0)
    return {
        "undefended": weights_entry(usual, "small_cnn", "none"),
        "quantised": weights_entry(usual, "small_cnn", "quantised"),
        "noise": weights_entry(usual, "small_cnn", "noise"),
        "adversarial training": weights_entry(hardened, "small_cnn", "none"),
    }


DEFEND_IT = Challenge(
    name="defend_it",
    title="Defend it",
    score="accuracy that all attacks leave",
    lower=False,
    takes=".safetensors",
    hide=hide_images,
    judge=judge_defense,
    ours=our_defenses,
)
