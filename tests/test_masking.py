"""Masks do to an image what they say, stand-ins see through them, and both are what lessons 04 and 05 build."""

import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn
from scipy.ndimage import median_filter
from torch import nn

from same_code import definitions
from utils import masking
from utils.attacks import pgd
from utils.data import Split, load
from utils.masking import (
    JPEG,
    Averaged,
    Cooled,
    KWinners,
    Median,
    Noise,
    Quantize,
    ResizeAndPad,
    Saturate,
    Scramble,
    StraightThrough,
)
from utils.models import logits, predict, resnet, small_cnn

SHAPES = [(6, 1, 8, 8), (3, 3, 32, 32), (2, 1, 28, 28)]
ALL = [Quantize, Median, JPEG, Noise, ResizeAndPad, Scramble]  # those that go before a model
BLIND = [Quantize, Median, JPEG]  # those without a gradient
RANDOM = [Noise, ResizeAndPad]


def images(shape=(6, 1, 8, 8), seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.fixture(scope="module")
def model(digits):
    torch.manual_seed(0)
    return small_cnn(digits).eval()


# Masks.


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mask", ALL)
def test_a_mask_takes_images_to_images(mask, shape):
    x = images(shape)
    x[:, :, 0, 0], x[:, :, -1, -1] = 0, 1
    before, out = x.clone(), mask()(x)
    assert out.shape == x.shape and out.dtype == x.dtype and out.isfinite().all()
    assert out.min() >= 0 and out.max() <= 1 + 1e-6 and torch.equal(x, before)


@pytest.mark.parametrize("levels", [2, 5, 16])
def test_the_quantizer_keeps_its_levels_and_moves_no_pixel_far(levels):
    x, mask = images(), Quantize(levels)
    once = mask(x)
    assert torch.equal(mask(once), once)
    assert torch.allclose(once.unique(), torch.linspace(0, 1, levels))
    assert (once - x).abs().max() <= 0.5 / (levels - 1) + 1e-6


@pytest.mark.parametrize("shape", SHAPES)
def test_the_median_is_scipys(shape):
    x = images(shape)
    assert np.array_equal(Median()(x).numpy(), median_filter(x.numpy(), size=(1, 1, 3, 3), mode="nearest"))


@pytest.mark.parametrize("shape", SHAPES)
def test_jpeg_rounds_scipys_cosine_coefficients(shape):
    x, step = images(shape).double(), 0.25
    n, channels, height, width = shape
    blocks = x.numpy().reshape(n, channels, height // 4, 4, width // 4, 4).transpose(0, 1, 2, 4, 3, 5)
    rounded = np.round(dctn(blocks, axes=(4, 5), norm="ortho") / step) * step
    want = idctn(rounded, axes=(4, 5), norm="ortho").transpose(0, 1, 2, 4, 3, 5).reshape(shape).clip(0, 1)
    assert np.allclose(JPEG(step).double()(x).numpy(), want, atol=1e-6)


def test_jpeg_without_rounding_gives_the_image_back():
    assert torch.allclose(JPEG(1e-6)(images()), images(), atol=1e-5)


@pytest.mark.parametrize("mask", BLIND)
def test_a_blind_mask_has_no_gradient_and_no_error(mask):
    x = images().requires_grad_()
    (gradient,) = torch.autograd.grad((mask()(x) * images(seed=1)).sum(), x)
    assert torch.equal(gradient, torch.zeros_like(x))


@pytest.mark.parametrize("mask", RANDOM)
def test_draws_differ_between_calls_and_images_and_follow_the_global_seed(mask):
    x, drawn = images((1, 1, 8, 8)).expand(4, 1, 8, 8), []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn += [mask()(x), mask()(x)]
    assert torch.equal(drawn[0], drawn[2]) and torch.equal(drawn[1], drawn[3])
    assert not torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[4])
    assert not torch.equal(drawn[0][0], drawn[0][1])


def test_noise_is_normal_and_of_the_size_that_it_says():
    torch.manual_seed(0)
    moved = Noise(0.1)(torch.full((1, 1, 300, 300), 0.5)) - 0.5
    assert abs(moved.mean()) < 2e-3 and abs(moved.std() - 0.1) < 2e-3
    assert abs((moved.abs() < 0.1).float().mean() - 0.683) < 0.01


def test_resizing_keeps_the_whole_image_on_the_page():
    """Neither smaller than it says nor cut off: of a white page, between smallest^2 and all of it stays white."""
    torch.manual_seed(0)
    white = ResizeAndPad(0.6)(torch.ones(500, 1, 64, 64)).mean((1, 2, 3)).sqrt()
    assert 0.58 < white.min() < 0.63 and 0.97 < white.max() <= 1
    torch.manual_seed(0)
    assert torch.allclose(ResizeAndPad(1.0)(images()), images(), atol=1e-5)
    dot = torch.zeros(500, 1, 64, 64)
    dot[:, :, 2:6, 2:6] = 1
    assert ResizeAndPad(0.6)(dot).sum((1, 2, 3)).min() > 16 * 0.6**2 / 2  # a corner is never off the page


def test_resizing_goes_to_every_side():
    torch.manual_seed(0)
    out = ResizeAndPad(0.5)(torch.ones(400, 1, 32, 32))
    for margin in (out[..., 0, :], out[..., -1, :], out[..., 0], out[..., -1]):
        assert 0.1 < (margin.amax((1, 2)) < 0.1).float().mean()  # room is left there, often enough


@pytest.mark.parametrize("share, kept", [(0.05, 3), (0.5, 32), (0.001, 1), (1.0, 64)])
def test_k_winners_keeps_the_k_largest_also_among_equals(share, kept):
    x = images() + 0.1
    out = KWinners(share)(x)
    assert (out.flatten(1).count_nonzero(1) == kept).all()
    largest = x.flatten(1).topk(kept).values
    assert torch.equal(out.flatten(1).sort(descending=True).values[:, :kept], largest)
    assert (KWinners(share)(torch.ones(2, 1, 8, 8)).flatten(1).count_nonzero(1) == kept).all()


def test_the_gradient_of_k_winners_goes_to_the_winners_only():
    x = images().requires_grad_()
    out = KWinners(0.1)(x)
    (gradient,) = torch.autograd.grad(out.sum(), x)
    assert torch.equal(gradient, (out != 0).float())


def test_k_winners_replaces_every_relu_of_a_copy_also_deep_inside(model):
    nested = nn.Sequential(nn.Sequential(nn.Flatten(), nn.ReLU()), nn.ReLU())
    swapped = masking.k_winners(nested, 0.2)
    assert [type(m) for m in nested.modules()].count(nn.ReLU) == 2  # the original stays
    winners = [m for m in swapped.modules() if isinstance(m, KWinners)]
    assert len(winners) == 2 and all(m.share == 0.2 for m in winners)
    assert not any(isinstance(m, nn.ReLU) for m in masking.k_winners(model).modules())


def test_k_winners_let_no_other_number_through_a_residual_network():
    """The last ReLU of a block, behind its shortcut, is one, too."""
    data = load("digits")
    photos = Split(torch.rand(4, 3, 32, 32), torch.arange(4))
    swapped, shares = masking.k_winners(resnet(data._replace(train=photos), 8, (1, 1)), 0.1), []
    for block in swapped.modules():
        if type(block).__name__ == "Residual":
            block.register_forward_hook(lambda _, inputs, out: shares.append((out != 0).double().mean()))
    swapped(photos.x)
    assert len(shares) == 2 and all(0 < share <= 0.11 for share in shares), shares


def test_saturated_logits_keep_their_order_and_lose_their_gradient(model):
    x = images()
    loud = nn.Sequential(model, Saturate(1e5))
    assert torch.equal(logits(loud, x), 1e5 * logits(model, x))
    start = x.clone().requires_grad_()
    loss = nn.functional.cross_entropy(loud(start), predict(model, x))
    assert not torch.autograd.grad(loss, start)[0].any()


def test_scrambling_is_the_identity_forward_and_a_signed_permutation_backward(model):
    x = images().requires_grad_()
    assert torch.equal(Scramble()(x), x) and torch.equal(nn.Sequential(Scramble(), model)(x), model(x))
    (gradient,) = torch.autograd.grad((Scramble()(x) * images(seed=1)).sum(), x)
    (again,) = torch.autograd.grad((Scramble()(x) * images(seed=1)).sum(), x)
    assert torch.equal(gradient, again)
    sizes = [t.flatten(1).abs().sort().values for t in (gradient, images(seed=1))]
    assert torch.equal(*sizes)  # the same entries
    signed = images(seed=1) - 0.5
    (gradient,) = torch.autograd.grad((Scramble()(x) * signed).sum(), x)
    turned = torch.cosine_similarity(gradient.flatten(1), signed.flatten(1)).abs()
    assert turned.max() < 0.5 and turned.mean() < 0.25  # but elsewhere


@pytest.mark.parametrize("mask", ALL, ids=lambda mask: mask.__name__)
def test_torch_func_takes_the_gradient_that_autograd_takes(mask, model):
    """Also through a mask that has a backward pass of its own."""
    x, masked = images(), nn.Sequential(mask(), model)
    start = x.clone().requires_grad_()
    torch.manual_seed(0)
    (wanted,) = torch.autograd.grad(masked(start).square().sum(), start)
    torch.manual_seed(0)
    assert torch.equal(torch.func.grad(lambda x: masked(x).square().sum())(x), wanted)


def test_scrambling_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(3)
    want = torch.rand(2)
    torch.manual_seed(3)
    x = images().requires_grad_()
    Scramble()(x).sum().backward()
    assert torch.equal(torch.rand(2), want)


def test_all_eight_masks_go_on_and_the_model_stays(digits, model):
    before = [p.clone() for p in model.parameters()]
    torch.manual_seed(0)
    worn = masking.masked(model, digits, updates=1)
    assert list(worn) == ["quantised", "median", "JPEG", "noise", "resized", "saturated", "k winners", "scrambled"]
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    x = digits.test.x[:5]
    for name, one in worn.items():
        assert one(x).shape == (5, 10) and not one.training
        shared = {id(p) for p in one.parameters()} & {id(p) for p in model.parameters()}
        assert bool(shared) == (name in ("quantised", "JPEG", "saturated", "scrambled"))  # the others are copies


# Stand-ins.


@pytest.mark.parametrize("mask", ALL)
def test_straight_through_is_the_mask_forward_and_nothing_backward(mask):
    x, weights = images().requires_grad_(), images(seed=1)
    torch.manual_seed(0)
    want = mask()(x.detach())
    torch.manual_seed(0)
    out = StraightThrough(mask())(x)
    (gradient,) = torch.autograd.grad((out * weights).sum(), x)
    assert torch.equal(out, want) and torch.equal(gradient, weights)


class Biased(nn.Module):
    """Random logits with a known mean: the sum of the pixels, and twice it."""

    def forward(self, x):
        total = x.flatten(1).sum(1, keepdim=True)
        return torch.cat([total, 2 * total], 1) + torch.randn(len(x), 2)


def test_the_average_nears_the_expectation_and_keeps_images_apart():
    torch.manual_seed(0)
    x = images()
    total = x.flatten(1).sum(1)
    mean = Averaged(Biased(), draws=40_000)(x)
    assert torch.allclose(mean, torch.stack([total, 2 * total], 1), atol=0.03)
    single = torch.stack([Averaged(Biased(), draws=1)(x) for _ in range(400)]).std(0).mean()
    nine = torch.stack([Averaged(Biased(), draws=9)(x) for _ in range(400)]).std(0).mean()
    assert 2.7 < single / nine < 3.3


def test_the_average_of_a_model_without_randomness_is_that_model(model):
    x = images()
    assert torch.allclose(Averaged(model, draws=4)(x), model(x), atol=1e-5)
    start = x.clone().requires_grad_()
    gradients = [torch.autograd.grad(m(start)[:, 3].sum(), start)[0] for m in (Averaged(model, 4), model)]
    assert torch.allclose(*gradients, atol=1e-5)


def test_cooling_undoes_saturation(model):
    x = images()
    assert torch.allclose(Cooled(nn.Sequential(model, Saturate(1000.0)), 1000.0)(x), model(x), atol=1e-5)


def test_a_stand_in_finds_what_the_mask_hid(model):
    """On random weights, so that no training is needed: the quantised model's own answers fall to the stand-in only."""
    x = images((100, 1, 8, 8))
    hidden, seen = (nn.Sequential(mask, model) for mask in (Quantize(), StraightThrough(Quantize())))
    y = predict(hidden, x)
    fell = [(predict(hidden, pgd(g, x, y, eps=0.2, steps=10)) != y).float().mean() for g in (hidden, seen)]
    assert fell[1] > 2 * fell[0] + 0.1


# The lessons.


def test_the_module_is_what_the_lessons_build_and_nothing_else():
    shared = definitions("utils/masking.py")
    built = definitions("notebooks/src/04_building_masks.py") | definitions("notebooks/src/05_taking_masks_off.py")
    assert {name: built.get(name) for name in shared} == shared
