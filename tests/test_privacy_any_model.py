"""DP-SGD on whatever networks people have: each example's own gradient is clipped, or the network is refused."""

import math
import warnings
from types import SimpleNamespace

import pytest
import torch
import torch.nn.utils.prune
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.utils.data import DataLoader, TensorDataset

from utils.models import Normalize
from utils.privacy import clipped_sum, dp_sgd, dpsgd, per_example_gradients
from utils.smoothing import smoothed
from utils.training import fit

CLIP = 0.05


class Net(nn.Module):
    """Layers by name, and what is done with them, forward(self, x)."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.does = forward
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.does(self, x)


def two(forward):
    return Net(forward, a=nn.Linear(6, 6), b=nn.Linear(6, 3)).double()


def chain(*layers):
    return nn.Sequential(*layers, nn.ReLU(), nn.Linear(6, 3)).double()


def convolved(**how):
    """On images of 2 x 3 pixels."""
    return nn.Sequential(nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 4, 3, **how), nn.Flatten(), nn.Linear(24, 3)).double()


def batch(n=5, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.rand(n, 6, generator=random, dtype=torch.float64), torch.randint(0, 3, (n,), generator=random)


def by_definition(model, x, y, clip=CLIP):
    """The clipped sum and the lengths, one example after another, each from the same state of the model."""
    total, lengths = {name: torch.zeros_like(p) for name, p in model.named_parameters()}, []
    for image, label in zip(x.split(1), y.split(1), strict=True):
        with dpsgd.left_as_it_was(model):
            loss = F.cross_entropy(model(image.clone()), label)
            gradient = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
        gradient = [torch.zeros(()) if g is None else g for g in gradient]
        lengths.append(math.sqrt(sum(float(g.square().sum()) for g in gradient)))
        for name, g in zip(total, gradient, strict=True):
            total[name] += min(clip / lengths[-1], 1) * g
    return total, torch.tensor(lengths, dtype=torch.float64)


def length(gradients):
    return math.sqrt(sum(float(g.square().sum()) for g in gradients.values()))


def agrees(model, x, y, clip=CLIP):
    want, each = by_definition(model, x, y, clip)
    total, lengths = clipped_sum(model, x, y, clip)
    assert set(total) == set(want) and torch.allclose(lengths, each, rtol=1e-9)
    for name, g in want.items():
        assert torch.allclose(total[name], g, rtol=1e-9, atol=1e-12), name
    for i in range(len(x)):
        assert length(clipped_sum(model, x[i : i + 1], y[i : i + 1], clip)[0]) <= clip * (1 + 1e-9)


# Whatever a model does with an example.


def halves_in_place(net, x):
    h = net.a(x)
    h *= 0.5
    return net.b(F.relu_(h))


def many_rows(net, x):
    """Each example three times, a little changed, as a smoothed model does; without random numbers."""
    rows = x.repeat(3, 1) + torch.tensor([0.0, 0.1, 0.2], dtype=x.dtype).repeat_interleave(len(x))[:, None]
    return net.b(net.a(rows).relu()).unflatten(0, (3, len(x))).mean(0)


def past_the_names(net, x):
    return net.b(F.linear(net.a(x), net.held[0]))


def remembers_for_others_to_see(net, x):
    net.features = net.a(x).tanh()
    return net.b(net.features)


def shared(layer):
    return nn.Sequential(nn.Linear(6, 6), layer, nn.Linear(6, 6), layer, nn.Linear(6, 3)).double()


def with_alias():
    net = two(past_the_names)
    net.held = [net.a.weight]
    return net


class Straight(torch.autograd.Function):
    """A sign whose gradient is taken as 1: a gradient of one's own, which vmap cannot ask for."""

    @staticmethod
    def forward(ctx, x):
        return x.sign()

    @staticmethod
    def backward(ctx, g):
        return g


