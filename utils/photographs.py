"""For large networks, besides `scale`: TRADES that asks them seldom, and the mask MeanSparse. Built in lesson 15."""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.adversarial import MAGNIFIED, kl
from utils.guard import lent
from utils.training.ranks import uniform
from utils.training.statistics import batch_statistics


def quickly_trades(
    eps: float, beta: float = 6.0, *, steps: int = 1, reach: float = 1.25
) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """TRADES for large networks: `fit(model, train, loss=quickly_trades(8 / 255))`. Zhang et al. 2019.

    What `quickly_attacked` is to `attacked`, this is to `adversarial.trades`: it works under autocast, keeps no count,
    and the search sees the batch's statistics of BatchNorm. The answers to the clean images are asked for once, for
    the search and for the loss: with one step an update takes 6 passes, forward and backward.

    beta          weight of the divergence between the answers
    steps, reach  of the search, from a random image of the ball, and how far they go together in units of eps
    """

    def loss(model, x, y):
        answer = model(x)
        clean, delta = answer.detach().float(), eps * (2 * uniform(x, *x.shape[1:]) - 1)
        with batch_statistics(model):
            for _ in range(steps):
                x_adv = (x + delta).clamp(0, 1).requires_grad_()
                apart = kl(clean, model(x_adv).float()).sum()
                (gradient,) = torch.autograd.grad(apart * MAGNIFIED, x_adv)
                delta = (delta + reach * eps / steps * gradient.sign()).clamp(-eps, eps)
        moved = model((x + delta).clamp(0, 1))
        return F.cross_entropy(answer, y) + beta * kl(answer.float(), moved.float()).mean()

    return loss


class MeanSparse(nn.Module):
    """Features near their channel's mean become that mean. Amini et al. 2024 (arXiv:2406.05927).

    mean, std  of each channel, (channels,)
    alpha      what is near: at most `alpha` standard deviations away
    straight   backward as if it were not there, which is the adapted attack's; else what is near has no gradient
    """

    def __init__(self, mean: Tensor, std: Tensor, alpha: float, straight: bool = False):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.alpha, self.straight = alpha, straight

    def forward(self, x):
        mean, std = (t.view(-1, *[1] * (x.dim() - 2)) for t in (self.mean, self.std))
        sparse = torch.where((x - mean).abs() <= self.alpha * std, mean, x)
        return sparse.detach() + (x - x.detach()) if self.straight else sparse


def relus(model: nn.Module) -> list[tuple[nn.Module, str, nn.ReLU]]:
    """The network's ReLU layers, each with the module that holds it and its name there."""
    children = ((parent, *child) for parent in model.modules() for child in parent.named_children())
    return [(parent, name, layer) for parent, name, layer in children if isinstance(layer, nn.ReLU)]


def channels_before_relus(model: nn.Module, x: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Mean and standard deviation of each channel that goes into each ReLU layer, on the images `x` (N, ...)."""
    seen = []

    def look(layer, inputs):
        (features,) = inputs
        over = [0, *range(2, features.dim())]  # all but the channels
        seen.append((features.mean(over), features.std(over)))

    handles = [layer.register_forward_pre_hook(look) for _, _, layer in relus(model)]
    try:
        with lent(model) as asked, torch.no_grad():
            asked(x)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def mean_sparse(model: nn.Module, x: Tensor, alpha: float = 0.25, *, straight: bool = False) -> nn.Module:
    """A copy of a trained `model` with a `MeanSparse` before each ReLU layer, which needs no further training.

    x  training images (N, ...) in [0, 1], from which means and deviations are taken. The layers must be asked in the
       order in which the network holds them, as those of `models` are
    """
    copy = deepcopy(model).eval()
    statistics = channels_before_relus(copy, x)
    for (parent, name, relu), (mean, std) in zip(relus(copy), statistics, strict=True):
        setattr(parent, name, nn.Sequential(MeanSparse(mean, std, alpha, straight), relu))
    return copy
