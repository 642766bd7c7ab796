"""Proofs by bounds: nothing lies outside of them, no proved image falls, and no last bit of a float32 refutes one."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune

from same_code import definitions
from utils import bounds
from utils.adversarial import attacked
from utils.attacks import worst_case
from utils.bounds import MaxMin, fixed, interval_training, lipschitz_net, lipschitz_radius, proved, proved_radius
from utils.data import load
from utils.models import logits, mlp, small_cnn
from utils.training import fit

WAYS = ("intervals", "lines")


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.fixture(scope="module")
def models(digits):
    """Small networks, and how they were trained."""
    torch.manual_seed(0)
    boxed = fit(small_cnn(digits), digits.train, loss=interval_training(0.1, 200), updates=200, lr=1e-2)
    attack = attacked(0.1, steps=1, updates=100)
    return {"boxed": boxed, "attacked": fit(small_cnn(digits), digits.train, transform=attack, updates=100, lr=1e-2)}


def in_ball(x: torch.Tensor, eps: float, many: int) -> torch.Tensor:
    """Images within eps of one, half of them at corners of the ball."""
    change = eps * (2 * torch.rand(many, *x.shape[1:]) - 1)
    change[::2] = eps * change[::2].sign()
    return (x + change).clamp(0, 1)


def tiny(seed: int) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(seed)
    layers = [nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)]
    return nn.Sequential(*layers).requires_grad_(False), torch.rand(1, 2)


def least(by: str, model: nn.Module, x: torch.Tensor, y: torch.Tensor, eps: float) -> torch.Tensor:
    """The least leads that a way of proving leaves, (N, classes)."""
    with torch.no_grad():
        return {"intervals": bounds.by_intervals, "lines": bounds.by_lines}[by](bounds.steps_of(model, x), x, y, eps)[0]


# Nothing lies outside.


@pytest.mark.slow
@pytest.mark.parametrize("name", ["boxed", "attacked"])
def test_no_answer_of_100_000_lies_outside_of_its_bounds(models, digits, name):
    torch.manual_seed(0)
    model, (x, y) = models[name], digits.test.take(4)
    with torch.no_grad():
        (*_, (low, high)), off = bounds.boxes(bounds.steps_of(model, x), *bounds.ball(x, 0.05))
        leads = {by: least(by, model, x, y, 0.05) for by in WAYS}
        for i in range(4):
            for _ in range(5):
                z = logits(model, in_ball(x[i : i + 1], 0.05, 5000)).double()
                assert ((z >= low[i] - off[i]) & (z <= high[i] + off[i])).all()
                for lead in leads.values():
                    assert (z[:, y[i], None] - z >= lead[i] - off[i] - off[i, y[i]]).all()


@pytest.mark.parametrize("seed", range(20))
def test_on_two_pixels_lines_lie_between_boxes_and_the_truth(seed):
    """A fine grid of the ball: its least lead is not below the proof, and lines lose less than boxes do."""
    model, x = tiny(seed)
    y = model(x).argmax(1)
    side = torch.linspace(-0.2, 0.2, 201)
    z = model((x + torch.stack(torch.meshgrid(side, side, indexing="ij"), -1).view(-1, 2)).clamp(0, 1))
    truth = float((z[:, y[0]] - z[:, 1 - y[0]]).min())
    box, line = (float(least(by, model, x, y, 0.2)[0, 1 - y[0]]) for by in WAYS)
    assert box <= line <= truth + 1e-5


def test_lines_stay_true_where_zero_is_an_end():
    """ReLU that are always open, always shut, or touch zero."""
    model = nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 2)).requires_grad_(False)
    model[0].weight[:], model[0].bias[:] = torch.tensor([[1.0], [1.0], [-1.0]]), torch.tensor([1.0, -0.5, 0.25])
    model[2].weight[:], model[2].bias[:] = torch.tensor([[1.0, -2.0, 1.0], [0.0, 0.0, 0.0]]), torch.zeros(2)
    x, y = torch.tensor([[0.5]]), torch.tensor([0])
    for eps in (0.25, 0.5):
        z = model(torch.linspace(0.5 - eps, 0.5 + eps, 1001)[:, None])
        assert float(least("lines", model, x, y, eps)[0, 1]) <= float((z[:, 0] - z[:, 1]).min()) + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize("name", ["boxed", "attacked"])
def test_no_proved_image_falls(models, digits, name, by):
    model, (x, y) = models[name], digits.test.take(60)
    eps = 0.1 if name == "boxed" else 0.03
    sure = proved(model, x, y, eps=eps, by=by)
    assert (logits(model, worst_case(model, x[sure], y[sure], eps=eps)).argmax(1) == y[sure]).all()
    assert sure.sum() > (30 if name == "boxed" or by == "lines" else -1)


@pytest.mark.slow
def test_a_wrong_answer_is_never_proved(models, digits):
    x, y = digits.test.take(50)
    other = (logits(models["boxed"], x).argmax(1) + 1) % 10
    for by in WAYS:
        assert not proved(models["boxed"], x, other, eps=0.0, by=by).any()
        assert not proved(models["boxed"], x, y, eps=1.0, by=by).any()


def test_training_for_intervals_is_what_makes_them_useful(models, digits):
    x, y = digits.test
    shares = {
        name: float(proved(model, x, y, eps=0.1, by="intervals").float().mean()) for name, model in models.items()
    }
    assert shares["boxed"] > 0.6 and shares["attacked"] < 0.05


def test_the_radius_is_the_largest_step_at_which_there_is_a_proof(models, digits):
    x, y = digits.test.take(30)
    radius = proved_radius(models["boxed"], x, y, up_to=0.2)
    steps = (radius / 0.2 * 64).round()
    assert torch.allclose(steps / 64 * 0.2, radius)
    for step in range(0, 65, 4):
        if step:
            here = proved(models["boxed"], x, y, eps=step / 64 * 0.2, by="intervals")
            assert torch.equal(here, steps >= step)
    other = (logits(models["boxed"], x).argmax(1) + 1) % 10
    assert (proved_radius(models["boxed"], x, other, up_to=0.2) == 0).all()


# In closed form.


def line(pixels: int, seed: int) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A linear model and an image not far from its boundary, with its answer."""
    torch.manual_seed(seed)
    model, x = nn.Linear(pixels, 2).requires_grad_(False), 0.25 + 0.5 * torch.rand(1, pixels)
    w = model.weight[1] - model.weight[0]
    model.bias[1] = model.bias[0] - (w @ x[0]) + 0.1 * w.norm() * (0.5 + torch.rand(()))
    return model, x, model(x).argmax(1)


