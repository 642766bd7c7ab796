"""The ground and the loop: networks that take pixels, and training that does what it is told."""

import subprocess
import sys
from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from utils.data import load
from utils.evaluation import accuracy
from utils.fingerprint import ROOT
from utils.models import logits, mlp, predict, small_cnn
from utils.training import fit, fit_together, mean_cross_entropy, optimizers


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.mark.parametrize("build", [small_cnn, mlp])
def test_normalisation_is_the_first_layer(build, digits):
    model = build(digits)
    normal = model[0](digits.train.x)
    assert abs(float(normal.mean())) < 1e-5 and abs(float(normal.std()) - 1) < 1e-5
    assert not list(model[0].parameters())  # part of the model, not of what is learned
    assert model(digits.test.x[:3]).shape == (3, 10)


def test_tables_get_a_network_too_and_a_clear_word(digits):
    tumors = load("tumors")
    assert mlp(tumors)(tumors.test.x[:3]).shape == (3, 2)
    assert mlp(tumors)[0](tumors.train.x).mean(0).abs().max() < 1e-4  # feature by feature
    with pytest.raises(ValueError, match="use mlp"):
        small_cnn(tumors)


@pytest.mark.parametrize("size", [8, 16, 17, 28, 32])
def test_small_cnn_takes_any_size_of_image(size, digits):
    from utils.data import Split

    x = torch.rand(4, 3, size, size)
    data = digits._replace(train=Split(x, torch.zeros(4, dtype=torch.int64)))
    assert small_cnn(data)(x).shape == (4, 10)


def test_a_constant_channel_does_not_divide_by_zero(digits):
    data = digits._replace(train=digits.train._replace(x=torch.ones(4, 1, 8, 8)))
    assert small_cnn(data)(torch.ones(2, 1, 8, 8)).isfinite().all()


def test_logits_and_predictions_leave_a_mixed_mode_as_it_was(digits):
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Dropout(0.5), nn.Linear(64, 10)).train()
    model[1].eval()
    x = digits.test.x
    once, again = logits(model, x), logits(model, x)
    assert torch.equal(once, again) and torch.equal(once.argmax(1), predict(model, x))  # no dropout
    assert [module.training for module in model.modules()] == [True, True, False, True, True]


def test_fit_learns_and_hands_back_a_clean_model(digits):
    torch.manual_seed(0)
    model = mlp(digits)
    assert accuracy(model, digits.test) < 0.4
    assert fit(model, digits.train, updates=200) is model
    assert accuracy(model, digits.test) > 0.94
    assert not model.training and all(parameter.grad is None for parameter in model.parameters())


def test_the_same_seed_gives_the_same_weights(digits):
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        weights.append(fit(mlp(digits), digits.train, updates=20)[2].weight)
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(("name", "settings"), [("Adam", {}), ("SGD", {"momentum": 0.9})])
def test_an_unwrapped_optimizer_is_torch_s_to_the_last_digit(name, settings, digits, tmp_path):
    made, how = [], {"updates": 45}
    for place in (optimizers, torch.optim):
        torch.manual_seed(0)
        how |= {"optimizer": partial(getattr(place, name), **settings), "checkpoint": tmp_path / place.__name__}
        made.append(fit(mlp(digits), digits.train, **how))
    assert all(torch.equal(a, b) for a, b in zip(*(model.parameters() for model in made), strict=True))
    assert (tmp_path / "torch.optim").read_bytes() == (tmp_path / "utils.training.optimizers").read_bytes()


@pytest.mark.slow
def test_a_training_imports_no_compiler():
    """Nobody compiles here, and that import takes longer than many a training."""
    source = (
        "import sys; from utils.data import load; from utils.models import mlp; from utils.training import fit\n"
        "data = load('digits'); fit(mlp(data), data.train, updates=3); assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", source], cwd=ROOT, check=True)


def test_every_example_is_used_once_before_any_is_used_twice(digits):
    x = torch.arange(10.0).view(10, 1, 1, 1).expand(10, 1, 8, 8) / 10
    seen = []

    def watch(model, x, y):
        seen.append(x[:, 0, 0, 0].mul(10).round().int().tolist())
        return x

    data = x, torch.zeros(10, dtype=torch.int64)
    fit(mlp(digits), data, transform=watch, updates=6, batch_size=5)
    for first, second in zip(seen[::2], seen[1::2], strict=True):
        assert sorted(first + second) == list(range(10))
    assert seen[0] != seen[2]  # reshuffled


def test_a_transform_and_a_loss_are_handed_the_batch(digits):
    calls = []

    def brighten(model, x, y):
        calls.append(("transform", model.training, len(x)))
        return x + 5

    def watched(model, x, y):
        calls.append(("loss", bool((x >= 5).all()), len(y)))
        return mean_cross_entropy(model, x, y)

    fit(mlp(digits), digits.train, transform=brighten, loss=watched, updates=2, batch_size=64)
    assert calls == [("transform", True, 64), ("loss", True, 64)] * 2


def test_a_batch_larger_than_the_data_is_all_of_it(digits):
    sizes = []
    few = digits.train.take(7)
    fit(mlp(digits), few, transform=lambda model, x, y: sizes.append(len(x)) or x, updates=3)
    assert sizes == [7, 7, 7]


