"""Attacks that also look outside the ball: the nearest misclassified image (Carlini & Wagner, FAB), and a funnel.

A network may hide its gradient within the ball and show it further out, as adversarial training for one norm does in
another. An attack that never leaves the ball does not find out.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.arguments import number, whole
from utils.attacks.gradient import by_rival, loss_gradient, others, toward
from utils.attacks.parts import check_logits, into_ball, margin, random_start, size, steepest, wrong
from utils.guard import guard, in_chunks


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

    steps, lr = whole("steps", steps, 0), number("lr", lr, "be a number > 0", lambda v: 0 < v < math.inf)

    def below_zero(logits, y):
        return margin(logits, y).clamp_max(0)

    def search(x, y):
        nearest, distance = x.clone(), torch.full_like(x.flatten(1)[:, 0], math.inf)
        c, x_adv = torch.ones_like(distance), x.clone()
        mean, square = torch.zeros_like(x), torch.zeros_like(x)  # Adam's moments
        each = (slice(None), *[None] * (x.dim() - 1))
        for i in range(steps + 1):
            logits, _, gradient = loss_gradient(model, x_adv, below_zero, y, first=i == 0, check="y" if i == 0 else "")
            down, delta = wrong(logits, y), x_adv - x
            length = size(delta).flatten()
            nearer = down & (length < distance)
            distance, nearest = torch.where(nearer, length, distance), torch.where(nearer[each], x_adv, nearest)
            if i == steps:
                break
            c = c * torch.where(down, 0.95, 1.05).to(c.dtype)  # else it takes the default type
            descent = 2 * delta - c[each] * gradient
            mean, square = 0.9 * mean + 0.1 * descent, 0.999 * square + 0.001 * descent**2
            rate = lr * (0.1 + 0.45 * (1 + math.cos(math.pi * i / steps)))
            scaled = (mean / (1 - 0.9 ** (i + 1))) / ((square / (1 - 0.999 ** (i + 1))).sqrt() + 1e-8)
            x_adv = (x_adv - rate * scaled).clamp_(0, 1)
        return torch.where((distance <= eps)[each], nearest, x)

    with guard(model, x, y, eps=eps, norm="l2", seed=seed, unbounded=True) as (model, x, y, eps):
        return in_chunks(model, search, x, y)


def length(delta: Tensor, norm: str) -> Tensor:
    """The norm of each row, (N,)."""
    return delta.flatten(1).abs().amax(1) if norm == "linf" else delta.flatten(1).norm(dim=1)


def shift(x: Tensor, w: Tensor, rise: Tensor, norm: str) -> Tensor:
    """The shortest change that keeps x in [0, 1] and raises <w, x> by `rise`, each row apart: FAB's projection.

    The best change is sign(w) * min(t * pace, room): all pixels move at their own pace (|w| in L2, all alike in
    L-infinity) until they reach 0 or 1, and t is the time at which the rise is complete. Where not even the last
    stop completes it, all pixels end there.

    x, w  images (N, ...) and gradients like them
    rise  (N,), >= 0
    """
    w, pixels = w.flatten(1), x.flatten(1)
    pull = w.abs()
    pace = pull if norm == "l2" else torch.ones_like(pull)
    room = torch.where(w > 0, 1 - pixels, pixels).masked_fill(w == 0, 0)
    stops, order = (room / pace.clamp_min(1e-30)).sort(1)  # when each pixel stops, soonest first
    speed = (pull * pace).gather(1, order)  # of the rise that each pixel brings while it moves
    stopped = (speed * stops).cumsum(1)  # what those that have stopped have brought
    moving = (speed.sum(1, keepdim=True) - speed.cumsum(1)).clamp_min(0)  # the speed of those that still move
    past = (stopped + moving * stops < rise[:, None]).sum(1, keepdim=True)  # pixels that stop before the rise is done
    stopped, moving = F.pad(stopped, (1, 0)), torch.cat([speed.sum(1, keepdim=True), moving], 1)
    time = (rise[:, None] - stopped.gather(1, past)) / moving.gather(1, past).clamp_min(1e-30)
    time = time.clamp_min(0).masked_fill(past == pixels.shape[1], 1e30)
    return (w.sign() * torch.minimum(time * pace, room)).view_as(x)


def fab(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float = math.inf,
    norm: str = "linf",
    steps: int = 100,
    rivals: int = 9,
    restarts: int = 1,
    seed: int = 0,
) -> Tensor:
    """Fast adaptive boundary attack, targeted: the nearest misclassified image. Croce & Hein 2020 (arXiv:1907.02044).

    It takes the boundary to a rival class for the plane that the gradient foretells, goes to the points of that plane
    nearest to where it is and nearest to x, mixes the two, and steps a tenth of the way back to x when it has crossed.

    eps       an image is left alone once a mistake within eps is found; those without one come back unchanged
    rivals    classes to try, likeliest first, at most all
    restarts  how often to try them; from x at first, then from a random image, half as far as the nearest mistake

    Other arguments and the result are those of `pgd`.
    """
    steps, rivals, restarts = whole("steps", steps, 0), whole("rivals", rivals), whole("restarts", restarts)

    def walk(x, labels, x_adv, nearest, distance):
        index = torch.arange(len(x), device=x.device)
        for i in range(steps):
            _, lead, w = loss_gradient(model, x_adv, toward, labels, first=i == 0)
            lead = lead.nan_to_num(0.0, 0.0, 0.0)
            lead_at_x = lead + (w * (x - x_adv)).flatten(1).sum(1)  # as foretold
            there = shift(x_adv, -lead.sign()[each] * w, lead.abs(), norm)
            from_x = shift(x, -lead_at_x.sign()[each] * w, lead_at_x.abs(), norm)
            a, b = length(there, norm), length(from_x, norm)
            share = (a / (a + b).clamp_min(1e-12)).clamp_max(0.1)[each]
            x_adv = ((1 - share) * (x_adv + 1.05 * there) + share * (x + 1.05 * from_x)).clamp_(0, 1)
            with torch.no_grad():
                down = wrong(model(x_adv), labels)
            away = length(x_adv - x, norm)
            nearer = down & (away < distance[index])
            nearest[index[nearer]], distance[index[nearer]] = x_adv[nearer], away[nearer]
            x_adv = torch.where(down[each], x + 0.9 * (x_adv - x), x_adv)
            if (done := distance[index] <= enough).any():
                index, x, labels, x_adv = (t[~done] for t in (index, x, labels, x_adv))
                if not len(index):
                    break
        return nearest, distance

    def search(x, y):
        with torch.no_grad():
            logits = check_logits(model(x), y)
        best, distance = x.clone(), torch.full_like(x.flatten(1)[:, 0], math.inf)
        distance[wrong(logits, y)] = 0
        for restart in range(restarts):
            for rival in others(logits, y).T[:rivals]:
                standing = (distance > enough).nonzero()[:, 0]
                if not len(standing):
                    break
                x0, so_far, goal = x[standing], distance[standing], torch.stack([y, rival], 1)[standing]
                begin = x0
                if restart:
                    half = so_far.clamp_max(eps).nan_to_num(posinf=0)[each] / 2
                    begin = (x0 + half * (random_start(x0, 1.0, norm) - x0)).clamp_(0, 1)
                best[standing], distance[standing] = walk(x0, goal, begin, best[standing], so_far)
        return torch.where((distance <= eps)[each], best, x)

    with guard(model, x, y, eps=eps, norm=norm, seed=seed, unbounded=True) as (model, x, y, eps):
        each, enough = (slice(None), *[None] * (x.dim() - 1)), 0.0 if eps == math.inf else eps
        return in_chunks(model, search, x, y)


def funnel(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float,
    norm: str = "linf",
    steps: int = 50,
    reach: float = 16.0,
    rivals: int = 9,
    seed: int = 0,
) -> Tensor:
    """PGD towards one rival class after another, in a ball that shrinks from `reach` * eps to eps.

    Far out, the image is soon one of the rival class, and the shrinking ball then draws it along the boundary towards
    x. After the first steps of Croce & Hein 2021 (arXiv:2103.01208), who begin at 3 * eps. A fifth of the steps is
    made at eps itself; each is half as long as the radius.

    rivals  classes to try, likeliest first, at most all

    Other arguments and the result are those of `pgd`; an image is left alone once it is misclassified in the ball.
    """

    steps, rivals = whole("steps", steps), whole("rivals", rivals)
    reach = number("reach", reach, "be a number >= 1", lambda v: 1 <= v < math.inf)

    def attempt(x, labels):
        found, done = x.clone(), torch.zeros(len(x), dtype=torch.bool, device=x.device)
        index, x_adv = torch.arange(len(x), device=x.device), random_start(x, reach * eps, norm)
        for i in range(steps + 1):
            radius = eps * reach ** max(1 - i / (0.8 * steps), 0)
            logits, _, gradient = loss_gradient(model, x_adv, toward, labels, first=i == 0)
            down = wrong(logits, labels) & (length(x_adv - x, norm) <= eps * (1 + 1e-6))  # up to rounding
            if down.any():
                found[index[down]], done[index[down]] = x_adv[down], True
                index, x, labels, x_adv, gradient = (t[~down] for t in (index, x, labels, x_adv, gradient))
            if i == steps or not len(index):
                break
            x_adv = into_ball(x_adv + radius / 2 * steepest(gradient, norm), x, radius, norm)
        return found, done

    with guard(model, x, y, eps=eps, norm=norm, seed=seed) as (model, x, y, eps):
        return in_chunks(model, lambda x, y: by_rival(model, x, y, rivals, attempt), x, y)
