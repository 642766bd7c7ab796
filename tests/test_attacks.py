"""The promise of every attack, over many shapes, budgets and norms; and what each attack is known to do."""

import math
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from torch import nn
from torch.nn import functional as F

from utils.attacks import (
    apgd,
    apgd_t,
    cross_entropy,
    cw_l2,
    fab,
    fgsm,
    funnel,
    gradient,
    margin,
    pgd,
    rays,
    square,
    transfer,
    worst_case,
)
from utils.attacks.blackbox import hill_and_hollow, pattern, window
from utils.attacks.gradient import apgd_run, checkpoints, wrong
from utils.attacks.minimal import shift
from utils.attacks.parts import into_ball, random_start, steepest
from utils.data import load
from utils.evaluation import accuracy
from utils.models import predict, small_cnn
from utils.training import fit

BOTH = ("linf", "l2")


def few(norm):
    """A short list for `worst_case`: what matters here is what it does with attacks, not how strong they are."""
    return [partial(pgd, norm=norm, steps=3), partial(square, norm=norm, queries=20)]


ATTACKS = {
    "fgsm": fgsm,
    "fgsm targeted": lambda model, x, y, *, eps, **how: fgsm(model, x, y, eps=eps, target=(y + 1) % 3),
    **{f"pgd {norm}": partial(pgd, norm=norm, steps=4, restarts=2) for norm in BOTH},
    "pgd margin": partial(pgd, loss=margin, steps=3),
    "pgd targeted": lambda model, x, y, *, eps, **how: pgd(model, x, y, eps=eps, steps=3, target=(y + 1) % 3, **how),
    "pgd to the end": partial(pgd, steps=3, early_stop=False),
    "pgd from x": partial(pgd, steps=3, start=False),
    **{f"pgd momentum {norm}": partial(pgd, norm=norm, steps=4, momentum=1.0) for norm in BOTH},
    "pgd long steps": partial(pgd, steps=3, step=10.0),
    "pgd impatient": partial(pgd, steps=6, restarts=3, patience=1.0, at_once=2),
    **{f"apgd {norm}": partial(apgd, norm=norm, steps=8, restarts=2) for norm in BOTH},
    **{f"apgd_t {norm}": partial(apgd_t, norm=norm, steps=5) for norm in BOTH},
    "cw_l2": partial(cw_l2, steps=8),
    **{f"fab {norm}": partial(fab, norm=norm, steps=5, restarts=2) for norm in BOTH},
    **{f"funnel {norm}": partial(funnel, norm=norm, steps=8, reach=4.0) for norm in BOTH},
    **{f"square {norm}": partial(square, norm=norm, queries=30) for norm in BOTH},
    "square impatient": partial(square, queries=40, patience=1.0, at_once=4),
    "rays": partial(rays, queries=30),
    **{f"worst_case {norm}": partial(worst_case, norm=norm, attacks=few(norm)) for norm in BOTH},
}
SEEDLESS = {"fgsm", "fgsm targeted"}


def distance(name, x_adv, x):
    delta = (x_adv - x).flatten(1)
    return delta.norm(dim=1) if "l2" in name else delta.abs().amax(1)


class Net(nn.Module):
    """A small network with batch norm and dropout, so that a wrong mode or a touched buffer shows."""

    def __init__(self, shape, classes=3):
        super().__init__()
        inputs = math.prod(shape)
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(inputs, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, classes)
        )

    def forward(self, x):
        return self.body(x)


def case(shape, n=5, seed=0, dtype=torch.float32):
    """A network in training mode with gradients already on its parameters, images that touch 0 and 1, and labels."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Net(shape).to(dtype).train()
    x = (torch.rand(n, *shape, generator=generator, dtype=dtype) * 1.6 - 0.3).clamp(0, 1)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    model.body[1].bias.requires_grad_(False)
    with torch.no_grad():  # mostly right, so that an attack has something to do
        y = model.eval()(x).argmax(1)
    model.train()
    model.body[4].eval()  # a mixed mode must come back as it was
    return model, x, y


shapes = st.sampled_from([(1, 1, 1), (1, 5, 5), (3, 4, 6), (2, 8, 3), (7,), (1,)])
budgets = st.one_of(st.just(0.0), st.floats(1e-6, 1.0))


@pytest.mark.parametrize("name", ATTACKS)
@settings(max_examples=8, deadline=None)
@given(shape=shapes, eps=budgets, seed=st.integers(0, 99), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_every_attack_keeps_the_promise(name, shape, eps, seed, dtype):
    model, x, y = case(shape, seed=seed, dtype=dtype)
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    flags = [(module.training) for module in model.modules()]
    learning = [parameter.requires_grad for parameter in model.parameters()]
    before, x_before = torch.get_rng_state(), x.clone()
    attack = ATTACKS[name] if name in SEEDLESS else partial(ATTACKS[name], seed=seed)

    x_adv = attack(model, x, y, eps=eps)

    assert x_adv.shape == x.shape and x_adv.dtype == x.dtype and not x_adv.requires_grad
    assert ((x_adv >= 0) & (x_adv <= 1)).all()
    assert (distance("l2" if name == "cw_l2" else name, x_adv, x) <= eps + 1e-6 * (1 + eps)).all()
    assert torch.equal(x, x_before)
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == flags
    assert [parameter.requires_grad for parameter in model.parameters()] == learning
    assert all((parameter.grad == 1).all() for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)  # another state of the caller's random numbers
    assert torch.equal(attack(model, x, y, eps=eps), x_adv)


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_works_where_gradients_are_off_and_on_odd_batches(name):
    model, x, y = case((1, 6, 6), n=9)
    with torch.no_grad():
        expected = ATTACKS[name](model, x, y, eps=0.2)
    with torch.inference_mode():
        assert torch.equal(ATTACKS[name](model, x, y, eps=0.2), expected)
    strided = x.transpose(2, 3).contiguous().transpose(2, 3)
    x_adv = ATTACKS[name](model, strided, y, eps=0.2)
    assert name == "cw_l2" or (distance(name, x_adv, x) <= 0.2 + 1e-6).all()
    assert ATTACKS[name](model, x[:0], y[:0], eps=0.2).shape == (0, 1, 6, 6)
    assert ATTACKS[name](model, x[:1], y[:1], eps=0.2).shape == (1, 1, 6, 6)


@pytest.mark.parametrize("name", ATTACKS)
def test_the_model_comes_back_even_after_an_error(name):
    model, x, y = case((1, 4, 4))
    x[0, 0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="x must lie in"):
        ATTACKS[name](model, x, y, eps=0.1)
    assert model.training and not model.body[4].training
    assert all((parameter.grad == 1).all() for parameter in model.parameters())


class Answers(nn.Module):
    """A model that returns what it is told to."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, x):
        return self.answer(x.flatten(1)[:, :3])


