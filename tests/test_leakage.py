"""Inversion, sums that hide their parts, stolen models: exact where they should be, and as the lesson builds them."""

import itertools
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn
from torch.nn import functional as F

from same_code import definitions
from utils.data import load
from utils.evaluation import Rate, accuracy
from utils.leakage import (
    FIELD,
    Networks,
    agreement,
    cosine,
    estimated_gradient,
    exact_gradient,
    fit_many,
    from_field,
    gradients,
    invert_gradient,
    linear_input,
    masks,
    match,
    most_likely,
    portraits,
    psnr,
    query,
    roughness,
    steal,
    to_field,
    tpr_at,
    uploads,
)
from utils.leakage.inversion import by_clients, by_layers
from utils.models import mlp, predict, small_cnn
from utils.training import fit

ROOT = Path(__file__).resolve().parents[1]


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small_net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)).double()


# Gradients.


def test_a_list_of_candidates_stands_noise_and_long_gradients_do_not_win():
    """400 candidates, of which one has by far the longest gradient; chunks do not change the choice."""
    model, x = small_net(), torch.rand(400, 1, 4, 4, generator=chance(), dtype=torch.float64)
    x[7] *= 100  # wrongly classified with a wide margin, or with none: its gradient is long
    y = model(x).argmin(1)
    sent, who = gradients(model, x[:40, None], y[:40, None]), torch.arange(40)
    length = sum(g.flatten(1).square().sum(1) for g in sent.values()).sqrt()
    unit = {name: g / length.view(-1, *[1] * (g.dim() - 1)) for name, g in sent.items()}

    def found(noise, **how):
        noisy = {k: g + noise * torch.randn(g.shape, generator=chance(), dtype=g.dtype) for k, g in unit.items()}
        return int((most_likely(model, noisy, x, y, **how) == who).sum())

    assert found(0) == 40 == found(0, chunk=7)
    assert found(10) < 4, "noise that hides all"
    shuffled = {name: g.flip(0) for name, g in unit.items()}
    assert torch.equal(most_likely(model, shuffled, x, y), who.flip(0))


def test_gradients_are_those_of_backward_client_by_client():
    model, x = small_net(), torch.rand(3, 2, 1, 4, 4, generator=chance(), dtype=torch.float64)
    y = torch.tensor([[0, 1], [2, 2], [1, 0]])
    found = gradients(model, x, y)
    for i in range(3):
        model.zero_grad()
        F.cross_entropy(model(x[i]), y[i]).backward()
        for name, weight in model.named_parameters():
            torch.testing.assert_close(found[name][i], weight.grad)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 30), st.integers(2, 6), st.integers(0, 10**6))
def test_a_linear_layer_gives_its_input_away_exactly(features, classes, seed):
    torch.manual_seed(seed)
    model, x = nn.Linear(features, classes).double(), torch.randn(4, 1, features, dtype=torch.float64)
    sent = gradients(model, x, torch.randint(classes, (4, 1)))
    torch.testing.assert_close(linear_input(sent["weight"], sent["bias"]), x[:, 0], rtol=1e-9, atol=1e-9)
    order = torch.randperm(classes)
    scrambled = linear_input(sent["weight"][:, order], sent["bias"][:, order])
    torch.testing.assert_close(scrambled, x[:, 0], rtol=1e-9, atol=1e-9)


def test_dead_units_and_small_rows_do_no_harm():
    """Rounding spoils small rows most: the one with the largest bias gradient, of either sign, is the one to take."""
    image, delta = torch.rand(2, 9, generator=chance()), torch.tensor([[0.0, 1e-7, -3, 1e-6], [0, 2, 0, -1e-7]])
    rounded = delta[..., None] * image[:, None] + 1e-8 * torch.randn(2, 4, 9, generator=chance(1))
    torch.testing.assert_close(linear_input(rounded, delta), image, atol=1e-5, rtol=0)
    assert linear_input(torch.zeros(4, 9), torch.zeros(4)).isnan().all()  # nothing was sent


