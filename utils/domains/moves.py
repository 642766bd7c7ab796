"""Attacks on rows of a table, which change only what a person can change. Built in lesson 11.

`model` is in evaluation mode, and so it stays. Both attacks return rows that `rules.feasible` leaves as they are.
"""

import math

import torch
from torch import Tensor, nn

from utils.attacks import margin
from utils.domains.rules import Rules, box, feasible, follow_links
from utils.models import logits


def climb(model: nn.Module, x: Tensor, y: Tensor, rules: Rules, *, eps: float, steps: int = 20) -> Tensor:
    """Up the margin's gradient, through the links; the worst row on the way that can exist.

    x, y   rows of the table (N, columns) in [0, 1], and their true labels (N,) int64
    eps    budget: moving a column by d costs d times its cost

    Guarantee: each result is a row that `x` can become within the budget, and no better for the model than `x`.
    """
    low, high = box(x, rules, eps)
    free, best, highest = x, x, margin(logits(model, x), y)
    for _ in range(steps):
        free = free.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(margin(model(follow_links(free, x, rules)), y).sum(), free)
        free = free.detach() + 1.25 / steps * (high - low) * gradient.sign()
        free = torch.minimum(torch.maximum(free, low), high)
        row = feasible(free, x, rules, eps=eps)
        value = margin(logits(model, row), y)
        best = torch.where((value > highest)[:, None], row, best)
        highest = torch.maximum(value, highest)
    return best


def search(
    model: nn.Module, x: Tensor, y: Tensor, rules: Rules, *, eps: float, rounds: int = 3, choices: int = 9
) -> Tensor:
    """Every change of one column, the best of them, and again `rounds` times; scores are enough.

    choices  values that are tried for each number, evenly spread over what the budget allows; members of a group, all

    Other arguments and the guarantee are those of `climb`. It takes no gradient, so no mask of the gradient stops it;
    it needs scores that move, so labels alone, or saturated scores, slow it.
    """
    low, high = box(x, rules, eps)
    best, each, reach = x, torch.arange(len(x)), high - low
    even, ways = torch.linspace(0, 1, choices).tolist(), []
    for i, column in enumerate(rules.columns):
        if column.cost < math.inf:
            ways += [(i, share) for share in ([2.0] if column.group else even)]  # 2: the largest of its group
    for _ in range(rounds):
        tries = best.repeat(1 + len(ways), 1, 1)  # the first changes nothing
        for one, (i, share) in zip(tries[1:], ways, strict=True):
            one[:, i] = low[:, i] + share * reach[:, i]
        rows = feasible(tries.flatten(0, 1), x.repeat(len(tries), 1), rules, eps=eps)
        values = margin(logits(model, rows), y.repeat(len(tries))).view(len(tries), -1)
        best = rows.view_as(tries)[values.argmax(0), each]
    return best