BAD_INPUT = [
    ("eps", {"eps": -0.1}, ValueError),
    ("eps", {"eps": math.nan}, ValueError),
    ("eps", {"eps": "big"}, ValueError),
    ("x must lie in", {"x": torch.rand(4, 1, 3, 3) * 255}, ValueError),
    ("x must lie in", {"x": -torch.rand(4, 1, 3, 3)}, ValueError),
    ("x must lie in", {"x": torch.full((4, 1, 3, 3), math.nan)}, ValueError),
    ("x must be", {"x": torch.zeros(4, 1, 3, 3, dtype=torch.uint8)}, TypeError),
    ("y must", {"y": torch.zeros(3, dtype=torch.int64)}, ValueError),
    ("y must", {"y": torch.zeros(4, 1, dtype=torch.int64)}, ValueError),
    ("y must", {"y": torch.zeros(4)}, ValueError),
    ("y must", {"y": [0, 0, 0, 0]}, ValueError),
    ("y must lie in", {"y": torch.tensor([0, 1, 2, 3])}, ValueError),
    ("y must lie in", {"y": torch.tensor([0, 1, 2, -1])}, ValueError),
    ("model must", {"model": lambda x: x}, TypeError),
    ("model returns prob", {"model": Answers(lambda x: x.softmax(1))}, ValueError),
    ("model returns NaN", {"model": Answers(lambda x: x * math.nan)}, ValueError),
    ("model must return logits", {"model": Answers(lambda x: x[:, 0])}, ValueError),
    ("model must return logits", {"model": Answers(lambda x: x.sum(1, keepdim=True))}, ValueError),
    ("model must return logits", {"model": Answers(lambda x: (x, x))}, ValueError),
]


@pytest.mark.parametrize(
    "name", ["fgsm", "pgd linf", "apgd l2", "apgd_t linf", "cw_l2", "square linf", "rays", "fab l2"]
)
@pytest.mark.parametrize(("says", "bad", "error"), BAD_INPUT)
def test_bad_input_is_named(name, says, bad, error):
    torch.manual_seed(0)
    good = {"model": Answers(lambda x: 3 * x - 1), "x": torch.rand(4, 1, 3, 3), "y": torch.zeros(4, dtype=torch.int64)}
    arguments = {**good, "eps": 0.1, **bad}
    with pytest.raises(error, match=f"^{says}"):
        ATTACKS[name](arguments["model"], arguments["x"], arguments["y"], eps=arguments["eps"])


def test_an_unknown_norm_is_named():
    model, x, y = case((1, 3, 3))
    with pytest.raises(ValueError, match="norm must be one of"):
        pgd(model, x, y, eps=0.1, norm="l7")


# Geometry


@settings(max_examples=60, deadline=None)
@given(eps=st.floats(0, 3), norm=st.sampled_from(BOTH), seed=st.integers(0, 99), far=st.floats(0.01, 9))
def test_projection_reaches_the_ball_and_leaves_its_points_alone(eps, norm, seed, far):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(6, 2, 3, 3, generator=generator, dtype=torch.float64)
    y = into_ball(x + far * torch.randn(6, 2, 3, 3, generator=generator, dtype=torch.float64), x, eps, norm)
    assert (distance(norm, y, x) <= eps + 1e-12).all() and ((y >= 0) & (y <= 1)).all()
    torch.testing.assert_close(into_ball(y, x, eps, norm), y)


@pytest.mark.parametrize("norm", BOTH)
def test_a_random_start_fills_the_ball(norm):
    torch.manual_seed(0)
    x = torch.full((4000, 1, 2, 1), 0.5)
    away = distance(norm, random_start(x, 0.4, norm), x) / 0.4
    # In two dimensions the share of a box within r of its centre is r squared; L2 distances are uniform.
    for r in (0.3, 0.6, 0.9):
        assert abs((away <= r).double().mean() - (r**2 if norm == "linf" else r)) < 0.03