def test_for_a_linear_model_the_radius_is_the_distance():
    for seed in range(20):
        model, x, y = line(16, seed)
        w = (model.weight[1] - model.weight[0]).double()
        lead = abs(float(w @ x[0].double() + (model.bias[1] - model.bias[0]).double()))
        assert float(lipschitz_radius(model, x, y)) == pytest.approx(lead / float(w.norm()), rel=1e-3)
        in_linf = lead / float(w.abs().sum())
        for by in WAYS:
            assert proved(model, x, y, eps=0.999 * in_linf, by=by) and not proved(
                model, x, y, eps=1.001 * in_linf, by=by
            )


@pytest.mark.parametrize("shape", [(5, 5), (9, 4), (64, 64), (100, 1)])
def test_cayleys_columns_are_orthonormal_and_its_gradient_is_there(shape):
    free = torch.randn(*shape, dtype=torch.float64, requires_grad=True)
    made = bounds.cayley(free)
    assert torch.allclose(made.T @ made, torch.eye(shape[1], dtype=torch.float64), atol=1e-10)
    (gradient,) = torch.autograd.grad(made.square()[0].sum(), free)
    assert gradient.isfinite().all()


def test_a_network_that_cannot_stretch_does_not(digits):
    torch.manual_seed(0)
    model = fit(lipschitz_net(digits, 32), digits.train, updates=50, lr=1e-2)
    stiff, x = fixed(model), digits.test.x[:200]
    assert torch.allclose(logits(stiff, x), logits(model, x), atol=1e-5)
    a, b = x[:100], x[100:]
    assert ((stiff(a) - stiff(b)).norm(dim=1) <= (1 + 1e-5) * (a - b).flatten(1).norm(dim=1)).all()
    z = torch.randn(50, 8)
    assert torch.allclose(MaxMin()(z).norm(dim=1), z.norm(dim=1))
    assert MaxMin()(torch.tensor([[1.0, 3.0, 5.0, 2.0]])).tolist() == [[3.0, 5.0, 1.0, 2.0]]


