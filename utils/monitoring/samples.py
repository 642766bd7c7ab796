"""Two samples: does what arrives now come from where the reference came from? Each test returns a statistic and a p.

A p-value is the chance of a statistic this large or larger without any drift. Rows are examples, columns are features;
tensors or arrays of numbers, or one column alone, (n,). Which test for which column: `ks` where most values differ,
`psi` where many are equal (zeros, say), `chi_square` for categories, yes and no among them. None of them takes missing
values for something else: count those first (`columns`).
"""

import math
import numbers
from typing import NamedTuple

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from utils.arguments import array_of, number_in, whole
from utils.models import predict
from utils.training import fit

Sample = Tensor | np.ndarray
WHOLE = 2**53  # from here on float64 leaves out whole numbers


class Test(NamedTuple):
    """statistic and p: (features,) for a test of each feature, () for a test of all at once. float64."""

    __test__ = False  # pytest: not one of yours

    statistic: Tensor
    p: Tensor


def check_samples(reference: Sample, now: Sample) -> tuple[Tensor, Tensor]:
    """Both samples in float64, (n, features) and (m, features). Raises ValueError that says what is wrong with them.

    Values are compared as precisely as the coarser of the two types holds them: a price of 0.1 in float32 and in
    float64 is the same price.
    """
    a, b = sample_of("reference", reference), sample_of("now", now)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"reference has {a.shape[1]} features, and now has {b.shape[1]}")
    if a.is_floating_point() or b.is_floating_point():
        return as_precise(a, b)
    if max(-int(a.min()), int(a.max()), -int(b.min()), int(b.max())) > WHOLE:
        least, most = torch.minimum(a.amin(0), b.amin(0)), torch.maximum(a.amax(0), b.amax(0))
        if (most.double() - least.double() > WHOLE).any():
            raise ValueError("whole numbers that lie more than 2^53 apart are names, not amounts: use chi_square")
        a, b = a - least, b - least
    return a.double(), b.double()