def test_apgd_starts_on_the_rim_in_l2_and_in_the_box_in_linf(monkeypatch):
    x, starts = torch.full((40, 1, 2, 2), 0.5), []
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))

    def watched(model, x, labels, x_adv, **how):
        starts.append(distance(how["norm"], x_adv, x))
        return apgd_run(model, x, labels, x_adv, **how)

    monkeypatch.setattr(gradient, "apgd_run", watched)
    for attack in (apgd, apgd_t):
        for norm in ("l2", "linf"):
            starts.clear()
            attack(model, x, model(x).argmax(1), eps=0.2, norm=norm, steps=2)
            on_rim = (torch.cat(starts) - 0.2).abs() < 1e-5
            assert on_rim.all() if norm == "l2" else on_rim.float().mean() < 0.1


def test_the_steepest_direction_has_length_one_and_a_zero_gradient_gives_none():
    gradient = torch.randn(5, 3, 2, 2)
    gradient[0] = 0
    assert (distance("linf", steepest(gradient, "linf"), 0 * gradient)[1:] == 1).all()
    torch.testing.assert_close(distance("l2", steepest(gradient, "l2"), 0 * gradient)[1:], torch.ones(4))
    assert (steepest(gradient, "l2")[0] == 0).all() and (steepest(gradient, "linf")[0] == 0).all()


def test_apgd_looks_back_where_the_paper_does():
    # Croce & Hein 2020, section 3.1: p0 = 0, p1 = 0.22, p_{j+1} = p_j + max(p_j - p_{j-1} - 0.03, 0.06).
    assert sorted(checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]


def test_losses_against_their_definitions():
    logits, y = torch.randn(50, 4), torch.randint(4, (50,))
    by_hand = [max(row[j] for j in range(4) if j != label) - row[label] for row, label in zip(logits, y, strict=True)]
    torch.testing.assert_close(margin(logits, y), torch.stack(by_hand))
    torch.testing.assert_close(cross_entropy(logits, y), F.cross_entropy(logits, y, reduction="none"))


# What is known of each attack


class Linear(nn.Module):
    """Two classes, logits 0 and w x + b: every distance to the boundary has a closed form."""

    def __init__(self, w, b):
        super().__init__()
        self.w, self.b = nn.Parameter(w), b

    def forward(self, x):
        lead = (x.flatten(1) @ self.w) + self.b
        return torch.stack([torch.zeros_like(lead), lead], 1)


@pytest.fixture(scope="module")
def linear():
    """A linear model on 16 pixels, with images away from 0 and 1 and their distances to its boundary."""
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(16, generator=generator, dtype=torch.float64)
    x = 0.5 + 0.1 * torch.randn(200, 1, 4, 4, generator=generator, dtype=torch.float64).clamp(-1, 1)
    model = Linear(w, float(-0.5 * w.sum()))
    lead = x.flatten(1) @ w + model.b
    return model, x, (lead > 0).long(), {"linf": lead.abs() / w.abs().sum(), "l2": lead.abs() / w.norm()}


EXACT = {
    "fgsm": (fgsm, "linf"),
    "pgd linf": (partial(pgd, steps=20), "linf"),
    "pgd l2": (partial(pgd, steps=40, norm="l2"), "l2"),
    "apgd linf": (partial(apgd, steps=30), "linf"),
    "apgd l2": (partial(apgd, steps=60, norm="l2"), "l2"),
    "apgd_t linf": (partial(apgd_t, steps=30), "linf"),
    "fab linf": (partial(fab, steps=20), "linf"),
    "fab l2": (partial(fab, steps=20, norm="l2"), "l2"),
    "funnel linf": (funnel, "linf"),
    "funnel l2": (partial(funnel, norm="l2"), "l2"),
    "worst_case linf": (worst_case, "linf"),
    "worst_case l2": (partial(worst_case, norm="l2"), "l2"),
}


@pytest.mark.parametrize("name", EXACT)
def test_on_a_linear_model_exactly_the_images_within_reach_fall(name, linear):
    model, x, y, to_boundary = linear
    attack, norm = EXACT[name]
    eps = float(to_boundary[norm].median())
    fell = predict(model, attack(model, x, y, eps=eps)) != y
    reach = to_boundary[norm]
    assert not fell[reach > eps * (1 + 1e-6)].any()  # impossible
    assert fell[reach < eps * 0.99].all()  # in reach


def test_cw_finds_the_known_distance_on_a_linear_model(linear):
    model, x, y, to_boundary = linear
    x_adv = cw_l2(model, x, y, steps=200)
    assert (predict(model, x_adv) != y).all()
    ratio = distance("l2", x_adv, x) / to_boundary["l2"]
    assert ratio.min() >= 1 and ratio.median() < 1.02


@pytest.mark.parametrize("norm", BOTH)
def test_fab_finds_the_known_distance_on_a_linear_model(norm, linear):
    model, x, y, to_boundary = linear
    x_adv = fab(model, x, y, norm=norm, steps=30)
    assert (predict(model, x_adv) != y).all()
    ratio = distance(norm, x_adv, x) / to_boundary[norm]
    assert ratio.min() >= 1 and ratio.median() < 1.02