@pytest.mark.slow
def test_no_image_within_a_lipschitz_radius_falls(digits):
    torch.manual_seed(0)

    def lead(model, x, y):
        return F.multi_margin_loss(model(x), y)

    stiff = fixed(fit(lipschitz_net(digits, 64), digits.train, loss=lead, updates=200, lr=1e-2))
    x, y = digits.test.take(100)
    radius = lipschitz_radius(stiff, x, y)
    assert (radius[logits(stiff, x).argmax(1) != y] == 0).all() and (radius > 0.4).float().mean() > 0.5
    for eps in (0.2, 0.4):
        sure = radius > eps
        x_adv = worst_case(stiff, x[sure], y[sure], eps=eps, norm="l2")
        assert (logits(stiff, x_adv).argmax(1) == y[sure]).all()
    assert lipschitz_radius(small_cnn(digits), x, y).max() < 0.3  # true as well, and of no use


# In float32.


def refuted(model: nn.Module, x: torch.Tensor, y: torch.Tensor, radius: float, tries: int = 300) -> bool:
    """Whether an image nearer than the radius in L2, measured in float64, gets another answer in float32."""
    w = (model.weight[1] - model.weight[0]).double() * (1 if y == 0 else -1)
    there = x.double() + (1 - torch.logspace(-9, -6, tries, dtype=torch.float64)[:, None]) * radius * w / w.norm()
    there = (there + 6e-8 * (torch.rand(there.shape) - 0.5)).float()
    nearer = (there.double() - x.double()).norm(dim=1) < radius
    return bool((nearer & (model(there).argmax(1) != y)).any())


@pytest.mark.parametrize("pixels", [64, 784])
def test_the_search_refutes_radii_without_a_margin_and_none_with_one(pixels):
    naive = sound = 0
    for seed in range(100):
        model, x, y = line(pixels, seed)
        z, w = model(x)[0], model.weight[1] - model.weight[0]
        naive += refuted(model, x, y, float((z[1] - z[0]).abs() / w.norm()))
        sound += refuted(model, x, y, float(lipschitz_radius(model, x, y)))
    assert naive > 20 and sound == 0


def test_a_lead_that_rounding_could_take_proves_nothing():
    """Two rows that differ in their last bits: the lead is there in float64, and less than float32 may be off by."""
    model, x = nn.Linear(100, 2).requires_grad_(False), torch.full((1, 100), 0.5)
    model.bias.zero_()
    model.weight[1] = model.weight[0] + 1e-7
    y = torch.tensor([1])
    lead = float((model.weight[1] - model.weight[0]).double().sum() / 2)
    assert lead > 0 and lipschitz_radius(model, x, y) == 0
    assert not any(proved(model, x, y, eps=0.0, by=by) for by in WAYS)


@pytest.mark.parametrize("seed", range(3))
def test_float32_is_never_further_off_than_said(digits, seed):
    torch.manual_seed(seed)
    model, (x, _) = small_cnn(digits).requires_grad_(False), digits.test.take(100)
    for layer in model[1:]:
        if hasattr(layer, "weight"):
            layer.weight.mul_(3)
    with torch.no_grad():
        steps = bounds.steps_of(model, x)
        found, off = bounds.boxes(steps, *[x.flatten(1).double()] * 2)
        apart = (logits(model, x).double() - found[-1][0]).abs()
    assert (apart <= off).all() and apart.max() > 0


def test_the_ball_has_room_for_an_attack_that_rounds():
    torch.manual_seed(0)
    x = torch.rand(50, 100)
    for eps in (0.1, 1 / 3, 8 / 255):
        low, high = bounds.ball(x, eps)
        assert ((x + eps).clamp(0, 1).double() <= high).all() and ((x - eps).clamp(0, 1).double() >= low).all()
        assert ((x.double() + eps).clamp(0, 1) <= high).all() and ((x.double() - eps).clamp(0, 1) >= low).all()


# Promises.


def test_the_model_and_the_random_state_are_left_alone(models, digits):
    model, (x, y) = models["boxed"].train(), digits.test.take(3)
    before, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    for by in WAYS:
        proved(model, x, y, eps=0.01, by=by)
    lipschitz_radius(mlp(digits), x, y)
    proved_radius(model, x, y, up_to=0.1)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert model.training and all(p.grad is None for p in model.parameters())
    assert len(torch.get_rng_state()) == len(state)
    model.eval()