QUICK = {
    "one layer": lambda: nn.Linear(6, 3).double(),  # logistic regression: its weight has no layer's name before it
    "in place": lambda: chain(nn.Linear(6, 6), nn.ReLU(inplace=True), nn.Linear(6, 6)),
    "one ReLU twice": lambda: shared(nn.ReLU(inplace=True)),
    "nested": lambda: chain(nn.Sequential(nn.Linear(6, 6), nn.Sequential(nn.Tanh(), nn.Linear(6, 6, bias=False)))),
    "normalised": lambda: chain(Normalize(torch.rand(6), 1 + torch.rand(6)), nn.Linear(6, 6)),
}
SLOWER = {
    "rows of one example": lambda: two(many_rows),
    "in place, by hand": lambda: two(halves_in_place),
    "a weight again, by F.linear": lambda: two(lambda net, x: net.b(F.linear(net.a(x).relu(), net.a.weight))),
    "a layer again": lambda: two(lambda net, x: net.b(net.a(net.a(x)))),
    "a layer again, in a chain": lambda: shared(nn.Linear(6, 6)),
    "a layer that is not used": lambda: Net(lambda net, x: net.b(x), a=nn.Linear(6, 6), b=nn.Linear(6, 3)).double(),
    "normalised weights": lambda: two(lambda net, x: F.linear(net.a(x), F.normalize(net.b.weight))),
    "keyword inputs": lambda: two(lambda net, x: net.b(input=net.a(input=x).relu())),
    "Linear on 4-D": lambda: two(lambda net, x: net.b(net.a(x[:, None, None].expand(-1, 2, 3, -1))).mean((1, 2))),
    "features kept": lambda: two(remembers_for_others_to_see),
    "weight norm": lambda: chain(parametrizations.weight_norm(nn.Linear(6, 6))),
    "spectral norm": lambda: chain(parametrizations.spectral_norm(nn.Linear(6, 6))),
    "spectral norm, old": lambda: chain(nn.utils.spectral_norm(nn.Linear(6, 6))),
    "pruned": lambda: chain(torch.nn.utils.prune.l1_unstructured(nn.Linear(6, 6), "weight", 0.5)),
    "circular": lambda: convolved(padding=1, padding_mode="circular"),
    "reflected": lambda: convolved(padding=1, padding_mode="reflect"),
    "same": lambda: convolved(padding="same"),
    "attention": lambda: Net(
        lambda net, x: net.b(net.a(*[x.view(-1, 3, 2)] * 3)[0].mean(1)),
        a=nn.MultiheadAttention(2, 1, batch_first=True),
        b=nn.Linear(2, 3),
    ).double(),
    "group norm": lambda: chain(nn.Linear(6, 6), nn.GroupNorm(2, 6)),
    "past the names": with_alias,
    "a gradient of its own": lambda: two(lambda net, x: net.b(Straight.apply(net.a(x)))),
    "LSTM": lambda: Net(
        lambda net, x: net.b(net.a(x.view(-1, 3, 2))[0][:, -1]), a=nn.LSTM(2, 4, batch_first=True), b=nn.Linear(4, 3)
    ).double(),
}
LOOPED = {"past the names", "a gradient of its own", "LSTM"}


@pytest.mark.parametrize("name", [*QUICK, *SLOWER])
def test_the_sum_is_that_of_single_examples(name, monkeypatch):
    torch.manual_seed(0)
    model, used = (QUICK | SLOWER)[name](), set()
    for way in ("book_keeping", "by_loop"):
        real = getattr(dpsgd, way)
        monkeypatch.setattr(dpsgd, way, lambda *args, way=way, real=real: used.add(way) or real(*args))
    agrees(model, *batch())
    assert used == ({"book_keeping"} if name in QUICK else {"by_loop"} if name in LOOPED else set())


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
def test_the_old_weight_norm_too():
    agrees(chain(nn.utils.weight_norm(nn.Linear(6, 6))), *batch())


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:FutureWarning")
def test_a_compiled_model_too():
    model = torch.jit.trace(chain(nn.Linear(6, 6)), batch()[0])
    agrees(model, *batch())


