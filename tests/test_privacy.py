"""Differential privacy: gradients one by one, noise of the right size, an epsilon that is never too kind."""

import math
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import fft, integrate, signal, special, stats
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from same_code import definitions
from utils.data import load
from utils.evaluation import accuracy
from utils.layerwise import patches, plain_chain
from utils.models import mlp, small_cnn
from utils.privacy import (
    accountant,
    audited_eps,
    clipped_sum,
    dp_sgd,
    dpsgd,
    eps_lower,
    gaussian_eps,
    one_run_eps,
    per_example_gradients,
    privacy_eps,
    rdp,
    rdp_eps,
)
from utils.training import fit

ROOT = Path(__file__).resolve().parents[1]
few = settings(deadline=None, max_examples=25)
noises, deltas = st.floats(0.4, 8), st.sampled_from([1e-3, 1e-5, 1e-8])
counts = st.integers(1, 500)


# The accountant.


@pytest.mark.parametrize(
    "rate, updates, by_rdp, by_pld", [(256 / 10_000, 585, 3.606, 3.246), (256 / 60_000, 3515, 1.281, 1.134)]
)
def test_known_values(rate, updates, by_rdp, by_pld):
    assert rdp_eps(1.1, rate, updates, 1e-5) == pytest.approx(by_rdp, abs=6e-4)
    assert privacy_eps(1.1, rate, updates, 1e-5) == pytest.approx(by_pld, abs=1.1e-3)


def test_whole_orders_alone_are_looser():
    assert rdp_eps(1.1, 256 / 10_000, 585, 1e-5, np.arange(2, 64)) == pytest.approx(3.615, abs=6e-4)


@few
@given(st.floats(0.3, 10), st.floats(1e-4, 1), st.integers(2, 100))
def test_at_whole_orders_the_divergence_is_the_binomial_sum(sigma, rate, order):
    """Mironov et al. 2019, section 3.3."""
    k = np.arange(order + 1)
    log_binomial = special.gammaln(order + 1) - special.gammaln(k + 1) - special.gammaln(order - k + 1)
    terms = log_binomial + special.xlogy(k, rate) + special.xlog1py(order - k, -rate) + k * (k - 1) / (2 * sigma**2)
    assert rdp(sigma, rate, np.array([order])) == pytest.approx(
        special.logsumexp(terms) / (order - 1), rel=1e-9, abs=1e-12
    )


@few
@given(st.floats(0.5, 5), st.floats(0.01, 0.9), st.floats(1.05, 12))
def test_between_whole_orders_the_divergence_is_the_integral(sigma, rate, order):
    def integrand(z):
        ratio = np.logaddexp(math.log1p(-rate), math.log(rate) + (2 * z - 1) / (2 * sigma**2))
        return math.exp(order * ratio + stats.norm.logpdf(z, scale=sigma))  # the power alone may be too large

    value, _ = integrate.quad(
        integrand, -15 * sigma, order + 15 * sigma, limit=500, epsabs=0, epsrel=1e-11, points=[0, order]
    )
    assert rdp(sigma, rate, np.array([order])) == pytest.approx(math.log(value) / (order - 1), rel=1e-7, abs=1e-9)


@few
@given(noises, deltas)
def test_one_update_without_sampling_is_the_gaussian_mechanism(sigma, delta):
    exact = gaussian_eps(sigma, delta)
    assert accountant.gaussian_delta(sigma, exact) == pytest.approx(delta, rel=1e-6) or exact == 0
    assert exact - 1e-9 <= privacy_eps(sigma, 1, 1, delta) <= exact * 1.002 + 1e-6


@few
@given(st.floats(2, 20), counts, deltas)
def test_many_updates_without_sampling_are_one_gaussian_with_less_noise(sigma, updates, delta):
    exact = gaussian_eps(sigma / math.sqrt(updates), delta)
    assert exact - 1e-9 <= privacy_eps(sigma, 1, updates, delta) <= exact * 1.005 + 1e-6


@pytest.mark.slow
@few
@given(st.floats(0.4, 8), st.floats(0.001, 0.999), deltas)
def test_one_update_with_sampling_has_the_delta_of_its_two_tails(sigma, rate, delta):
    """Closed form: where the mixture is more than exp(eps) times as likely, and the other way round."""
    eps = privacy_eps(sigma, rate, 1, delta)

    def exact(eps):
        at = 0.5 + sigma**2 * math.log(math.expm1(eps) / rate + 1)
        q, p = special.ndtr(-at / sigma), special.ndtr((1 - at) / sigma)
        removed = (1 - rate) * q + rate * p - math.exp(eps) * q
        inside = math.expm1(-eps) / rate + 1  # the loss of an addition is bounded by -log(1 - rate)
        if inside <= 0:
            return removed
        at = 0.5 + sigma**2 * math.log(inside)
        q, p = special.ndtr(at / sigma), special.ndtr((at - 1) / sigma)
        return max(removed, q - math.exp(eps) * ((1 - rate) * q + rate * p))

    assert exact(eps) <= delta * (1 + 1e-6)
    assert eps <= 1e-5 or exact(eps * 0.99 - 1e-5) > delta * (1 - 1e-6)