def test_what_cannot_be_proved_is_named(digits):
    x, y = digits.test.take(3)
    plain = mlp(digits)
    with pytest.raises(ValueError, match=r"^by must be one of"):
        proved(plain, x, y, eps=0.1, by="magic")
    with pytest.raises(ValueError, match=r"^x must lie"):
        proved(plain, 2 * x + 1, y, eps=0.1)
    for model in (nn.Sequential(plain, nn.Tanh()), plain.double(), nn.Sequential(nn.Flatten(), nn.Dropout())):
        with pytest.raises(TypeError, match=r"^proofs need a Sequential"):
            proved(model, x, y, eps=0.1)
    with pytest.raises(TypeError, match=r"^lines hold ReLU only"):
        proved(fixed(lipschitz_net(digits, 8)), x, y, eps=0.1, by="lines")
    for by in WAYS:
        assert proved(mlp(digits), x[:0], y[:0], eps=0.1, by=by).shape == (0,)


class Below(nn.ReLU):
    def forward(self, x):
        return -super().forward(x)


class Squares(nn.Linear):
    def forward(self, x):
        return super().forward(x).square()


def hooked(model, at=None):
    (model if at is None else model[at]).register_forward_hook(lambda layer, given, out: -out)
    return model


def patched(model):
    model[2].forward = lambda x: -x
    return model


def three(relu=nn.ReLU, linear=nn.Linear, classes=3):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), linear(4, 8), relu(), nn.Linear(8, classes))


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize(
    "model",
    [
        lambda: three(Below),
        lambda: three(linear=Squares),
        lambda: hooked(three()),
        lambda: hooked(three(), 2),
        lambda: hooked(three(), 1),
        lambda: patched(three()),
        lambda: nn.utils.spectral_norm(three()[1]),
    ],
    ids=[
        "ReLU of one's own",
        "Linear",
        "hook",
        "hook on ReLU",
        "hook on Linear",
        "method replaced",
        "torch's old hook",
    ],
)
def test_what_does_something_else_than_it_is_called_is_not_proved(model, by):
    """Of a ReLU with the other sign, 40 images in 40 were proved, where 2 answers are right."""
    x = torch.rand(40, 4, generator=torch.Generator().manual_seed(0))
    for prove in (
        lambda m: proved(m, x, m(x).argmax(1), eps=1e-4, by=by),
        lambda m: lipschitz_radius(m, x, m(x).argmax(1)),
    ):
        with pytest.raises(TypeError, match=r"^proofs need a Sequential .* forward of its own or a hook: take it out"):
            prove(model())