PARTS = {
    "linear": lambda: nn.Linear(6, 6),
    "no bias": lambda: nn.Linear(6, 6, bias=False),
    "in place": lambda: nn.Sequential(nn.Linear(6, 6), nn.ReLU(inplace=True)),
    "tanh": nn.Tanh,
    "norm": lambda: nn.LayerNorm(6),
    "weight norm": lambda: parametrizations.weight_norm(nn.Linear(6, 6)),
    "convolution": lambda: nn.Sequential(
        nn.Unflatten(1, (2, 3, 1)), nn.Conv2d(2, 2, (3, 1), padding=(1, 0)), nn.Flatten()
    ),
    "circular": lambda: nn.Sequential(
        nn.Unflatten(1, (2, 3, 1)), nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"), nn.Flatten()
    ),
    "repeated": None,  # the part before it once more
    "second use": lambda: Net(lambda net, h: F.linear(net.a(h), net.a.weight.T), a=nn.Linear(6, 6)),
    "by hand": lambda: Net(lambda net, h: (0.5 + net.a(h)).mul_(0.5), a=nn.Linear(6, 6)),
    "rows": lambda: Net(lambda net, h: net.a(h.repeat(2, 1)).unflatten(0, (2, len(h))).mean(0), a=nn.Linear(6, 6)),
}


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(sorted(PARTS)), max_size=4), st.integers(0, 999), st.integers(1, 6), st.floats(0.01, 3))
def test_random_networks_are_clipped_as_by_a_loop(names, seed, n, clip):
    torch.manual_seed(seed)
    layers = [nn.Linear(6, 6)]
    for name in names:
        layers.append(PARTS[name]() if PARTS[name] else layers[-1])
    agrees(nn.Sequential(*layers, nn.Linear(6, 3)).double(), *batch(n, seed), clip)


def test_a_smoothed_model_with_sixteen_draws_is_clipped_as_one():
    """It once had a length of 13.6 times the clip."""
    torch.manual_seed(0)
    model, (x, y) = smoothed(two(lambda net, x: net.b(net.a(x).relu())), 0.25, 16), batch()
    for i in range(5):
        total, before = clipped_sum(model, x[i : i + 1], y[i : i + 1], 0.01)
        assert length(total) == pytest.approx(0.01) and float(before) > 0.1
    assert length(clipped_sum(model, x, y, 0.01)[0]) <= 5 * 0.01