def test_of_a_batch_a_linear_layer_gives_a_mixture():
    torch.manual_seed(0)
    model, x = nn.Linear(5, 3).double(), torch.rand(1, 2, 5, dtype=torch.float64)
    sent = gradients(model, x, torch.tensor([[0, 1]]))
    mixed = linear_input(sent["weight"], sent["bias"])
    assert not torch.allclose(mixed, x[:, 0], atol=0.01) and not torch.allclose(mixed, x[:, 1], atol=0.01)
    assert torch.linalg.matrix_rank(torch.cat([mixed, x[0]]), tol=1e-9) == 2  # of these two images


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_cosine_is_that_of_all_entries_in_one_row(seed, factor):
    a, b = (
        {"w": torch.randn(3, 2, 4, generator=chance(s), dtype=torch.float64), "b": torch.ones(3, 1).double() * s}
        for s in (seed + 1, seed + 2)
    )
    rows = [torch.cat([g["w"].flatten(1), g["b"]], 1) for g in (a, b)]
    torch.testing.assert_close(cosine(a, b), F.cosine_similarity(*rows))
    torch.testing.assert_close(cosine({k: factor * g for k, g in a.items()}, b), cosine(a, b))  # no length
    torch.testing.assert_close(cosine(a, a), torch.ones(3, dtype=torch.float64))


@settings(deadline=None, max_examples=40)
@given(st.floats(0.001, 1), st.integers(1, 5))
def test_psnr_by_its_formula(off, n):
    x = torch.rand(n, 1, 4, 4, generator=chance(), dtype=torch.float64)
    torch.testing.assert_close(psnr(x, x + off), torch.full((n,), -20 * math.log10(off), dtype=torch.float64))
    assert psnr(x, x).tolist() == [math.inf] * n
    noisy = x + torch.randn(x.shape, generator=chance(1), dtype=torch.float64)
    want = [10 * math.log10(1 / float(((a - b) ** 2).mean())) for a, b in zip(x, noisy, strict=True)]
    assert psnr(x, noisy).tolist() == pytest.approx(want)
    torch.testing.assert_close(psnr(x[None], noisy[None])[0], psnr(x, noisy))


def test_roughness_by_hand():
    x = torch.zeros(2, 1, 2, 3)
    x[1, 0, 0, 0] = 1  # of 4 steps to the right one is 1, of 3 steps down one
    assert roughness(x).tolist() == pytest.approx([0, 1 / 4 + 1 / 3])


def test_a_group_is_put_in_order_and_only_within_itself():
    x = torch.rand(2, 4, 1, 3, 3, generator=chance())
    mixed = torch.stack([x[0, [2, 0, 3, 1]], x[1, [3, 2, 1, 0]]]) + 0.01
    torch.testing.assert_close(match(x, mixed), x + 0.01)
    found = match(x, torch.rand(2, 4, 1, 3, 3, generator=chance(1)))  # the best of all orders
    other = torch.rand(2, 4, 1, 3, 3, generator=chance(1))
    best = min((x[0] - other[0, list(p)]).square().mean() for p in itertools.permutations(range(4)))
    assert (x[0] - found[0]).square().mean() == pytest.approx(best.item())


@pytest.mark.slow
def test_an_image_comes_back_from_a_convolutional_networks_gradient_and_not_from_anothers():
    data = load("digits")
    torch.manual_seed(0)
    model = small_cnn(data)
    x, y = data.train.x[:4, None], data.train.y[:4, None]
    before = torch.get_rng_state(), [p.clone() for p in model.parameters()]
    sent = gradients(model, x, y)
    found = invert_gradient(model, sent, y, x.shape[2:])
    assert (psnr(x, found) > 25).all() and found.min() >= 0 and found.max() <= 1
    assert torch.equal(torch.get_rng_state(), before[0]) and all(map(torch.equal, model.parameters(), before[1]))
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(invert_gradient(model, sent, y, x.shape[2:]), found)
    wrong = invert_gradient(model, {k: g.roll(1, 0) for k, g in sent.items()}, y.roll(1, 0), x.shape[2:])
    assert (psnr(x, wrong) < 15).all()
    assert (psnr(x.roll(1, 0), wrong) > 20).all()  # the neighbours' images


