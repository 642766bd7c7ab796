"""Membership inference: was this example among the training data? Built in lesson 08.

Many networks of one shape, each trained on its own random half of a pool, show a network's confidence in an example
that it has seen, and in one that it has not. A target is judged against both: LiRA, Carlini et al. 2022
(arXiv:2112.03570), and RMIA, Zarifzadeh et al. 2024, for few networks.
"""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.arguments import number_in
from utils.rate import RateWithin
from utils.training.optimizers import Adam

# Many networks at once.


class Networks(nn.Module):
    """K networks with one hidden layer, run as one: their weights are stacks of K matrices.

    shape           of one input: (features,) or (C, H, W)
    width, classes  units of the hidden layer and of the last one
    seeds           K numbers: network k starts from its own, as it would alone

    The call takes inputs that all networks share, (N, *shape), or for each its own, (K, N, *shape), and returns logits
    (K, N, classes). `networks[k]` is network k alone: a model like any other, which shares no memory with the rest.
    """

    def __init__(self, shape: Sequence[int], width: int, classes: int, seeds: Iterable[int]):
        super().__init__()
        self.shape, chance = shape, [torch.Generator().manual_seed(seed) for seed in seeds]

        def weights(rows, columns):  # (K, rows, columns)
            drawn = [torch.randn(rows, columns, generator=g) for g in chance]
            return nn.Parameter(torch.stack(drawn) * math.sqrt(2 / rows))

        self.w1, self.w2 = weights(math.prod(shape), width), weights(width, classes)
        self.b1, self.b2 = (nn.Parameter(torch.zeros(len(chance), 1, n)) for n in (width, classes))

    def forward(self, x):
        shared = x.dim() == 1 + len(self.shape)
        x = x.flatten(1).expand(len(self.w1), -1, -1) if shared else x.flatten(2)
        hidden = torch.baddbmm(self.b1, x, self.w1).relu()
        return torch.baddbmm(self.b2, hidden, self.w2)

    def __len__(self):
        return len(self.w1)

    def __getitem__(self, k: int) -> nn.Sequential:
        with torch.device("meta"):  # shapes only: no weights are drawn
            layers = nn.Linear(*self.w1.shape[1:]), nn.ReLU(), nn.Linear(*self.w2.shape[1:])
        one = nn.Sequential(nn.Flatten(), *layers)
        values = self.w1[k].T, self.b1[k, 0], self.w2[k].T, self.b2[k, 0]
        one.load_state_dict(dict(zip(one.state_dict(), (v.detach().clone() for v in values), strict=True)), assign=True)
        return one.eval().requires_grad_(False)


def plan(rows: Tensor, updates: int, batch_size: int, seed: int) -> Tensor:
    """Which of `rows` each update sees, (updates, batch_size): all of them in turn, each time in another order."""
    chance, draws = torch.Generator().manual_seed(seed), updates * batch_size
    rounds = math.ceil(draws / len(rows))
    order = torch.cat([torch.randperm(len(rows), generator=chance) for _ in range(rounds)])
    return rows[order[:draws].to(rows.device)].view(updates, batch_size)


def fit_many(
    x: Tensor,
    y: Tensor,
    inside: Tensor,
    *,
    width: int = 64,
    updates: int = 300,
    batch_size: int = 32,
    lr: float | None = None,
    seed: int = 0,
    transform: Callable[[nn.Module, Tensor, Tensor], Tensor] | None = None,
) -> Networks:
    """K networks, trained side by side; network k sees those rows of (x, y) where inside[k] is true, and no others.

    x, y       inputs (N, ...) and labels (N,) of the pool
    inside     (K, N) bool
    width      units of the hidden layer; updates, batch_size, lr as for `fit` (Adam, one cycle)
    lr         None: 0.02 for the 64 pixels of a digit, and less for more features, since a step moves all their weights
    seed       network k starts and shuffles by seed + k: alone, `fit_many(x, y, inside[k:k + 1], seed=seed + k)`, it
               becomes the same, but for rounding. The caller's random state is left as it was
    transform  transform(networks, x, y) -> x on batches (K, B, ...) and (K, B): what replaces the inputs, if anything

    In float64 if x is. Raises ValueError that names the argument at fault.
    """
    check_pool(x, y, inside)
    lr = lr or 0.02 * (64 / x[0].numel()) ** 0.75
    networks = Networks(x.shape[1:], width, int(y.max()) + 1, range(seed, seed + len(inside))).to(x)
    order = [plan(row.nonzero()[:, 0], updates, batch_size, seed + k) for k, row in enumerate(inside)]
    optimizer = Adam(networks.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=updates)
    for batch in torch.stack(order, 1):  # (K, B): each network has its own rows
        x_batch, y_batch = x[batch], y[batch]
        if transform is not None:
            x_batch = transform(networks, x_batch, y_batch)
        logits = networks(x_batch).flatten(0, 1)
        loss = (
            F.cross_entropy(logits, y_batch.flatten(), reduction="sum") / batch_size
        )  # a sum: no network sees another
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return networks.requires_grad_(False).eval()


