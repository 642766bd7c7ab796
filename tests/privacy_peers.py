"""Opacus and dp-accounting beside our differential privacy: epsilon, clipped gradients, and seconds an epoch.

Each library has a small environment of its own. There this file runs as a script, `privacy_peers.py WHAT JSON`, and
answers with one line of JSON; `asked` calls it. `tests/pin.py` pins the answers to SETTINGS and CLIPS.
"""

import itertools
import json
import math
import sys
import time
import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from small_env import ask
from utils.data import load
from utils.models import small_cnn
from utils.privacy import dp_sgd

ENVIRONMENTS = {  # what pip installs; --no-deps where the course's environment has the rest
    "opacus": ("--no-deps", "opacus==1.6.0", "opt-einsum==3.4.0"),
    "dp-accounting": ("dp-accounting==0.6.0",),
}
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
CLIPS = (0.5, 5.0)


def asked(python: Path, what: str, job, **variables: str):
    """The answer of this script's part `what`, in the environment of `python`."""
    return ask(python, __file__, what, json.dumps(job), **variables)


# Epsilon: a list of (noise_multiplier, rate, updates, privacy_delta) in, an answer for each out.


def by_opacus(settings) -> dict:
    """Its orders, and for each setting epsilon and the divergences; None where its series fails to converge."""
    from opacus.accountants import RDPAccountant
    from opacus.accountants.analysis.rdp import compute_rdp

    orders, found = RDPAccountant.DEFAULT_ALPHAS, []
    for sigma, rate, updates, delta in settings:
        accountant = RDPAccountant()
        accountant.history = [(sigma, rate, updates)]
        divergence = compute_rdp(q=rate, noise_multiplier=sigma, steps=updates, orders=orders)
        rdp = [nine_digits(value) if math.isfinite(value) else None for value in divergence]
        found.append({"eps": nine_digits(accountant.get_epsilon(delta)), "rdp": rdp})
    return {"orders": list(map(nine_digits, orders)), "settings": found}


def nine_digits(value: float) -> float:
    return float(f"{value:.9g}")


def by_dp_accounting(settings) -> list:
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
    from dp_accounting.pld import PLDAccountant
    from dp_accounting.rdp import RdpAccountant

    found = []
    for sigma, rate, updates, delta in settings:
        event, both = PoissonSampledDpEvent(rate, GaussianDpEvent(sigma)), {}
        for name, accountant in (("pld", PLDAccountant()), ("rdp", RdpAccountant())):
            both[name] = nine_digits(accountant.compose(event, updates).get_epsilon(delta))
        found.append(both)
    return found


# Training.


def cross_entropies(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(model(x), y, reduction="none")


def opacus_step(model: nn.Module, mode: str, clip: float, noise: float, size: int, lr: float) -> Callable:
    """step(x, y): one private update by opacus, without its data loader."""
    from opacus import GradSampleModule
    from opacus.grad_sample import GradSampleModuleFastGradientClipping
    from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping
    from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping

    sgd = torch.optim.SGD(model.parameters(), lr=lr)
    how = {"noise_multiplier": noise, "max_grad_norm": clip, "expected_batch_size": size}
    if mode == "ghost":
        wrapped = GradSampleModuleFastGradientClipping(model, max_grad_norm=clip, use_ghost_clipping=True)
        optimizer = DPOptimizerFastGradientClipping(sgd, **how)
        loss = DPLossFastGradientClipping(wrapped, optimizer, nn.CrossEntropyLoss())
    else:
        wrapped = GradSampleModule(model, loss_reduction="sum", force_functorch=mode == "functorch")
        optimizer = DPOptimizer(sgd, loss_reduction="mean", **how)
        loss = nn.CrossEntropyLoss(reduction="sum")

    def step(x, y):
        optimizer.zero_grad()
        loss(wrapped(x), y).backward()
        optimizer.step()

    return step


def by_definition(model: nn.Module, x: Tensor, y: Tensor, clip: float) -> list[Tensor]:
    """The sum of the clipped gradients, one example after another: what opacus and we are both held against."""
    total = [torch.zeros_like(p) for p in model.parameters()]
    for image, label in zip(x.split(1), y.split(1), strict=True):
        gradient = torch.autograd.grad(F.cross_entropy(model(image), label), list(model.parameters()))
        length = sum(g.square().sum() for g in gradient).sqrt()
        for part, g in zip(total, gradient, strict=True):
            part += g * (clip / length).clamp(max=1)
    return total


def apart(sums: list[Tensor], truth: list[Tensor]) -> float:
    """How far the two are apart at most, relative to the largest entry of their parameter."""
    return max(float((s - t).abs().max() / t.abs().max()) for s, t in zip(sums, truth, strict=True))


def one_batch() -> tuple[nn.Module, Tensor, Tensor]:
    """A model, images and labels, in float64."""
    data = load("digits")
    x, y = data.train.take(64)
    torch.manual_seed(0)
    return small_cnn(data).double(), x.double(), y


def gradients(clips) -> list[dict]:
    """For each clip, how far each mode's clipped sum of one batch is from the definition."""
    model, x, y = one_batch()
    found = []
    for clip in clips:
        truth, away = by_definition(model, x, y, clip), {}
        for mode in ("hooks", "functorch", "ghost"):
            theirs = deepcopy(model)
            opacus_step(theirs, mode, clip, 0.0, len(x), 1.0)(x, y)
            stepped = zip(model.parameters(), theirs.parameters(), strict=True)
            away[mode] = apart([(before - after).detach() * len(x) for before, after in stepped], truth)
        found.append(away)
    return found


def epochs(job) -> dict:
    """Processor seconds of an epoch of plain SGD, ours and opacus' modes, which take turns; the median of some."""
    data, size, rounds = load(job["data"]), 256, job["rounds"]
    x, y = data.train.take(job["images"])
    updates = round(len(x) / size)

    def plain(model):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for batch in torch.randperm(len(x)).split(size)[:updates]:
            optimizer.zero_grad()
            F.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()

    def ours(model):
        how = {"clip": 1.0, "noise_multiplier": 1.1, "rate": size / len(x), "updates": updates, "lr": 0.05}
        dp_sgd(model, (x, y), **how)

    def by(mode):
        def train(model):
            step = opacus_step(model, mode, 1.0, 1.1, size, 0.05)
            for _ in range(updates):
                batch = (torch.rand(len(x)) < size / len(x)).nonzero()[:, 0]
                step(x[batch], y[batch])

        return train

    work = {"plain SGD": plain, "ours": ours} | {mode: by(mode) for mode in job["modes"]}
    seconds = {name: [] for name in work}
    for _, (name, train) in itertools.product(range(rounds), work.items()):
        torch.manual_seed(0)
        model = small_cnn(data)
        begin = time.process_time()
        train(model)
        seconds[name].append(time.process_time() - begin)
    return {name: median(times) for name, times in seconds.items()}


# What tests/pin.py asks of each of such modules.

JUDGES = ["from utils import privacy"]


def question(peer: str) -> dict:
    return {"settings": SETTINGS} | ({"clips": CLIPS} if peer == "opacus" else {})


def answers(python: Path, peer: str) -> dict:
    found = {"epsilon": asked(python, peer, SETTINGS)}
    return found | ({"gradients": asked(python, "gradients", CLIPS)} if peer == "opacus" else {})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    what = {"opacus": by_opacus, "dp-accounting": by_dp_accounting, "gradients": gradients, "epochs": epochs}
    print(json.dumps(what[sys.argv[1]](json.loads(sys.argv[2]))))