def test_the_groups_do_not_touch_each_other():
    data = load("digits")
    torch.manual_seed(0)
    model = small_cnn(data)
    x, y = data.train.x[:6].view(3, 2, 1, 8, 8), data.train.y[:6].view(3, 2)
    sent = gradients(model, x, y)
    found = invert_gradient(model, sent, y, (1, 8, 8), steps=5)
    changed = {k: torch.cat([g[:1], torch.randn(g[1:].shape, generator=chance())]) for k, g in sent.items()}
    torch.testing.assert_close(invert_gradient(model, changed, y, (1, 8, 8), steps=5)[0], found[0])


@pytest.mark.parametrize("size", [1, 3])
def test_layer_by_layer_gradients_are_the_same_and_have_the_same_gradient(size):
    torch.manual_seed(0)
    first = nn.Conv2d(2, 4, 3, stride=2, padding=(1, 0), dilation=(1, 2), bias=False)
    model = nn.Sequential(nn.Sequential(first, nn.ReLU()), nn.Conv2d(4, 3, 2), nn.Flatten(), nn.Linear(27, 5))
    model.double().requires_grad_(False)
    x, y = torch.rand(4, size, 2, 8, 11, dtype=torch.float64), torch.randint(5, (4, size))
    assert not any(g.requires_grad for g in by_layers(model, x, y).values())
    found = []
    for way in (by_clients, by_layers):
        at = x.clone().requires_grad_()
        sent = way(model, at, y)
        found.append((sent, torch.autograd.grad(sum((g**3).sum() for g in sent.values()), at)))
    torch.testing.assert_close(*found)
    assert [*found[0][0]] == [*found[1][0]]


def test_networks_that_are_not_known_layer_by_layer_are_left_to_vmap():
    x, y = torch.rand(2, 1, 1, 4, 4).double(), torch.zeros(2, 1, dtype=torch.int64)
    known = small_net()
    assert by_layers(known, x, y) is not None
    known[0].register_forward_hook(lambda layer, inputs, output: 2 * output)
    linear = nn.Linear(4, 4).double()
    shared = nn.Sequential(linear, linear, nn.Flatten(), nn.Linear(16, 3).double())
    rows = nn.Sequential(nn.Linear(4, 4), nn.Flatten(), nn.Linear(16, 3)).double()
    mixing = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(16, 3)).double()
    groups, ring = nn.Conv2d(2, 2, 3, groups=2), nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular")
    groups = nn.Sequential(nn.Conv2d(1, 2, 1), groups, nn.Flatten(), nn.Linear(8, 3)).double()
    ring = nn.Sequential(ring, nn.Flatten(), nn.Linear(32, 3)).double()
    for model in (known, shared, rows, mixing, groups, ring):
        assert by_layers(model, x, y) is None
    frozen = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(8, 3)).double()
    want = by_layers(frozen, x, y)  # its weights do not learn, and what a layer says is changed in place
    torch.testing.assert_close(by_layers(frozen.requires_grad_(False), x, y), want)
    assert gradients(rows, x, y)["0.weight"].shape == (2, 4, 4)


# What a class looks like.


def test_the_guessed_gradient_is_near_the_true_one():
    x = torch.rand(3, 1, 4, 4, generator=chance(), dtype=torch.float64)
    weight = torch.randn(1, 4, 4, generator=chance(1), dtype=torch.float64)

    def loss(x):
        return (x * weight).flatten(1).sum(1) ** 2

    true = exact_gradient(loss, x)
    torch.testing.assert_close(true, 2 * (x * weight).sum((1, 2, 3), keepdim=True) * weight)
    torch.manual_seed(0)
    guessed = estimated_gradient(loss, x, pairs=2000)
    assert (F.cosine_similarity(true.flatten(1), guessed.flatten(1)) > 0.95).all()
    assert (guessed.flatten(1).norm(dim=1) / true.flatten(1).norm(dim=1) - 1).abs().max() < 0.15