def test_networks_that_are_trained_together_are_those_that_are_trained_alone(digits):
    x, y = digits.train
    trains, seeds = [(x[:200], y[:200]), (x, y), (x[200:], y[200:])], [3, 3, 5]
    how = {"updates": 12, "batch_size": 32, "lr": 1e-2}
    torch.manual_seed(1)
    models = [small_cnn(digits)] * 2 + [small_cnn(digits)]  # two begin alike
    models = [deepcopy(model) for model in models]
    alone = [deepcopy(model) for model in models]
    before = torch.random.get_rng_state()
    together = fit_together(models, trains, seeds, **how)
    assert torch.equal(before, torch.random.get_rng_state()), "the caller's random numbers"
    for model, given, other, train, seed in zip(together, models, alone, trains, seeds, strict=True):
        torch.manual_seed(seed)
        fit(other, train, **how)
        assert model is given and not model.training
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    first, second = (next(model.parameters()) for model in together[:2])
    assert (first - second).abs().max() > 1e-2, "each learns from its own set"


def test_batches_are_as_large_as_the_smallest_set(digits):
    x, y = digits.train
    models = [mlp(digits, width=8) for _ in range(2)]
    alone = deepcopy(models[1])
    fit_together(models, [(x[:20], y[:20]), (x, y)], [0, 0], updates=5)
    torch.manual_seed(0)
    fit(alone, (x, y), updates=5, batch_size=20)
    assert all(torch.allclose(p, q, atol=1e-4) for p, q in zip(models[1].parameters(), alone.parameters(), strict=True))


@pytest.mark.parametrize(
    "x, y, says",
    [
        (torch.rand(0, 4), torch.zeros(0).long(), "got 0 examples and 0 labels"),
        (torch.rand(3, 4), torch.zeros(2).long(), "got 3 examples and 2 labels"),
        (torch.tensor([[0.5], [float("nan")], [float("inf")]]), torch.zeros(3).long(), "2 of the 3 examples hold NaN"),
    ],
)
def test_examples_that_nothing_can_be_learned_from_are_refused(x, y, says):
    model = nn.Linear(x.shape[1], 2)
    before = model.weight.clone()
    with pytest.raises(ValueError, match=says):
        fit(model, (x, y), updates=1)
    assert torch.equal(model.weight, before)


def test_a_training_needs_no_gradients_of_its_caller():
    x, y = torch.rand(8, 4), torch.arange(8) % 2

    def trained(recording, train):
        torch.manual_seed(0)
        net = nn.Linear(4, 2)
        with torch.set_grad_enabled(recording):
            train(net)
            assert torch.is_grad_enabled() == recording
        return net.weight

    alone, together = partial(fit, train=(x, y), updates=3), lambda net: fit_together([net], [(x, y)], [0], updates=3)
    for train in (alone, together):
        assert torch.equal(trained(False, train), trained(True, train))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number >= 1, got 0"),
        ({"updates": 0}, "updates must be a whole number >= 1, got 0"),
        ({"updates": 2.5}, "updates must be a whole number >= 1, got 2.5"),
        ({"watch": lambda model: 0.5}, r"watch must return a Rate, as accuracy\(model, kept_aside\) does, got float"),
    ],
)
def test_arguments_of_a_training_that_are_none_are_named(how, says):
    x, y = torch.rand(8, 4), torch.arange(8) % 2
    with pytest.raises((ValueError, TypeError), match=f"^{says}$"):
        fit(nn.Linear(4, 2), (x, y), **{"updates": 2, "batch_size": 4} | how)
    if "watch" not in how:
        with pytest.raises(ValueError, match=f"^{says}$"):
            fit_together([nn.Linear(4, 2)], [(x, y)], [0], **how)


def test_numbers_of_any_kind_are_numbers_of_updates():
    x, y = torch.rand(8, 4), torch.arange(8) % 2
    nets = []
    for updates, size in ((10, 4), (1e1, np.int64(4))):
        torch.manual_seed(0)
        nets.append(fit(nn.Linear(4, 2), (x, y), updates=updates, batch_size=size))
    assert torch.equal(nets[0].weight, nets[1].weight)


def test_weights_that_are_all_frozen_are_named():
    x, y = torch.rand(8, 4), torch.arange(8) % 2
    with pytest.raises(ValueError, match=r"^model has no weights that learn: call model\.requires_grad_\(True\)"):
        fit(nn.Linear(4, 2).requires_grad_(False), (x, y))


def test_a_label_of_no_class_is_told_with_what_labels_must_be():
    x, y = torch.rand(3, 4), torch.tensor([0, 1, 2])
    with pytest.raises(IndexError) as failed:
        fit(nn.Linear(4, 2), (x, y), updates=1)
    assert "labels are 0 to 2" in failed.value.__notes__[0]
    with pytest.raises(RuntimeError) as failed:
        fit(nn.Linear(4, 2), (x, torch.tensor([0, 1, 1], dtype=torch.int32)), updates=1)
    assert "torch.int32: they must be int64" in failed.value.__notes__[0]
    with pytest.raises(RuntimeError) as failed:
        fit(nn.Linear(4, 2), (x, torch.tensor([0, 1, 1], dtype=torch.uint16)), updates=1)
    assert "labels are 0 to 1, torch.uint16: they must be int64" in failed.value.__notes__[0]
