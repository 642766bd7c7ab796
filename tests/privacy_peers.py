"""Opacus and dp-accounting beside our differential privacy: epsilon, clipped gradients, and seconds an epoch.

Each library has a small environment of its own. There this file runs as a script, `privacy_peers.py WHAT JSON`, and
answers with one line of JSON; `asked` calls it.
"""

import itertools
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from small_env import ask
from utils.data import load
from utils.models import small_cnn
from utils.privacy import clipped_sum, dp_sgd

ENVIRONMENTS = {  # what pip installs; --no-deps where the course's environment has the rest
    "opacus": ("--no-deps", "opacus==1.6.0", "opt-einsum==3.4.0"),
    "dp-accounting": ("dp-accounting==0.6.0",),
}


def asked(python: Path, what: str, job, **variables: str):
    """The answer of this script's part `what`, in the environment of `python`."""
    return ask(python, __file__, what, json.dumps(job), **variables)


# Epsilon: a list of (noise_multiplier, rate, updates, privacy_delta) in, an answer for each out.


def by_opacus(settings) -> list:
    from opacus.accountants import RDPAccountant
    from opacus.accountants.analysis.rdp import compute_rdp

    found = []
    for sigma, rate, updates, delta in settings:
        accountant, orders = RDPAccountant(), RDPAccountant.DEFAULT_ALPHAS
        accountant.history = [(sigma, rate, updates)]
        divergence = compute_rdp(q=rate, noise_multiplier=sigma, steps=updates, orders=orders)
        found.append({"eps": accountant.get_epsilon(delta), "orders": orders, "rdp": list(map(float, divergence))})
    return found


def by_dp_accounting(settings) -> list:
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
    from dp_accounting.pld import PLDAccountant
    from dp_accounting.rdp import RdpAccountant

    found = []
    for sigma, rate, updates, delta in settings:
        event, both = PoissonSampledDpEvent(rate, GaussianDpEvent(sigma)), {}
        for name, accountant in (("pld", PLDAccountant()), ("rdp", RdpAccountant())):
            both[name] = accountant.compose(event, updates).get_epsilon(delta)
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


def gradients(job) -> dict:
    """How far each mode's clipped mean of one batch is from ours, in float64 and relative to the largest entry."""
    data, size = load(job["data"]), 64
    x, y = data.train.take(size)
    torch.manual_seed(0)
    weights, apart = small_cnn(data).double().state_dict(), {}
    for mode in ("hooks", "functorch", "ghost"):
        ours, theirs = (small_cnn(data).double() for _ in range(2))
        ours.load_state_dict(weights), theirs.load_state_dict(weights)
        total, _ = clipped_sum(ours, x.double(), y, job["clip"])
        opacus_step(theirs, mode, job["clip"], 0.0, size, 1.0)(x.double(), y)
        apart[mode] = max(
            float(((before - after) * size - total[name]).abs().max() / total[name].abs().max())
            for (name, after), before in zip(theirs.named_parameters(), ours.parameters(), strict=True)
        )
    return apart


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


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    what = {"opacus": by_opacus, "dp-accounting": by_dp_accounting, "gradients": gradients, "epochs": epochs}
    print(json.dumps(what[sys.argv[1]](json.loads(sys.argv[2]))))
