"""What lesson 03 hands to `fit`: attacked batches that keep their promises, and the loss of TRADES."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from same_code import definitions
from utils import adversarial
from utils.adversarial import attacked, kl, trades, unlike
from utils.attacks import fgsm, pgd
from utils.data import load
from utils.evaluation import robust_accuracy
from utils.models import logits, mlp, small_cnn
from utils.training import fit

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.fixture(scope="module")
def plain(digits):
    torch.manual_seed(0)
    return fit(small_cnn(digits), digits.train, updates=100)


def sizes(x_adv, x):
    """Of the L-infinity and of the L2 norm of the changes, the largest."""
    delta = (x_adv - x).flatten(1)
    return float(delta.abs().max()), float(delta.norm(dim=1).max())


# The attacked batch.


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("kind", [{}, {"steps": 1, "reach": 1.25}, {"steps": 1, "reach": 1.0, "start": False}])
def test_an_attacked_batch_lies_in_the_ball_and_is_harder(digits, plain, norm, kind):
    x, y = digits.test
    x_adv = attacked(0.1, norm=norm, updates=3, **kind)(plain, x, y)
    assert sizes(x_adv, x)[norm == "l2"] <= 0.1 + 1e-6
    assert 0 <= float(x_adv.min()) and float(x_adv.max()) <= 1
    assert F.cross_entropy(plain(x_adv), y) > F.cross_entropy(plain(x), y)


def test_the_model_is_as_it_was(digits):
    model = nn.Sequential(small_cnn(digits), nn.BatchNorm1d(10), nn.Dropout(0.5)).train()
    model[1].eval()
    model[0][1].bias.requires_grad_(False)
    model[0][1].weight.grad = torch.ones_like(model[0][1].weight)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    x, y = digits.train.take(50)
    for search in (attacked(0.15), lambda model, x, y: unlike(model, x, y, eps=0.15, steps=2)):
        x_adv = search(model, x, y)
        assert not x_adv.requires_grad and [m.training for m in model] == [True, False, True]
        learning = [p.requires_grad for p in model.parameters()]
        assert learning.count(False) == 1 and not model[0][1].bias.requires_grad
        assert bool((model[0][1].weight.grad == 1).all()) and model[1].weight.grad is None
        assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_the_radius_grows_over_the_first_third(digits, plain):
    x, y = digits.train.take(64)
    transform = attacked(0.15, updates=30)
    radii = [sizes(transform(plain, x, y), x)[0] for _ in range(30)]
    assert radii == pytest.approx([0.15 * min(k / 10, 1) for k in range(1, 31)], abs=1e-6)


def test_trades_grows_its_radius_too(digits, plain, monkeypatch):
    radii = []
    monkeypatch.setattr(adversarial, "unlike", lambda model, x, y, *, eps, **how: radii.append(eps) or x)
    loss = trades(0.15, updates=30)
    for _ in range(30):
        loss(plain, *digits.train.take(8))
    assert radii == pytest.approx([0.15 * min(k / 10, 1) for k in range(1, 31)])


def test_every_batch_has_a_start_of_its_own_that_follows_the_global_seed(digits, plain):
    x, y = digits.train.take(64)

    def two(seed):
        torch.manual_seed(seed)
        transform = attacked(0.15, updates=3, steps=1, reach=0.1)
        return transform(plain, x, y), transform(plain, x, y)

    once, again, other = two(0), two(0), two(1)
    assert torch.equal(once[0], again[0]) and torch.equal(once[1], again[1])
    assert not torch.equal(once[0], once[1]) and not torch.equal(once[0], other[0])


def test_one_full_step_from_the_image_is_fgsm(digits, plain):
    x, y = digits.test
    mine = attacked(0.15, updates=3, steps=1, reach=1.0, start=False)(plain, x, y)
    assert torch.equal(mine, fgsm(plain, x, y, eps=0.15))


def test_the_steps_together_go_as_far_as_they_reach(digits, plain):
    x, y = digits.train.take(64)
    x_adv = attacked(0.2, updates=3, steps=4, reach=0.4, start=False)(plain, x, y)
    assert sizes(x_adv, x)[0] == pytest.approx(0.2 * 0.4, abs=1e-6)


def test_images_that_have_fallen_are_attacked_on(digits, plain):
    """For training the loss counts, not the label: PGD must not stop at the first wrong answer."""
    x, y = digits.test
    stopped = pgd(plain, x, y, eps=0.15, steps=7)
    assert F.cross_entropy(plain(attacked(0.15, updates=3)(plain, x, y)), y) > F.cross_entropy(plain(stopped), y)


def test_the_inner_maximum_of_a_linear_model_is_the_closed_form():
    torch.manual_seed(0)
    linear, x, y = nn.Linear(16, 2).double(), 0.4 + 0.2 * torch.rand(64, 16).double(), torch.randint(0, 2, (64,))
    w, answers = linear.weight[1] - linear.weight[0], linear(x)
    ahead = (answers[:, 1] - answers[:, 0]) * (2 * y - 1)
    exact = F.softplus(0.1 * w.abs().sum() - ahead).mean()
    found = F.cross_entropy(linear(attacked(0.1, updates=3)(linear, x, y)), y)
    assert found.item() == pytest.approx(exact.item(), rel=1e-12)


# TRADES.


def by_hand(clean, moved, y, beta):
    """The loss of TRADES for plain numbers, with nothing but exp and log."""
    total = 0.0
    for row, shifted, label in zip(clean.tolist(), moved.tolist(), y.tolist(), strict=True):
        p, q = ([math.exp(v) / sum(map(math.exp, values)) for v in values] for values in (row, shifted))
        total += -math.log(p[label]) + beta * sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return total / len(y)


class Row(nn.Module):
    """Logits that are the inputs themselves, times weights."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.5, 2, 5, dtype=torch.float64))

    def forward(self, x):
        return 4 * x * self.weight


