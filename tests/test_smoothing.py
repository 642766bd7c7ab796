"""Randomized smoothing: bounds that are exact, radii that are true, decisions that may stop early."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp
from scipy import integrate, special, stats
from torch import nn

from same_code import definitions
from utils import smoothing
from utils.attacks import pgd
from utils.data import load
from utils.models import small_cnn
from utils.smoothing import certificates, certify, clopper_pearson_below, decide, log_wealth, majority, smoothed
from utils.training import fit

ROOT = Path(__file__).resolve().parents[1]


def below(k, n: int, failure_prob: float) -> np.ndarray:
    return clopper_pearson_below(np.asarray(k), n, failure_prob)


def linear(pixels: int = 16, seed: int = 0) -> tuple[nn.Module, torch.Tensor]:
    """A classifier with a straight boundary through the middle of the cube, and its direction of length 1."""
    torch.manual_seed(seed)
    model = nn.Linear(pixels, 2)
    model.bias.data = -0.5 * model.weight.detach().sum(1)
    w = (model.weight[1] - model.weight[0]).detach()
    return model, w / w.norm()


def at_distance(distance: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    """Points at these distances from the boundary, on the side of class 1."""
    return (0.5 + distance[:, None] * direction).clamp(0, 1)


class Counter(nn.Module):
    """Remembers the inputs that it is given; always sure of class 1."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, x):
        self.seen.append(x.clone())
        return torch.tensor([0.0, 1.0, 0.0]).expand(len(x), 3)


# The bound.


@pytest.mark.parametrize("failure_prob", [0.001, 0.05])
@pytest.mark.parametrize("k, n", [(1, 1), (1, 10), (7, 10), (10, 10), (63, 100), (990, 1000)])
def test_at_the_bound_so_many_votes_have_exactly_the_failure_probability(k, n, failure_prob):
    """One-sided: a two-sided bound would give half of it. The binomial sum is exact but for rounding."""
    p = float(below(k, n, failure_prob))
    tail = math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))
    assert tail == pytest.approx(failure_prob, rel=1e-9)


def test_no_votes_vouch_for_nothing_and_all_votes_for_the_root():
    assert below(0, 10, 0.001) == 0
    assert below(1000, 1000, 0.001) == pytest.approx(0.001 ** (1 / 1000), rel=1e-12)


@pytest.mark.parametrize("p", [0.3, 0.5, 0.9, 0.96])
def test_the_bound_covers_by_exact_probability_and_in_simulation(p):
    """The chance that the bound exceeds the true share, summed over all outcomes, and counted in 100,000 polls."""
    n, failure_prob = 200, 0.05
    wrong = below(np.arange(n + 1), n, failure_prob) > p
    exact = stats.binom.pmf(np.arange(n + 1), n, p)[wrong].sum()
    assert failure_prob / 4 < exact <= failure_prob  # valid, and not by being useless
    polls = np.random.default_rng(0).binomial(n, p, 100_000)
    assert stats.binomtest(int(wrong[polls].sum()), 100_000, exact).pvalue > 1e-3


# Certificates.


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3000), st.floats(0, 1), st.floats(1e-6, 0.2), st.floats(0.01, 3))
def test_a_certificate_grows_with_votes_and_stays_below_what_all_votes_reach(n, share, failure_prob, sigma):
    k = round(share * n)

    def radius(k, n):
        counts = torch.tensor([[k, n - k, 0]])
        return certificates(torch.tensor([0]), counts, sigma=sigma, failure_prob=failure_prob).radius.item()

    most = failure_prob ** (1 / n)
    assert 0 <= radius(k, n) <= (max(sigma * special.ndtri(most), 0) if most > 0.5 else 0) * (1 + 1e-9)
    assert radius(min(k + 1, n), n) >= radius(k, n)  # with its votes
    assert radius(3 * k, 3 * n) >= radius(k, n)  # with n at the same share
    assert radius(k, n) == radius(k, n)


def test_equal_counts_give_the_radii_of_a_reference_computation_to_the_digit():
    """scipy's beta and normal quantiles, one image at a time, as in the authors' code."""
    counts = torch.tensor([[990, 10, 0], [0, 1000, 0], [600, 400, 0], [500, 500, 0], [10, 0, 990]])
    chosen = torch.tensor([0, 1, 0, 0, 0])
    found = certificates(chosen, counts, sigma=0.25, failure_prob=0.001)
    for i, c in enumerate(chosen.tolist()):
        k, n = int(counts[i, c]), int(counts[i].sum())
        p = stats.beta.ppf(0.001, k, n - k + 1)
        assert found.p_low[i] == pytest.approx(p, rel=1e-11) and found.p_low[i] < p
        assert found.radius[i] == pytest.approx(0.25 * stats.norm.ppf(p) if p > 0.5 else 0.0, rel=1e-10)
        assert found.label[i] == (c if p > 0.5 else -1)
    again = certificates(chosen, counts, sigma=0.25, failure_prob=0.001)
    assert torch.equal(found.radius, again.radius)