@pytest.mark.slow
@settings(deadline=None, max_examples=12)
@given(noises, st.floats(0.01, 1), counts, deltas, st.floats(1, 2))
def test_epsilon_falls_with_noise_and_grows_with_updates_and_rate(sigma, rate, updates, delta, more):
    for eps in (privacy_eps, rdp_eps):
        here, slack = eps(sigma, rate, updates, delta), 1.003
        assert eps(more * sigma, rate, updates, delta) <= here * slack + 1e-6
        assert here <= eps(sigma, rate, math.ceil(more * updates), delta) * slack + 1e-6
        assert here <= eps(sigma, min(more * rate, 1), updates, delta) * slack + 1e-6
        assert eps(sigma, rate, updates, min(more * delta, 0.5)) <= here * slack + 1e-6


def rounded_down(sigma, rate, removed, step):
    """The privacy loss with each cell's mass at its lower end: a lower bound on delta, and so on epsilon."""

    def loss(z):
        return np.logaddexp(np.log1p(-rate) if rate < 1 else -np.inf, math.log(rate) + (2 * z - 1) / (2 * sigma**2))

    z = np.linspace(-9 * sigma, 1 + 9 * sigma, 400_001)
    base, shifted = (np.diff(stats.norm.cdf(z, at, sigma)) for at in (0, 1))
    p = (1 - rate) * base + rate * shifted if removed else base
    low = np.floor((loss(z[:-1]) if removed else -loss(z[1:])) / step).astype(int)
    return accountant.Losses(step, low.min(), np.bincount(low - low.min(), p), 0.0)


@pytest.mark.slow
@settings(deadline=None, max_examples=12)
@given(noises, st.floats(0.01, 1), counts, deltas)
def test_the_loss_distribution_is_between_a_lower_bound_and_renyi(sigma, rate, updates, delta):
    eps = privacy_eps(sigma, rate, updates, delta)
    assume(1e-3 < eps < 100)
    assert eps <= rdp_eps(sigma, rate, updates, delta) * (1 + 1e-9)
    for removed in (True, False):
        step = accountant.privacy_losses(sigma, rate, removed=removed).step
        lower = accountant.compose(rounded_down(sigma, rate, removed, step / 10), updates, tail=1e-12)
        assert accountant.smallest_eps(lower, delta * (1 + 1e-4)) <= eps


@pytest.mark.parametrize("sigma, rate, updates", [(1.0, 0.1, 30), (2.0, 0.5, 10), (0.8, 0.01, 100)])
def test_delta_is_that_of_simulated_training_runs(sigma, rate, updates):
    """The mean of max(0, 1 - exp(eps - loss)) over 200,000 runs, at an epsilon where that is about 0.01."""
    rng = np.random.default_rng(0)
    eps = privacy_eps(sigma, rate, updates, 0.01)
    z = sigma * rng.standard_normal((200_000, updates), dtype=np.float32) + (rng.random((200_000, updates)) < rate)
    loss = np.log1p(rate * np.expm1((2 * z - 1) / (2 * sigma**2))).sum(1)
    share = np.maximum(0, -np.expm1(eps - loss))
    assert float(share.mean()) == pytest.approx(0.01, abs=4 * float(share.std()) / math.sqrt(200_000) + 1e-4)


def test_the_grid_keeps_both_probabilities():
    for removed in (True, False):
        one = accountant.privacy_losses(1.1, 0.05, removed=removed)
        loss = one.step * (one.first + np.arange(len(one.mass)))
        assert one.mass.min() >= 0 and one.mass.sum() == pytest.approx(1, abs=1e-12)
        assert (one.mass * np.exp(-loss)).sum() == pytest.approx(1, abs=1e-9)


def test_what_is_cut_off_counts_as_an_infinite_loss():
    one = accountant.privacy_losses(1.0, 0.1)
    sums = accountant.compose(one._replace(infinite=0.1), 5, tail=1e-3)
    assert sums.infinite == pytest.approx(1 - 0.9**5 + 1e-3)
    assert accountant.smallest_eps(sums, 0.4) == math.inf


def test_edges_of_the_accountant():
    assert privacy_eps(0, 0.1, 10, 1e-5) == rdp_eps(0, 0.1, 10, 1e-5) == gaussian_eps(0, 1e-5) == math.inf
    assert privacy_eps(1, 0, 10, 1e-5) == privacy_eps(1, 0.1, 0, 1e-5) == 0
    assert privacy_eps(0.4, 0.5, 1000, 1e-5) == pytest.approx(1426, rel=0.01)  # where exp(epsilon) is no number
    assert privacy_eps(math.inf, 0.1, 10, 1e-5) == rdp_eps(math.inf, 0.1, 10, 1e-5) == gaussian_eps(math.inf, 0.1) == 0
    assert 37 < gaussian_eps(1, 1e-300) < gaussian_eps(1, 5e-324) < 40  # whose inverse is no number