@pytest.mark.parametrize("norm", BOTH)
def test_the_funnel_finds_what_the_ball_hides(norm, linear):
    """Near x the gradient points the wrong way. Attacks that stay in the ball walk off; funnel comes from outside."""
    model, x, y, to_boundary = linear
    eps = float(to_boundary[norm].median())

    class Misleading(nn.Module):
        def __init__(self, x):
            super().__init__()
            self.x = x

        def forward(self, x):
            lead = model(x)[:, 1]
            near = distance(norm, x, self.x) < 0.8 * eps
            return torch.stack([torch.zeros_like(lead), torch.where(near, 2 * lead.detach() - lead, lead)], 1)

    within = ((to_boundary[norm] > 0.85 * eps) & (to_boundary[norm] < 0.99 * eps)).nonzero()[:, 0]
    for x0, label in zip(x[within].split(1), y[within].split(1), strict=True):
        hides = Misleading(x0)
        assert (predict(hides, pgd(hides, x0, label, eps=eps, norm=norm, start=False)) == label).all()
        assert (predict(hides, funnel(hides, x0, label, eps=eps, norm=norm)) != label).all()


def nearest_on_plane(x, w, rise, norm):
    """The length of the shortest change in the box that raises <w, x> by `rise`, by scipy; inf if there is none."""
    bounds = [(-value, 1 - value) for value in x]
    if norm == "linf":
        ones = -np.ones((len(x), 1))
        sides = np.block([[np.eye(len(x)), ones], [-np.eye(len(x)), ones]])
        found = optimize.linprog(
            [0] * len(x) + [1], sides, np.zeros(2 * len(x)), [[*w, 0]], [rise], [*bounds, (0, None)]
        )
        return found.fun if found.success else math.inf
    plane = {"type": "eq", "fun": lambda delta: w @ delta - rise}
    start = np.clip(rise / (w @ w) * w, *zip(*bounds, strict=True))
    found = optimize.minimize(lambda delta: delta @ delta, start, bounds=bounds, constraints=[plane], tol=1e-12)
    return math.sqrt(found.fun) if abs(w @ found.x - rise) < 1e-8 else math.inf


@pytest.mark.parametrize("norm", BOTH)
def test_fabs_projection_is_the_shortest(norm):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(40, 6, generator=generator, dtype=torch.float64)
    x[:, 0], x[:, 1] = 0, 1  # no room on one side
    w = torch.randn(40, 6, generator=generator, dtype=torch.float64)
    w[::3, 2:4] = 0  # pixels that do nothing
    most = torch.where(w > 0, w * (1 - x), -w * x).sum(1)  # what all pixels together can bring
    rise = most * torch.linspace(0, 1.2, 40, dtype=torch.float64)
    delta = shift(x, w, rise, norm)
    assert ((x + delta >= 0) & (x + delta <= 1)).all() and (delta[w == 0] == 0).all()
    torch.testing.assert_close((w * delta).sum(1), torch.minimum(rise, most))
    for i in range(0, 33, 4):
        best = nearest_on_plane(x[i].numpy(), w[i].numpy(), float(rise[i]), norm)
        assert math.isclose(distance(norm, delta[i : i + 1], torch.zeros(1)), best, abs_tol=1e-5)


@pytest.mark.slow
def test_fabs_restarts_only_come_nearer(digits):
    data, model = digits
    x, y = data.test.take(50)
    once, again = (distance("l2", fab(model, x, y, norm="l2", steps=5, restarts=n), x) for n in (1, 3))
    assert (again <= once).all() and (again < once).any()


def test_rays_finds_the_known_distance_on_a_linear_model(linear):
    model, x, y, to_boundary = linear
    eps = float(to_boundary["linf"].quantile(0.75))
    fell = predict(model, rays(model, x, y, eps=eps, queries=1000)) != y
    assert not fell[to_boundary["linf"] > eps * 1.001].any()
    assert fell[to_boundary["linf"] < eps * 0.9].double().mean() > 0.95


class Counting(nn.Module):
    """Counts the images that a model is asked about."""

    def __init__(self, model):
        super().__init__()
        self.model, self.asked = model, 0

    def forward(self, x):
        self.asked += len(x)
        return self.model(x)


def test_a_window_of_square_is_a_square_at_any_place():
    torch.manual_seed(0)
    seen = window(torch.zeros(2000, 1, 5, 7), 9 / 35)
    rows, columns = seen.any(3), seen.any(2)
    assert torch.equal(seen, rows[..., None] & columns[:, :, None]) and set(seen.sum((1, 2, 3)).tolist()) == {9}
    corners = torch.cat([rows.int().argmax(2), columns.int().argmax(2)], 1)
    assert len(corners.unique(dim=0)) == 3 * 5


def test_square_asks_about_no_image_that_it_holds_already():
    asked = []

    class Indifferent(nn.Module):
        """The same logits for all: nothing is kept after the stripes of the start."""

        def forward(self, x):
            asked.extend(x.clone())
            return torch.tensor([3.0, 0.0]).expand(len(x), 2)

    square(Indifferent(), torch.full((1, 1, 4, 4), 0.5), torch.tensor([0]), eps=0.1, queries=60)
    _, start, *proposals = asked
    assert len(proposals) == 59 and not any(torch.equal(start, one) for one in proposals)