def test_what_a_pass_changes_changes_once_an_update_whatever_the_data():
    torch.manual_seed(0)
    models = [chain(nn.utils.spectral_norm(nn.Linear(6, 6))) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    before = models[0][0].weight_u.clone()
    clipped_sum(models[0], *batch(), CLIP)
    models[1](batch(1, seed=3)[0])
    assert torch.allclose(models[0][0].weight_u, models[1][0].weight_u) and not torch.equal(
        models[0][0].weight_u, before
    )


def test_nothing_of_the_data_stays_behind():
    model = two(remembers_for_others_to_see)
    clipped_sum(model, *batch(), CLIP)
    assert torch.allclose(model.features, model.a(torch.zeros(1, 6, dtype=torch.float64)).tanh())


def test_a_hook_that_looks_on_keeps_the_quick_way_and_one_that_meddles_does_not():
    torch.manual_seed(0)
    model, seen = chain(nn.Linear(6, 6)), []
    handle = model[-1].register_forward_hook(lambda layer, inputs, output: seen.append(len(output)))
    agrees(model, *batch())
    assert seen.count(5) == 1 and set(seen) == {1, 5}
    handle.remove()
    for meddles in (lambda layer, inputs, output: 2 * output, lambda layer, inputs, output: print(output.mul_(2))):
        handle = model[0].register_forward_hook(meddles)
        agrees(model, *batch())
        handle.remove()


def test_places_that_cancel_each_other_are_measured_by_the_gradient_itself():
    """One row of outer gradients is nearly the other's opposite: their products leave rounding only."""
    torch.manual_seed(0)
    g, a = torch.randn(8, 32, 1).repeat(1, 1, 4), torch.randn(8, 1, 144).repeat(1, 4, 1)
    g[:, :, 1::2] *= -1
    g[0] = torch.randn(32, 4)
    a[:, 0] *= 1 + 1e-5
    exact = (g.double() @ a.double()).square().sum((1, 2))
    assert torch.allclose(dpsgd.products(g, a).double(), exact, rtol=1e-2)


def test_a_layer_of_two_names_keeps_its_weights():
    """`functional_call` alone leaves the last values that it was given there."""
    model = shared(nn.Linear(6, 6))
    weight = model[1].weight
    per_example_gradients(model, *batch())
    assert model[1].weight is weight


# What mixes.


class Own(nn.Module):
    """A layer with a running mean of its own kind."""

    def __init__(self, how):
        super().__init__()
        self.a, self.b, self.how, self.last = nn.Linear(6, 6), nn.Linear(6, 3), how, 0.0
        self.register_buffer("running", torch.zeros(6))

    def forward(self, x):
        h = self.a(x)
        if self.how == "buffer":
            with torch.no_grad():
                self.running.mul_(0.9).add_(0.1 * h.mean(0))
        elif self.how == "new buffer":
            self.running = 0.9 * self.running + 0.1 * h.detach().mean(0)
        else:
            h, self.last = h - self.last, h.detach().mean(0)
        return self.b(h.relu())


MIXING = {
    "mean": lambda: two(lambda net, x: net.b(net.a(x) - net.a(x).mean(0))),
    "mean, unseen by the graph": lambda: two(lambda net, x: net.b(net.a(x) - net.a(x).detach().mean(0))),
    "mean of the inputs": lambda: two(lambda net, x: net.b(net.a(x - x.mean(0)))),
    "maximum": lambda: two(lambda net, x: net.b(net.a(x) - net.a(x).detach().amax(0))),
    "softmax": lambda: two(lambda net, x: net.b(net.a(x).softmax(0))),
    "neighbours": lambda: two(lambda net, x: net.b(net.a(x) + 0.1 * net.a(x).roll(2, 0))),
    "turned round": lambda: two(lambda net, x: net.b(net.a(x)).flip(0)),
    "ranks": lambda: two(lambda net, x: net.b(net.a(x.argsort(0).to(x)))),
    "a share": lambda: two(lambda net, x: net.b(net.a(x) * (x[:, :1] > 0.5).double().mean().item())),
    "attention along the batch": lambda: Net(
        lambda net, x: net.b(net.a(*[x.view(-1, 3, 2)] * 3)[0].mean(1)),
        a=nn.MultiheadAttention(2, 1),
        b=nn.Linear(2, 3),
    ),
    "BatchNorm without statistics": lambda: chain(nn.Linear(6, 6), nn.BatchNorm1d(6, track_running_stats=False)),
    "InstanceNorm with statistics": lambda: chain(
        nn.Unflatten(1, (2, 3)), nn.InstanceNorm1d(2, track_running_stats=True), nn.Flatten(), nn.Linear(6, 6)
    ),
    "a hook": lambda: hooked(chain(nn.Linear(6, 6))),
    **{how: lambda how=how: Own(how) for how in ("buffer", "new buffer", "the last batch")},
}


def hooked(model):
    model[0].register_forward_hook(lambda layer, inputs, output: output - output.mean(0))
    return model


@pytest.mark.parametrize("name", MIXING)
def test_a_model_that_mixes_or_remembers_examples_is_refused(name):
    torch.manual_seed(0)
    model = MIXING[name]().double()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match="mixes examples"):
        clipped_sum(model, *batch(5), CLIP)
    with pytest.raises(ValueError, match="mixes examples"):
        dp_sgd(model, batch(12), rate=0.5, updates=3)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_models_that_draw_numbers_mix_nothing():
    torch.manual_seed(0)
    for model in (two(lambda net, x: net.b(F.dropout(net.a(x), 0.5))), chain(nn.Linear(6, 6), nn.Dropout(0.5))):
        clipped_sum(model, *batch(), CLIP)
    model, state = two(lambda net, x: net.b(net.a(x) + torch.randn_like(x))), torch.get_rng_state()
    dpsgd.check_apart(model, batch()[0])
    assert torch.equal(state, torch.get_rng_state()), "the check draws numbers of its own"


