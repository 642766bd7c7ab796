"""Two samples: does what arrives now come from where the reference came from? Each test returns a statistic and a p.

A p-value is the chance of a statistic this large or larger without any drift. Rows are examples, columns are features.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from utils.models import predict
from utils.training import fit


class Test(NamedTuple):
    """statistic and p: (features,) for a test of each feature, () for a test of all at once. float64."""

    __test__ = False  # pytest: not one of yours

    statistic: Tensor
    p: Tensor


def check_samples(reference: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
    """Both samples in float64. Raises ValueError that says what is wrong with them."""
    for name, sample in (("reference", reference), ("now", now)):
        if sample.dim() != 2 or len(sample) < 2:
            raise ValueError(
                f"{name} must be (examples, features) with two examples at least, got {tuple(sample.shape)}"
            )
        if not sample.isfinite().all():
            raise ValueError(f"{name} holds NaN or infinity: count these first, they are a fault of the pipeline")
    if reference.shape[1] != now.shape[1]:
        raise ValueError(f"reference has {reference.shape[1]} features, and now has {now.shape[1]}")
    return reference.detach().double(), now.detach().double()


def ks(reference: Tensor, now: Tensor) -> Test:
    """Kolmogorov-Smirnov, feature by feature: the largest gap between the two cumulative shares.

    Built in lesson 12. p as in scipy's `ks_2samp(..., method="asymp")`.
    """
    a, b = check_samples(reference, now)
    n, m = len(a), len(b)
    values, order = torch.cat([a, b]).sort(dim=0)
    gap = torch.where(order < n, 1 / n, -1 / m).double().cumsum(0)
    last = torch.ones_like(gap, dtype=torch.bool)
    last[:-1] = values[1:] != values[:-1]  # among equal values, look only after the last
    statistic = (gap.abs() * last).amax(0)
    return Test(statistic, torch.from_numpy(stats.kstwo.sf(statistic.cpu().numpy(), round(n * m / (n + m)))))


def shares(sample: Tensor, edges: Tensor) -> Tensor:
    """The share of a sample in each bin, (bins, features), with half an example added to each so that none is 0.

    edges  (bins - 1, features), rising; a value that equals an edge lies below it
    """
    bins = len(edges) + 1
    place = (sample[:, None] > edges).sum(1)  # (N, features)
    counts = torch.stack([(place == k).sum(0) for k in range(bins)]).double()
    return (counts + 0.5) / (len(sample) + 0.5 * bins)


def psi(reference: Tensor, now: Tensor, bins: int = 10) -> Test:
    """Population stability index, feature by feature, in bins that hold equal shares of the *reference*.

    Built in lesson 12. Without drift it is about (1/n + 1/m) times a chi-square with bins - 1 degrees of freedom, from
    which p follows (Yurdakul 2018): the customary limits of 0.1 and 0.25 leave the sizes of the samples out. Features
    with few different values make p too large or too small: count them by `chi_square`.
    """
    a, b = check_samples(reference, now)
    edges = a.quantile(torch.linspace(0, 1, bins + 1, dtype=torch.float64, device=a.device)[1:-1], dim=0)
    p, q = shares(a, edges), shares(b, edges)
    statistic = ((q - p) * (q / p).log()).sum(0)
    scaled = statistic / (1 / len(a) + 1 / len(b))
    return Test(statistic, torch.from_numpy(stats.chi2.sf(scaled.cpu().numpy(), bins - 1)))


def chi_square(reference: Tensor, now: Tensor) -> Test:
    """Pearson's chi-square for one feature of categories: int64 (n,) and (m,), numbered from 0.

    Built in lesson 12. Equal to scipy's `chi2_contingency(..., correction=False)`. Categories that occur in neither
    sample do not count.
    """
    if reference.dim() != 1 or now.dim() != 1 or reference.is_floating_point() or now.is_floating_point():
        raise ValueError("chi_square takes whole numbers, (n,) and (m,): one category for each example")
    if not len(reference) or not len(now) or min(reference.min(), now.min()) < 0:
        raise ValueError("chi_square needs categories numbered from 0, and an example at least in both samples")
    k = int(max(reference.max(), now.max())) + 1
    table = torch.stack([sample.bincount(minlength=k) for sample in (reference, now)]).double()
    table = table[:, table.sum(0) > 0]
    expected = table.sum(1, keepdim=True) * table.sum(0) / table.sum()
    statistic = ((table - expected) ** 2 / expected).sum()
    return Test(
        statistic, torch.tensor(stats.chi2.sf(float(statistic), table.shape[1] - 1) if table.shape[1] > 1 else 1.0)
    )


def kernel(x: Tensor) -> Tensor:
    """Gaussian kernel between all rows of x, (N, N), as wide as the median distance. float64."""
    squared = torch.cdist(x, x) ** 2
    away = torch.ones_like(squared, dtype=torch.bool).fill_diagonal_(False)
    return (-squared / squared[away].median().clamp_min(1e-12)).exp()


def mmd(reference: Tensor, now: Tensor, *, permutations: int = 1000, seed: int = 0) -> Test:
    """Maximum mean discrepancy of all features at once: are rows nearer to their own sample than to the other?

    Built in lesson 12. The unbiased estimate of MMD^2 (Gretton et al. 2012, eq. 3). p from permutations of the pooled
    rows, (1 + those at least as large) / (1 + permutations): never 0, and exact for any sizes. All permutations are one
    matrix product, because each sum of kernel values within a group is z' K z for a vector z of zeros and ones.
    """
    a, b = check_samples(reference, now)
    n, m = len(a), len(b)
    k = kernel(torch.cat([a, b])).fill_diagonal_(0)
    z = np.zeros((permutations + 1, n + m))
    z[:, :n] = 1  # as it is
    np.random.default_rng(seed).permuted(z[1:], axis=1, out=z[1:])
    z = torch.from_numpy(z).to(k.device)
    product = z @ k
    within_a, from_a = (product * z).sum(1), product.sum(1)
    across = from_a - within_a
    within_b = k.sum() - within_a - 2 * across
    values = within_a / (n * (n - 1)) + within_b / (m * (m - 1)) - 2 * across / (n * m)
    return Test(values[0], p_of(values[0], values[1:]))


def p_of(value: Tensor, without_drift: Tensor) -> Tensor:
    """The p-value of `value` among values drawn without drift, float64: (1 + those at least as large) / (1 + all)."""
    as_large = (without_drift >= value - 1e-12 * value.abs()).sum()
    return (1 + as_large).double() / (1 + len(without_drift))


def classifier_test(reference: Tensor, now: Tensor, *, seed: int = 0, updates: int = 200) -> Test:
    """Can a classifier tell the two samples apart? Its accuracy on a half that it has not seen, and a binomial p.

    Built in lesson 12. Lopez-Paz & Oquab 2017 (arXiv:1610.06545). The larger sample is cut to the size of the smaller,
    so that guessing gives one half.
    """
    a, b = check_samples(reference, now)
    n = min(len(a), len(b))
    random = torch.Generator().manual_seed(seed)
    a, b = (sample[torch.randperm(len(sample), generator=random)[:n].to(sample.device)].float() for sample in (a, b))
    x, y = torch.cat([a, b]), torch.arange(2, device=a.device).repeat_interleave(n)
    order = torch.randperm(2 * n, generator=random).to(x.device)
    seen, unseen = order[:n], order[n:]
    mean, std = x[seen].mean(0), x[seen].std(0).clamp_min(1e-6)
    x = (x - mean) / std
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(x.shape[1], 32), nn.ReLU(), nn.Linear(32, 2)).to(x.device)
        fit(model, (x[seen], y[seen]), updates=updates, batch_size=64, lr=1e-2)
    right = int((predict(model, x[unseen]) == y[unseen]).sum())
    statistic = torch.tensor(right / n, dtype=torch.float64)
    return Test(statistic, torch.tensor(float(stats.binom.sf(right - 1, n, 0.5)), dtype=torch.float64))


def holm(p: Tensor) -> Tensor:
    """p-values of many tests, adjusted: the chance of any false alarm among them is at most the level.

    Built in lesson 12. Holm 1979: the smallest times their number, the next times one less, and so on; never falling.
    """
    ordered, order = p.flatten().double().sort()
    factors = torch.arange(len(ordered), 0, -1, dtype=torch.float64, device=p.device)
    adjusted = (ordered * factors).cummax(0).values.clamp_max(1)
    return torch.empty_like(adjusted).scatter_(0, order, adjusted).reshape(p.shape)


def sample_size(shift: float, *, level: float = 0.05, power: float = 0.8) -> int:
    """How many examples each sample needs, for a two-sided test of means to see a shift of `shift` deviations."""
    if not (shift and 0 < level < 1 and 0 < power < 1):
        raise ValueError("sample_size needs a shift that is not 0, and level and power between 0 and 1")
    return math.ceil(2 * ((stats.norm.isf(level / 2) + stats.norm.ppf(power)) / shift) ** 2)