def as_precise(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both in float64, rounded to the coarser of their types; not those that lie beyond its largest number."""
    kinds = [s.dtype for s in (a, b) if s.is_floating_point()]
    coarsest = max(kinds, key=lambda kind: torch.finfo(kind).eps, default=torch.float64)
    rounded = [s.to(coarsest).double() for s in (a, b)]
    return tuple(r.where(r.isfinite(), s.double()) for r, s in zip(rounded, (a, b), strict=True))


def sample_of(name: str, sample: Sample) -> Tensor:
    """A sample of numbers as a tensor, (examples, features). Times are seconds."""
    if not isinstance(sample, Tensor):
        values = array_of(sample)
        if values.dtype.kind not in "buif" or (values.dtype == np.uint64 and values.size and values.max() >= 2**63):
            raise ValueError(f"{name} must hold numbers, got {values.dtype}: chi_square takes categories")
        sample = torch.from_numpy(values.astype(np.int64) if values.dtype.kind in "ui" else values)
    if sample.dim() == 1:
        sample = sample[:, None]
    if sample.dim() != 2 or len(sample) < 2 or not sample.shape[1]:
        raise ValueError(f"{name} must be (examples, features) with two examples at least, got {tuple(sample.shape)}")
    if sample.is_complex():
        raise ValueError(f"{name} must hold real numbers, got {sample.dtype}")
    if sample.is_floating_point():
        if odd := int((~sample.isfinite()).sum()):
            raise ValueError(
                f"{name} holds NaN or infinity, {odd} of {sample.numel()} values: count these first (`columns`), they "
                "are a fault of the pipeline"
            )
        return sample.detach()
    return sample.long()


def ks(reference: Sample, now: Sample) -> Test:
    """Kolmogorov-Smirnov, feature by feature: the largest gap between the two cumulative shares.

    Built in lesson 12. p as in scipy's `ks_2samp(..., method="asymp")`. Where many values are equal p is too large, the
    test misses what others see: at pixels that are 0 in 80 % of images it falls below 0.05 in 0.1 % of looks without
    drift, and on yes and no it sees half of what `chi_square` sees, or less. There use `psi` or `chi_square`.
    """
    a, b = check_samples(reference, now)
    n, m = len(a), len(b)
    values, order = torch.cat([a, b]).sort(dim=0)
    gap = torch.where(order < n, m, -n).cumsum(0)  # in whole numbers, times n m
    last = torch.ones_like(gap, dtype=torch.bool)
    last[:-1] = values[1:] != values[:-1]  # among equal values, look only after the last
    statistic = (gap.abs() * last).amax(0).double() / (n * m)
    gaps, which = statistic.cpu().unique(return_inverse=True)  # p takes long, and many features have the same gap
    return Test(statistic, torch.from_numpy(stats.kstwo.sf(gaps.numpy(), round(n * m / (n + m))))[which])


def quantile_edges(sample: Tensor, bins: int) -> Tensor:
    """Edges of bins that hold equal shares of a sample (n, features): rising, (2 bins - 2, features), some twice.

    A value lies below the edge that it equals. A single value that fills half a bin has one to itself: an edge just
    below it as well, or what moves to its other side would stay in the bin.
    """
    ordered = sample.sort(0).values
    place = torch.linspace(0, 1, bins + 1, dtype=torch.float64, device=sample.device)[1:-1] * (len(sample) - 1)
    below = place.long()
    edges = ordered[below].lerp(ordered[(below + 1).clamp_max(len(sample) - 1)], (place - below)[:, None])
    columns, wanted = ordered.T.contiguous(), edges.T.contiguous()
    equal = torch.searchsorted(columns, wanted, right=True) - torch.searchsorted(columns, wanted)
    before = torch.nextafter(edges, torch.full_like(edges, -math.inf))
    return torch.cat([edges.where(equal.T < max(len(sample) / (2 * bins), 2), before), edges]).sort(0).values


def counts_in(sample: Tensor, edges: Tensor) -> Tensor:
    """How many of a sample lie in each bin, (edges + 1, features) float64."""
    place = torch.searchsorted(edges.T.contiguous(), sample.T.contiguous())  # (features, n)
    counts = torch.zeros(len(place), len(edges) + 1, dtype=torch.float64, device=place.device)
    return counts.scatter_add_(1, place, torch.ones_like(place, dtype=torch.float64)).T


def psi(reference: Sample, now: Sample, bins: int = 10) -> Test:
    """Population stability index, feature by feature, in bins that hold equal shares of the *reference*.

    Built in lesson 12. Without drift it is about (1/n + 1/m) times a chi-square with one degree of freedom fewer than
    there are bins with an example in them, from which p follows (Yurdakul 2018): the customary limits of 0.1 and 0.25
    leave the sizes of the samples out. Each share has half an example added, so that none is 0. A value that many
    examples share (0, say) has a bin of its own; other changes within a bin are not seen.

    bins  at least 2; more than a fifth of the smaller sample makes p too large or too small
    """
    a, b = check_samples(reference, now)
    bins = whole("bins", bins, 2)
    edges = quantile_edges(a, bins)
    before, after = counts_in(a, edges), counts_in(b, edges)
    filled = (before + after) > 0
    p, q = (torch.where(filled, c + 0.5, 1) / (c.sum(0) + 0.5 * filled.sum(0)) for c in (before, after))
    statistic = torch.where(filled, (q - p) * (q / p).log(), 0).sum(0)
    scaled = statistic / (1 / len(a) + 1 / len(b))
    freedom = (filled.sum(0) - 1).clamp_min(1)  # in one bin alone the statistic is 0, and p is 1
    return Test(statistic, torch.from_numpy(stats.chi2.sf(scaled.cpu().numpy(), freedom.cpu().numpy())))


def chi_square(reference: Sample, now: Sample) -> Test:
    """Pearson's chi-square for one feature of categories, (n,) and (m,): whole numbers, texts, or True and False.

    Built in lesson 12. Equal to scipy's `chi2_contingency(..., correction=False)`. Only categories that occur count,
    new ones too: one that the reference lacks is expected there as often as in both together. In an array of objects
    None is a category like others, and 1.0 is the number 1. p is near enough where most categories have five examples
    or more, and far too small of rare ones, which `columns` counts.
    """
    values = [categories_of("reference", reference), categories_of("now", now)]
    if {kind_of(v) for v in values} >= {"texts", "numbers"}:
        raise ValueError(f"reference holds {values[0].dtype}, and now holds {values[1].dtype}: not the same categories")
    if values[0].dtype.kind != values[1].dtype.kind or values[0].dtype.kind == "O":  # both sides get the same names
        values = [np.array([one_name(one) for one in v.tolist()]) for v in values]
    names, which = np.unique(np.concatenate(values), return_inverse=True)
    parts = np.split(which, [len(values[0])])
    table = torch.from_numpy(np.stack([np.bincount(part, minlength=len(names)) for part in parts])).double()
    expected = table.sum(1, keepdim=True) * table.sum(0) / table.sum()
    statistic = ((table - expected) ** 2 / expected).sum()
    p = float(stats.chi2.sf(float(statistic), len(names) - 1)) if len(names) > 1 else 1.0
    return Test(statistic, torch.tensor(p, dtype=torch.float64))


def categories_of(name: str, sample: Sample) -> np.ndarray:
    """A sample of categories as an array (n,) of whole numbers, of texts, or of objects if it holds others too."""
    values = sample.detach().cpu().numpy() if isinstance(sample, Tensor) else np.asarray(sample)
    if values.dtype.kind == "O" and all(map(is_whole, values.flat)):
        values = np.array([int(value) for value in values.flat]).reshape(values.shape)
    if values.dtype.kind == "T":
        values = np.array([str(value) for value in values])
    if values.ndim != 1 or values.dtype.kind not in "iubUO" or not len(values):
        raise ValueError(
            f"chi_square takes whole numbers or texts, (n,) and (m,), one category for each example and an example at "
            f"least: {name} is {values.dtype} {values.shape}"
        )
    fits = values.dtype.kind in "ib" or (values.dtype.kind == "u" and values.max() < 2**63)
    return values.astype(np.int64) if fits else values


def is_whole(value) -> bool:
    if isinstance(value, numbers.Integral | np.bool_):
        return True
    return isinstance(value, numbers.Real) and float(value).is_integer()


def one_name(category) -> str:
    """A category as a text; 1, 1.0 and True are one."""
    return str(int(category) if is_whole(category) else category)


def kind_of(categories: np.ndarray) -> str:
    """Whether these are texts or numbers; nothing, if all are missing or of other kinds."""
    if categories.dtype.kind != "O":
        return "texts" if categories.dtype.kind == "U" else "numbers"
    if any(isinstance(one, str) for one in categories):
        return "texts"
    return "numbers" if any(isinstance(one, numbers.Real) and one == one for one in categories) else ""


def squared_distances(x: Tensor) -> Tensor:
    """Between all rows of x (float64), (N, N). From their mean, for far from 0 they would be rounding."""
    centred = x - x.mean(0)
    if not (4 * centred.square().sum()).isfinite():
        raise ValueError("the samples hold numbers too large to square: scale them first")
    return torch.cdist(centred, centred) ** 2


def width_of(squared: Tensor) -> Tensor:
    """The median of the squared distances between different rows; of those above 0, if more than half are equal."""
    away = torch.ones_like(squared, dtype=torch.bool).fill_diagonal_(False)
    width = squared[away].median()
    if not width:
        width = squared[squared > 0].median() if squared.any() else squared.new_ones(())
    return width


def kernel(x: Tensor, width: Tensor | None = None) -> Tensor:
    """Gaussian kernel between all rows of x (float64), (N, N), as wide as the median distance. float64."""
    squared = squared_distances(x)
    return (-squared / (width_of(squared) if width is None else width)).exp()


TOGETHER = 2000  # rows of both samples, up to which all are compared with all
MOST = 20_000  # rows of a sample


def mmd(reference: Sample, now: Sample, *, permutations: int = 1000, seed: int = 0) -> Test:
    """Maximum mean discrepancy of all features at once: are rows nearer to their own sample than to the other?

    Built in lesson 12. The unbiased estimate of MMD^2 (Gretton et al. 2012, eq. 3). p from permutations of the pooled
    rows, (1 + those at least as large) / (1 + permutations): never 0, and exact for any sizes. All permutations are one
    matrix product, because each sum of kernel values within a group is z' K z for a vector z of zeros and ones.

    Scale the features first, to a deviation of 1 each, say: distances are made by the largest, and hide the others.

    More than TOGETHER rows are compared in blocks of that size, and K is the mean of the blocks' kernels (Zaremba et
    al. 2013, arXiv:1307.1954): p stays exact, a small drift shows later than with all pairs. Of a sample with more than
    MOST rows, or with many more than the other, some are left out at random.
    """
    a, b = check_samples(reference, now)
    permutations = whole("permutations", permutations)
    random, blocks = np.random.default_rng(seed), 1
    if len(a) + len(b) > TOGETHER:
        a, b = (s[torch.from_numpy(random.permutation(len(s))[:MOST]).to(s.device)] for s in (a, b))
        blocks = min(-(-(len(a) + len(b)) // TOGETHER), len(a) // 2, len(b) // 2)
    n, m = (min(len(s) // blocks, TOGETHER) for s in (a, b))
    rows = [torch.cat([a[i * n : (i + 1) * n], b[i * m : (i + 1) * m]]) for i in range(blocks)]
    width = width_of(squared_distances(rows[0]))
    k = (sum(kernel(block, width) for block in rows) / blocks).fill_diagonal_(0)
    z = np.zeros((permutations + 1, n + m))
    z[:, :n] = 1  # as it is
    random.permuted(z[1:], axis=1, out=z[1:])
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


def classifier_test(reference: Sample, now: Sample, *, seed: int = 0, updates: int = 200) -> Test:
    """Can a classifier tell the two samples apart? Its accuracy on a half that it has not seen, and a binomial p.

    Built in lesson 12. Lopez-Paz & Oquab 2017 (arXiv:1610.06545). The larger sample is cut to the size of the smaller,
    so that guessing gives one half. Features are scaled by what is seen; one that is constant there is left out.
    """
    a, b = check_samples(reference, now)
    updates = whole("updates", updates)
    n = min(len(a), len(b))
    random = torch.Generator().manual_seed(seed)
    a, b = (sample[torch.randperm(len(sample), generator=random)[:n].to(sample.device)] for sample in (a, b))
    x, y = torch.cat([a, b]), torch.arange(2, device=a.device).repeat_interleave(n)
    order = torch.randperm(2 * n, generator=random).to(x.device)
    seen, unseen = order[:n], order[n:]
    x = x - x[seen].mean(0)  # in float64: far from 0, float32 would leave nothing of small differences
    varies = x[seen].amax(0) > x[seen].amin(0)
    x = torch.where(varies, x / x[seen].std(0), 0).float()
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
    p = torch.as_tensor(p)
    if not ((0 <= p) & (p <= 1)).all():
        raise ValueError("p must hold p-values, from 0 to 1: a test without one is left out first")
    ordered, order = p.flatten().double().sort()
    factors = torch.arange(len(ordered), 0, -1, dtype=torch.float64, device=p.device)
    adjusted = (ordered * factors).cummax(0).values.clamp_max(1)
    return torch.empty_like(adjusted).scatter_(0, order, adjusted).reshape(p.shape)


def sample_size(shift: float, *, level: float = 0.05, power: float = 0.8) -> int:
    """How many examples each sample needs, for a two-sided test of means to see a shift of `shift` deviations."""
    shift = number_in("shift", shift)
    level = number_in("level", level, "(0, 1)")
    power = number_in("power", power, f"({level}, 1)", hint="so often the test finds it, and without a shift by level")
    if abs(shift) < 1e-150:  # its square is 0 in float64
        raise ValueError(f"shift must not be 0, or as near as {shift:g}: no number of examples shows that")
    return math.ceil(2 * ((stats.norm.isf(level / 2) + stats.norm.ppf(power)) / shift) ** 2)