def test_guessing_asks_for_answers_only():
    class Counts(nn.Module):
        asked = 0

        def forward(self, x):
            assert not x.requires_grad
            Counts.asked += len(x)
            return x.flatten(1)[:, :3]

    torch.manual_seed(0)
    found = portraits(Counts(), torch.arange(3), (1, 4, 4), gradient=estimated_gradient, steps=5)
    assert found.shape == (3, 1, 4, 4) and Counts.asked == 5 * 2 * 25 * 3


def test_a_portrait_is_read_as_its_class_for_one_network_and_for_many():
    data = load("digits")
    x, y = data.train.take(200)
    inside = torch.rand(3, 200, generator=chance()) < 0.5
    networks, classes = fit_many(x, y, inside), torch.arange(10)
    many = portraits(networks, classes.expand(3, -1), (1, 8, 8))
    assert many.shape == (3, 10, 1, 8, 8) and many.min() >= 0 and many.max() <= 1
    assert (networks(many).argmax(-1) == classes).all()
    torch.testing.assert_close(portraits(networks[1], classes, (1, 8, 8)), many[1], atol=1e-3, rtol=0)


# Sums that hide their parts.


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 6), st.integers(1, 20), st.integers(0, 10**6), st.floats(1e-4, 1000))
def test_the_sum_is_exact(n, size, seed, scale):
    """To the rounding of each number to 1 / 65,536; of numbers that need none, to the last bit."""
    updates = scale * torch.randn(n, size, generator=chance(seed), dtype=torch.float64)
    total = from_field(uploads(updates, seed=seed).sum(0) % FIELD)
    assert (total - updates.sum(0)).abs().max() <= n * 0.5 / 2**16 + 1e-9
    whole = torch.randint(-50, 50, (n, size), generator=chance(seed)).double() / 4
    assert torch.equal(from_field(uploads(whole, seed=seed).sum(0) % FIELD), whole.sum(0))