# Records that are not finite.


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, 1e20, 1e38])
@pytest.mark.parametrize("kind", ["chain", "images", "by vmap", "by loop"])
def test_a_record_that_is_not_finite_counts_as_nothing(kind, odd):
    torch.manual_seed(0)
    model = {
        "chain": chain(nn.Linear(6, 6)),
        "images": nn.Sequential(nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 20, 2), nn.Conv2d(20, 20, 1), nn.Flatten())[
            1:
        ],
        "by vmap": two(lambda net, x: net.b(net.a(x).relu())),
        "by loop": with_alias(),
    }[kind].float()
    x, y = batch()
    x = x.float()
    if kind == "images":
        model, x = nn.Sequential(*model, nn.Linear(40, 3)), x.view(5, 1, 2, 3)
    x[2].fill_(odd)
    rest = torch.arange(5) != 2
    want, _ = clipped_sum(model, x[rest], y[rest], CLIP)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        total, lengths = clipped_sum(model, x, y, CLIP)
    lone = length({name: total[name] - g for name, g in want.items()})
    if lengths[2].isfinite():  # it counts like any other
        assert lone <= CLIP * (1 + 1e-5)
    else:
        assert lone <= 1e-6 and "counts as 0" in str(told[0].message)
    before = [p.detach().clone() for p in model.parameters()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dp_sgd(model, (x, y), rate=1, updates=2, clip=CLIP, noise_multiplier=0)
    assert all(p.isfinite().all() for p in model.parameters())
    assert any(not torch.equal(p, was) for p, was in zip(model.parameters(), before, strict=True))


def test_half_precision_is_measured_in_single():
    """In bfloat16 a sum of squares stops growing at 256 times what is added."""
    torch.manual_seed(0)
    model, x, y = nn.Sequential(nn.Linear(3000, 3)), torch.rand(4, 3000), torch.tensor([0, 1, 2, 0])
    _, want = clipped_sum(model, x, y, CLIP)
    total, lengths = clipped_sum(model.bfloat16(), x.bfloat16(), y, CLIP)
    assert lengths.dtype == torch.float32 and torch.allclose(lengths, want, rtol=0.03)
    assert all(g.dtype == torch.bfloat16 for g in total.values())


def test_pieces_that_fit_into_memory_are_the_same(monkeypatch):
    torch.manual_seed(0)
    model, (x, y) = two(lambda net, x: net.b(net.a(x).relu())), batch(7)
    want, lengths = clipped_sum(model, x, y, CLIP)
    monkeypatch.setattr(dpsgd, "AT_ONCE", 130)  # two examples
    total, found = clipped_sum(model, x, y, CLIP)
    assert torch.allclose(found, lengths) and all(torch.allclose(total[name], g) for name, g in want.items())


def test_nothing_to_train_is_said():
    with pytest.raises(ValueError, match="parameter"):
        clipped_sum(nn.Linear(6, 3).requires_grad_(False), *batch(), CLIP)
    with pytest.raises(ValueError, match="train must"):
        dp_sgd(nn.Linear(6, 3), (torch.rand(0, 6), torch.zeros(0, dtype=torch.int64)))


def test_per_example_gradients_of_words():
    """Whole numbers, as an Embedding takes them."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(9, 6), nn.Flatten(), nn.Linear(12, 3)).double()
    words, y = torch.randint(0, 9, (5, 2)), batch()[1]
    agrees(model, words, y)
    assert per_example_gradients(model, words, y)["0.weight"].shape == (5, 9, 6)


def test_a_parameter_that_is_one_number_is_clipped_with_the_others():
    """A temperature, as many networks have one."""
    net = two(lambda self, x: self.b(self.a(x)) * self.heat)
    net.heat = nn.Parameter(torch.tensor(3.0, dtype=torch.float64))
    agrees(net, *batch())


@pytest.mark.parametrize("y", [torch.zeros(4).long(), torch.zeros(5), torch.zeros(5, 3).long()])
def test_labels_that_are_none_are_refused(y):
    with pytest.raises(ValueError, match="one int64 label for each of the 5 images in x, got"):
        clipped_sum(nn.Linear(6, 3).double(), batch()[0], y, CLIP)


ANSWERS = {
    "a dictionary": lambda net, x: {"features": x, "logits": net.b(net.a(x))},
    "a tuple": lambda net, x: (net.b(net.a(x)), x[:, :, None]),
    "an object": lambda net, x: SimpleNamespace(logits=net.b(net.a(x)), loss=None),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_logits_are_taken_out_of_what_holds_them(kind):
    torch.manual_seed(0)
    plain = two(lambda net, x: net.b(net.a(x)))
    model = two(ANSWERS[kind])
    model.load_state_dict(plain.state_dict())
    (want, lengths), (found, each) = (clipped_sum(m, *batch(), CLIP) for m in (plain, model))
    assert torch.allclose(lengths, each) and all(torch.allclose(g, found[name]) for name, g in want.items())
    dp_sgd(model, batch(12), updates=2, rate=0.5)
    fit(model, batch(12), updates=2)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda: nn.Linear(6, 1), "for two classes turn its one number z into two"),
        (lambda: two(lambda net, x: net.b(net.a(x))[:, :1]), "for two classes turn its one number z into two"),
        (lambda: convolved(padding=1)[:2], "let its forward return one row of scores"),
        (lambda: two(lambda net, x: net.b(net.a(x))[:, :, None, None]), r"append nn\.Flatten"),
        (lambda: two(lambda net, x: [net.a(x), net.b(x)]), "let its forward return the logits alone"),
    ],
)
def test_answers_that_are_no_logits_are_named(model, says):
    """With one column and labels of 0 the loss was 0, and so was every gradient."""
    x, y = batch()
    for train in (lambda net: clipped_sum(net, x, 0 * y, CLIP), lambda net: fit(net, (x, 0 * y), updates=1)):
        with pytest.raises(ValueError, match=rf"^model must return logits .*{says}"):
            train(model().double())


def test_labels_of_any_whole_type_and_pairs_that_are_none():
    x, y = batch()
    model = nn.Linear(6, 3).double()
    for kind in (torch.int32, torch.uint8):
        assert torch.equal(clipped_sum(model, x, y.to(kind), CLIP)[1], clipped_sum(model, x, y, CLIP)[1])
    loader = DataLoader(TensorDataset(x, y))
    for train in (loader, (x.numpy(), y), (x.tolist(), y.tolist()), (x, y, y), x):
        for learn in (dp_sgd, fit):
            with pytest.raises(TypeError, match=r"^train must be a pair of tensors \(x, y\), .*, got"):
                learn(model, train, updates=1)
    with pytest.raises(TypeError, match=r"^x must be a tensor"):
        clipped_sum(model, x.numpy(), y, CLIP)
    with pytest.raises(ValueError, match="one int64 label for each of the 5 images"):
        dp_sgd(model, (x, y[:3]), updates=1)
    with pytest.raises(ValueError, match="parameter that requires a gradient"):
        dp_sgd(nn.Linear(6, 3).double().requires_grad_(False), (x, y), updates=1)