@pytest.mark.parametrize("down, too_high", [(1.0, True), (1 - smoothing.ROUNDING, False)])
def test_bounds_and_radii_are_rounded_down_and_without_that_some_are_too_high(down, too_high):
    """A search with exact sums and quantiles of 40 digits: where would the bound promise more than the votes allow?"""
    rng, found = np.random.default_rng(0), {"bound": 0, "radius": 0}
    with mp.workdps(40):
        for _ in range(60):
            n, failure_prob = int(rng.integers(5, 300)), float(10 ** rng.uniform(-5, -1))
            k = int(rng.integers(math.ceil(0.6 * n), n + 1))
            p = mp.mpf(down * float(below(k, n, failure_prob)))
            tail = mp.fsum(mp.binomial(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))
            found["bound"] += tail > failure_prob
            share = float(rng.uniform(0.51, 0.999))
            quantile = mp.sqrt(2) * mp.erfinv(2 * mp.mpf(share) - 1)
            found["radius"] += down * float(special.ndtri(share)) > quantile
    assert all((count > 5) is too_high for count in found.values()) and (too_high or not any(found.values()))


def test_certificates_hold_that_margin():
    counts = torch.tensor([[990, 10], [600, 400]])
    found = certificates(torch.tensor([0, 0]), counts, sigma=0.25, failure_prob=0.001)
    p = below(counts[:, 0].numpy(), 1000, 0.001)
    assert (found.p_low.numpy() <= p * (1 - smoothing.ROUNDING)).all()
    assert (found.radius.numpy() <= 0.25 * special.ndtri(p) * (1 - smoothing.ROUNDING)).all()
    assert np.allclose(found.radius.numpy(), 0.25 * special.ndtri(p), rtol=1e-10)


def test_no_radius_exceeds_the_true_one_more_often_than_promised():
    """A straight boundary, where the truth is known: 4,000 certificates that may fail with probability 0.05 each."""
    model, direction = linear()
    true = torch.full((4000,), 0.3)
    found = certify(model, at_distance(true, direction), sigma=0.3, n0=20, n=200, failure_prob=0.05)
    wrong = int((found.radius > true + 1e-6).sum())
    exact = stats.binom.sf(
        np.searchsorted(special.ndtri(np.maximum(below(np.arange(201), 200, 0.05), 1e-9)), 1) - 1, 200, special.ndtr(1)
    )
    assert exact <= 0.05 and stats.binomtest(wrong, 4000, float(exact)).pvalue > 1e-3


def test_radii_approach_the_true_ones_as_votes_grow():
    model, direction = linear()
    true = torch.linspace(0.05, 0.5, 30)
    x, gaps = at_distance(true, direction), []
    for n in (100, 1000, 10_000):
        found = certify(model, x, sigma=0.3, n=n)
        assert set(found.label.tolist()) <= {1, -1} and bool((found.radius <= true + 1e-6).all())
        gaps.append(float((true - found.radius).mean()))
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2] and gaps[2] < 0.02


def test_nothing_that_an_attack_can_find_lies_within_a_certificate():
    model, direction = linear()
    true = torch.linspace(0.05, 0.5, 30)
    x, y = at_distance(true, direction), torch.ones(30, dtype=torch.int64)
    found = certify(model, x, sigma=0.3)
    for eps in (0.1, 0.2, 0.3):
        x_adv = pgd(smoothed(model, 0.3, 8), x, y, eps=eps, norm="l2", steps=20, early_stop=False)
        answer = majority(model, x_adv, sigma=0.3, n=2000)
        assert not ((found.radius > eps) & (answer == 0)).any()
        assert (answer[true < eps - 0.05] == 0).all()  # the attack is no straw man


def test_selection_and_estimation_see_different_noise_and_all_images_their_own():
    model, x = Counter(), torch.full((3, 1, 4, 4), 0.5)
    found = certify(model, x, sigma=0.25, n0=30, n=70)
    seen = torch.cat(model.seen)
    assert len(seen) == 3 * 100 and len(seen.flatten(1).unique(dim=0)) == 300
    assert found.counts.tolist() == [[0, 70, 0]] * 3  # the votes of the selection are not counted
    assert abs(float(seen.mean()) - 0.5) < 0.02 and abs(float(seen.std()) - 0.25) < 0.01  # and not clamped
    assert float(seen.min()) < 0 and float(seen.max()) > 1