def check_pool(x: Tensor, y: Tensor, inside: Tensor) -> None:
    if y.shape != x.shape[:1] or y.dtype != torch.int64:
        raise ValueError(f"y must hold a label, int64, for each of the {len(x)} inputs, got {tuple(y.shape)} {y.dtype}")
    if inside.dim() != 2 or inside.shape[1] != len(x) or inside.dtype != torch.bool:
        raise ValueError(f"inside must be bool (K, {len(x)}), got {tuple(inside.shape)} {inside.dtype}")
    if not inside.any(1).all():
        raise ValueError("inside must give each network at least one row to train on")


# The attack.


def confidence(logits: Tensor, y: Tensor) -> Tensor:
    """A network's confidence in the label, log(p / (1 - p)): logits (..., N, classes) and labels (N,) to (..., N).

    Carlini et al. 2022, sec. IV-C: unlike p it neither saturates nor piles up at 1, and is roughly normal. Computed
    from the logits, since float32 rounds a p near 1 to 1.
    """
    label = y.expand(logits.shape[:-1])[..., None]
    others = logits.scatter(-1, label, -torch.inf)
    return logits.gather(-1, label)[..., 0] - others.logsumexp(-1)


def lira(target: Tensor, shadows: Tensor, inside: Tensor, *, pooled: bool = False) -> Tensor:
    """The likelihood-ratio attack: how much likelier the target's confidences are if it has seen the examples, (N,).

    For each example a normal distribution is fitted to the shadows that were trained on it, and one to those that were
    not; the score is the logarithm of the ratio of their densities. Carlini et al. 2022, algorithm 1.

    target   confidences of the target, (..., N)
    shadows  confidences of K networks that do not include the target, (K, N)
    inside   which examples each shadow was trained on, (K, N) bool
    pooled   one variance for all examples on a side: steadier than one for each if there are fewer than 64 shadows

    Raises ValueError if an example is in, or out of, fewer than two shadows, or a confidence is not finite.
    """
    check_shadows(target, shadows, inside)
    check_finite(target=target, shadows=shadows)
    target, shadows = target.double(), shadows.double()

    def log_density(side):
        n = side.sum(0)
        mean = torch.where(side, shadows, 0).sum(0) / n
        variance = torch.where(side, (shadows - mean) ** 2, 0).sum(0) / (n - 1)
        variance = (variance.mean() if pooled else variance).clamp_min(1e-12)
        return -((target - mean) ** 2) / (2 * variance) - variance.log() / 2

    return log_density(inside) - log_density(~inside)


def rmia(target: Tensor, shadows: Tensor, target_z: Tensor | None = None, shadows_z: Tensor | None = None) -> Tensor:
    """The share of examples z that an example outdoes in p(target) / mean p(shadows), each p that of its label, (N,).

    It fits nothing, so two shadows will do. Zarifzadeh et al. 2024 (arXiv:2312.03262), with gamma = 1.

    target, shadows      confidences of the target, (N,), and of K networks that do not include it, (K, N)
    target_z, shadows_z  the same of M examples in nobody's training set, (M,) and (K, M); None: the examples themselves

    Raises ValueError if shapes do not fit, one of the last two is missing, or a confidence is not finite.
    """

    if (target_z is None) != (shadows_z is None):
        raise ValueError("target_z and shadows_z come together: confidences of the target, and of the shadows")

    def ratio(target, shadows):
        if shadows.dim() != 2 or shadows.shape[1:] != target.shape:
            raise ValueError(
                f"shadows must be (K, N) where target is (N,): got {tuple(shadows.shape)}, {tuple(target.shape)}"
            )
        check_finite(target=target, shadows=shadows)
        usual = F.logsigmoid(shadows.double()).logsumexp(0) - math.log(len(shadows))  # p itself may be 0 in float64
        return F.logsigmoid(target.double()) - usual  # the logarithm of the ratio

    ours = ratio(target, shadows)
    theirs = ours if target_z is None else ratio(target_z, shadows_z)
    return torch.searchsorted(theirs.sort().values, ours, right=True) / len(theirs)


def check_finite(**confidences: Tensor) -> None:
    for name, values in confidences.items():
        if not values.isfinite().all():
            raise ValueError(f"{name} must hold finite confidences: `confidence` makes them of logits")


