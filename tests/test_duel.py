"""What a duel measures and says. The widget's own tests stand in tests/test_widgets.py."""

import math

import pytest
import torch
from torch import nn

from utils.duel import Defense, Side, Threat, budgets, kinds, measure, share_right, used, who_is_ahead, withstood
from utils.evaluation import Rate

NAMES = ("A", "B")


def rates(*k, n=400):
    return [Rate(i, n) for i in k]


def test_a_clear_winner_is_named_with_the_least_lead():
    a, b = rates(400, 360), rates(390, 200)
    said = who_is_ahead(NAMES, a, b, [0, 0.15], 1)
    assert said == f"A, by at least {100 * a[1].lead(b[1]):.0f} points"
    assert who_is_ahead(NAMES[::-1], b, a, [0, 0.15], 1) == said
    assert 30 < 100 * a[1].lead(b[1]) < 40  # less than the 40 points between the two rates


def test_without_a_clear_winner_the_sample_is_named():
    assert who_is_ahead(NAMES, rates(396), rates(394), [0], 0) == "no difference that 400 images can show"


def test_two_winners_depend_on_the_budget():
    a, b, eps = rates(300, 300, 210, 200), rates(380, 360, 200, 20), [0, 0.04, 0.08, 0.15]
    said = who_is_ahead(NAMES, a, b, eps, 3)
    assert said.startswith("A, by at least") and said.endswith(". It depends: B up to eps 0.04, A from eps 0.15")
    said = who_is_ahead(NAMES, a, b, eps, 2)
    assert said.startswith("no difference that 400 images can show. It depends")
    between = who_is_ahead(NAMES, rates(390, 100, 100, 300), rates(300, 300, 300, 100), eps, 0)
    assert between.endswith("It depends: A up to eps 0, B at eps 0.04 to 0.08, A from eps 0.15")


@pytest.fixture(scope="module")
def linear():
    """A linear model in 16 dimensions, 200 points, and their distances to the boundary in both norms."""
    torch.manual_seed(0)
    model, x = nn.Linear(16, 2), 0.3 + 0.4 * torch.rand(200, 16)
    w = (model.weight[1] - model.weight[0]).detach()
    model.bias.data = -(model.weight @ torch.full((16,), 0.5)).detach()
    distance = ((x - 0.5) @ w).abs()
    return model, (x, model(x).argmax(1)), {"linf": distance / w.abs().sum(), "l2": distance / w.norm()}


def test_on_a_linear_model_what_stands_is_what_can(linear):
    model, sample, distance = linear
    eps = float(distance["linf"].median())
    side = measure(Defense("linear", model), sample, eps=eps, queries=20)
    for norm, grid in budgets(eps, 16).items():
        for row, budget in zip(side.stood[norm, "gradient"], grid, strict=True):
            unsure = {"linf": 1e-3, "l2": 0.02}[
                norm
            ] * budget  # rounding decides; and 20 steps in L2 end a little aside
            near = (distance[norm] - budget).abs() < unsure
            assert torch.equal(row[~near], (distance[norm] > budget)[~near])


def test_a_stronger_attacker_and_a_larger_budget_leave_no_more(linear):
    model, sample, _ = linear
    side = measure(Defense("linear", model), sample, eps=0.05, queries=20, surrogate=model)
    for norm in ("linf", "l2"):
        of = {t: side.left(t) for t in (Threat(norm, k, a) for k in ("weights", "scores", "labels") for a in (0, 1))}
        for left in of.values():
            assert left == sorted(left, reverse=True)
        strong, naive = of[Threat(norm, "weights", 1)], of[Threat(norm, "weights", 0)]
        scores, labels = of[Threat(norm, "scores", 1)], of[Threat(norm, "labels", 1)]
        assert all(s <= min(n, q) and q <= k for s, n, q, k in zip(strong, naive, scores, labels, strict=True))
        assert strong[0] == 1 and strong[-1] < 0.5
    assert used(Threat(knows="scores")) == ["scores", "labels"]


def test_what_fell_at_a_smaller_budget_has_fallen_and_is_not_attacked_again():
    model, x, y, asked = nn.Linear(1, 2), torch.full((6, 1), 0.3), torch.zeros(6, dtype=torch.int64), []
    model.weight.data, model.bias.data = torch.tensor([[0.0], [1.0]]), torch.tensor([0.5, 0.0])

    def works_at_a_small_budget(model, x, y, eps):
        asked.append(len(x))
        return x + 0.4 * (eps < 0.15)

    share, stood, _ = withstood(model, x, y, [works_at_a_small_budget], [0, 0.1, 0.2], torch.ones(6), draws=1)
    assert stood.tolist() == [[True] * 6, [False] * 6, [False] * 6] and torch.equal(share, stood.float())
    assert asked == [6]


class Plateau(nn.Module):
    """Its second class never moves, and the third one does."""

    def forward(self, x):
        return torch.stack([0 * x.sum(1), 0 * x.sum(1) - 0.1, 10 * (x.mean(1) - 0.6)], 1)


def test_on_a_stand_in_other_classes_than_the_likeliest_are_tried():
    x, y = torch.full((5, 64), 0.5), torch.zeros(5, dtype=torch.int64)
    side = measure(Defense("plateau", Plateau()), (x, y), eps=0.15, queries=0, norms=("linf",))
    assert side.stood["linf", "stand-in"].any(1).tolist() == [True, True, False, False]