def test_the_votes_that_chose_do_not_count():
    """Ten equal classes: a bound from the very votes that chose would be too high far more often than promised."""

    class Dice(nn.Module):
        def forward(self, x):
            return torch.rand(len(x), 2)

    x = torch.zeros(4000, 1, 1, 1)
    found = certify(Dice(), x, sigma=1.0, n0=20, n=20, failure_prob=0.05)
    wrong = int((found.label >= 0).sum())  # no class has a share above one half
    exact = stats.binom.sf(14, 20, 0.5)  # 15 of 20 is the first count whose bound is above one half
    assert below(14, 20, 0.05) < 0.5 < below(15, 20, 0.05)
    assert stats.binomtest(wrong, 4000, exact).pvalue > 1e-3


def test_the_right_counts_whatever_the_sizes_of_the_pieces():
    """Copies of many images share batches; each vote lands in its own image's row."""

    class Level(nn.Module):  # the class is the brightness in tenths
        def forward(self, x):
            return -(x.flatten(1).mean(1, keepdim=True) * 10 - torch.arange(10.0)).abs()

    x = (torch.arange(7.0) / 10).view(7, 1, 1, 1).expand(7, 1, 8, 8)
    for n in (1, 7, 249, 250, 251):
        counts = certify(Level(), x, sigma=1e-4, n=n).counts
        assert torch.equal(counts, n * torch.eye(10, dtype=torch.int64)[:7])


# Answers.


def test_majority_answers_where_votes_are_clear_and_abstains_where_they_are_not():
    model, direction = linear()
    x = at_distance(torch.tensor([0.5, 0.0, 0.0]), direction)
    answer = majority(model, x, sigma=0.3, n=200)
    assert answer.tolist() == [1, -1, -1]


def test_majority_is_wrong_no_more_often_than_promised():
    """On the boundary itself either answer is wrong in half of the cases: it may answer in 5 % of them at most."""
    model, direction = linear()
    answer = majority(model, at_distance(torch.zeros(4000), direction), sigma=0.3, n=100, failure_prob=0.05)
    exact = 2 * stats.binom.cdf(39, 100, 0.5)
    assert 0.02 < exact <= 0.05
    assert stats.binomtest(int((answer >= 0).sum()), 4000, exact).pvalue > 1e-3


# Decisions.


@pytest.mark.parametrize("k, n, p0", [(30, 40, 0.6), (5, 5, 0.84), (0, 7, 0.3), (900, 1000, 0.84), (84, 100, 0.84)])
def test_the_wealth_is_the_mean_over_all_bets(k, n, p0):
    def bet(p):
        return math.exp(k * math.log(p / p0) + (n - k) * math.log((1 - p) / (1 - p0))) / (1 - p0)

    mean, _ = integrate.quad(bet, p0, 1, epsabs=1e-13, limit=500)
    assert float(log_wealth(np.array(k), n, p0)) == pytest.approx(math.log(mean), abs=1e-6)


@pytest.mark.parametrize("p0", [0.5, 0.84, 0.977])
def test_at_the_null_the_game_is_fair_and_below_it_is_a_loss(p0):
    """The expected wealth, summed over all outcomes of n bets, is exactly 1."""
    n, k = 60, np.arange(61)
    wealth = np.exp(log_wealth(k, n, p0))
    assert stats.binom.pmf(k, n, p0) @ wealth == pytest.approx(1, rel=1e-9)
    assert stats.binom.pmf(k, n, p0 - 0.05) @ wealth < 1


@pytest.mark.slow
@pytest.mark.parametrize("p0", [0.5, 0.84, 0.977])
def test_looking_after_every_vote_is_wrong_no_more_often_than_promised(p0):
    """3,000 games of 400 votes exactly at the null, a look after each vote. A fixed-n bound breaks its promise."""
    games, failure_prob = 3000, 0.05
    rng, hits = np.random.default_rng(0), np.zeros(games)
    won, peeked = np.zeros(games, dtype=bool), np.zeros(games, dtype=bool)
    for n in range(1, 401):
        hits += rng.random(games) < p0
        won |= log_wealth(hits, n, p0) >= -math.log(failure_prob)
        if n % 20 == 0:
            peeked |= below(hits, n, failure_prob) > p0
    assert stats.binomtest(int(won.sum()), games, failure_prob, alternative="greater").pvalue > 1e-3
    assert won.mean() > 0.005  # a test that never says yes would pass too
    assert stats.binomtest(int(peeked.sum()), games, failure_prob, alternative="greater").pvalue < 1e-9


