"""The models that lessons attack: on digits what `fit` makes of `small_cnn`, on photographs a residual network."""

import pytest
import torch
from torch import nn

from utils.adversarial import attacked
from utils.data import Split, load
from utils.masking import Cooled
from utils.models import logits, small_cnn
from utils.training import fit
from utils.usual import hardened, settings, undefended, untrained


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def photographs(digits, name):
    """Two kinds of images that only their left halves tell apart: the one is white there. As CIFAR-10 in shape."""
    x = torch.rand(256, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    y = torch.arange(256) % 2
    x[y == 1, :, :, :16] = 1
    return digits._replace(name=name, train=Split(x, y), test=Split(x, y), classes=("grey", "white"))


def test_on_digits_it_is_what_fit_makes_of_the_small_network(digits):
    torch.manual_seed(0)
    theirs = fit(small_cnn(digits), digits.train)
    torch.manual_seed(0)
    ours = undefended(digits)
    assert torch.equal(logits(ours, digits.test.x), logits(theirs, digits.test.x))


def test_on_digits_the_hardened_one_is_trained_as_in_lesson_03(digits):
    torch.manual_seed(0)
    theirs = fit(small_cnn(digits), digits.train, transform=attacked(digits.eps, steps=3, updates=200), updates=200)
    torch.manual_seed(0)
    ours = hardened(digits)
    assert torch.equal(logits(ours, digits.test.x), logits(theirs, digits.test.x))


def test_on_photographs_the_hardened_one_learns_from_attacked_images(digits, monkeypatch):
    data, asked = photographs(digits, "gtsrb")._replace(eps=0.03), {}
    monkeypatch.setattr("utils.usual.fit", lambda model, train, **how: asked.update(how, model=model))
    hardened(data, epochs=2)
    x, y = data.train.take(32)
    found = asked["transform"](asked["model"], x, y)
    loss = [torch.nn.functional.cross_entropy(asked["model"](images), y) for images in (x, found)]
    assert 0.02 < (found - x).abs().max() <= 0.0301 and loss[1] > loss[0]
    assert asked["updates"] == 2 * (256 // 64)


def test_on_photographs_it_is_a_residual_network_that_has_learned(digits):
    data = photographs(digits, "gtsrb")
    torch.manual_seed(0)
    model = undefended(data, epochs=8)
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules()) and not model.training
    assert (logits(model, data.test.x).argmax(1) == data.test.y).float().mean() > 0.9
    assert {p.dtype for p in model.parameters()} == {torch.float32}, "attacks compute in full precision"


def test_signs_are_not_mirrored(digits, monkeypatch):
    """A turn to the left would be learned as one to the right."""
    asked = {}
    monkeypatch.setattr("utils.usual.fit", lambda model, train, augment, **how: asked.update(augment.keywords))
    for name, flip in (("gtsrb", False), ("cifar10", True)):
        undefended(photographs(digits, name))
        assert asked["flip"] is flip


def test_on_digits_the_settings_are_what_the_lesson_says(digits):
    assert settings(digits, updates=130, epochs=2, lr=1e-2) == {"updates": 130, "lr": 1e-2}
    assert sum(p.numel() for p in untrained(digits).parameters()) == sum(
        p.numel() for p in small_cnn(digits).parameters()
    )


def test_on_photographs_a_training_lasts_for_epochs_and_the_network_has_residues(digits):
    """As `fit` trains, by Adam: a network behind a temperature learns nothing by SGD at an ordinary rate."""
    data = photographs(digits, "cifar10")
    how = settings(data, updates=130, epochs=2, lr=1e-2)
    assert how["updates"] == 2 * (256 // 64) and how["lr"] == 1e-2 and how["augment"].keywords["flip"]
    assert settings(data, updates=7)["updates"] == 7, "without epochs"
    torch.manual_seed(0)
    model = untrained(data)
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 2) == 0.31, "what a CPU trains in minutes"
    fit(Cooled(model, 100.0), data.train, **settings(data, updates=1, epochs=8, lr=3e-2))
    assert (logits(model, data.test.x).argmax(1) == data.test.y).float().mean() > 0.9
