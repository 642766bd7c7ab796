"""Adversarial training: what `fit` is handed so that a model learns on attacked images. Built in lesson 03."""

from collections.abc import Callable
from itertools import count

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.asking import logits_in
from utils.attacks import pgd
from utils.data import chunks
from utils.guard import lent
from utils.models import logits
from utils.training.ranks import uniform
from utils.training.statistics import batch_statistics

MAGNIFIED = 256  # a loss so large has the same signs in its gradient, and fewer that are 0 in float16


def attacked(
    eps: float,
    *,
    steps: int = 7,
    reach: float = 2.5,
    start: bool = True,
    norm: str = "linf",
    updates: int = 300,
) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """PGD adversarial training: `fit(model, train, transform=attacked(eps))`. Madry et al. 2018 (arXiv:1706.06083).

    eps, norm  the ball that the model learns to withstand; the radius grows to eps over the first third of training,
               because on some data a fresh network learns little from attacks at full strength: on MNIST at 0.3 it kept
               19 images of 200 without that growth. The digits at 0.15 don't need it (144 and 146 of 200 without)
    steps      of PGD on each batch
    reach      how far the steps go together, in units of eps
    start      begin at a random image of the ball; False: at x
    updates    as handed to `fit`

    steps=1, reach=1.25 is fast adversarial training (Wong et al. 2020); with start=False, reach=1 it is FGSM.
    The transform counts its calls: make one for each training.
    """
    calls = count(1)

    def transform(model, x, y):
        now = eps * min(3 * next(calls) / updates, 1)
        how = {"eps": now, "norm": norm, "steps": steps, "step": reach * now / steps, "start": start}
        return pgd(model, x, y, **how, early_stop=False, seed=int(torch.randint(2**31, ())))

    return transform


def quickly_attacked(
    eps: float, *, steps: int = 1, reach: float = 1.25, start: float = 1.0, project: bool = True, running: bool = False
) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """Fast adversarial training, for large networks: `fit(model, train, transform=quickly_attacked(8 / 255))`.

    Wong et al. 2020 (arXiv:2001.03994): one step of length 1.25 eps from a random image of the ball. It asks the
    network no more often than it must, works under autocast, keeps no count, so that training can go on from a
    checkpoint, and gives each rank the start that its images have in the joined batch.

    steps, reach  number of steps, and how far they go together in units of eps; 7 and 2.5: PGD (Madry et al. 2018)
    start         how far the random start lies from the image, in units of eps
    project       keep to the ball. False with start=2, reach=1 is N-FGSM (de Jorge et al. 2022, arXiv:2202.01181)
    running       whether BatchNorm uses its running statistics in the attack, as at test time. False: the batch's, as
                  the update that follows does (`utils.training.statistics` says why)
    """

    def transform(model, x, y):
        delta = start * eps * (2 * uniform(x, *x.shape[1:]) - 1)
        with lent(model) if running else batch_statistics(model), torch.enable_grad():
            for _ in range(steps):
                x_adv = (x + delta).clamp(0, 1).requires_grad_()
                loss = F.cross_entropy(logits_in(model(x_adv), x_adv), y, reduction="sum")
                (gradient,) = torch.autograd.grad(loss * MAGNIFIED, x_adv)
                delta = delta + reach * eps / steps * gradient.sign()
                delta = delta.clamp(-eps, eps) if project else delta
        return (x + delta).clamp(0, 1)

    return transform


def kl(clean: Tensor, moved: Tensor) -> Tensor:
    """How far the answers `moved` are from `clean`: KL divergence of two batches of logits, (N, classes) -> (N,)."""
    return F.kl_div(moved.log_softmax(1), clean.log_softmax(1), reduction="none", log_target=True).sum(1)


def unlike(model: nn.Module, x: Tensor, y: Tensor, **how) -> Tensor:
    """Images of the ball whose answers are least like those at `x`; `how` is handed to `pgd`."""

    def search(x, y):
        clean = logits(model, x)
        return pgd(model, x, y, loss=lambda moved, _: kl(clean, moved), early_stop=False, **how)

    return torch.cat([search(*piece) for piece in chunks(x, y)])


def trades(
    eps: float,
    beta: float = 6.0,
    *,
    steps: int = 7,
    norm: str = "linf",
    updates: int = 300,
) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """TRADES: `fit(model, train, loss=trades(eps))`. Zhang et al. 2019 (arXiv:1901.08573).

    Cross-entropy of the clean images plus `beta` times the KL divergence between the answers there and at the image
    of the ball where they differ most, which PGD searches. Other arguments are those of `attacked`.
    The loss counts its calls: make one for each training.
    """
    calls = count(1)

    def loss(model, x, y):
        now, seed = eps * min(3 * next(calls) / updates, 1), int(torch.randint(2**31, ()))
        x_adv, answer = unlike(model, x, y, eps=now, norm=norm, steps=steps, seed=seed), model(x)
        return F.cross_entropy(answer, y) + beta * kl(answer, model(x_adv)).mean()

    return loss
