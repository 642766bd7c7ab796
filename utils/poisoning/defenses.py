"""Filters for a training set that may be poisoned, pruning of a model that was, and the bound of differential privacy.

A filter gives each example a score or a mark, from what a defender has: the examples as they came, and a model.
Built in lesson 10.
"""

import math
from copy import deepcopy

import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from torch import Tensor, nn
from torch.nn import functional as F

from utils.evaluation import accuracy
from utils.guard import lent
from utils.models import logits
from utils.training import fit

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


def small_clusters(features: Tensor, y: Tensor, share: float = 0.35) -> Tensor:
    """Which examples lie in the smaller of two clusters of their class, if it holds at most `share` of it, (N,) bool.

    Chen et al. 2018 (arXiv:1811.03728), activation clustering: the ten main directions of a class's features (N, d),
    then 2-means.
    """
    marked = torch.zeros(len(y), dtype=torch.bool)
    for label in y.unique():
        own = features[y == label].cpu().numpy()
        main = PCA(min(10, *own.shape), random_state=0).fit_transform(own)
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


def fine_prune(
    model: nn.Sequential, layer: int, trusted: tuple[Tensor, Tensor], fall: float = 0.04, **how
) -> nn.Sequential:
    """Prune what sleeps on trusted data, then train on these: a repaired copy of the model.

    Liu et al. 2018 (arXiv:1805.12185). Units of `model[layer]` go in the order of their activity, the least first, for
    as long as the accuracy on the trusted examples (x, y) falls by no more than `fall`. `how` is for `fit`.
    """
    order, least = activity(model, layer, trusted[0]).argsort(), float(accuracy(model, trusted)) - fall
    count = 0
    while count < len(order) - 1 and accuracy(prune(model, layer, order[: count + 1]), trusted) >= least:
        count += 1
    return fit(prune(model, layer, order[:count]), trusted, **how)


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