def check_shadows(target: Tensor, shadows: Tensor, inside: Tensor) -> None:
    if shadows.dim() != 2 or inside.shape != shadows.shape or inside.dtype != torch.bool:
        raise ValueError(
            f"inside must be bool and have the shape of shadows, (K, N): "
            f"got {tuple(inside.shape)} {inside.dtype} and {tuple(shadows.shape)}"
        )
    if target.shape[-1:] != shadows.shape[1:]:
        raise ValueError(f"target must end in the {shadows.shape[1]} examples of shadows, got {tuple(target.shape)}")
    if not ((inside.sum(0) >= 2) & ((~inside).sum(0) >= 2)).all():
        raise ValueError("inside must have each example in two shadows, and out of two, at least: use more shadows")


# How well it does.


def roc_curve(scores: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
    """The share of non-members and of members that score at or above each threshold: two tensors, float64, from 0 to 1.

    scores   of any shape; higher means "member"
    members  the truth, bool, of the same shape

    A point for each different score, the highest first, after (0, 0). As `sklearn.metrics.roc_curve` without dropping.
    """
    scores, members = check_members(scores, members)
    order = scores.flatten().argsort(descending=True)
    ranked, hits = scores.flatten()[order], members.flatten()[order].double()
    last = torch.cat([ranked[1:] != ranked[:-1], torch.ones_like(ranked[:1], dtype=torch.bool)])  # of equal scores
    tpr, fpr = (torch.cat([c.new_zeros(1), c.cumsum(0)[last] / c.sum()]) for c in (hits, 1 - hits))
    return fpr, tpr


def auc(scores: Tensor, members: Tensor) -> float:
    """The area under `roc_curve`: the chance that a member scores above a non-member (ties count half), 0.5 by luck."""
    fpr, tpr = roc_curve(scores, members)
    return float(torch.trapezoid(tpr, fpr))


def tpr_at(scores: Tensor, members: Tensor, fpr: float = 0.01) -> RateWithin:
    """How many members are found at the lowest threshold that accuses at most a share `fpr` of the non-members.

    Its 95 % interval is of the members that are found at a share of exactly `fpr` among *all* non-members, and knows
    both samples as samples (`of_both_sides`). It takes scores as independent of each other: several networks that judge
    the same examples are more alike than that.

    Raises ValueError for a share above 0 and below one in all non-members: these cannot show it.
    """
    scores, members = check_members(scores, members)
    fpr = number_in("fpr", fpr, "[0, 1]")
    others, ours = scores[~members].sort(descending=True).values, scores[members]
    n, allowed = len(others), int(fpr * len(others) + 1e-9)
    if fpr and not allowed:
        raise ValueError(
            f"fpr {fpr:g} needs {math.ceil(1 / fpr - 1e-9):,} non-members at least, got {n:,}: "
            f"the smallest share that these can show is {1 / n:.2g}"
        )
    above = len(ours) - torch.searchsorted(ours.sort().values, others.contiguous(), right=True)
    above = np.append(
        above.cpu().numpy(), len(ours)
    )  # how many members each non-member's score would find; the last: all
    return RateWithin(int(above[allowed]), len(ours), *of_both_sides(above, fpr))


def of_both_sides(above: np.ndarray, fpr: float, draws: int = 2000) -> tuple[float, float]:
    """The 95 % interval of a true positive rate at `fpr`, by a bootstrap of non-members and members, seeded.

    How many of n non-members lie above the threshold that accuses a share `fpr` of all is binomial; so the threshold
    lies between two of their scores, and finds a number of members between two. These are drawn again as well, with
    half a member more on either side (Jeffreys), so that none found is not taken for none there.

    above  how many of M members lie above the highest non-member, the next, ..., and M, (n + 1,)
    """
    random, n, members = np.random.default_rng(0), len(above) - 1, int(above[-1])
    place = random.binomial(n, fpr, draws)
    low, high = np.append(0, above)[place], above[place]
    k = low + (high - low) * random.random(draws)
    drawn, found = random.beta(k + 0.5, members - k + 0.5), above[int(fpr * n + 1e-9)] / members
    return min(float(np.quantile(drawn, 0.025)), found), max(float(np.quantile(drawn, 0.975)), found)


def check_members(scores: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
    scores, members = torch.as_tensor(scores), torch.as_tensor(members)
    if members.dtype != torch.bool or members.shape != scores.shape:
        raise ValueError(
            f"members must be bool and have the shape of scores, {tuple(scores.shape)}: "
            f"got {tuple(members.shape)} {members.dtype}"
        )
    if not (members.any() and (~members).any()):
        raise ValueError("members must name at least one example inside and one outside")
    if scores.isnan().any():
        raise ValueError("scores must not be NaN")
    return scores.to(torch.uint8) if scores.dtype == torch.bool else scores, members
