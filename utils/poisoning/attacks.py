"""Attacks on the training set: flipped labels, triggers, and poisons whose labels are right. Built in lesson 10.

Each takes a training set (x, y) and a rate, changes exactly round(rate * N) examples of a copy, and says which. The
choice follows torch's global seed.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from utils.attacks import pgd
from utils.evaluation import Rate
from utils.models import predict


class Poisoned(NamedTuple):
    """A poisoned training set: x and y like the clean ones; `which` (K,) int64 says where they differ."""

    x: Tensor
    y: Tensor
    which: Tensor


def draw(allowed: Tensor, count: int) -> Tensor:
    """`count` different places where `allowed` (N,) bool is True, (count,) int64 on its device.

    Raises ValueError if there are fewer.
    """
    places = allowed.nonzero()[:, 0]
    if not 0 <= count <= len(places):
        raise ValueError(f"cannot poison {count} examples, {len(places)} may be: choose a rate that fits")
    return places[torch.randperm(len(places))[:count].to(places.device)]


def add_trigger(x: Tensor, size: int = 2, value: float = 1.0, at: tuple[int, int] | None = None) -> Tensor:
    """A copy of the images (N, C, H, W) with a square of `size` pixels set to `value`.

    at  row and column of its upper left pixel; without it the square sits in the lower right corner
    """
    x = x.clone()
    row, column = at or (x.shape[-2] - size, x.shape[-1] - size)
    x[..., row : row + size, column : column + size] = value
    return x


def flip_labels(train: tuple[Tensor, Tensor], rate: float, classes: int) -> Poisoned:
    """Give round(rate * N) random examples another label, drawn evenly from the other classes."""
    x, y = (t.clone() for t in train)
    which = draw(torch.ones_like(y, dtype=torch.bool), round(rate * len(y)))
    y[which] = (y[which] + torch.randint(1, classes, which.shape).to(y.device)) % classes
    return Poisoned(x, y, which)


def backdoor(train: tuple[Tensor, Tensor], rate: float, trigger: Callable[[Tensor], Tensor], target: int) -> Poisoned:
    """Put the trigger on round(rate * N) examples of other classes and label them `target`.

    Gu et al. 2017 (arXiv:1708.06733), BadNets. trigger: images (K, C, H, W) -> images in [0, 1], like `add_trigger`.
    """
    x, y = (t.clone() for t in train)
    which = draw(y != target, round(rate * len(y)))
    x[which], y[which] = trigger(x[which]), target
    return Poisoned(x, y, which)


def clean_label(
    train: tuple[Tensor, Tensor],
    rate: float,
    trigger: Callable[[Tensor], Tensor],
    target: int,
    surrogate: nn.Module,
    eps: float,
) -> Poisoned:
    """Put the trigger on round(rate * N) examples of class `target` itself, made hard to read. No label changes.

    Turner et al. 2019 (arXiv:1912.02771). Each is first moved by at most eps in L-infinity, against its own label on
    the attacker's model `surrogate`, so that whoever learns from it has to learn the trigger.
    """
    x, y = (t.clone() for t in train)
    which = draw(y == target, round(rate * len(y)))
    hard = pgd(surrogate, x[which], y[which], eps=eps, steps=20, early_stop=False)
    x[which] = trigger(hard)
    return Poisoned(x, y, which)


def success(model: nn.Module, test: tuple[Tensor, Tensor], trigger: Callable[[Tensor], Tensor], target: int) -> Rate:
    """How many images of other classes the model reads as `target` once they carry the trigger."""
    x, y = test
    x = x[y != target]
    return Rate(int((predict(model, trigger(x)) == target).sum()), len(x))
