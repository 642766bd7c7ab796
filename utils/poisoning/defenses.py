"""Filters for a training set that may be poisoned, repairs of a model that was, and two kinds of guarantee.

A filter gives each example a score or a mark, from what a defender has: the examples as they came, and a model.
Built in lesson 10.
"""

import math
from collections.abc import Callable
from copy import deepcopy

import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from torch import Tensor, nn
from torch.nn import functional as F

from utils.evaluation import accuracy
from utils.guard import lent
from utils.models import logits
from utils.training.optimizers import Adam

# Filters.


def losses(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """How much the model minds each label, (N,): its cross-entropy."""
    return F.cross_entropy(logits(model, x), y, reduction="none")


def spectral_scores(features: Tensor, y: Tensor) -> Tensor:
    """How far each example lies along the main direction of its own class, squared, (N,) float64.

    Tran et al. 2018 (arXiv:1811.00636): poisons shift a class's features (N, d) in a direction of their own, which
    becomes the first singular vector of the centred features if there are enough of them.
    """
    scores = torch.zeros(len(y), dtype=torch.float64)
    for label in y.unique():
        own = features[y == label].double().cpu()
        own = own - own.mean(0)
        main = torch.linalg.svd(own, full_matrices=False).Vh[0]
        scores[(y == label).cpu()] = (own @ main).square()
    return scores.to(y.device)


def small_clusters(features: Tensor, y: Tensor, share: float = 0.35, whiten: bool = False) -> Tensor:
    """Which examples lie in the smaller of two clusters of their class, if it holds at most `share` of it, (N,) bool.

    Chen et al. 2018 (arXiv:1811.03728), activation clustering: the ten main directions of a class's features (N, d),
    then 2-means. A class of one example has no clusters, and is left alone.

    whiten  let each direction vary as much as the first. This is what independent components (ICA), which the authors
            prefer, come to here: ICA turns whitened directions, and no distance minds a turn
    """
    marked = torch.zeros(len(y), dtype=torch.bool)
    for label in y.unique()[y.unique(return_counts=True)[1] > 1]:
        own = features[y == label].cpu().numpy()
        main = PCA(min(10, *own.shape), random_state=0).fit_transform(own)
        if whiten:
            spread = main.std(0)
            spread[spread <= 1e-4 * spread.max()] = math.inf  # what does not vary says nothing
            main = main / spread
        second = torch.from_numpy(KMeans(2, n_init=5, random_state=0).fit_predict(main)).bool()
        small = second if second.float().mean() <= 0.5 else ~second
        marked[(y == label).cpu()] = small & (small.float().mean() <= share)
    return marked.to(y.device)


def highest(scores: Tensor, groups: Tensor, count: int) -> Tensor:
    """Which examples have the `count` highest scores of their group, at most half of it, (N,) bool.

    groups  (N,) int64: the labels, to look within each class; all alike, to look at the whole set
    """
    marked = torch.zeros_like(groups, dtype=torch.bool)
    for group in groups.unique():
        places = (groups == group).nonzero()[:, 0]
        marked[places[scores[places].topk(min(count, len(places) // 2)).indices]] = True
    return marked


# Repairs.


def activity(model: nn.Sequential, layer: int, x: Tensor) -> Tensor:
    """The mean output of each unit of `model[layer]`, after the ReLU that follows it, over images x and places."""
    part = model[: layer + 2]
    with lent(part), torch.no_grad():
        outputs = part(x)  # features, no logits
    return outputs.mean([0, *range(2, outputs.dim())])


def prune(model: nn.Sequential, layer: int, units: Tensor) -> nn.Sequential:
    """A copy of the model in which these units (int64) of `model[layer]`, a Linear or Conv2d, always give 0."""
    pruned = deepcopy(model)
    with torch.no_grad():
        pruned[layer].weight[units] = 0
        pruned[layer].bias[units] = 0
    return pruned


def prune_asleep(model: nn.Sequential, layer: int, trusted: tuple[Tensor, Tensor], fall: float = 0.04) -> nn.Sequential:
    """A copy of the model without the units that sleep on trusted data.

    Liu et al. 2018 (arXiv:1805.12185), the first half of fine-pruning; `fit` on the trusted data is the second. Units
    of `model[layer]` go in the order of their activity, the least first, for as long as the accuracy on the trusted
    examples (x, y) falls by no more than `fall`.
    """
    order, least = activity(model, layer, trusted[0]).argsort(), float(accuracy(model, trusted)) - fall
    count = 0
    while count < len(order) - 1 and accuracy(prune(model, layer, order[: count + 1]), trusted) >= least:
        count += 1
    return prune(model, layer, order[:count])


def invert_trigger(
    model: nn.Module,
    x: Tensor,
    classes: int,
    steps: int = 100,
    price: float = 0.03,
    lr: float = 0.3,
    flips: float = 0.99,
) -> tuple[Tensor, Tensor]:
    """For each class, a small mask and a pattern that send other images to it: (C, 1, H, W) and (C, channels, H, W).

    Wang et al. 2019 (Neural Cleanse, doi:10.1109/SP.2019.00031). Both lie in [0, 1]; `stamp` puts them on images. The
    loss is the cross-entropy to the class, plus a price times the sum of the mask. The price begins at `price`; each
    class has its own, which rises while about `flips` of the images are read as the class, and falls while fewer are.
    A small mask is a search's result, no proof of a trigger: it may be missed, and the smallest mask of a clean model
    can be small, too. Ask how many images a mask sends to its class before comparing sizes.

    x  clean images (N, channels, H, W), some hundreds of all classes, in no order: each step takes the next 16
    """
    mask = torch.full((classes, 1, *x.shape[2:]), -2.0, device=x.device, requires_grad=True)  # before the sigmoid
    pattern = torch.zeros((classes, *x.shape[1:]), device=x.device, requires_grad=True)
    prices, flipped = torch.full((classes,), price, device=x.device), torch.zeros(classes, device=x.device)
    wanted = torch.arange(classes, device=x.device).repeat_interleave(16)
    optimizer = Adam([mask, pattern], lr=lr)
    with lent(model) as asked:
        for step in range(steps):
            part = x[torch.arange(16 * step, 16 * (step + 1)) % len(x)]  # a few images at a time, all in turn
            answers = asked(
                torch.cat([stamp(part, *one) for one in zip(mask.sigmoid(), pattern.sigmoid(), strict=True)])
            )
            flipped = 0.8 * flipped + 0.2 * (answers.argmax(1) == wanted).float().view(classes, -1).mean(1)
            if step >= steps // 4:  # before, no pair works yet
                prices = prices * torch.where(flipped >= flips, 1.05, 0.9)
            loss = F.cross_entropy(answers, wanted, reduction="sum") / len(part)
            loss = loss + (prices * mask.sigmoid().flatten(1).sum(1)).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return mask.detach().sigmoid(), pattern.detach().sigmoid()


def stamp(x: Tensor, mask: Tensor, pattern: Tensor) -> Tensor:
    """The images (N, C, H, W) with the pattern where the mask (1, H, W) is 1, and as they were where it is 0."""
    return (1 - mask) * x + mask * pattern


def anomaly(sizes: Tensor) -> float:
    """How far the smallest of some sizes (C,) lies below their median, in units of their usual distance from it.

    The unit is the median absolute deviation times 1.4826, which is the standard deviation of normal numbers. Wang et
    al. 2019 raise an alarm at 2. Of ten normal sizes the smallest is often further away than that.
    """
    median = sizes.double().quantile(0.5)
    return float((median - sizes.min()) / (1.4826 * (sizes - median).abs().quantile(0.5)))


# What differential privacy promises.


def group_bound(p: float, changes: int, privacy_eps: float, privacy_delta: float) -> float:
    """A bound on what `changes` examples more or less can make of an outcome of probability p.

    Group privacy (Dwork & Roth 2014, theorem 2.2): for a training that is (privacy_eps, privacy_delta)-private for one
    example added or taken away, each change turns p into exp(eps) p + delta at most; this is k such steps. A replaced
    example is two changes: one taken away, one added. The bound need not be reached, and a bound of 1 says nothing.
    """
    growth = min(changes * privacy_eps, 700)  # exp of more would overflow, and is more than enough
    often = math.expm1(growth) / math.expm1(privacy_eps) if privacy_eps else changes
    return min(1.0, math.exp(growth) * p + often * privacy_delta)


def poison_bound(p: float, replaced: int, eps_of: Callable[[float], float]) -> float:
    """The best of the `group_bound`s for so many replaced examples, over values of delta.

    A training has an epsilon for every delta, and all of these hold at once. One poison does best with a small delta,
    several with a larger one.

    eps_of  delta -> epsilon, as `privacy.privacy_eps` knows it
    """
    deltas = [10 ** (-k / 4) for k in range(6, 37)]  # from 0.03 down to 1e-9
    return min(group_bound(p, 2 * replaced, eps_of(delta), delta) for delta in deltas)


# A vote of many small training sets.


def parts_of(n: int, parts: int) -> Tensor:
    """To which of `parts` disjoint parts each of n examples belongs, (n,) int64: by its place, whatever it shows."""
    return torch.arange(n) % parts


def certified_votes(votes: Tensor) -> tuple[Tensor, Tensor]:
    """What classifiers trained on disjoint parts of a set vote, and how many spoiled parts cannot change that.

    Levine & Feizi 2021 (arXiv:2006.14768), deep partition aggregation. A part with a poison may vote as the attacker
    likes: each takes a vote from the first class and may give it to another. A tie goes to the smaller class.

    votes    (N, C) int64: how many parts vote for each class
    Returns  the classes (N,) int64 and the numbers of parts (N,) int64, both exact: one part more can change the vote,
             if the attacker may pick which parts
    """
    classes = torch.arange(votes.shape[1], device=votes.device)
    best = (votes * len(classes) - classes).argmax(1)  # no two are alike
    ahead = votes.gather(1, best[:, None]) - votes - (classes < best[:, None]).long()  # 2k of these: k can be afforded
    ahead[classes == best[:, None]] = 2 * votes.sum()  # it is no rival of its own
    return best, ahead.amin(1) // 2
