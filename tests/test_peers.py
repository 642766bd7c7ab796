"""Ours against the peers on the same models, images and budget: never weaker by more than one image in a hundred."""

from functools import partial

import pytest
import torch

from peers import ENVIRONMENTS, Row, compare, save
from small_env import small_env
from utils.attacks import pgd
from utils.data import load
from utils.models import small_cnn
from utils.training import fit

EPS = 0.15
PGD = {"eps": EPS, "steps": 40, "step": 0.01}
L2 = {"eps": 1.0, "norm": "l2", "steps": 40, "step": 0.05}
STILL = {"start": False}  # no random start, so that all libraries walk the same path

ROWS = [
    Row(attack, model, 200, budget)
    for model in ("undefended", "trained")
    for attack, budget in [
        ("fgsm", {"eps": EPS}),
        ("pgd", PGD),
        ("pgd", L2),
        ("apgd", {"eps": EPS, "steps": 100}),
        ("apgd", {"eps": 1.0, "steps": 100, "norm": "l2"}),
        ("square", {"eps": EPS, "queries": 500}),
        ("square", {"eps": 1.0, "queries": 500, "norm": "l2"}),
        ("rays", {"eps": EPS, "queries": 500}),
    ]
]
CW = [Row("cw_l2", "undefended", 200, {"steps": 100})]
WORST = [Row("worst_case", model, 200, {"eps": EPS}) for model in ("undefended", "trained", "quantised")]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    data, folder = load("digits"), tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    undefended = fit(small_cnn(data), data.train)
    attack = partial(pgd, eps=EPS, steps=5, early_stop=False)
    trained = fit(small_cnn(data), data.train, transform=lambda model, x, y: attack(model, x, y))
    save({"undefended": undefended, "trained": trained}, folder)
    return folder
