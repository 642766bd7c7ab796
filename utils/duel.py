"""Two defenses under the same attackers: what is left of each, and who is ahead, in words computed from the numbers."""

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor, nn

from utils.arguments import whole
from utils.asking import NoGradient
from utils.attacks import apgd_t, fgsm, margin, pgd, rays, square, transfer
from utils.evaluation import Rate
from utils.guard import guard
from utils.models import predict

KNOWS = ("weights", "scores", "labels")  # what an attacker sees of the model; who sees more can do all that others can
SHARES = (0, 1 / 2, 1, 3 / 2)  # of the customary budget: where accuracy is measured
SURELY_FALLEN = 0.25  # the share of right answers of a random model up to which an image is not attacked further
DRAWS = 25  # answers of a random model to each image, to choose the worst, and as many more to judge it


class Defense(NamedTuple):
    """A defended model, and what its owner and its attacker know of it.

    name       as it is to be shown
    model      from inputs in [0, 1] to logits; it may draw random numbers
    stand_in   the model that an attacker who adapts takes the gradient of (lesson 05); None: the model itself
    certified  certified(x, y) -> (N,): the radius within which each answer is proved right, 0 where it is wrong or
               withheld; None: the defense proves nothing
    training   seconds of training, None: unknown
    proof      the norm of that radius, "l2" (votes) or "linf" (interval bounds)
    """

    name: str
    model: nn.Module
    stand_in: nn.Module | None = None
    certified: Callable[[Tensor, Tensor], Tensor] | None = None
    training: float | None = None
    proof: str = "l2"


class Threat(NamedTuple):
    """A threat model: the ball, what the attacker sees, and whether the attack is adapted to the defense."""

    norm: str = "linf"
    knows: str = "weights"
    adapts: bool = True


def kinds(
    defense: Defense, norm: str, surrogate: nn.Module | None, queries: int, random: bool
) -> dict[str, list[Callable]]:
    """The attacks by what they need: the model's own gradient, the stand-in's, its scores, or its labels.

    Where a fall on the way may be luck, or another model's, PGD climbs on to its last step. Of a random model each step
    on a stand-in that averages costs several passes: so PGD is all that climbs it.
    """
    stand_in = defense.model if defense.stand_in is None else defense.stand_in
    white_box = partial(pgd, norm=norm, steps=20, early_stop=not random)
    climb = partial(pgd, norm=norm, steps=20, loss=margin, early_stop=stand_in is defense.model and not random)
    on_stand_in = [climb] if random else [climb, partial(apgd_t, norm=norm, steps=20, rivals=2)]
    labels = [partial(rays, queries=queries)] if norm == "linf" else []
    if surrogate is not None:
        labels.append(partial(transfer, surrogate=surrogate, attack=partial(white_box, early_stop=False)))
    return {
        "gradient": [fgsm, white_box] if norm == "linf" else [white_box],
        "stand-in": [partial(transfer, surrogate=stand_in, attack=attack) for attack in on_stand_in],
        "scores": [partial(square, norm=norm, queries=queries)],
        "labels": labels,
    }


def used(threat: Threat) -> list[str]:
    """The kinds of attack that an attacker has: with the weights, the scores and labels are known as well."""
    if threat.knows == "weights":
        return ["gradient", "stand-in", "scores", "labels"] if threat.adapts else ["gradient"]
    return ["scores", "labels"] if threat.knows == "scores" else ["labels"]


def share_right(model: nn.Module, x: Tensor, y: Tensor, draws: int) -> Tensor:
    """The share of `draws` answers to each image that are the label, (N,): a random model is judged by its habit."""
    return sum((predict(model, x) == y).float() for _ in range(draws)) / draws


@dataclass(frozen=True)
class Side:
    """What was measured of one defense, on the same images as of its rival.

    stood      {(norm, kind of attack): (budgets, N) bool}: which images are right at each budget
    share      the same keys, (budgets, N): the share of right answers by which the worst image was chosen. Of a random
               model it is low by luck, too, so `stood` is what most of other answers to the same image are
    proved     {norm: (budgets, N) bool}: which images are certified at each budget
    answer_ms  milliseconds for one answer
    """

    defense: Defense
    stood: dict[tuple[str, str], Tensor]
    share: dict[tuple[str, str], Tensor]
    proved: dict[str, Tensor]
    answer_ms: float

    def left(self, threat: Threat, *, certificate: bool = False) -> list[Rate]:
        """At each budget the accuracy that the threat leaves; with `certificate`, the accuracy that is proved."""
        if certificate:
            kept = self.proved[threat.norm]
        else:
            share, stood = (
                torch.stack([of[threat.norm, kind] for kind in used(threat)]) for of in (self.share, self.stood)
            )
            kept = stood.gather(0, share.argmin(0, keepdim=True))[0]  # each image as the worst of the attacks leaves it
        return [Rate(int(row.sum()), len(row)) for row in kept]


def budgets(eps: float, pixels: int) -> dict[str, list[float]]:
    """The budgets at which a duel is fought: shares of `eps`, in L2 of the third of the length that eps allows."""
    return {"linf": [s * eps for s in SHARES], "l2": [s * eps * math.sqrt(pixels) / 3 for s in SHARES]}


