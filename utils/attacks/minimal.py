"""The nearest misclassified image instead of any image in a ball: Carlini & Wagner's attack."""

import math

import torch
from torch import Tensor, nn

from utils.attacks.gradient import slope, wrong
from utils.attacks.guard import guard, in_chunks, margin, size


def cw_l2(
    model: nn.Module, x: Tensor, y: Tensor, *, eps: float = math.inf, steps: int = 100, lr: float = 0.05, seed: int = 0
) -> Tensor:
    """The misclassified image nearest to x in L2 that `steps` steps find. Carlini & Wagner 2017 (arXiv:1608.04644).

    Built in lesson 02. Adam descends |delta|^2 - c * min(margin, 0). Two things differ from the paper, so that one run
    of 100 steps does the work of nine: delta is clamped to the box instead of passing through a tanh, which stalls at
    pixels of 0 and 1; and c is not searched for run by run, but grows by 5 % with each step at which the image is
    still classified right, and shrinks by as much at each step at which it is not.

    eps  images whose distance would exceed it come back unchanged, as do those for which nothing is found
    lr   Adam's step, in pixels; it falls to a tenth of this along a cosine

    Other arguments and the result are those of `pgd`. The search is deterministic: `seed` matters only to a model
    that draws random numbers.
    """

    def below_zero(logits, y):
        return margin(logits, y).clamp_max(0)

    def search(x, y):
        nearest, distance = x.clone(), torch.full_like(x.flatten(1)[:, 0], math.inf)
        c, x_adv = torch.ones_like(distance), x.clone()
        mean, square = torch.zeros_like(x), torch.zeros_like(x)  # Adam's moments
        each = (slice(None), *[None] * (x.dim() - 1))
        for i in range(steps + 1):
            logits, _, gradient = slope(model, x_adv, below_zero, y, check=i == 0)
            down, delta = wrong(logits, y), x_adv - x
            length = size(delta).flatten()
            nearer = down & (length < distance)
            distance, nearest = torch.where(nearer, length, distance), torch.where(nearer[each], x_adv, nearest)
            if i == steps:
                break
            c = c * torch.where(down, 0.95, 1.05)
            descent = 2 * delta - c[each] * gradient
            mean, square = 0.9 * mean + 0.1 * descent, 0.999 * square + 0.001 * descent**2
            rate = lr * (0.1 + 0.45 * (1 + math.cos(math.pi * i / steps)))
            scaled = (mean / (1 - 0.9 ** (i + 1))) / ((square / (1 - 0.999 ** (i + 1))).sqrt() + 1e-8)
            x_adv = (x_adv - rate * scaled).clamp_(0, 1)
        return torch.where((distance <= eps)[each], nearest, x)

    with guard(model, x, y, eps=eps, norm="l2", seed=seed):
        return in_chunks(search, x, y)
