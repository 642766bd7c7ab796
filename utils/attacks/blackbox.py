"""Attacks without gradients: Square sees scores, RayS sees labels, transfer sees another model."""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import torch
from torch import Tensor, nn

from utils.arguments import number, whole
from utils.asking import AsLogits
from utils.attacks.gradient import pgd
from utils.attacks.parts import check_logits, margin, size, wrong
from utils.guard import check_model, guard, in_chunks


def window(x: Tensor, share: float) -> Tensor:
    """For each image a square at a random place that covers about `share` of it: (N, 1, H, W) of 0 and 1."""
    n, _, height, width = x.shape
    side = max(round(math.sqrt(share * height * width)), 1)
    rows, columns = (strips(length, min(side, length), x.device) for length in (height, width))
    top, left = (torch.randint(len(places), (n,), device=x.device) for places in (rows, columns))
    return rows.index_select(0, top)[:, None, :, None] & columns.index_select(0, left)[:, None, None, :]


@lru_cache(maxsize=64)  # asked for with each query
def strips(length: int, side: int, device: torch.device) -> Tensor:
    """Each place that a strip of `side` pixels can have in a line of `length`, (places, length) bool."""
    away = torch.arange(length, device=device) - torch.arange(length - side + 1, device=device)[:, None]
    return (away >= 0) & (away < side)