def test_a_hill_and_a_hollow_stand_or_lie():
    """In a square window; a call leaves the pattern as it is for the next."""
    torch.manual_seed(0)
    upright, lying = (pattern(5, 5, lying=way) for way in (False, True))
    drawn = [hill_and_hollow(5, 5) for _ in range(40)]
    assert torch.equal(lying, upright.T) and not torch.equal(lying, upright)
    assert {torch.equal(one, upright) for one in drawn} == {True, False} == {torch.equal(one, lying) for one in drawn}
    assert torch.equal(hill_and_hollow(5, 3), pattern(5, 3, lying=False))


@pytest.mark.parametrize("attack", [square, rays])
def test_black_box_attacks_use_no_gradient_and_keep_to_their_queries(attack, linear):
    model, x, y, _ = linear

    class NoGradient(Counting):
        def forward(self, x):
            assert not x.requires_grad and not torch.is_grad_enabled()
            return super().forward(x)

    counting = NoGradient(model)
    attack(counting, x[:20], y[:20], eps=1e-9, queries=50)
    assert 20 * 50 <= counting.asked <= 20 * (50 + 1 + 12)  # the first look, and a bisection that was under way


def test_fallen_images_are_not_attacked_again(linear):
    model, x, y, to_boundary = linear
    easy = Counting(model)
    pgd(easy, x, y, eps=10 * float(to_boundary["linf"].max()), steps=40)
    hard = Counting(model)
    pgd(hard, x, y, eps=1e-9, steps=40)
    assert hard.asked == len(x) * 42 and easy.asked < 0.2 * hard.asked


def test_worst_case_keeps_first_successes_and_spares_the_fallen(linear):
    model, x, y, to_boundary = linear
    eps = float(to_boundary["linf"].median())
    seen = []

    def nothing(model, x, y, *, eps):
        seen.append(len(x))
        return x

    def half(model, x, y, *, eps):
        seen.append(len(x))
        return torch.where((torch.arange(len(x)) % 2 == 0)[:, None, None, None], fgsm(model, x, y, eps=eps), x)

    x_adv = worst_case(model, x, y, eps=eps, attacks=[nothing, half, half, fgsm])
    fell = predict(model, x_adv) != y
    assert seen[0] == seen[1] == 200 and 100 <= seen[2] < 200
    assert torch.equal(x_adv[~fell], x[~fell])
    assert fell.sum() == (predict(model, fgsm(model, x, y, eps=eps)) != y).sum()
    counted = Counting(model)
    worst_case(counted, x, 1 - y, eps=eps)
    assert counted.asked == 200  # all wrong already: one look


def test_worst_case_tells_what_each_attack_contributed(linear):
    model, x, y, to_boundary = linear
    eps = float(to_boundary["linf"].median())
    y = torch.where(torch.arange(len(y)) < 10, 1 - y, y)  # ten are wrong as they are

    def weak(model, x, y, *, eps):
        return fgsm(model, x, y, eps=eps / 2)

    def nothing(model, x, y, *, eps):
        return x

    attacks, told = [nothing, weak, partial(pgd, steps=20), nothing], []
    x_adv = worst_case(model, x, y, eps=eps, attacks=attacks, report=told.append)
    assert [one.attack for one in told] == ["nothing", "weak", "pgd", "nothing"]
    assert told[0].tried == 190 and told[0].fallen == told[3].fallen == 0 < min(told[1].fallen, told[2].fallen)
    assert all(after.tried == before.tried - before.fallen for before, after in pairwise(told))
    assert 10 + sum(one.fallen for one in told) == int((predict(model, x_adv) != y).sum())
    assert all(one.seconds > 0 for one in told)
    assert torch.equal(x_adv, worst_case(model, x, y, eps=eps, attacks=attacks))
    told.clear()
    worst_case(model, x, 1 - y, eps=1.0, attacks=[fgsm, fgsm], report=told.append)
    assert [(one.tried, one.fallen) for one in told] == [(10, 10)]  # all have fallen: the second has nothing to do


def test_worst_case_refuses_an_attack_that_cheats(linear):
    model, x, y, _ = linear
    with pytest.raises(ValueError, match="attacks: cheat went"):

        def cheat(model, x, y, *, eps):
            return 1 - x

        worst_case(model, x, y, eps=0.01, attacks=[cheat])


@pytest.fixture(scope="module")
def digits():
    """The course's default data and its undefended network."""
    data = load("digits")
    torch.manual_seed(0)
    return data, fit(small_cnn(data), data.train, updates=300)


def test_the_best_of_several_proposals_counts_and_each_is_a_query(digits):
    """On images that hold: eight at a time for 800 queries gain more than one at a time for the same 100 turns."""
    data, model = digits
    x, y = data.test.take(8)
    counting = Counting(model)

    def reached(queries, at_once):
        return margin(model(square(counting, x, y, eps=0.02, queries=queries, at_once=at_once)), y).detach()

    alone = reached(100, 1)
    counting.asked = 0
    together = reached(800, 8)
    assert 8 * 800 <= counting.asked <= 8 * (800 + 1) and (together < 0).all()
    assert (together > alone).float().mean() > 0.7


class Quantise(nn.Module):
    def forward(self, x):
        return (x * 4).round() / 4