def measure(
    defense: Defense,
    sample: tuple[Tensor, Tensor],
    *,
    eps: float,
    norms: Sequence[str] = ("linf", "l2"),
    surrogate: nn.Module | None = None,
    queries: int = 200,
    seed: int = 0,
) -> Side:
    """Every kind of attack at every budget. An image that fell at a smaller budget is not attacked again.

    Of a random model each attacked image is asked about `DRAWS` times to choose the worst, and as often again to judge
    it: who judges by the draws that chose counts luck as a fall, the more attacks the more.

    sample     images (N, ...) in [0, 1] and labels (N,)
    eps        the customary L-infinity budget of the data
    surrogate  a model of the attacker's own, trained on the same task; None: no transfer
    queries    calls for each image of the attacks that see scores or labels only
    """
    x, y = sample
    queries = whole("queries", queries, 0)
    with guard(defense.model, x, y, eps=eps, seed=seed) as (asked, x, y, eps):
        grid, without = budgets(eps, x[0].numel()), None
        draws = 1 if torch.equal(asked(x[:50]), asked(x[:50])) else DRAWS
        clean, stood, shares, times = share_right(defense.model, x, y, draws), {}, {}, []
        for _ in range(5):  # the quickest: other programs only add to it
            begin = time.perf_counter()
            predict(defense.model, x).tolist()
            times.append(1000 * (time.perf_counter() - begin) / len(x))
        for norm in norms:
            for kind, attacks in kinds(defense, norm, surrogate, queries, draws > 1).items():
                found = withstood(defense.model, x, y, attacks, grid[norm], clean, draws)
                shares[norm, kind], stood[norm, kind], problem = found
                without = without or problem
    if without is not None:
        warnings.warn(f"{defense.name} was attacked without gradients: it has none, {without.why}", stacklevel=2)
    radius = torch.zeros(len(x)) if defense.certified is None else defense.certified(x, y).cpu()
    larger = {("linf", "l2"): math.sqrt(x[0].numel())}  # the ball of a proof in the second norm that holds the first
    proved = {
        n: torch.stack([(radius >= larger.get((n, defense.proof), 1.0) * e) & (radius > 0) for e in grid[n]])
        for n in norms
    }
    return Side(defense, stood, shares, proved, min(times))


def withstood(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    attacks: Sequence[Callable],
    grid: Sequence[float],
    clean: Tensor,
    draws: int,
) -> tuple[Tensor, Tensor, NoGradient | None]:
    """How the images stand the worst of some attacks, at each budget and those below it.

    clean  the share of right answers to each image as it is, (N,): what the first budget, 0, leaves

    Returns `share` and `stood` as `Side` has them, (budgets, N), and why an attack had no gradient, if one had none.
    """
    worst, lowest, judged, without = x.clone(), clean.clone(), clean > 0.5, None
    share, stood = [lowest.clone()], [judged.clone()]
    for budget in grid[1:]:
        moved = torch.zeros_like(judged)
        for attack in attacks:
            index = (lowest > SURELY_FALLEN).nonzero()[:, 0]
            if not len(index):
                break
            try:
                x_adv = attack(model, x[index], y[index], eps=budget)
            except NoGradient as problem:
                without = problem
                continue
            now = share_right(model, x_adv, y[index], draws)
            lower = now < lowest[index]
            index = index[lower]
            worst[index], lowest[index], moved[index] = x_adv[lower], now[lower], True
        again = share_right(model, worst[moved], y[moved], draws) if draws > 1 else lowest[moved]
        judged[moved] = again > 0.5
        share.append(lowest.clone())
        stood.append(judged.clone())
    return torch.stack(share).cpu(), torch.stack(stood).cpu(), without


def ahead(a: Rate, b: Rate) -> float:
    """By how much `a` is above `b` at least, negative if `b` is above `a`, and 0 if that is unclear."""
    return max(a.lead(b), 0.0) - max(b.lead(a), 0.0)


def points(share: float) -> str:
    """`31 points`; below one point, with a digit more."""
    return f"{100 * share:.0f} points" if share >= 0.015 else f"{100 * share:.1f} points"


def who_is_ahead(names: tuple[str, str], a: Sequence[Rate], b: Sequence[Rate], eps: Sequence[float], at: int) -> str:
    """Who is ahead at budget `eps[at]`, and whether that depends on the budget.

    "A, by at least 31 points" · "no difference that 397 images can show" ·
    "A, by at least 31 points. It depends: B up to eps 0.05, A from eps 0.15"
    """
    gaps = [ahead(*pair) for pair in zip(a, b, strict=True)]
    winner = names[gaps[at] < 0]
    here = f"{winner}, by at least {points(abs(gaps[at]))}"
    here = here if gaps[at] else f"no difference that {a[at].n} images can show"
    if not (max(gaps) > 0 > min(gaps)):
        return here
    parts, last = [], len(eps) - 1
    for sign, run in groupby(range(len(eps)), key=lambda i: math.copysign(1, gaps[i]) if gaps[i] else 0):
        first, *rest = run
        end = rest[-1] if rest else first
        if sign:
            from_to = f"{eps[first]:.2g} to {eps[end]:.2g}" if first < end else f"{eps[first]:.2g}"
            where = "from" if end == last else "up to" if not first else "at"
            span = {"from": f"{eps[first]:.2g}", "up to": f"{eps[end]:.2g}", "at": from_to}[where]
            parts.append(f"{names[sign < 0]} {where} eps {span}")
    return f"{here}. It depends: {', '.join(parts)}"
