"""The attack that fits what was found."""

from functools import partial

import torch
from torch import nn

from utils.attacks import margin, pgd, rays, square, transfer
from utils.checkup.lens import Lens, Raw
from utils.checkup.measurements import Measurements
from utils.checkup.report import Advice
from utils.distillation import imitate
from utils.evaluation import Rate
from utils.masking import Averaged, StraightThrough
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


def hides_its_slope(layer: nn.Module, x: torch.Tensor, eps: float) -> bool:
    """Whether the slope that autograd tells is off by over 30 % of what half the budget does to the layer's output."""
    draw = torch.Generator().manual_seed(0)
    along = (torch.randint(0, 2, x.shape, generator=draw) * 2 - 1).to(x)
    x = x.detach().requires_grad_()
    out = layer(x)
    weights = torch.randn(out.shape, generator=draw).to(out)
    (slope,) = torch.autograd.grad((out * weights).sum(), x, allow_unused=True) if out.requires_grad else (None,)
    with torch.no_grad():
        moved = (layer(x + eps / 2 * along) - layer(x - eps / 2 * along)) / eps
        seen = (moved * weights).flatten(1).sum(1)
        told = torch.zeros_like(seen) if slope is None else (slope * along).flatten(1).sum(1)
    return bool((told - seen).norm() > 0.3 * seen.norm())


def opened(e: Measurements) -> tuple[nn.Module, list[str]]:
    """The model, straight through the layers in front that take images to images and hide their slope; their names.

    The names are empty if there are none, or if the model is no `nn.Sequential` that could be taken apart.
    """
    model, seen, layers, names = e.model.raw.model, e.x[:20], [], []
    for layer in model if isinstance(model, nn.Sequential) else ():
        if seen is not None:
            with torch.no_grad():
                out = layer(seen)
            if out.shape != seen.shape:
                seen = None  # from here on they are no images
            else:
                if hides_its_slope(layer, seen, e.eps):
                    names.append(type(layer).__name__)
                    layer = StraightThrough(layer)
                seen = out
        layers.append(layer)
    return Lens(Raw(nn.Sequential(*layers)), e.model.log).eval() if names else e.model, names


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
        stand_in, names = opened(e)
        if names:
            advice = Advice(
                "stand-in",
                f"{' and '.join(names)} hides the slope: go forward through it and backward as if it were not there, "
                "climb the margin, and judge on the model itself. Then a surrogate, Square and RayS.",
            )
        if not run:
            return advice, None
        if names:
            down = down | e.by(partial(transfer, surrogate=stand_in, loss=margin), ~down)
        if not down.all():
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
