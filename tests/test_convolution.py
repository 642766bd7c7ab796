"""The lent first layer: its answers and gradients are those of the layer itself, and nothing of it stays."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from utils import convolution
from utils.attacks import pgd
from utils.convolution import FewChannels, quick_gradients
from utils.guard import lent


def layers():
    for channels, arguments in ((1, {}), (3, {"stride": 2, "padding": 1}), (4, {"dilation": 2, "bias": False})):
        yield nn.Conv2d(channels, 5, (3, 2), **arguments).double().requires_grad_(False), torch.rand(6, channels, 9, 8)


def gradient(layer, x):
    x = x.clone().requires_grad_()
    out = layer(x)
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    return out.detach(), torch.autograd.grad((out**2 * weights).sum(), x, create_graph=True)[0]


@pytest.mark.parametrize("layer, x", list(layers()))
def test_answers_and_gradients_are_the_layers_own(layer, x, monkeypatch):
    x, used = x.double(), []
    answer, expected = gradient(layer, x)
    apply = convolution.Convolved.apply
    monkeypatch.setattr(convolution.Convolved, "apply", lambda *a: used.append(1) or apply(*a))
    with quick_gradients([layer]):
        assert type(layer) is FewChannels
        got = gradient(layer, x)
        of_copy = gradient(deepcopy(layer), x)
    assert type(layer) is nn.Conv2d and len(used) == 2
    assert torch.equal(got[0], answer) and torch.equal(of_copy[1], got[1])
    assert torch.allclose(got[1], expected, rtol=1e-12, atol=1e-14)


def test_gradients_of_gradients_and_many_models_at_once_go_through():
    layer, x = next(layers())
    x = x.double()

    def sharpness(layer, x):
        x = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad((layer(x) ** 3).sum(), x, create_graph=True)
        return torch.autograd.grad((slope**2).sum(), x)[0]

    def each(layer, x):
        return torch.func.vmap(torch.func.grad(lambda one: (layer(one[None]) ** 2).sum()))(x)

    expected = sharpness(layer, x), each(layer, x)
    with quick_gradients([layer]):
        got = sharpness(layer, x), each(layer, x)
    assert all(torch.allclose(a, b, rtol=1e-10) for a, b in zip(got, expected, strict=True))


def test_a_lent_model_has_it_and_comes_back_without(monkeypatch):
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(5, 4, 3), nn.Flatten(), nn.Linear(4, 2))
    kinds = [type(m) for m in model]
    with pytest.raises(RuntimeError), lent(model):
        with lent(model):  # the inner borrower leaves it to the outer one
            pass
        assert [type(m) for m in model] == [FewChannels, FewChannels, nn.Conv2d, nn.Flatten, nn.Linear]
        model(torch.rand(1, 1, 7, 7))  # the third layer's channels do not fit
    assert [type(m) for m in model] == kinds


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(5, 4, 3),
        nn.Conv2d(2, 4, 3, groups=2),
        nn.Conv2d(1, 4, 3, padding="same"),
        nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect"),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 4, 3)),
        nn.Conv1d(1, 4, 3),
    ],
)
def test_other_layers_stay_as_they_are(layer):
    kind = type(layer)
    with quick_gradients([layer]):
        assert type(layer) is kind


def test_a_layer_that_learns_or_computes_in_another_type_is_torchs_own(monkeypatch):
    monkeypatch.setattr(convolution.Convolved, "apply", None)  # would raise
    layer, x = nn.Conv2d(1, 4, 3), torch.rand(2, 1, 6, 6).requires_grad_()
    with quick_gradients([layer]):
        layer(x).sum().backward()
        layer.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(x).dtype == torch.bfloat16
        assert layer(x.detach()).grad_fn is None
    assert layer.weight.grad is not None


def test_a_compiled_model_is_left_alone():
    layer, compiled = nn.Conv2d(1, 4, 3), nn.Module()
    compiled._orig_mod = layer  # as torch.compile names it; that itself takes seconds to import
    with quick_gradients(list(compiled.modules())):
        assert type(layer) is nn.Conv2d


def test_an_attack_moves_images_as_before(monkeypatch):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 10)).double()
    x, y = torch.rand(20, 1, 8, 8).double(), torch.arange(20) % 10
    quick = pgd(model, x, y, eps=0.1, steps=10)
    monkeypatch.setattr(convolution, "FEW", 0)
    assert torch.equal(quick, pgd(model, x, y, eps=0.1, steps=10))