@pytest.mark.slow
def test_the_ladder_of_attacks_on_digits(digits):
    data, model = digits
    x, y = data.test

    def left(attack, model=model, **how):
        return accuracy(model, (attack(model, x, y, eps=data.eps, **how), y)).k

    assert left(pgd) <= left(fgsm) and left(pgd, restarts=5) <= left(pgd)
    each = min(left(pgd, restarts=5), left(apgd), left(apgd_t), left(square, queries=300))
    assert left(worst_case) <= each + 1  # its apgd_t makes half the steps and meets other random starts
    masked = nn.Sequential(Quantise(), model)
    assert left(pgd, masked) > 350 and left(worst_case, masked) < 40  # the gradient sees nothing, the search does


def test_targeted_attacks_reach_their_target(digits):
    data, model = digits
    x, y = data.test.take(100)
    target = (y + 1) % 10
    hit = {
        attack.__name__: (predict(model, attack(model, x, y, eps=0.3, target=target)) == target).double().mean()
        for attack in (fgsm, pgd)
    }
    untargeted = (predict(model, pgd(model, x, y, eps=0.3)) == target).double().mean()
    assert hit["pgd"] > 0.9 and hit["fgsm"] > untargeted


def test_the_label_at_fault_is_called_by_its_name():
    model, x, y = nn.Linear(4, 3), torch.rand(5, 4), torch.zeros(5, dtype=torch.int64)
    for attack in (fgsm, pgd, partial(pgd, start=False), partial(pgd, early_stop=False)):
        with pytest.raises(ValueError, match=r"^y must lie in 0\.\.2.*got 0 to 3"):
            attack(model, x, torch.tensor([0, 1, 3, 0, 0]), eps=0.1)
        for bad in (7, -1):
            with pytest.raises(ValueError, match=rf"^target must lie in 0\.\.2.*got {bad} to {bad}"):
                attack(model, x, y, eps=0.1, target=y + bad)


@pytest.mark.slow
def test_transfer_attacks_the_surrogate_to_the_last_step(digits):
    data, model = digits
    x, y = data.test
    torch.manual_seed(1)
    other = fit(small_cnn(data), data.train)
    to_the_end = pgd(other, x, y, eps=data.eps, steps=20, early_stop=False)
    assert torch.equal(transfer(model, x, y, eps=data.eps, surrogate=other, steps=20), to_the_end)
    moved = accuracy(model, (to_the_end, y))
    stopped = accuracy(model, (transfer(model, x, y, eps=data.eps, surrogate=other, attack=pgd, steps=20), y))
    assert moved.clearly_below(stopped) and moved.k < 0.6 * stopped.k, "images that stop at the surrogate's first error"


@pytest.mark.slow
def test_several_surrogates_are_attacked_through_the_mean_of_their_logits(digits):
    torch.manual_seed(1)
    members = [nn.Linear(6, 2) for _ in range(3)]
    middle, labels = torch.full((4, 6), 0.5), torch.tensor([0, 1, 0, 1])
    moved = transfer(nn.Linear(6, 2), middle, labels, eps=0.1, surrogate=members, steps=10, start=False)
    away = sum(member.weight[1] - member.weight[0] for member in members)
    corner = middle + 0.1 * away.sign() * (1 - 2 * labels[:, None])
    assert torch.allclose(moved, corner)
    alone = [transfer(members[0], middle, labels, eps=0.1, surrogate=one, steps=10, start=False) for one in members]
    assert not any(torch.allclose(moved, other) for other in alone), "no member decides alone"

    data, model = digits
    x, y = data.test
    torch.manual_seed(2)
    strangers = [fit(small_cnn(data), data.train) for _ in range(3)]
    one_by_one = [accuracy(model, (transfer(model, x, y, eps=data.eps, surrogate=s, steps=21), y)) for s in strangers]
    together = accuracy(model, (transfer(model, x, y, eps=data.eps, surrogate=strangers, steps=7), y))
    assert together < min(one_by_one)  # as many passes
    with pytest.raises(ValueError, match="empty"):
        transfer(model, x, y, eps=0.1, surrogate=[])


@pytest.mark.parametrize(("momentum", "way"), [(0.0, [1, 2, 1, 2, 1, 2]), (1.0, [1, 2, 3, 3, 2, 1])])
def test_momentum_adds_up_the_directions_of_all_steps(momentum, way):
    # one pixel, and a loss with its peak one and a half steps away: uphill is +, +, then - or + by where it is
    x, y, step = torch.full((1, 1), 0.5), torch.zeros(1, dtype=torch.int64), 0.01

    def peak(logits, labels):
        return -((logits[:, 0] - 0.5 - 1.5 * step) ** 2)

    how = {"eps": 0.1, "step": step, "start": False, "early_stop": False, "loss": peak, "momentum": momentum}
    model = nn.Linear(1, 2, bias=False)
    model.weight.data = torch.tensor([[1.0], [0.0]])
    found = [(pgd(model, x, y, steps=steps, **how) - x).item() / step for steps in range(1, 7)]
    assert found == pytest.approx(way, abs=1e-3)


def test_momentum_weighs_every_step_alike_however_faint_its_gradient():
    # the first gradient is a million times as large as the others: it must not decide them
    def steep_at_first(logits, labels):
        z = logits[:, 0] - 0.5
        return torch.where(z < 0.005, 1e6 * z, -z)

    model = nn.Linear(1, 2, bias=False)
    model.weight.data = torch.tensor([[1.0], [0.0]])
    x, y = torch.full((1, 1), 0.5), torch.zeros(1, dtype=torch.int64)
    how = {"eps": 0.1, "step": 0.01, "start": False, "early_stop": False, "loss": steep_at_first, "momentum": 1.0}
    assert (pgd(model, x, y, steps=4, **how) - x).item() == pytest.approx(0.0, abs=1e-6)  # up, no move, back, no move
    with pytest.raises(ValueError, match="momentum must be"):
        pgd(model, x, y, eps=0.1, momentum=1.5)