ARGUMENTS = {"noise_multiplier": 1.0, "rate": 0.1, "updates": 10, "privacy_delta": 1e-5}


@pytest.mark.parametrize(
    "name, wrong",
    [(name, wrong) for name in ARGUMENTS for wrong in (-1, math.nan, True, "1", None, [1, 2])]
    + [("rate", 64), ("rate", math.inf), ("updates", 2.5), ("updates", math.inf), ("privacy_delta", 0)],
)
def test_a_number_that_makes_no_sense_is_named(name, wrong):
    for eps in (privacy_eps, rdp_eps):
        with pytest.raises(ValueError, match=f"^{name} must"):
            eps(**ARGUMENTS | {name: wrong})


def test_numbers_of_numpy_and_torch_are_numbers():
    want = privacy_eps(**ARGUMENTS)
    for kind in (np.float64, np.array, torch.tensor):
        assert privacy_eps(**{name: kind(value) for name, value in ARGUMENTS.items()}) == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize(
    "setting, renyi, least",
    [
        ((0.5, 0.004, 100_000, 1e-12), 98.18, 94.36),  # the rounding of the plain transform made it 116.2
        ((2.0, 0.01, 10_000_000, 1e-11), 259.55, 253.8),  # or 251.9, too kind
        ((0.8, 0.01, 10_000, 1e-14), 19.18, 18.36),  # or 18.1
    ],
)
def test_a_tiny_delta_is_not_lost_in_rounding(setting, renyi, least):
    """At least what masses rounded downward give, composed by the same transform; at most the other bound."""
    sigma, rate, updates, delta = setting
    eps = privacy_eps(*setting)
    assert least <= eps < least * 1.003 and eps < rdp_eps(*setting) == pytest.approx(renyi, abs=0.01)
    step = accountant.privacy_losses(sigma, rate).step
    lower = accountant.compose(rounded_down(sigma, rate, True, step / 10), min(updates, 100_000), 1e-6, delta)
    assert updates > 100_000 or accountant.smallest_eps(lower, delta * (1 + 1e-4)) <= eps


@settings(deadline=None, max_examples=15)
@given(st.floats(0.6, 4), st.floats(0.001, 0.5), st.integers(10, 2000))
def test_the_tilted_transform_is_the_plain_one_where_that_is_precise(sigma, rate, updates):
    one = accountant.privacy_losses(sigma, rate)
    plain = accountant.compose(one, updates, 1e-11)
    tilted = accountant.smallest_eps(accountant.compose(one, updates, 1e-6, 1e-5), 1e-5)
    # The tails move delta, and at a small eps a little delta is much eps.
    least, most = (accountant.smallest_eps(plain, 1e-5 * (1 + off)) for off in (1e-4, -1e-4))
    assert least - 1e-9 <= tilted <= most + 1e-9


@pytest.mark.parametrize(
    "setting, want",
    [
        ((0.03, 1, 1, 1e-5), gaussian_eps(0.03, 1e-5)),
        ((0.02, 1, 10, 1e-5), gaussian_eps(0.02 / math.sqrt(10), 1e-5)),
        ((1e-4, 0.5, 10, 1e-5), 5.0010e8),  # sampling hides nothing from so little noise
        ((1e-9, 0.5, 10, 1e-5), 5e18),
        ((1e-200, 0.5, 10, 1e-5), math.inf),
        ((1.0, 1e-9, 1000, 1e-5), 0.0),
        ((1.0, 1e-9, 10**6, 1e-5), 0.0),
        ((1.0, 1e-6, 10**6, 1e-5), 0.00268),  # 0.0028 on a coarser grid
        ((0.05, 0.1, 300, 1e-5), 11419.7),  # its sum of losses has 12 million cells
    ],
)
def test_settings_far_out_have_their_bound_at_once(setting, want):
    for way in (privacy_eps, rdp_eps):
        begin = time.process_time()
        eps = way(*setting)
        assert time.process_time() - begin < 1
        assert way is rdp_eps or eps == pytest.approx(want, rel=2e-3)


@pytest.mark.parametrize("setting", [(0.1, 0.5, 10**5, 1e-5), (0.05, 0.5, 10**6, 1e-5), (1, 1, 10**9, 1e-5)])
def test_a_sum_too_large_for_the_memory_falls_back_on_renyi(setting):
    assert 0 < privacy_eps(*setting) <= rdp_eps(*setting)