@pytest.mark.slow
def test_decisions_are_wrong_no_more_often_than_promised():
    """The whole function at the null: 3,000 images whose true radius is exactly the radius in question."""
    model, direction = linear()
    x = at_distance(torch.full((3000,), 0.3 - 1e-6), direction)
    y = torch.ones(3000, dtype=torch.int64)
    made = decide(model, x, y, sigma=0.3, radius=0.3, n_max=500, failure_prob=0.1)
    errors = int(made.certified.sum())
    assert stats.binomtest(errors, 3000, 0.1, alternative="greater").pvalue > 1e-3 and errors > 10
    assert int(made.samples.max()) == 500


@pytest.mark.parametrize("failure_prob", [0.1, 0.001, 1e-6])
def test_a_decision_is_made_at_the_first_look_at_which_the_wealth_suffices(failure_prob):
    """Each vote a hit: the wealth is a known function of their number, and has to reach 1 / failure_prob."""
    x, p0 = torch.full((2, 1, 4, 4), 0.5), special.ndtr(1)
    y = torch.tensor([1, 2])  # the model always says 1
    made = decide(Counter(), x, y, sigma=0.25, radius=0.25, failure_prob=failure_prob)
    n = int(made.samples[0])
    assert made.certified.tolist() == [True, False]
    assert log_wealth(np.array(n), n, p0) >= -math.log(failure_prob) > log_wealth(np.array(n - 16), n - 16, p0)


def test_decisions_agree_with_the_truth_and_say_what_they_cost():
    model, direction = linear()
    true = torch.tensor([0.05, 0.15, 0.25, 0.35, 0.45, 0.6])
    made = decide(model, at_distance(true, direction), sigma=0.3, radius=0.3, n_max=20_000)
    assert made.label.tolist() == [1] * 6 and made.certified.tolist() == [False] * 3 + [True] * 3
    assert made.samples[0] < made.samples[2] and made.samples[5] < made.samples[3]  # the border is dear
    assert bool((made.samples > 100).all())  # the selection is paid for
    given = decide(model, at_distance(true, direction), torch.ones(6, dtype=torch.int64), sigma=0.3, radius=0.3)
    assert int(given.samples.min()) < 100


@pytest.fixture(scope="module")
def trained():
    data = load("digits")
    torch.manual_seed(0)
    model = fit(small_cnn(data), data.train, transform=smoothing.noisy(0.25), updates=300)
    x, y = data.test.take(60)
    return model, x, y, certify(model, x, sigma=0.25, n=10_000)


@pytest.mark.slow
@pytest.mark.parametrize("radius", [0.125, 0.25, 0.375])
def test_a_decision_takes_a_fifth_of_the_fixed_votes_and_certifies_no_fewer(trained, radius):
    """At the same failure probability, n_max the same as the fixed n; images as measured, not as wished."""
    model, x, y, fixed = trained
    made = decide(model, x, y, sigma=0.25, radius=radius, n_max=10_000)
    yes = (fixed.label == y) & (fixed.radius >= radius)
    assert 5 * float(made.samples.double().mean()) <= 10_100
    assert abs(int(yes.sum()) - int(made.certified.sum())) <= 2 and int((yes != made.certified).sum()) <= 3


# Models and training.


def test_the_soft_vote_is_the_mean_of_probabilities_and_has_a_gradient():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), torch.rand(5, 1, 4, 4, requires_grad=True)
    torch.manual_seed(1)
    logits = smoothed(model, 0.2, 7)(x)
    torch.manual_seed(1)
    noise = 0.2 * torch.randn(7 * 5, 1, 4, 4)
    want = torch.stack([model(x + few).softmax(1) for few in noise.split(5)]).mean(0)
    assert torch.allclose(logits.exp(), want, atol=1e-6)
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), x)
    assert bool((gradient != 0).any())


@pytest.mark.slow
def test_training_with_noise_certifies_more_and_with_attacks_more_at_large_radii(trained):
    data = load("digits")
    noise, x, y, _ = trained
    torch.manual_seed(0)
    models = {
        "plain": fit(small_cnn(data), data.train, updates=200),
        "noise": noise,
        "attack": fit(small_cnn(data), data.train, transform=smoothing.smooth_adv(0.25, 0.5), updates=300),
    }
    rates = {}
    for name, model in models.items():
        found = certify(model, x, sigma=0.25)
        rates[name] = float(((found.label == y) & (found.radius >= 0.5)).double().mean())
    assert rates["plain"] + 0.1 < rates["noise"] < rates["attack"] + 0.02