class Noisy(nn.Module):
    """A defense that draws random numbers in every call."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x + 0.1 * torch.randn_like(x))


@pytest.mark.parametrize("name", ATTACKS)
def test_a_model_that_draws_random_numbers_changes_nothing_for_the_caller(name):
    model, x, y = case((1, 6, 6), n=8)
    before = torch.get_rng_state()
    first = ATTACKS[name](Noisy(model), x, y, eps=0.1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    assert torch.equal(ATTACKS[name](Noisy(model), x, y, eps=0.1), first)


class Recording(nn.Module):
    """Keeps every batch that a model was asked about, and its predictions."""

    def __init__(self, model):
        super().__init__()
        self.model, self.asked = model, []

    def forward(self, x):
        logits = self.model(x)
        self.asked.append((x.detach().clone(), logits.detach().argmax(1)))
        return logits


def test_cw_returns_the_nearest_mistake_that_it_met(digits):
    data, model = digits
    x, y = data.test.take(50)
    recording = Recording(model)
    away = distance("l2", cw_l2(recording, x, y, steps=40), x)
    met = [distance("l2", asked, x).masked_fill(answer == y, math.inf) for asked, answer in recording.asked]
    torch.testing.assert_close(away, torch.stack(met).amin(0))


@pytest.mark.parametrize("norm", BOTH)
def test_fab_returns_the_nearest_mistake_that_it_met(norm, digits):
    data, model = digits
    right = predict(model, data.test.x) == data.test.y
    x, y = data.test.x[right][:1], data.test.y[right][:1]
    recording = Recording(model)
    away = distance(norm, fab(recording, x, y, norm=norm, steps=20), x)
    met = [distance(norm, asked, x).masked_fill(answer == y, math.inf) for asked, answer in recording.asked]
    torch.testing.assert_close(away, torch.stack(met).amin(0))


@pytest.mark.parametrize("attack", [fab, funnel])
@pytest.mark.parametrize("norm", BOTH)
def test_what_no_mistake_was_found_for_comes_back_unchanged(attack, norm, digits):
    data, model = digits
    x, y = data.test.take(100)
    eps = {"linf": 0.1, "l2": 0.4}[norm]
    x_adv = attack(model, x, y, eps=eps, norm=norm, steps=10)
    stands = predict(model, x_adv) == y
    assert 10 < stands.sum() < 90 and torch.equal(x_adv[stands], x[stands])


@pytest.mark.parametrize("norm", BOTH)
def test_restarts_keep_the_image_of_highest_loss(norm, digits):
    data, model = digits
    x, y = data.test.take(50)

    def loss(restarts):
        x_adv = pgd(model, x, y, eps=0.05, norm=norm, steps=3, restarts=restarts, early_stop=False)
        return cross_entropy(model(x_adv), y).detach()

    assert (loss(4) >= loss(1) - 1e-6).all() and (loss(4) > loss(1) + 1e-4).any()


def apgd_as_published(gradient_at, project, x, x_adv, eps, steps):
    """Croce & Hein 2020, algorithm 1 with its two conditions, one image at a time: the points where it asks."""
    marks, p, q = [0], 0.0, 0.22
    while math.ceil(round(q * steps, 9)) <= steps - 1 + 1e-9:
        marks.append(math.ceil(round(q * steps, 9)))
        p, q = q, q + max(q - p - 0.03, 0.06)
    eta, points, f, gradients = 2 * eps, [x_adv], [], []
    value, gradient = gradient_at(x_adv)
    f.append(value)
    gradients.append(gradient)
    best = 0
    at, old, direction, changed_before, best_before = x_adv, x_adv, gradient, True, value
    for k in range(steps):
        z = project(at + eta * direction)
        new = z if k == 0 else project(at + 0.75 * (z - at) + 0.25 * (at - old))
        points.append(new)
        value, gradient = gradient_at(new)
        f.append(value)
        gradients.append(gradient)
        if value > f[best]:
            best = k + 1
        old, at, direction = at, new, gradient
        if k + 1 in marks[1:]:
            before = marks[marks.index(k + 1) - 1]
            rises = sum(f[i + 1] > f[i] for i in range(before, k + 1))
            changed = rises <= 0.75 * (k + 1 - before) or (not changed_before and best_before == f[best])
            if changed:
                eta, at, direction = eta / 2, points[best], gradients[best]
            changed_before, best_before = changed, f[best]
    return points


@pytest.mark.parametrize("norm", BOTH)
@pytest.mark.parametrize("steps", [30, 100])
def test_apgd_asks_at_the_points_of_the_published_algorithm(norm, steps):
    """On a wavy landscape where no image falls, so that steps are halved again and again."""
    generator = torch.Generator().manual_seed(3)
    w, phase = (torch.randn(12, generator=generator, dtype=torch.float64) for _ in range(2))
    x = 0.5 + 0.1 * torch.randn(6, 1, 3, 4, generator=generator, dtype=torch.float64)
    begin, eps = into_ball(x + 0.1 * torch.randn(x.shape, generator=generator, dtype=torch.float64), x, 0.2, norm), 0.2

    class Waves(nn.Module):
        def forward(self, x):
            lead = (torch.sin(9 * x.flatten(1) + phase) * w).sum(1) + (x.flatten(1) @ phase) - 50
            return torch.stack([torch.zeros_like(lead), lead], 1)

    y = torch.zeros(6, dtype=torch.int64)
    recording = Recording(Waves())
    how = {"objective": margin, "fallen": wrong, "eps": eps, "norm": norm, "steps": steps}
    result, done = apgd_run(recording, x, y, begin, **how)
    assert not done.any() and len(recording.asked) == steps + 1
    for i in range(6):

        def gradient_at(point, i=i):
            batch = point.repeat(6, 1, 1, 1).requires_grad_()  # six, as there: rounding depends on the batch's size
            values = margin(Waves()(batch), y)
            return values[i].item(), steepest(torch.autograd.grad(values.sum(), batch)[0], norm)[i : i + 1]

        def project(point, i=i):
            return into_ball(point, x[i : i + 1], eps, norm)

        points = apgd_as_published(gradient_at, project, x[i : i + 1], begin[i : i + 1], eps, steps)
        asked = torch.cat([batch[i : i + 1] for batch, _ in recording.asked])
        torch.testing.assert_close(asked, torch.cat(points), atol=1e-6, rtol=0)
        values = [gradient_at(point)[0] for point in points]
        torch.testing.assert_close(result[i : i + 1], points[max(range(len(values)), key=values.__getitem__)])


@pytest.mark.parametrize("name", ATTACKS)
def test_a_table_reaches_the_model_as_it_is(name):
    """A row of features is not reshaped on its way: the first layer of many a model of tables takes (N, D) only."""
    torch.manual_seed(0)
    model, x, y = nn.Linear(5, 3), torch.rand(7, 5), torch.arange(7) % 3
    assert ATTACKS[name](model, x, y, eps=0.1).shape == x.shape


class Leads(nn.Module):
    """One pixel, two classes: class 1 leads class 0 by how far the pixel passes a wall of each image's own.

    The first pixel says where the wall stands; the second moves. `stuck`: no gradient unless the second is above 0.6.
    """

    def __init__(self, stuck=False):
        super().__init__()
        self.stuck, self.rows = stuck, []

    def forward(self, x):
        self.rows.append(len(x))
        wall, moved = x[:, 0].detach(), x[:, 1]
        moved = torch.where(moved > 0.6, moved, moved.detach()) if self.stuck else moved
        return torch.stack([torch.zeros_like(moved), moved - wall], 1)


def test_pgd_gives_up_what_lacks_more_than_its_patience_and_nothing_else():
    walls = torch.tensor([0.6, 0.74, 1.0])  # soon, after 60 steps, and outside of the ball of 0.25 around 0.5
    x, y = torch.stack([walls, torch.full((3,), 0.5)], 1), torch.zeros(3, dtype=torch.long)
    how = {"eps": 0.25, "steps": 100, "step": 0.004, "loss": margin, "start": False}
    patient, impatient = Leads(), Leads()
    full, short = pgd(patient, x, y, **how), pgd(impatient, x, y, patience=2.0, **how)
    assert torch.equal(full[:2], short[:2]) and predict(patient, full).tolist() == predict(patient, short).tolist()
    assert predict(patient, full).tolist() == [1, 1, 0]
    assert len(patient.rows) > 100 and impatient.rows[40] == 2 > 1 == impatient.rows[41]  # the first asking


def test_pgd_begins_again_where_it_has_not_moved():
    x, y = torch.tensor([[0.7, 0.5]]).repeat(200, 1), torch.zeros(200, dtype=torch.long)
    model = Leads(stuck=True)
    how = {"eps": 0.25, "steps": 20, "loss": margin, "patience": 2.0}
    shares = [predict(model, pgd(model, x, y, restarts=n, **how)).float().mean() for n in (1, 4)]
    assert shares[1] > 2 * shares[0] > 0.2


def test_pgd_climbs_few_images_side_by_side_and_finds_as_many(digits):
    data, model = digits
    rows, (x, y) = [], data.test.take(60)
    hook = model.register_forward_hook(lambda *call: rows.append(len(call[1][0])))
    found, calls = [], []
    for at_once in (1, 4):
        rows.clear()
        x_adv = pgd(model, x, y, eps=0.15, steps=20, restarts=4, loss=margin, at_once=at_once)
        assert ((x_adv - x).abs() <= 0.15 + 1e-6).all()
        calls.append(len(rows))
        found.append(int((predict(model, x_adv) != y).sum()))
    hook.remove()
    assert calls[1] < calls[0] and abs(found[0] - found[1]) <= 2


def test_side_by_side_the_restart_of_highest_loss_is_kept(digits):
    data, model = digits
    x, y = data.test.take(8)

    def loss(restarts):
        x_adv = pgd(model, x, y, eps=0.05, steps=3, restarts=restarts, at_once=8, early_stop=False)
        return cross_entropy(model(x_adv), y).detach()

    assert (loss(8) >= loss(1) - 1e-6).all() and (loss(8) > loss(1) + 1e-4).any()
