"""The attack that fits what was found."""

from functools import partial

import torch
from torch import nn

from utils.attacks import margin, pgd, rays, square, transfer
from utils.checkup.measurements import Measurements
from utils.checkup.report import Advice
from utils.distillation import imitate
from utils.evaluation import Rate
from utils.masking import Averaged
from utils.training import fit

NO_GUIDE = {
    "wrong gradients",
    "gradients no better than chance",
    "random search beats gradients",
    "black box beats white box",
    "an unbounded attack fails",
}


def surrogate(e: Measurements, updates: int = 300) -> nn.Module:
    """A small network that has learned the model's answers on the inputs and within 1.5 eps of them."""
    torch.manual_seed(e.seed)
    inputs, classes = e.x[0].numel(), e.answer.shape[1]
    net = nn.Sequential(nn.Flatten(), nn.Linear(inputs, 256), nn.ReLU(), nn.Linear(256, classes)).to(e.x)

    def around(_, x, y):
        return (x + 1.5 * e.eps * (2 * torch.rand_like(x) - 1)).clamp_(0, 1)

    return fit(net, (e.x, e.y), loss=imitate(e.model), transform=around, updates=updates, lr=3e-3)


def adapt(e: Measurements, flags: set[str], run: bool) -> tuple[Advice, Rate | None]:
    """Choose the attack by the flags, and run it on what all others left standing."""
    down = e.all
    if "random outputs" in flags:
        stand_in = Averaged(e.model, 16)
        advice = Advice("EOT", "Average the answers over 16 draws and attack the average; judged on fresh draws.")
        if not run:
            return advice, None
        blind = bool(e.dead.float().mean() > 0.3)
        attack = partial(square, queries=600) if blind else partial(pgd, steps=40, loss=margin)
        x_adv = attack(stand_in, e.x, e.y, eps=e.eps, seed=e.seed)
        down = e.fallen(x_adv, torch.ones_like(down))
    elif flags & NO_GUIDE:
        advice = Advice(
            "without gradients",
            "Its gradients are no guide: attack a surrogate that has learned its answers, then Square and RayS.",
        )
        if not run:
            return advice, None
        down = down | e.by(partial(transfer, surrogate=surrogate(e), loss=margin), ~down)
        down = down | e.by(partial(square, queries=3000, patience=6.0, seed=e.seed + 1), ~down)
        down = down | e.by(partial(rays, queries=500), ~down)
    elif flags & {"another loss beats cross-entropy", "probabilities", "one step beats many", "vanishing gradients"}:
        advice = Advice("margin loss", "Its cross-entropy saturates: climb the margin between logits instead.")
        down = down | e.cooled
    elif "no answer when attacked" in flags:
        advice = Advice("worst case, refusals counted", "It withholds answers: they count as errors unless 0 is right.")
    elif flags:
        advice = Advice("PGD, many steps", "One step misleads: take 100 small ones, several times, on the margin.")
    else:
        advice = Advice(
            "worst case", "Its gradients can be followed: the worst case over all attacks is a fair number."
        )
    return advice, Rate(int((~down).sum()), e.total) if run else None
