"""The worst case over many attacks: the honest number."""

import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from utils.asking import FULL, NoGradient, predicted
from utils.attacks.blackbox import rays, square
from utils.attacks.gradient import apgd, apgd_t, pgd
from utils.attacks.minimal import fab, funnel
from utils.attacks.parts import check_meaning, margin, size, wrong
from utils.guard import guard
from utils.models import logits


class Attempt(NamedTuple):
    """What one attack of `worst_case` contributed.

    attack   its name
    tried    images that were still standing, which it was given
    fallen   those of them that it brought down
    seconds  its time, with the model's judgement of what it found
    """

    attack: str
    tried: int
    fallen: int
    seconds: float


def standard(norm: str) -> list[Callable[..., Tensor]]:
    """The attacks that `worst_case` tries if it is given none, cheap and strong first. Any norm of `pgd`.

    Square comes before the costlier gradient attacks, because it is what brings down models whose gradients mislead,
    and its `patience` spends few queries on the others, as that of RayS does. More rivals than four for APGD, or more
    steps, found no further image on adversarially trained networks (MNIST, eps 0.3).

    L-infinity ends with a second, shorter run of Square, which finds what the first missed, and with RayS, which reads
    what even the scores hide. In L2 attacks that also look outside the ball do more: such networks, asked for another
    norm than the one that they were trained for, hide their gradient near x (at 2.0, of 200 images 147 were left by PGD
    and APGD together, 65 by the funnel after them).
    """
    first = [partial(pgd, norm=norm, steps=20, loss=margin), partial(apgd, norm=norm, steps=50)]
    search = partial(square, norm=norm, queries=5000, patience=4.0, at_once=8)
    to_rivals = partial(apgd_t, norm=norm, steps=50, rivals=4)
    if norm == "l2":
        outside = partial(funnel, norm=norm, steps=100, rivals=4)
        near = partial(fab, norm=norm, steps=50, rivals=4)
        return [*first, outside, search, partial(outside, seed=1), to_rivals, near]
    return [*first, search, to_rivals, partial(search, queries=2500, seed=1), partial(rays, queries=500, patience=8.0)]


def worst_case(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float,
    norm: str = "linf",
    attacks: Sequence[Callable[..., Tensor]] | None = None,
    seed: int = 0,
    report: Callable[[Attempt], None] | None = None,
) -> Tensor:
    """Every attack in turn, on the images that are still standing; each image keeps its first success.

    An image counts as robust only if no attack moves it, as in AutoAttack (Croce & Hein 2020). Built in lesson 02.

    attacks  functions attack(model, x, y, *, eps) -> x_adv, tried in this order; None: `standard(norm)`.
             One that leaves the ball or [0, 1] raises ValueError, for its successes would mean nothing.
    seed     for a model that draws random numbers; each attack keeps the seed that it was made with
    report   called after each attack with what it contributed, an `Attempt`: `print`, or the `append` of a list. Images
             that are wrong as they are count for none, and once all have fallen, no further attack is tried

    Attacks that need a gradient are passed over, with a warning, if the model has none.

    Other arguments are those of `pgd`. Returns for each image its first success, or x where every attack failed.
    """
    if attacks is not None and not all(map(callable, attacks if isinstance(attacks, (list, tuple)) else [None])):
        raise TypeError(f"attacks must be a list of functions attack(model, x, y, *, eps), got {attacks!r}")
    with guard(model, x, y, eps=eps, norm=norm, seed=seed) as (asked, within, y, eps):
        best, cut_off, ran = within.detach().to(asked.given, copy=True), None, 0
        answer = logits(model, best)
        check_meaning(answer, y)
        standing = (predicted(answer) == y).nonzero()[:, 0]
        for attack in standard(norm) if attacks is None else attacks:
            if not len(standing):
                break
            x0, goal, begin = best[standing], y[standing], time.perf_counter()
            try:
                x_adv, ran = attack(model, x0, goal, eps=eps), ran + 1
            except NoGradient as problem:
                x_adv, cut_off = x0, problem
            check_ball(attack, x_adv, x0, eps, norm)
            x_adv = x_adv.detach()
            down = wrong(logits(model, x_adv), goal)
            best[standing[down]] = x_adv[down]
            standing = standing[~down]
            if report is not None:
                spent = time.perf_counter() - begin
                report(Attempt(name_of(attack), len(goal), len(goal) - len(standing), spent))
        if cut_off is not None:
            if not ran:
                raise cut_off
            warnings.warn(f"worst_case went on without gradients: the model has none, {cut_off.why}", stacklevel=2)
        return best


def name_of(attack: Callable[..., Tensor]) -> str:
    """The name of the function, also behind a `partial`."""
    return getattr(getattr(attack, "func", attack), "__name__", repr(attack))


def check_ball(attack: Callable[..., Tensor], x_adv: Tensor, x: Tensor, eps: float, norm: str) -> None:
    """Raise ValueError if an attack's images are not in the ball and in [0, 1], up to rounding."""
    name = name_of(attack)
    if not (isinstance(x_adv, Tensor) and x_adv.shape == x.shape):
        got = tuple(x_adv.shape) if isinstance(x_adv, Tensor) else type(x_adv).__name__
        raise ValueError(f"attacks: {name} must return images like x, a tensor {tuple(x.shape)}, got {got}")
    delta = x_adv.to(torch.promote_types(x.dtype, torch.float32)) - x
    away = float((delta.abs() if norm == "linf" else size(delta)).max())
    coarse = max(torch.finfo(t.dtype).eps if t.dtype not in FULL else 0 for t in (x, x_adv))
    if not away <= eps + max(1e-5, coarse) * (1 + eps):
        raise ValueError(f"attacks: {name} went {away:.6g} away from x, and the {norm} budget is {eps:.6g}")
    if not bool(((x_adv >= 0) & (x_adv <= 1)).all()):
        raise ValueError(f"attacks: {name} left [0, 1]: clamp its result")