@pytest.fixture
def fixed(monkeypatch):
    """TRADES with x_adv given: x, x_adv, labels."""
    torch.manual_seed(0)
    x, x_adv, y = torch.rand(6, 5).double(), torch.rand(6, 5).double(), torch.randint(0, 5, (6,))
    monkeypatch.setattr(adversarial, "unlike", lambda *_, **__: x_adv)
    return x, x_adv, y


@pytest.mark.parametrize("beta", [0.0, 1.0, 6.0])
def test_trades_is_its_closed_form(fixed, beta):
    (x, x_adv, y), model = fixed, Row()
    want = by_hand(model(x), model(x_adv), y, beta)
    assert trades(0.1, beta)(model, x, y).item() == pytest.approx(want, rel=1e-12)


def test_the_gradient_of_trades_is_that_of_finite_differences(fixed):
    """In the weights, through both answers: neither the clean nor the moved one is held fixed."""
    (x, _, y), model = fixed, Row()

    def loss(weight):
        return trades(0.1, 6.0)(lambda x: torch.func.functional_call(model, {"weight": weight}, x), x, y)

    weight = torch.linspace(0.5, 2, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, weight)


def test_at_beta_zero_it_is_plain_training(digits, plain):
    x, y = digits.train.take(300)
    assert torch.equal(trades(0.15, 0.0, steps=1)(plain, x, y), F.cross_entropy(plain(x), y))


def test_the_divergence_is_zero_only_where_answers_agree_and_knows_direction():
    torch.manual_seed(0)
    a, b = torch.randn(2, 7, 10, dtype=torch.float64)
    assert kl(a, b).shape == (7,) and bool((kl(a, b) > 0).all())
    assert torch.allclose(kl(a, a + 3), torch.zeros(7, dtype=torch.float64), atol=1e-12)  # the same answers
    assert not torch.allclose(kl(a, b), kl(b, a))


def test_the_divergence_survives_answers_that_are_too_sure():
    sure = torch.tensor([[200.0, 0.0, -200.0]], requires_grad=True)
    (gradient,) = torch.autograd.grad(kl(sure, sure.flip(1)).sum(), sure)
    assert gradient.isfinite().all() and kl(sure, sure.flip(1)).isfinite().all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("count", [1, 128, 397])
def test_the_unlike_image_is_in_the_ball_and_answers_differently(digits, plain, norm, count):
    """Also when the batch is larger than a piece of work (250 on a CPU)."""
    x, y = digits.test.take(count)
    x_adv = unlike(plain, x, y, eps=0.1, norm=norm, steps=5)
    assert sizes(x_adv, x)[norm == "l2"] <= 0.1 + 1e-6 and 0 <= float(x_adv.min()) and float(x_adv.max()) <= 1
    torch.manual_seed(0)
    noise = (torch.rand_like(x) * 2 - 1) * (0.1 if norm == "linf" else 0.1 / math.sqrt(64))
    clean = logits(plain, x)
    found, by_chance = (kl(clean, logits(plain, moved)).mean() for moved in (x_adv, (x + noise).clamp(0, 1)))
    assert found > 2 * by_chance


def test_the_unlike_image_needs_no_label(digits, plain):
    x, y = digits.test.take(50)
    same = unlike(plain, x, y, eps=0.1, steps=3), unlike(plain, x, (y + 1) % 10, eps=0.1, steps=3)
    assert torch.equal(*same)


# Both together with fit.


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["attacked", "trades"])
def test_training_on_it_makes_a_robust_model(digits, kind):
    torch.manual_seed(0)
    how = {"updates": 120, "batch_size": 64, "lr": 1e-2}
    ours = {"transform": attacked(0.1, steps=2, updates=120)} if kind == "attacked" else {}
    ours = ours or {"loss": trades(0.1, 3.0, steps=2, updates=120)}
    model = fit(mlp(digits), digits.train, **how, **ours)
    torch.manual_seed(0)
    bare = fit(mlp(digits), digits.train, **how)
    kept, before = (robust_accuracy(m, digits.test, pgd, eps=0.1) for m in (model, bare))
    assert kept.clearly_above(before) and kept > 0.55


# The lesson's cells are the module's functions.


@pytest.mark.parametrize("name", ["attacked", "kl", "unlike", "trades"])
def test_the_module_is_what_the_lesson_builds(name):
    lesson, module = (
        definitions(file, annotations=True)
        for file in ("notebooks/src/03_adversarial_training.py", "utils/adversarial.py")
    )
    assert lesson[name] == module[name]