@pytest.mark.parametrize("n, field", [(2, 5), (3, 3)])
def test_any_proper_subset_of_masks_is_uniform_and_all_of_them_cancel(n, field):
    """Every choice of the secrets of all pairs: each outcome of n - 1 masks comes equally often. No sample: a proof."""
    pairs = list(itertools.combinations(range(n), 2))
    outcomes = []
    for choice in itertools.product(range(field), repeat=len(pairs)):
        secrets = torch.zeros(n, n, 1, dtype=torch.int64)
        for (i, j), secret in zip(pairs, choice, strict=True):
            secrets[i, j] = secret
        outcomes.append(masks(secrets, field)[:, 0])
    outcomes = torch.stack(outcomes)
    assert (outcomes.sum(1) % field == 0).all()
    for left_out in range(n):
        rest = outcomes[:, [i for i in range(n) if i != left_out]]
        _, counts = rest.unique(dim=0, return_counts=True)
        assert len(counts) == field ** (n - 1) and (counts == len(outcomes) // len(counts)).all()


def test_uploads_look_uniform_whatever_the_updates():
    """Alone, and together with another client's: their sum modulo the field is uniform as well, unless it is of all."""
    for updates in (torch.zeros(3, 4000), torch.full((3, 4000), 7.25)):
        sent = uploads(updates, seed=1)
        for part in (sent[0], sent[1], sent[2], (sent[0] + sent[1]) % FIELD, (sent[0] - sent[2]) % FIELD):
            assert stats.kstest((part.double() / FIELD).numpy(), "uniform").pvalue > 0.001
        assert torch.equal(from_field(sent.sum(0) % FIELD), updates.double().sum(0))


def test_negative_numbers_return_and_too_large_ones_are_refused():
    values = torch.tensor([-1.5, 0.0, 2.25, -16000])
    assert from_field(to_field(values)).tolist() == values.tolist()
    for wrong in (torch.tensor([20_000.0]), torch.tensor([math.nan])):
        with pytest.raises(ValueError, match=r"^update must"):
            to_field(wrong)


def test_secrets_that_only_one_of_a_pair_knows_are_not_used():
    secrets = torch.randint(FIELD, (4, 4, 9), generator=chance())
    lower = secrets.clone()
    for i, j in itertools.product(range(4), repeat=2):
        if i >= j:
            lower[i, j] = 0
    assert torch.equal(masks(secrets), masks(lower))


# Stolen models.


def test_answers_are_probabilities_or_one_label():
    victim, x = Networks((4,), 6, 3, range(1))[0], torch.rand(9, 4, generator=chance())
    said = query(victim, x)
    torch.testing.assert_close(said, victim(x).softmax(1))
    assert torch.equal(query(victim, x, labels_only=True), F.one_hot(predict(victim, x), 3).float())


def test_a_copy_learns_the_victims_mistakes_and_asks_once_for_each_query():
    """A victim whose labels are shifted by one: the copy agrees with it and not with the truth."""
    data = load("digits")

    class Shifted(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model, self.asked = model, 0

        def forward(self, x):
            self.asked += len(x)
            return self.model(x).roll(1, 1)

    torch.manual_seed(0)
    victim = Shifted(fit(mlp(data), data.train, updates=150))
    for labels_only in (False, True):
        victim.asked = 0
        copy = steal(victim, mlp(data, 50), data.train.x[:500], labels_only=labels_only, updates=150)
        assert victim.asked == 500
        assert agreement(copy, victim, data.test.x) > 0.85 and accuracy(copy, data.test) < 0.1


def test_agreement_counts_equal_answers():
    x = torch.eye(3)
    same, other = nn.Identity(), nn.Linear(3, 3, bias=False)
    other.weight.data = torch.tensor([[1.0, 0, 0], [0, 1, 1], [0, 0, 0]])
    assert agreement(same, same, x).k == 3 and agreement(same, other, x).k == 2


# The lesson.


def functions(path: str) -> dict[str, str]:
    """`definitions`, without checks and the module before a name."""
    code = {name: text.replace("leakage.", "").splitlines() for name, text in definitions(path).items()}
    return {
        name: "\n".join(line for line in lines if not line.strip().startswith("check_")) for name, lines in code.items()
    }


@pytest.mark.parametrize(
    "module, name",
    [
        ("membership", "confidence"),
        ("inversion", "linear_input"),
        ("inversion", "invert_gradient"),
        ("inversion", "most_likely"),
        ("inversion", "estimated_gradient"),
        ("aggregation", "masks"),
    ],
)
def test_the_lesson_and_utils_hold_the_same_cell(module, name):
    lesson, shared = functions("notebooks/src/08_what_leaks.py"), functions(f"utils/leakage/{module}.py")
    assert lesson[name].replace("torch.optim.Adam(", "Adam(") == shared[name]  # utils' is torch's, unwrapped


def test_the_lesson_builds_the_gradients_of_any_network():
    lesson, shared = functions("notebooks/src/08_what_leaks.py"), functions("utils/leakage/inversion.py")
    assert lesson["gradients"] == shared["by_clients"].replace("by_clients", "gradients")


def test_the_lesson_finds_as_many_members_as_utils():
    """The shared function gives an interval of both sides as well."""
    there = {"Rate": Rate}
    exec(functions("notebooks/src/08_what_leaks.py")["tpr_at"], there)
    random = torch.Generator().manual_seed(0)
    scores, members = torch.rand(400, generator=random).mul(50).round(), torch.rand(400, generator=random) < 0.5
    for share in (0, 0.01, 0.1, 0.5, 1):
        here, shared = there["tpr_at"](scores, members, share), tpr_at(scores, members, share)
        assert (here.k, here.n) == (shared.k, shared.n)
