"""Randomized smoothing: the answer that wins under Gaussian noise, and how far it is certain. Built in lesson 07."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray
from scipy import special
from torch import Tensor, nn

from utils.arguments import number, probability, whole
from utils.asking import Asked, AsLogits
from utils.attacks import pgd
from utils.attacks.parts import check_labels
from utils.guard import check_input, lent

FARTHEST = 8  # radius / sigma, from where on a float64 holds Φ for 1
ROUNDING = 1e-12  # bounds and radii are rounded down by this share: a hundred times what SciPy's functions are off by
GIVE_UP = 20  # the wealth of the opposite bet at which `decide` stops trying


class Certificates(NamedTuple):
    """What `certify` returns, a row for each of N images; -1 and radius 0 where it abstains.

    label   the class that the smoothed classifier answers, (N,) int64
    radius  in L2: no image nearer than this gets another answer, (N,) float64
    p_low   a lower bound on the class's share of all noisy copies, (N,) float64
    counts  the votes of the n estimation draws, (N, classes) int64
    """

    label: Tensor
    radius: Tensor
    p_low: Tensor
    counts: Tensor


class Decisions(NamedTuple):
    """What `decide` returns, a row for each of N images.

    label      the class in question, (N,) int64
    certified  whether the answer is certain to be this class at the radius, (N,) bool
    samples    noisy copies that the decision took, those of the selection included, (N,) int64
    """

    label: Tensor
    certified: Tensor
    samples: Tensor


# Votes.


class Given(NamedTuple):
    """The arguments of a certificate, once they have been looked at: plain numbers, x in [0, 1] and y as int64."""

    x: Tensor
    y: Tensor | None
    sigma: float
    failure_prob: float
    counts: tuple[int, ...]
    seed: int


def check(
    model: nn.Module,
    x: Tensor,
    y: Tensor | None = None,
    *,
    sigma: float,
    failure_prob: float,
    seed: int,
    **counts: int,
) -> Given:
    """Return the arguments as they are to be used, or raise a sentence that names the one at fault."""
    sigma, failure_prob = check_sigma(sigma), probability("failure_prob", failure_prob)
    counts = tuple(whole(name, count) for name, count in counts.items())
    labels = torch.zeros(x.shape[:1] if isinstance(x, Tensor) else 0, dtype=torch.int64) if y is None else y
    x, labels, _ = check_input(model, x, labels, eps=0.0, norm="l2")
    return Given(x, None if y is None else labels, sigma, failure_prob, counts, whole("seed", seed, None))


def check_sigma(sigma: float) -> float:
    return number("sigma", sigma, "be a number > 0 and finite", lambda v: 0 < v < math.inf)


def votes(model: Asked, x: Tensor, *, sigma: float, n: int) -> Tensor:
    """How often each class wins on `n` noisy copies of each image, (N, classes) int64; draws torch's global numbers.

    A copy that the model answers NaN to is a vote for nobody. The copies of all images form one row that is cut into
    full batches, and nothing waits for the device in between.
    """
    size = 250 if x.device.type == "cpu" else max(2**22 // max(x[0].numel(), 1), 1)  # caches; a GPU to be filled
    total, counts = len(x) * n, torch.zeros(0, dtype=torch.int64, device=x.device)
    noise, batch = (torch.empty(min(size, total), *x.shape[1:], dtype=x.dtype, device=x.device) for _ in range(2))
    for start in range(0, total, size):
        image = torch.arange(start, min(start + size, total), device=x.device) // n  # whose copy each row is
        noise, batch = noise[: len(image)], batch[: len(image)]
        torch.index_select(x, 0, image, out=batch)
        best, answer = model(batch.add_(noise.normal_(), alpha=sigma), note=False).max(1)
        if not start:
            counts = torch.zeros(len(x) * model.classes, dtype=torch.int64, device=x.device)
        counts.scatter_add_(0, image * model.classes + answer, (best == best).long())
    model.lost["inputs"] += total
    model.lost["answers"] += (lost := total - int(counts.sum()))
    if total and lost == total:
        raise ValueError("model returns NaN for every noisy copy: its votes would mean nothing")
    return counts.view(len(x), -1) if total else counts.view(0, model(x).shape[1])


# Certificates.


def clopper_pearson_below(k: ndarray, n: ndarray | int, failure_prob: float) -> ndarray:
    """A lower bound on a share of which a sample of n shows k: too high with probability at most failure_prob.

    Clopper & Pearson 1934, one-sided and exact: were the share any lower, k or more would be rarer than failure_prob.
    """
    return np.nan_to_num(special.betaincinv(k, n - k + 1.0, failure_prob))  # 0 where k = 0


def certify(
    model: nn.Module,
    x: Tensor,
    *,
    sigma: float,
    n0: int = 100,
    n: int = 1000,
    failure_prob: float = 0.001,
    seed: int = 0,
) -> Certificates:
    """The smoothed classifier's answers and the L2 radii within which they cannot change.

    Cohen et al. 2019 (arXiv:1902.02918), CERTIFY. Built in lesson 07. With probability at least 1 - failure_prob, for
    each image on its own: every image nearer than `radius` gets the answer `label` from the smoothed classifier, which
    answers whatever the model says most often under noise. Any model will do; what is certified is the smoothed one.

    Bounds and radii are rounded down (`ROUNDING`). What stays is that noise and sums are float32 numbers: a model made
    to abuse that can be certified falsely (Voráček & Hein 2023, arXiv:2207.07209). And each vote must be drawn: noise
    inside an exported graph may repeat. Equal counts from two seeds for unsure images give that away.

    x             images (N, ...) in [0, 1]
    sigma         standard deviation of the noise, on the scale of x
    n0, n         noisy copies to choose the class, and other ones to count its votes; passes for an image: n0 + n
    failure_prob  how often a certificate may be wrong

    Raises ValueError or TypeError that names the argument at fault.
    """
    x, _, sigma, failure_prob, (n0, n), seed = check(
        model, x, sigma=sigma, failure_prob=failure_prob, seed=seed, n0=n0, n=n
    )
    with lent(model, seed=seed, device=x.device) as asked, torch.no_grad():
        chosen = votes(asked, x, sigma=sigma, n=n0).argmax(1)
        counts = votes(asked, x, sigma=sigma, n=n)
    return certificates(chosen, counts, sigma=sigma, failure_prob=failure_prob, n=n)


def certificates(
    chosen: Tensor, counts: Tensor, *, sigma: float, failure_prob: float, n: int | None = None
) -> Certificates:
    """What the votes `counts` (N, classes) certify of the classes `chosen` (N,), which other votes have chosen.

    n  copies of each image that were asked about, also those without an answer; None: all have voted
    """
    k, n = counts.gather(1, chosen[:, None])[:, 0].cpu().numpy(), counts.sum(1).cpu().numpy() if n is None else n
    p_low = (1 - ROUNDING) * clopper_pearson_below(k, n, failure_prob)
    radius = (1 - ROUNDING) * np.where(p_low > 0.5, sigma * special.ndtri(p_low), 0.0)
    if counts.device.type == "mps":  # Apple's GPUs have no float64
        p_low, radius = (np.nextafter(a.astype(np.float32), np.float32(0)) for a in (p_low, radius))
    p_low, radius = (torch.from_numpy(a).to(counts.device) for a in (p_low, radius))
    return Certificates(torch.where(p_low > 0.5, chosen, -1), radius, p_low, counts)


def majority(
    model: nn.Module, x: Tensor, *, sigma: float, n: int = 100, failure_prob: float = 0.001, seed: int = 0
) -> Tensor:
    """The smoothed classifier's answer to each image, (N,) int64; -1 where n votes cannot tell the first two apart.

    Cohen et al. 2019, PREDICT: wrong about the answer with probability at most failure_prob. Built in lesson 07.
    """
    x, _, sigma, failure_prob, (n,), seed = check(model, x, sigma=sigma, failure_prob=failure_prob, seed=seed, n=n)
    with lent(model, seed=seed, device=x.device) as asked, torch.no_grad():
        counts = votes(asked, x, sigma=sigma, n=n)
    first, second = counts.topk(2).values.cpu().numpy().T
    clear = 2 * special.bdtr(second, first + second, 0.5) <= failure_prob  # a fair coin would hardly do this
    return torch.where(torch.from_numpy(clear).to(x.device), counts.argmax(1), -1)


# Decisions.


def log_wealth(k: ndarray, n: int, p0: float) -> ndarray:
    """The logarithm of what 1 has become after k hits in n bets that a hit is more likely than p0.

    A bet on p > p0 multiplies the wealth by p / p0 at a hit and by (1 - p) / (1 - p0) at a miss; this is the mean
    over all p in (p0, 1) (Robbins 1970). If no hit is more likely than p0, the chance that the wealth ever reaches
    1 / failure_prob is at most failure_prob, however often one looks (Ville 1939).
    """
    with np.errstate(divide="ignore"):  # a share far below p0 has lost all
        mean = special.betaln(k + 1, n - k + 1) + np.log(special.betaincc(k + 1, n - k + 1, p0))
    return mean - k * math.log(p0) - (n - k + 1) * math.log(1 - p0)


def decide(
    model: nn.Module,
    x: Tensor,
    y: Tensor | None = None,
    *,
    sigma: float,
    radius: float,
    n0: int = 100,
    n_max: int = 10_000,
    failure_prob: float = 0.001,
    seed: int = 0,
) -> Decisions:
    """Whether each answer is certain within an L2 radius, with no more noisy copies than that takes.

    Built in lesson 07. A sequential test by betting: it looks after every few votes, and stops once it is sure of the
    radius or has little hope of it. An image that is not certain within the radius is called so with probability at
    most failure_prob. One that is can be given up with probability 1 / 20 at most, or after n_max copies.

    y  the class in question, (N,) int64: with the true labels, certified accuracy; None: chosen by n0 other copies

    The rest is as for `certify`.
    """
    radius = number("radius", radius, "be a number >= 0", lambda v: v >= 0)
    x, y, sigma, failure_prob, (n0, n_max), seed = check(
        model, x, y, sigma=sigma, failure_prob=failure_prob, seed=seed, n0=n0, n_max=n_max
    )
    if radius >= FARTHEST * sigma:
        raise ValueError(f"radius must be below {FARTHEST} sigma = {FARTHEST * sigma:g}, got {radius:g}")
    with lent(model, seed=seed, device=x.device) as asked, torch.no_grad():
        label = votes(asked, x, sigma=sigma, n=n0).argmax(1) if y is None else y
        p0, threshold, drawn = float(special.ndtr(radius / sigma)), -math.log(failure_prob), 0
        hits, samples, certified = torch.zeros_like(label), torch.zeros_like(label), torch.zeros_like(label).bool()
        undecided = torch.arange(len(x), device=x.device)
        while len(undecided) and drawn < n_max:
            more = min(max(drawn // 8, 16), n_max - drawn)
            counts = votes(asked, x[undecided], sigma=sigma, n=more)
            if not drawn:
                check_labels(counts, label)
            hits[undecided] += counts.gather(1, label[undecided, None])[:, 0]
            drawn += more
            samples[undecided] = drawn
            k = hits[undecided].cpu().numpy()
            won = log_wealth(k, drawn, p0) >= threshold
            lost = log_wealth(drawn - k, drawn, 1 - p0) >= math.log(GIVE_UP)  # can cost a yes, never give a wrong one
            won, lost = (torch.from_numpy(which).to(x.device) for which in (won, lost))
            certified[undecided[won]] = True
            undecided = undecided[~(won | lost)]
    return Decisions(label, certified, samples + (n0 if y is None else 0))


# Training and attacking.


class Smoothed(nn.Module):
    """The logarithm of a model's mean probabilities over n noisy copies: a soft vote, with a gradient to attack."""

    def __init__(self, model: nn.Module, sigma: float, n: int):
        super().__init__()
        self.model, self.sigma, self.n = model, sigma, n

    def forward(self, x: Tensor) -> Tensor:
        copies = x.repeat(self.n, *[1] * (x.dim() - 1))
        logits = self.model(copies + self.sigma * torch.randn_like(copies))
        shares = logits.log_softmax(1).unflatten(0, (self.n, len(x)))
        return shares.logsumexp(0) - math.log(self.n)