@pytest.mark.parametrize("sigma", [0.03, 0.05, 0.0599])
@pytest.mark.parametrize("rate", [1e-6, 0.1, 0.9, 1])
def test_with_hardly_any_noise_the_divergence_is_that_of_two_bells(sigma, rate):
    """The sum of binomials for whole orders, an integral for one between."""
    test = test_at_whole_orders_the_divergence_is_the_binomial_sum.hypothesis.inner_test
    for order in (2, 3, 10):
        test(sigma, rate, order)
    if rate < 1:
        test_between_whole_orders_the_divergence_is_the_integral.hypothesis.inner_test(sigma, rate, 1.02)


@few
@given(st.floats(0.07, 5), st.floats(1e-4, 1), st.integers(1, 2000), deltas)
def test_orders_that_are_left_out_could_not_win(sigma, rate, updates, delta):
    orders = 1 + np.geomspace(1e-3, 60, 48)
    found = accountant.eps_from_rdp(updates * rdp(sigma, rate, orders), orders, delta)
    assert rdp_eps(sigma, rate, updates, delta, orders) == pytest.approx(found, rel=1e-12, abs=1e-12)


# Gradients.


def looped(model, x, y):
    """The gradient of each example by a loop."""
    grads = []
    for i in range(len(y)):
        model.zero_grad(set_to_none=True)
        F.cross_entropy(model(x[i : i + 1]), y[i : i + 1]).backward()
        grads.append({name: p.grad.clone() for name, p in model.named_parameters()})
    model.zero_grad(set_to_none=True)
    return {name: torch.stack([g[name] for g in grads]) for name in grads[0]} if grads else {}


def clipped_by_hand(grads, clip):
    lengths = sum(g.flatten(1).square().sum(1) for g in grads.values()).sqrt()
    weight = (clip / lengths).clamp(max=1)
    return {name: (weight.view(-1, *[1] * (g.dim() - 1)) * g).sum(0) for name, g in grads.items()}, lengths


def same(found, want, within=1e-13):
    assert set(found) == set(want)
    for name, g in want.items():
        assert found[name].shape == g.shape
        assert float((found[name] - g).abs().max()) <= within * max(1.0, float(g.abs().max()))


@pytest.mark.slow
@pytest.mark.parametrize("network", [small_cnn, mlp])
def test_gradients_one_by_one_are_those_of_a_loop(network):
    data = load("digits")
    torch.manual_seed(0)
    model, (x, y) = network(data).double(), data.train.take(20)
    grads, want = per_example_gradients(model, x.double(), y), looped(model, x.double(), y)
    same(grads, want, 1e-14)
    clip = float(clipped_by_hand(want, 1.0)[1].median())
    total, lengths = clipped_sum(model, x.double(), y, clip)
    by_hand, by_loop = clipped_by_hand(want, clip)
    same(total, by_hand, 1e-14)
    assert float((lengths - by_loop).abs().max()) < 1e-13
    assert all(p.grad is None for p in model.parameters()) and not any(m._forward_hooks for m in model.modules())


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_book_keeping_is_right_for_every_kind_of_convolution(data):
    draw = data.draw
    torch.manual_seed(draw(st.integers(0, 99)))
    c_in, c_out, side = draw(st.integers(1, 3)), draw(st.integers(1, 9)), draw(st.integers(8, 11))
    how = {name: draw(st.integers(1, 2)) for name in ("stride", "dilation")}
    how |= {"padding": draw(st.integers(0, 2)), "bias": draw(st.booleans())}
    first = nn.Conv2d(c_in, c_out, (draw(st.integers(1, 3)), 2), **how)
    body = nn.Sequential(first, nn.ReLU(), nn.Conv2d(c_out, 20, 2), nn.Flatten())
    features = body(torch.zeros(1, c_in, side, side)).shape[1]
    model = nn.Sequential(body, nn.Linear(features, 4, bias=draw(st.booleans()))).double()
    n = draw(st.integers(1, 5))
    x, y = torch.rand(n, c_in, side, side, dtype=torch.float64), torch.randint(0, 4, (n,))
    assert plain_chain(model, x)
    clip = draw(st.floats(0.01, 10))
    total, lengths = clipped_sum(model, x, y, clip)
    want, by_loop = clipped_by_hand(looped(model, x, y), clip)
    same(total, want, 1e-12)
    assert torch.allclose(lengths, by_loop, rtol=1e-10)


@pytest.mark.parametrize("side, channels", [(9, 1), (9, 3), (4, 3)])
def test_patches_are_those_of_unfold_in_every_layout(side, channels):
    """Short rows of patches and long ones are copied in different orders."""
    torch.manual_seed(0)
    layer, x = nn.Conv2d(channels, 4, (2, 3), (2, 1), (1, 0), (1, 2)), torch.rand(3, channels, side, 9)
    how = (layer.kernel_size, layer.dilation, layer.padding, layer.stride)
    want = F.unfold(x, *how).unflatten(1, (channels, -1)).transpose(1, 2).flatten(1, 2).mT
    for images in (x, x.clone(memory_format=torch.channels_last), x.mT.contiguous().mT):
        assert torch.equal(patches(layer, images), want)