# Promises.

CALLS = {
    "certify": lambda model, x, **k: certify(model, x, **{"sigma": 0.25, "n": 300} | k),
    "majority": lambda model, x, **k: majority(model, x, **{"sigma": 0.25} | k),
    "decide": lambda model, x, **k: decide(model, x, **{"sigma": 0.25, "radius": 0.1, "n_max": 300} | k),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_model_and_the_random_state_are_left_alone_and_seeds_decide(call):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 3)).train()
    model[1].eval()
    model[3].weight.requires_grad_(False)
    model[3].bias.grad = torch.ones(3)
    x = torch.rand(6, 1, 4, 4)
    before, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    once, again, other = call(model, x), call(model, x), call(model, x, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert [m.training for m in model.modules()] == [True, True, False, True, True]
    assert [p.requires_grad for p in model[3].parameters()] == [False, True]
    assert torch.equal(model[3].bias.grad, torch.ones(3))
    if isinstance(once, tuple):
        assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
        assert not all(torch.equal(a, b) for a, b in zip(once, other, strict=True))
    else:
        assert torch.equal(once, again)


WRONG = {
    "sigma": [0, -1, math.nan, math.inf, "a"],
    "failure_prob": [0, 1, -0.1, math.nan],
    "x": [2 * torch.ones(2, 4), -torch.ones(2, 4)],
    "seed": [],
}


@pytest.mark.parametrize("name, value", [(n, v) for n, values in WRONG.items() for v in values], ids=str)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_wrong_argument_is_named(call, name, value):
    model, _ = linear(4)
    x = value if name == "x" else torch.rand(2, 4)
    with pytest.raises(ValueError, match=rf"^{name} must"):
        call(model, x, **({} if name == "x" else {name: value}))


@pytest.mark.parametrize(
    "call, name",
    [("certify", "n0"), ("certify", "n"), ("majority", "n"), ("decide", "n0"), ("decide", "n_max")],
)
def test_a_count_below_one_is_named(call, name):
    model, _ = linear(4)
    for value in (0, -5, 2.5):
        with pytest.raises(ValueError, match=rf"^{name} must"):
            CALLS[call](model, torch.rand(2, 4), **{name: value})


def test_radii_labels_and_models_that_cannot_be_are_named():
    model, _ = linear(4)
    x = torch.rand(2, 4)
    for radius in (-1, math.nan, 2.1):
        with pytest.raises(ValueError, match=r"^radius must"):
            decide(model, x, sigma=0.25, radius=radius)
    with pytest.raises(ValueError, match=r"^y must"):
        decide(model, x, torch.zeros(3, dtype=torch.int64), sigma=0.25, radius=0.1)
    with pytest.raises(ValueError, match=r"^y must"):
        decide(model, x, torch.tensor([0, 2]), sigma=0.25, radius=0.1)
    with pytest.raises(ValueError, match=r"^model must return"):
        certify(nn.Flatten(0), x, sigma=0.25)
    with pytest.raises(ValueError, match=r"^model returns NaN"):
        certify(nn.Sequential(model, nn.Threshold(math.inf, math.nan)), x, sigma=0.25)
    with pytest.raises(TypeError, match=r"^model must"):
        certify(lambda x: x, x, sigma=0.25)
    for build in (smoothing.noisy, lambda sigma: smoothed(model, sigma), lambda sigma: smoothing.smooth_adv(sigma, 1)):
        with pytest.raises(ValueError, match=r"^sigma must"):
            build(0)


def test_no_images_and_inference_mode_are_fine():
    model, _ = linear(4)
    empty = certify(model, torch.rand(0, 4), sigma=0.25)
    assert empty.counts.shape == (0, 2) and len(empty.label) == len(majority(model, torch.rand(0, 4), sigma=0.25)) == 0
    with torch.inference_mode():
        assert len(certify(model, torch.rand(2, 4), sigma=0.25).label) == 2


# The lesson.


@pytest.mark.parametrize("name", ["clopper_pearson_below", "log_wealth", "Smoothed", "noisy", "smooth_adv"])
def test_the_lesson_and_utils_hold_the_same_cell(name):
    lesson, shared = definitions("notebooks/src/07_randomized_smoothing.py"), definitions("utils/smoothing.py")
    here, there = (
        code[name].replace("attacks.pgd", "pgd").replace("smoothed(", "Smoothed(") for code in (lesson, shared)
    )
    assert here == there.replace("    check_sigma(sigma)\n", "")