class Bright(nn.Module):
    """Reads class 1 where the mean is above `edge`."""

    def __init__(self, edge):
        super().__init__()
        self.edge = edge

    def forward(self, x):
        return torch.stack([self.edge + 0 * x.sum(1), x.mean(1)], 1)


def test_a_search_on_a_stand_in_goes_on_where_that_has_fallen():
    x, y = torch.full((5, 64), 0.5), torch.zeros(5, dtype=torch.int64)
    defense = Defense("bright", Bright(0.57), stand_in=Bright(0.51))
    for attack in kinds(defense, "linf", None, 0, random=False)["stand-in"]:
        assert not share_right(defense.model, attack(defense.model, x, y, eps=0.1), y, 1).any()


class Rounded(nn.Module):
    def forward(self, x):
        return (8 * x).round() / 8


def test_a_mask_stands_until_the_attack_is_adapted(linear):
    model, (x, _), _ = linear
    masked = nn.Sequential(Rounded(), model)
    sample = x, masked(x).argmax(1)
    side = measure(Defense("masked", masked, stand_in=model), sample, eps=0.1, queries=10, norms=("linf",))
    naive, adapted = (side.left(Threat(adapts=adapts)) for adapts in (False, True))
    assert adapted[-1].clearly_below(naive[-1])


class Moody(nn.Module):
    """Right as often as `right(x)` says, (N,); the gradient of its score is that of `right`."""

    def __init__(self, right):
        super().__init__()
        self.right = right

    def forward(self, x):
        return torch.stack([self.right(x) - torch.rand(len(x)), 0 * x.sum(1)], 1)


def test_a_random_model_is_judged_by_its_habit_and_not_by_the_luck_of_many_attacks():
    torch.manual_seed(0)
    x, y = torch.rand(500, 3), torch.zeros(500, dtype=torch.int64)
    moody = Moody(lambda x: 0.7 + 0 * x.sum(1))
    once, often = (share_right(moody, x, y, draws) > 0.5 for draws in (1, 25))
    assert 0.65 < once.float().mean() < 0.75 and often.float().mean() > 0.95
    side = measure(Defense("moody", moody), (x, y), eps=0.1, queries=10, norms=("linf",))
    assert all(rate > 0.95 for rate in side.left(Threat())), "no attack moves it"


def test_an_attack_on_a_random_model_does_not_stop_at_the_first_fall_that_is_luck():
    """Three in ten answers are wrong before anything moves; at the end of the ball seven in ten are."""
    eps, n = 0.3, 100
    x, y = torch.full((n, 1), 0.5), torch.zeros(n, dtype=torch.int64)
    longest = budgets(eps, 1)["l2"][2]
    side = measure(
        Defense("moody", Moody(lambda x: 0.7 - 0.4 * (x[:, 0] - 0.5).abs() / longest)),
        (x, y),
        eps=eps,
        queries=10,
        norms=("l2",),
    )
    for kind in ("gradient", "stand-in"):
        assert side.share["l2", kind][2].mean() < 0.35


def test_a_proof_holds_in_l_infinity_within_its_radius_over_the_root_of_the_pixels(linear):
    model, sample, distance = linear
    defense = Defense("linear", model, certified=lambda x, y: distance["l2"])
    eps = float(distance["l2"].median()) / math.sqrt(16)
    side = measure(defense, sample, eps=eps, queries=5)
    at_eps = side.left(Threat("linf"), certificate=True)[2]
    assert abs(float(at_eps) - 0.5) < 0.01  # half have an L2 distance above eps * sqrt(16)
    for norm in ("linf", "l2"):
        pairs = zip(side.left(Threat(norm), certificate=True), side.left(Threat(norm)), strict=True)
        assert all(proved <= left for proved, left in pairs)
    nothing = measure(Defense("no proof", model), sample, eps=eps, queries=5, norms=("l2",))
    assert not any(rate.k for rate in nothing.left(Threat("l2"), certificate=True))


def test_a_proof_in_l_infinity_holds_in_l2_at_the_same_radius(linear):
    """A ball in L2 lies in the L-infinity ball of its radius, and in no smaller one."""
    model, sample, distance = linear
    defense = Defense("linear", model, certified=lambda x, y: distance["linf"], proof="linf")
    eps = float(distance["linf"].median())
    side = measure(defense, sample, eps=eps, queries=5)
    assert abs(float(side.left(Threat("linf"), certificate=True)[2]) - 0.5) < 0.01
    for norm, grid in budgets(eps, 16).items():
        want = [int((distance["linf"] >= budget).sum()) for budget in grid]
        assert [rate.k for rate in side.left(Threat(norm), certificate=True)] == want
        pairs = zip(side.left(Threat(norm), certificate=True), side.left(Threat(norm)), strict=True)
        assert all(proved <= left for proved, left in pairs)


def test_the_model_and_the_random_state_are_left_alone(linear):
    model, sample, _ = linear
    model.train().requires_grad_(True)
    state = torch.random.get_rng_state()
    one, two = (measure(Defense("linear", model), sample, eps=0.02, queries=5) for _ in range(2))
    assert isinstance(one, Side) and all(torch.equal(one.stood[key], two.stood[key]) for key in one.stood)
    assert torch.equal(state, torch.random.get_rng_state())
    assert model.training and all(p.requires_grad and p.grad is None for p in model.parameters())