class Layouts(TorchDispatchMode):
    """Notes how a ReLU's gradient and its output lie in memory."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten.threshold_backward.default and args[0].dim() == 4:
            self.seen.append((args[0].stride(), args[1].stride()))
        return function(*args, **(kwargs or {}))


def test_images_and_their_gradients_keep_one_layout():
    """A ReLU whose gradient comes from Flatten, in the other one, takes ten times as long."""
    data = load("digits")
    torch.manual_seed(0)
    model, (x, y) = small_cnn(data), data.train.take(5)
    with Layouts() as layouts:
        clipped_sum(model, x, y, 1.0)
    assert len(layouts.seen) == 2
    assert all(mine == its and mine[1] == 1 for mine, its in layouts.seen), layouts.seen


class Twice(nn.Module):
    """One layer, called twice."""

    def __init__(self):
        super().__init__()
        self.layer, self.last = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.last(self.layer(self.layer(x).relu()))


class Own(nn.Module):
    """A parameter that belongs to no layer."""

    def __init__(self):
        super().__init__()
        self.scale, self.last = nn.Parameter(torch.ones(6)), nn.Linear(6, 3)

    def forward(self, x):
        return self.last(x * self.scale)


class Tied(nn.Module):
    """Two layers with one matrix."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.last(self.b(self.a(x).relu()))


class Sequence(nn.Module):
    """A linear layer on each of three places."""

    def __init__(self):
        super().__init__()
        self.each, self.last = nn.Linear(2, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.last(self.each(x.view(len(x), 3, 2)).relu().mean(1))


@pytest.mark.parametrize(
    "model",
    [
        Twice(),
        Own(),
        Tied(),
        Sequence(),
        nn.Sequential(nn.Linear(6, 4), nn.LayerNorm(4), nn.Linear(4, 3)),
        nn.Sequential(nn.Unflatten(1, (2, 3, 1)), nn.Conv2d(2, 4, 1, groups=2), nn.Flatten(), nn.Linear(12, 3)),
        nn.Sequential(
            nn.Unflatten(1, (2, 3, 1)),
            nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular"),
            nn.Flatten(),
            nn.Linear(12, 3),
        ),
    ],
    ids=lambda model: type(model).__name__,
)
def test_other_models_are_clipped_right_too(model):
    torch.manual_seed(0)
    model, x, y = model.double(), torch.rand(5, 6, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1])
    total, lengths = clipped_sum(model, x, y, 0.5)
    want, by_loop = clipped_by_hand(looped(model, x, y), 0.5)
    same(total, want)
    assert torch.allclose(lengths, by_loop, rtol=1e-12)


def test_frozen_layers_have_no_part_in_the_length():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    model[0].requires_grad_(False)
    x, y = torch.rand(5, 6, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1])
    total, lengths = clipped_sum(model, x, y, 1e9)
    assert set(total) == {"2.weight", "2.bias"}
    grads = per_example_gradients(model, x, y)
    assert torch.allclose(lengths, sum(g.flatten(1).square().sum(1) for g in grads.values()).sqrt())
    before = model[0].weight.clone()
    dp_sgd(model, (x, y), updates=3)
    assert torch.equal(model[0].weight, before)


def test_a_layer_that_mixes_examples_is_refused():
    model = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    with pytest.raises(ValueError, match=r"BatchNorm1d mixes examples.*use GroupNorm"):
        dp_sgd(model, (torch.rand(20, 6), torch.zeros(20, dtype=torch.int64)))


def test_sparse_gradients_are_refused_in_one_sentence():
    words, y = torch.randint(0, 9, (6, 5)), torch.zeros(6, dtype=torch.int64)
    model = nn.Sequential(nn.Embedding(9, 4, sparse=True), nn.Flatten(), nn.Linear(20, 3))
    with pytest.raises(ValueError, match="Embedding with sparse=False"):
        clipped_sum(model, words, y, 1.0)
    model[0].sparse = False
    assert clipped_sum(model, words, y, 1.0)[1].shape == (6,)


def test_labels_that_torch_leaves_out_are_refused():
    x, y = torch.rand(20, 6), torch.tensor([0, -100] * 10)
    for train in (dp_sgd, fit):
        with pytest.raises(ValueError, match="count from 0, and the least of train's is -100"):
            train(nn.Linear(6, 3), (x, y))
    fit(
        nn.Linear(6, 1),
        (x, y.sign() * 2 + 1),
        loss=lambda model, x, y: (1 - y * model(x)[:, 0]).relu().mean(),
        updates=2,
    )