def smoothed(model: nn.Module, sigma: float, n: int = 16) -> Smoothed:
    """The model that an attack on the smoothed classifier climbs, from inputs (N, ...) to log-probabilities.

    Salman et al. 2019 (arXiv:1906.04584), eq. 6. It draws n copies anew at each call, from torch's global numbers.
    Give the attack `early_stop=False`, or it ends at the first lucky draw. Judge what it finds by `majority`.
    """
    return Smoothed(AsLogits(model), check_sigma(sigma), n)


def noisy(sigma: float) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """A transform for `fit` that adds noise to each batch, the training of Cohen et al. 2019."""
    check_sigma(sigma)
    return lambda model, x, y: x + sigma * torch.randn_like(x)


def smooth_adv(
    sigma: float, eps: float, steps: int = 2, draws: int = 1
) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """A transform for `fit`: attack the smoothed classifier within eps in L2, then add noise. Salman et al. 2019."""
    check_sigma(sigma)

    def transform(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        seed = int(torch.randint(2**31, ()))  # attacks have their own random numbers
        climb = {"norm": "l2", "steps": steps, "start": False, "early_stop": False, "seed": seed}
        x_adv = pgd(smoothed(model, sigma, draws), x, y, eps=eps, **climb)
        return x_adv + sigma * torch.randn_like(x)

    return transform