def bump(height: int, width: int) -> Tensor:
    """A hill that falls off from the middle of a window, of length 1: the paper's pseudo-Gaussian."""
    away_y, away_x = (torch.arange(side) - side // 2 for side in (height, width))
    ring = torch.maximum(away_y[:, None].abs(), away_x.abs())
    heights = 1 / torch.arange(1, max(height, width) + 2) ** 2
    hill = heights.flip(0).cumsum(0).flip(0)[ring]
    return hill / hill.norm().clamp_min(1e-12)


def hill_and_hollow(height: int, width: int) -> Tensor:
    """A hill beside a hollow, upright or (if the window is square) lying by chance, of length 1."""
    return pattern(height, width, lying=height == width and bool(torch.rand(()) < 0.5))


@lru_cache(maxsize=64)
def pattern(height: int, width: int, *, lying: bool) -> Tensor:
    """The hill and hollow of a window, lying or not."""
    pair = torch.cat([bump(height // 2, width), -bump(height - height // 2, width)])
    pair = pair.T if lying else pair
    return pair / pair.norm().clamp_min(1e-12)


def exchange(x: Tensor, x_adv: Tensor, eps: float, share: float) -> Tensor:
    """The proposal of Square in L2: move the length of the change from one window into another, under a new pattern."""
    n, channels, height, width = x.shape
    side = max(round(math.sqrt(share * height * width)), 3)
    side += side % 2 == 0
    tall, wide = min(side, height), min(side, width)
    top, left, top2, left2 = (int(torch.randint(room + 1, ())) for room in (height - tall, width - wide) * 2)
    into = (..., slice(top, top + tall), slice(left, left + wide))
    out_of = (..., slice(top2, top2 + tall), slice(left2, left2 + wide))
    delta = x_adv - x
    both = torch.zeros_like(delta[:1, :1])
    both[into] = both[out_of] = 1
    spare = (eps**2 - size(delta) ** 2).clamp_min(0) / channels  # what clamping to [0, 1] has left over
    budget = (spare + (delta * both).square().sum((2, 3), keepdim=True)).sqrt()  # (N, C, 1, 1)
    old = delta[into] / delta[into].square().sum((2, 3), keepdim=True).sqrt().clamp_min(1e-12)
    signs = torch.randint(0, 2, (n, channels, 1, 1), device=x.device).to(x.dtype) * 2 - 1
    new = old + hill_and_hollow(tall, wide).to(x) * signs
    new = new / new.square().sum((2, 3), keepdim=True).sqrt().clamp_min(1e-12) * budget
    delta[out_of] = 0
    delta[into] = new
    return (x + delta * (eps / size(delta).clamp_min(1e-12))).clamp_(0, 1)


def hills(x: Tensor, eps: float) -> Tensor:
    """The start of Square in L2: the image covered with patterns of a fifth of its height, each with a random sign."""
    n, channels, height, width = x.shape
    tall, wide = max(height // 5, 1), max(width // 5, 1)
    delta = torch.zeros_like(x)
    for top in range(0, height - tall + 1, tall):
        for left in range(0, width - wide + 1, wide):
            signs = torch.randint(0, 2, (n, channels, 1, 1), device=x.device).to(x.dtype) * 2 - 1
            delta[..., top : top + tall, left : left + wide] = hill_and_hollow(tall, wide).to(x) * signs
    return (x + delta * (eps / size(delta).clamp_min(1e-12))).clamp_(0, 1)


def square_share(progress: float) -> float:
    """The share of the image that a square covers, halved at the paper's marks; `progress` runs from 0 to 1."""
    marks = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
    return 0.8 / 2 ** sum(progress > mark for mark in marks)


def square(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float,
    norm: str = "linf",
    queries: int = 1000,
    patience: float = math.inf,
    at_once: int = 1,
    seed: int = 0,
) -> Tensor:
    """Random search with squares: sees only scores, so masked gradients do not disturb it.

    Andriushchenko et al. 2020 (arXiv:1912.00049). Built in lesson 02. In "linf" each query sets one square of each
    channel to +eps or -eps and keeps it if the margin rises; in "l2" it moves length from one window into another.

    queries   model calls for each image, at most; an image is left alone once it is misclassified
    patience  give an image up when its margin still lacks more than `patience` times what the last doubling of the
              queries won; asked after 1/10, 1/5, 2/5 and 4/5 of them
    at_once   in "linf", how many proposals to try at a time, at most, on each image once few images are left; the best
              counts. So many queries take the time of one, and each is worth a little less

    Other arguments and the result are those of `pgd`. A row that is no image (N, D) is treated as one of height 1.
    """
    queries, at_once = whole("queries", queries, 0), whole("at_once", at_once)
    patience = number("patience", patience, "be a number >= 0", lambda v: v >= 0)
    planned = queries if norm == "linf" else max(queries, 10_000)  # in L2, squares that stay large for longer do better

    def signs(n, *dims):
        return torch.randint(0, 2, (n, *dims), device=x.device).to(x.dtype) * 2 - 1

    def propose(x, x_adv, share):
        if norm == "l2":
            return exchange(x, x_adv, eps, share)
        inside, change = window(x, share), eps * signs(len(x), x.shape[1], 1, 1)
        new = torch.where(inside, (x + change).clamp_(0, 1), x_adv)
        same = ((new != x_adv).flatten(1).sum(1) == 0)[:, None, None, None]  # would waste a query: turn the signs
        return torch.where(same & inside, (x - change).clamp_(0, 1), new) if same.any() else new

    def search(x, y):
        shape = x.shape
        if x.dim() != 4:
            x = x.flatten(1)[:, None, None, :]
        best = x.clone()
        with torch.no_grad():
            index = (~wrong(check_logits(model(x.reshape(shape)), y), y)).nonzero()[:, 0]
            x, y = x[index], y[index]
            stripes = norm == "linf"  # to begin with, vertical ones
            new = (x + eps * signs(len(x), x.shape[1], 1, x.shape[3])).clamp_(0, 1) if stripes else hills(x, eps)
            x_adv, highest = x, torch.full_like(x[:, 0, 0, 0], -math.inf)
            query, mark, before = 0, max(queries // 20, 1), highest
            while len(index) and query < queries:
                tries = len(new) // len(x)
                query, logits = query + tries, model(new.view(-1, *shape[1:]))
                lead = margin(logits, y.repeat_interleave(tries) if tries > 1 else y)
                lead = lead.nan_to_num_(-math.inf, math.inf, -math.inf)  # NaN is no answer
                if tries > 1:  # the best of each image
                    lead, first = lead.view(-1, tries).max(1)
                    first += tries * torch.arange(len(x), device=x.device)
                    new, logits = new[first], logits[first]
                x_adv = torch.where((lead > highest)[:, None, None, None], new, x_adv)
                highest = torch.maximum(lead, highest)
                if (down := wrong(logits, y)).any():
                    best[index[down]] = new[down]
                    index, x, y, x_adv, highest, before = (t[~down] for t in (index, x, y, x_adv, highest, before))
                if query > mark:
                    hopeless = -highest > patience * (highest - before)
                    best[index[hopeless]] = x_adv[hopeless]
                    index, x, y, x_adv, highest = (t[~hopeless] for t in (index, x, y, x_adv, highest))
                    mark, before = 2 * mark, highest
                few = norm == "linf" and mark > queries // 20  # in L2 all proposals of a batch have the same windows
                tries = max(min(at_once, 64 // max(len(x), 1), queries - query), 1) if few else 1
                pair = (t.repeat_interleave(tries, 0) for t in (x, x_adv)) if tries > 1 else (x, x_adv)
                new = propose(*pair, square_share((query - 1) / planned))
            best[index] = x_adv
        return best.view(shape)

    with guard(model, x, y, eps=eps, norm=norm, seed=seed) as (model, x, y, eps):
        return in_chunks(model, search, x, y)


def rays(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float,
    queries: int = 1000,
    patience: float = math.inf,
    seed: int = 0,
) -> Tensor:
    """RayS: finds the corner of the box with the nearest boundary, from predicted labels alone; L-infinity.

    Chen & Gu 2020 (arXiv:2006.12792). Built in lesson 02. It flips the signs of ever smaller blocks of pixels, keeps a
    flip if the label still changes at the best distance so far, and then shortens the distance by bisection.

    queries   model calls for each image, about; an image is left alone once its boundary lies within eps
    patience  give an image up when its boundary still lies further beyond eps than `patience` times what the last
              doubling of the queries won; asked after about 1/4 and 1/2 of them

    Other arguments and the result are those of `pgd`. Images that do not fall come back at distance eps along the best
    direction found. The search itself is deterministic: `seed` matters only to a model that draws random numbers.
    """
    queries = whole("queries", queries, 0)
    patience = number("patience", patience, "be a number >= 0", lambda v: v >= 0)

    def search(x, y):
        shape, best = x.shape, x.flatten(1).clone()
        pixels = best.shape[1]
        with torch.no_grad():
            index = (~wrong(check_logits(model(x), y), y)).nonzero()[:, 0]
            x, y = best[index], y[index]
            signs, radius, spent = torch.ones_like(x), torch.ones_like(y, dtype=x.dtype), torch.zeros_like(y)

            def crosses(x, y, signs, radius):
                return wrong(model((x + radius[:, None] * signs).clamp_(0, 1).view(-1, *shape[1:])), y)

            block, blocks = 0, 1
            mark, before = max(queries // 8, 1), torch.full_like(radius, math.inf)
            while len(index):
                tried = signs.clone()
                tried[:, block * pixels // blocks : (block + 1) * pixels // blocks] *= -1
                rows = crosses(x, y, tried, radius).nonzero()[:, 0]
                spent += 1
                bisected = (rows, x[rows], y[rows], tried[rows], torch.zeros_like(radius[rows]), radius[rows])
                signs[rows] = bisected[3]
                while len(bisected[0]):
                    rows, near, goal, way, low, high = bisected
                    middle = (low + high) / 2
                    over = crosses(near, goal, way, middle)
                    low, high = torch.where(over, low, middle), torch.where(over, middle, high)
                    radius[rows], spent[rows] = high, spent[rows] + 1
                    going, bisected = (high - low > 1e-3) & (high > eps), (rows, near, goal, way, low, high)
                    if not going.all():
                        bisected = tuple(t[going] for t in bisected)
                stays = (radius > eps) & (spent < queries)
                if int(spent.max()) >= mark:
                    stays &= ~(radius - eps > patience * (before - radius))
                    mark, before = 2 * mark, radius.clone()
                if not stays.all():
                    best[index[~stays]] = (x + radius.clamp_max(eps)[:, None] * signs).clamp_(0, 1)[~stays]
                    index, x, y, signs, radius, spent, before = (
                        t[stays] for t in (index, x, y, signs, radius, spent, before)
                    )
                block, blocks = (block + 1, blocks) if block + 1 < blocks else (0, min(2 * blocks, pixels))
        return best.view(-1, *shape[1:])

    with guard(model, x, y, eps=eps, seed=seed) as (model, x, y, eps):
        return in_chunks(model, search, x, y)


class Committee(nn.Module):
    """Several models as one, whose logits are the mean of theirs. Dong et al. 2018 (arXiv:1710.06081), section 3.4."""

    def __init__(self, members: Sequence[nn.Module]):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x):
        return torch.stack([member(x) for member in self.members]).mean(0)


def transfer(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float,
    surrogate: nn.Module | Sequence[nn.Module],
    attack: Callable[..., Tensor] | None = None,
    **how,
) -> Tensor:
    """Attack `surrogate` with `attack(surrogate, x, y, eps=eps, **how)` and hand the result to `model` unseen.

    Papernot et al. 2016 (arXiv:1605.07277). Built in lesson 02. `model` is asked nothing; it only receives the images.

    surrogate  a model of the attacker's own; or several, which are attacked through the mean of their logits: what
               fools all of them more often fools a stranger
    attack     None: `pgd` with early_stop=False. An attack that stops where the surrogate first errs has gone as far as
               that needs, and seldom far enough for another model
    """
    if isinstance(surrogate, (list, tuple)):
        if not surrogate:
            raise ValueError("surrogate must be a model or several, and this list is empty")
        for member in surrogate:
            check_model(member)
        surrogate = Committee([AsLogits(member) for member in surrogate])
    attack = partial(pgd, early_stop=False) if attack is None else attack
    return attack(surrogate, x, y, eps=eps, **how)