@few
@given(st.floats(1e-3, 100), st.integers(0, 99), st.floats(0.1, 30))
def test_no_example_counts_for_more_than_the_clip(clip, seed, size):
    """Adding one example moves the sum by at most the clip, whatever the example."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).double()
    x, y = size * torch.randn(9, 6, dtype=torch.float64), torch.randint(0, 3, (9,))
    with_it, lengths = clipped_sum(model, x, y, clip)
    without, _ = clipped_sum(model, x[1:], y[1:], clip)
    moved = sum((with_it[name] - without[name]).square().sum() for name in without).sqrt()
    assert moved <= clip * (1 + 1e-9)
    assert moved == pytest.approx(min(clip, float(lengths[0])), rel=1e-6)


# Training.


def moved(model, train, **how):
    """What one update adds to the weights, as one vector."""
    before = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    dp_sgd(model, train, updates=1, **how)
    change = nn.utils.parameters_to_vector(model.parameters()).detach() - before
    nn.utils.vector_to_parameters(before, model.parameters())
    return change


@pytest.mark.parametrize("clip, noise_multiplier, rate", [(0.3, 2.0, 0.2), (5.0, 0.7, 0.5), (1.0, 1.0, 1.0)])
def test_the_noise_has_the_stated_size_in_every_weight(clip, noise_multiplier, rate):
    data = load("digits")
    torch.manual_seed(1)
    model, lr = mlp(data), 0.1
    n = len(data.train.y)
    torch.manual_seed(0)
    noisy = moved(model, data.train, clip=clip, noise_multiplier=noise_multiplier, rate=rate, lr=lr)
    torch.manual_seed(0)  # the same batch
    noise = (noisy - moved(model, data.train, clip=clip, noise_multiplier=0, rate=rate, lr=lr)).double()
    z = noise / (lr * noise_multiplier * clip / (rate * n))
    assert stats.chi2.ppf(1e-4, len(z)) < float(z.square().sum()) < stats.chi2.ppf(1 - 1e-4, len(z))
    assert abs(float(z.mean())) < 4 / math.sqrt(len(z))
    torch.manual_seed(1)  # and another draw
    assert not torch.allclose(
        noisy, moved(model, data.train, clip=clip, noise_multiplier=noise_multiplier, rate=rate, lr=lr)
    )


def test_each_example_is_drawn_on_its_own_and_the_expected_size_divides(monkeypatch):
    drawn, n = [], 200
    x, y = torch.arange(n).float()[:, None] / n, torch.zeros(n, dtype=torch.int64)
    model = nn.Linear(1, 2)

    def watch(model, x, y, clip):
        drawn.append((x[:, 0] * n).round().long())
        return {name: torch.ones_like(p) for name, p in model.named_parameters()}, x[:, 0]

    monkeypatch.setattr(dpsgd, "clipped_sum", watch)
    torch.manual_seed(0)
    before = model.bias.detach().clone()
    dp_sgd(model, (x, y), noise_multiplier=0, rate=0.1, updates=2000, lr=1.0)
    assert torch.allclose(model.bias, before - 2000 / (0.1 * n), rtol=1e-4)
    assert all(len(batch.unique()) == len(batch) for batch in drawn)
    sizes = np.array([len(batch) for batch in drawn])
    assert abs(sizes.mean() - 20) < 4 * math.sqrt(18 / 2000)  # binomial: mean 20, variance 18
    assert stats.chi2.ppf(1e-4, 1999) < 1999 * sizes.var(ddof=1) / 18 < stats.chi2.ppf(1 - 1e-4, 1999)
    each = torch.cat(drawn).bincount(minlength=n).numpy()
    assert stats.chi2.ppf(1e-4, n) < ((each - 200) ** 2 / 180).sum() < stats.chi2.ppf(1 - 1e-4, n)


def test_an_empty_batch_is_an_update_of_noise():
    torch.manual_seed(0)
    model, x, y = nn.Linear(50, 50), torch.rand(3, 50), torch.tensor([0, 1, 2])
    assert moved(model, (x, y), rate=1e-9).abs().min() > 0
    assert moved(model, (x, y), rate=1e-9, noise_multiplier=0).abs().max() == 0


@pytest.mark.slow
def test_private_training_learns_the_digits():
    data = load("digits")
    left = {}
    for noise_multiplier in (0.0, 1.0):
        torch.manual_seed(0)
        how = {"rate": 128 / 1400, "updates": 300, "lr": 2.0, "noise_multiplier": noise_multiplier}
        left[noise_multiplier] = accuracy(dp_sgd(mlp(data, 64), data.train, **how), data.test)
    assert left[0.0] > 0.93 and left[1.0] > 0.85


def test_same_seed_same_weights_and_evaluation_mode():
    data, found = load("digits"), []
    for _ in range(2):
        torch.manual_seed(3)
        model = dp_sgd(mlp(data, 16), data.train, updates=3)
        assert not model.training and all(p.grad is None for p in model.parameters())
        found.append(nn.utils.parameters_to_vector(model.parameters()))
    assert torch.equal(*found)


@pytest.mark.parametrize(
    "wrong", [{"clip": 0}, {"clip": math.inf}, {"noise_multiplier": -1}, {"rate": 64}, {"rate": 0}]
)
def test_wrong_arguments_are_named(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must"):
        dp_sgd(nn.Linear(2, 2), (torch.rand(4, 2), torch.zeros(4, dtype=torch.int64)), **wrong)


# The audit.


@pytest.mark.parametrize("hits, alarms, n", [(90, 3, 100), (100, 0, 100), (480, 20, 500)])
def test_the_bound_is_that_of_exact_binomials(hits, alarms, n):
    low, high = stats.binomtest(hits, n).proportion_ci(0.95).low, stats.binomtest(alarms, n).proportion_ci(0.95).high
    assert float(eps_lower(hits, n, alarms, n, 1e-5)) == pytest.approx(math.log((low - 1e-5) / high), rel=1e-6)


def test_no_evidence_bounds_nothing():
    assert eps_lower(5, 10, 5, 10, 1e-5) == 0 and eps_lower(0, 10, 10, 10, 1e-5) == 0
    with pytest.raises(ValueError, match="hits"):
        eps_lower(11, 10, 0, 10, 1e-5)


def test_counts_and_scores_that_are_none_are_named():
    for name, wrong in (("n_in", 0), ("n_out", True), ("privacy_delta", math.nan), ("failure_prob", 1)):
        with pytest.raises(ValueError, match=f"^{name} must"):
            eps_lower(**{"hits": 1, "n_in": 10, "alarms": 1, "n_out": 10, "privacy_delta": 0} | {name: wrong})
    for name, wrong in (("right", -1), ("guesses", 2.5), ("examples", math.inf), ("privacy_delta", 1)):
        with pytest.raises(ValueError, match=f"^{name} must"):
            one_run_eps(**{"right": 8, "guesses": 10, "examples": 20, "privacy_delta": 0} | {name: wrong})
    assert one_run_eps(np.int64(50), torch.tensor(50), 100, np.float32(0)) > 1
    with pytest.raises(ValueError, match="scores_out must"):
        audited_eps(np.arange(9), np.array([1, math.nan, 2]), 1e-5)


def test_scores_of_torch_are_audited_as_those_of_numpy():
    rng = np.random.default_rng(0)
    inside, outside = 3 + rng.integers(-3, 4, 200), rng.integers(-3, 4, 200)
    want = audited_eps(inside, outside, 1e-5)
    assert want > 0.5
    for kind in (lambda x: torch.tensor(x).float().requires_grad_(), lambda x: torch.tensor(x).bfloat16(), list):
        assert audited_eps(kind(inside), kind(outside), 1e-5) == want


@pytest.mark.slow
@pytest.mark.parametrize("sigma, share", [(0.4, 0.2), (1.0, 0.2), (3.0, 0.0)])
def test_the_audit_stays_below_the_truth_as_often_as_promised_and_is_no_straw_man(sigma, share):
    rng, true = np.random.default_rng(0), gaussian_eps(sigma, 1e-5)
    found = [
        audited_eps(1 + sigma * rng.standard_normal(1000), sigma * rng.standard_normal(1000), 1e-5) for _ in range(200)
    ]
    assert np.mean(np.array(found) > true) <= 0.05
    assert np.median(found) > share * true


@pytest.mark.slow
def test_the_votes_that_chose_do_not_count():
    """Two equal worlds, in which every test is luck."""
    rng = np.random.default_rng(0)
    found = np.array([audited_eps(rng.standard_normal(200), rng.standard_normal(200), 1e-5) for _ in range(1000)])
    assert stats.binomtest(int((found > 0).sum()), 1000, 0.05, alternative="greater").pvalue > 1e-3


def test_the_audit_finds_any_side():
    rng = np.random.default_rng(0)
    low, high = rng.standard_normal(400) - 4, rng.standard_normal(400) + 4
    assert min(audited_eps(low, high, 1e-5), audited_eps(high, low, 1e-5)) > 3
    twos = np.where(rng.random(400) < 0.5, 9.0, rng.standard_normal(400))  # only one event is telling
    assert (
        audited_eps(twos, rng.standard_normal(400), 1e-5) > 2 and audited_eps(rng.standard_normal(400), twos, 1e-5) > 2
    )


# The lesson.


@pytest.mark.parametrize(
    "name, module",
    [("factor", "dpsgd"), ("gaussian_delta", "accountant")],
)
def test_the_lesson_and_utils_hold_the_same_cell(name, module):
    lesson, shared = definitions("notebooks/src/09_differential_privacy.py"), definitions(f"utils/privacy/{module}.py")
    assert lesson[name] == shared[name]


def of_the_lesson(*names, **given):
    """Functions of the lesson, with what stands for their surroundings."""
    here = {"np": np, "torch": torch, "math": math, "F": F, "fft": fft, "signal": signal, "special": special}
    here |= {"functional_call": functional_call, "grad": grad, "vmap": vmap} | given
    exec("\n\n".join(definitions("notebooks/src/09_differential_privacy.py")[name] for name in names), here)
    return here


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("setting", [(1.0, 1, 300), (0.3, 1, 10), (2.0, 1, 1), (1.0, 0.1, 300), (0.5, 0.01, 1000)])
def test_the_lessons_own_accountants_agree_also_where_all_are_drawn(setting):
    here = of_the_lesson("rdp_eps", "loss_masses", "all_losses", "pld_eps")
    assert here["pld_eps"](*setting, 1e-5) == pytest.approx(privacy_eps(*setting, 1e-5), rel=0.02)
    orders = 1 + np.geomspace(1e-2, 300, 400)
    assert here["rdp_eps"](*setting, 1e-5, orders) == pytest.approx(rdp_eps(*setting, 1e-5), rel=0.01)


def test_the_bound_of_a_shuffled_epoch_is_that_of_simulated_ones():
    """One batch's sum is 2 with the victim, 1 with the blank in its place, and 0 elsewhere."""
    bound = of_the_lesson("shuffled_at_least")["shuffled_at_least"]
    assert bound(0.8, 1, 1e-5) == pytest.approx(gaussian_eps(0.8, 1e-5), rel=1e-4)
    rng, sigma, batches, delta = np.random.default_rng(0), 0.7, 10, 0.2
    largest = []
    for mean in (2, 1):
        shown = sigma * rng.standard_normal((200_000, batches))
        shown[np.arange(len(shown)), rng.integers(0, batches, len(shown))] += mean
        largest.append(shown.max(1))
    at = np.linspace(1, 2.5, 100)
    hit, alarm = ((world[:, None] >= at).mean(0) for world in largest)
    assert np.log((hit - delta) / alarm).max() == pytest.approx(bound(sigma, batches, delta), abs=0.03)