@pytest.mark.parametrize(
    ("shape", "first"), [((1, 8, 8), nn.Conv2d(1, 4, 3, padding=1)), ((4, 8), nn.Linear(8, 8))], ids=["images", "rows"]
)
def test_maxmin_of_channels_is_not_proved_as_if_it_were_of_a_flat_row(shape, first):
    """Of 200 wrong labels 149 were proved: steps on flat rows paired other numbers than the model does."""
    x = torch.rand(10, *shape, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(first, MaxMin(), nn.Flatten(), nn.LazyLinear(3))
    y = model(x).argmax(1)
    for prove in (lambda: proved(model, x, y, eps=0.0, by="intervals"), lambda: lipschitz_radius(model, x, y)):
        with pytest.raises(ValueError, match=r"^proofs take MaxMin after Flatten only, and it is given \(N, 4, 8"):
            prove()
    flat = nn.Sequential(first, nn.Flatten(), MaxMin(), nn.Linear(model[3].in_features, 3))
    y = flat(x).argmax(1)
    assert proved(flat, x, y, eps=0.0, by="intervals").all() and (lipschitz_radius(flat, x, y) > 0).all()
    assert not proved(flat, x, (y + 1) % 3, eps=0.0, by="intervals").any()


def test_maxmin_of_an_odd_number_is_a_sentence(digits):
    with pytest.raises(ValueError, match=r"^MaxMin takes its neighbours in pairs: their number must be even, got 7$"):
        lipschitz_net(digits, width=7)(digits.test.x[:2])


@pytest.mark.parametrize("by", WAYS)
def test_torchs_own_ways_to_weights_are_proved(by):
    x = torch.rand(40, 4, generator=torch.Generator().manual_seed(0))
    for change in (
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        lambda layer: prune.remove(prune.l1_unstructured(layer, "weight", 0.3), "weight"),
    ):
        model = three()
        model[1] = change(model[1])
        y = model.eval()(x).argmax(1)
        assert torch.equal(bounds.steps_of(model, x)[0].weight, model[1].weight.double()), (
            "that of the model in float32"
        )
        assert proved(model, x, y, eps=1e-3, by=by).float().mean() > 0.5
        assert not proved(model, x, (y + 1) % 3, eps=1e-3, by=by).any()


def test_a_proof_is_about_the_weights_in_evaluation_mode():
    """In training mode a spectral norm takes a step at each look: radii were 6 % too large."""
    x = torch.rand(40, 4, generator=torch.Generator().manual_seed(0))
    model = three()
    model[1] = parametrizations.spectral_norm(model[1])
    y, held = model.eval()(x).argmax(1), {name: value.clone() for name, value in model.state_dict().items()}
    weight, radius = model[1].weight.double(), lipschitz_radius(model, x, y)
    model.train()
    assert torch.equal(bounds.steps_of(model, x)[0].weight, weight)
    assert torch.equal(lipschitz_radius(model, x, y), radius)
    assert model[1].training and all(torch.equal(value, held[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("by", WAYS)
def test_answers_that_are_no_logits_and_labels_of_no_class_are_not_proved(by):
    """Of one column all was proved, for there is no other class; the label -1 was the last one."""
    x, y = torch.rand(5, 4), torch.arange(5) % 3
    for model in (three(classes=1), three()[:3], three()[1:2], nn.Sequential(nn.Flatten())):
        images = x if len(model) > 1 else x[:, None]
        for prove in (proved, lambda m, x, y, eps, by: lipschitz_radius(m, x, y)):
            with pytest.raises(ValueError, match=r"^model must end in a linear layer with a logit for each"):
                prove(model, images, 0 * y, eps=0.01, by=by)
    for shift in (1, -1):
        with pytest.raises(ValueError, match=r"y must lie in 0\.\.2"):
            proved(three(), x, y + shift, eps=0.01, by=by)
    for value in (math.nan, math.inf):
        model = three()
        model[1].weight.data[0, 0] = value
        with pytest.raises(ValueError, match="weights that are NaN or infinite"):
            proved(model, x, y, eps=0.01, by=by)


class Backwards(nn.Sequential):
    """Runs its layers in another order than it lists them."""

    def forward(self, x):
        for layer in reversed(self):
            x = layer(x)
        return x


@pytest.mark.parametrize("by", WAYS)
def test_a_layer_that_runs_twice_or_in_place_proves_no_more(models, digits, by):
    """One ReLU in two places was read once, and one that works in place wrote over the bounds before it."""
    x, y = digits.test.take(20)
    torch.manual_seed(0)
    first, second, third = nn.Linear(64, 32), nn.Linear(32, 32), nn.Linear(32, 10)
    one = nn.ReLU()
    plain = nn.Sequential(nn.Flatten(), first, nn.ReLU(), second, nn.ReLU(), third)
    shared = nn.Sequential(nn.Flatten(), first, one, nn.Sequential(second, one), third)
    in_place = nn.Sequential(nn.Flatten(), first, nn.ReLU(inplace=True), second, nn.ReLU(inplace=True), third)
    expected = least(by, plain, x, y, 0.05)
    for model in (shared, in_place):
        assert torch.equal(least(by, model, x, y, 0.05), expected)
    with pytest.raises(TypeError, match=r"^proofs need a Sequential"):
        proved(Backwards(third, one, first), x.flatten(1), y, eps=0.05, by=by)


@pytest.mark.parametrize("name", ["interval", "worst_lead", "interval_training", "line_bounds", "cayley"])
def test_the_lesson_and_utils_hold_the_same_cell(name):
    lesson, shared = definitions("notebooks/src/07b_bounds.py"), definitions("utils/bounds.py")
    assert lesson[name] == shared[name]


def test_lead_is_what_the_training_sees(models, digits):
    """The loss's worst leads are the proof's least leads with the other sign, but for float32."""
    x, y = digits.test.take(20)
    with torch.no_grad():
        seen = bounds.worst_lead(models["boxed"], x, y, 0.1).double()
    assert torch.allclose(-seen, least("intervals", models["boxed"], x, y, 0.1), atol=1e-3)