def no_clip(lengths, clip):
    return torch.ones_like(lengths)


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["nothing", "no clipping", "no noise", "the same batch"])
@pytest.mark.parametrize("where", ["lesson", "utils"])
def test_an_audit_of_the_code_that_runs_refutes_what_is_broken_in_it(where, broken, monkeypatch):
    """The training itself, run 800 times with and without a canary."""
    if where == "lesson":
        parts = ("per_example_gradients", "factor", "private_mean", "poisson", "dp_sgd")
        here = of_the_lesson(*parts)
        train = here["dp_sgd"]
    else:
        here, train = vars(dpsgd), dp_sgd
    if broken == "no clipping":
        monkeypatch.setitem(here, "factor", no_clip)
    sigma, delta = 1.0, 1e-3
    rate = 0.01 if broken == "the same batch" else 0.1  # that it was drawn tells more the rarer it should have been
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 3, bias=False))
    x, y = torch.rand(20, 6), torch.randint(0, 3, (20,), generator=torch.Generator().manual_seed(0))
    x[:, 0] = 0
    worlds = []
    for ink in (0.0, 8.0):  # of the canary alone, where no other has any
        x[0] = 0
        x[0, 0] = ink
        worlds.append(x.clone())
    along = F.one_hot(y[0], 3) - 1 / 3  # the canary's step
    torch.manual_seed(0)
    scores = [[], []]
    for run in range(800):
        model[1].weight.data.zero_()
        if broken == "no noise":
            monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
        if broken == "the same batch":
            monkeypatch.setattr(torch, "rand", torch.zeros)
        train(model, (worlds[run % 2], y), clip=1.0, noise_multiplier=sigma, rate=rate, updates=1, lr=1.0)
        scores[run % 2].append(float(model[1].weight.detach()[:, 0] @ along))
    refuted = audited_eps(scores[1], scores[0], delta) > privacy_eps(sigma, rate, 1, delta)
    assert refuted == (broken != "nothing")


def test_a_label_of_no_class_is_told_with_what_labels_must_be():
    for model in (nn.Linear(4, 2), nn.Sequential(nn.Linear(4, 2), nn.Softmax(1))):  # quickly, and one by one
        with pytest.raises(IndexError) as failed:
            clipped_sum(model, torch.rand(3, 4), torch.tensor([0, 1, 2]), 1.0)
        assert "labels are 0 to 2" in failed.value.__notes__[0]


@pytest.mark.parametrize("other", [nn.Identity(), nn.Softmax(1)])
def test_what_fails_in_a_model_of_ones_own_is_not_laid_on_the_labels(other):
    class Lookup(nn.Module):
        def forward(self, x):
            return [x][1]

    with pytest.raises(IndexError) as failed:
        clipped_sum(nn.Sequential(Lookup(), nn.Linear(4, 2), other), torch.rand(3, 4), torch.tensor([0, 1, 1]), 1.0)
    assert not getattr(failed.value, "__notes__", [])
