"""Gradient masks, and the stand-ins that see through them. Built in lessons 04 and 05.

A mask makes gradients vanish, wander or lie. None is a defense to rely on; they are here to be recognised.
A stand-in is a model whose gradients are of use: attack it, and judge the result on the real one with
`attacks.transfer(model, x, y, eps=..., surrogate=stand_in)`.
"""

import math
from collections.abc import Iterable
from copy import deepcopy

import torch
from torch import nn
from torch.nn import functional as F

from utils.data import Dataset
from utils.training import fit

# Masks, lesson 04: modules that take images (N, C, H, W) in [0, 1] and return such images.


class Quantize(nn.Module):
    """Round each pixel to one of `levels` values between 0 and 1."""

    def __init__(self, levels=5):
        super().__init__()
        self.steps = levels - 1

    def forward(self, x):
        return (x * self.steps).round() / self.steps


class Median(nn.Module):
    """The median of each pixel's 3 x 3 neighbourhood, by a library that knows no gradients."""

    def forward(self, x):
        padded = F.pad(x.detach(), (1, 1, 1, 1), mode="replicate")
        windows = padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(4)  # (N, C, H, W, 9)
        return windows.median(4).values + 0 * x  # autograd sees only the 0


class JPEG(nn.Module):
    """Round the cosine coefficients of each 4 x 4 block to multiples of `step`, as JPEG does with 8 x 8."""

    def __init__(self, step=0.25):
        super().__init__()
        k = torch.arange(4.0)
        wave = torch.cos(math.pi / 4 * (k + 0.5) * k[:, None]) / 2**0.5  # (frequency, place)
        wave[0] /= 2**0.5
        self.register_buffer("basis", torch.einsum("ax,by->abxy", wave, wave).reshape(16, 1, 4, 4))
        self.step = step

    def forward(self, x):
        blocks = F.conv2d(x.flatten(0, 1)[:, None], self.basis, stride=4)  # (N * C, 16, H / 4, W / 4)
        rounded = (blocks / self.step).round() * self.step
        return F.conv_transpose2d(rounded, self.basis, stride=4).view_as(x).clamp(0, 1)


class Noise(nn.Module):
    """Add fresh normal noise to every image at every call."""

    def __init__(self, sigma=0.3):
        super().__init__()
        self.sigma = sigma

    def forward(self, x):
        return (x + self.sigma * torch.randn_like(x)).clamp(0, 1)


class ResizeAndPad(nn.Module):
    """Shrink every image to a random size, at least `smallest` of it, and put it in a random place. Xie et al. 2018."""

    def __init__(self, smallest=0.6):
        super().__init__()
        self.smallest = smallest

    def forward(self, x):
        size = self.smallest + (1 - self.smallest) * torch.rand(len(x), 1, 1, device=x.device)
        shift = (2 * torch.rand(len(x), 2, 1, device=x.device) - 1) * (1 - size)  # stays on the page
        zoom = torch.eye(2, device=x.device).expand(len(x), 2, 2)
        grid = F.affine_grid(torch.cat([zoom, shift], 2) / size, list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, align_corners=False).clamp(0, 1)


class Saturate(nn.Module):
    """Multiply logits, so that the softmax is 0 or 1 as far as a float can tell. Goes behind a model."""

    def __init__(self, scale=1000.0):
        super().__init__()
        self.scale = scale

    def forward(self, logits):
        return self.scale * logits


class KWinners(nn.Module):
    """An activation: of all its units an image keeps the `share` that are largest. Xiao et al. 2020."""

    def __init__(self, share=0.05):
        super().__init__()
        self.share = share

    def forward(self, x):
        flat = x.flatten(1)
        top = flat.topk(max(1, round(self.share * flat.shape[1])), dim=1)
        return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


class ScrambledGradient(torch.autograd.Function):
    """Forward: nothing. Backward: the gradient's entries change places and signs."""

    @staticmethod
    def forward(x):
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx, inputs, output):  # nothing to keep; with it torch.func takes the mask too
        pass

    @staticmethod
    def backward(ctx, gradient):
        flat = gradient.flatten(1)
        key = torch.Generator().manual_seed(0)  # the same scramble each time
        places = torch.randperm(flat.shape[1], generator=key).to(flat.device)
        signs = torch.randint(0, 2, (flat.shape[1],), generator=key).to(flat) * 2 - 1
        return (flat[:, places] * signs).view_as(gradient)


class Scramble(nn.Module):
    """Change no input and no output, only the gradient."""

    def forward(self, x):
        return ScrambledGradient.apply(x)


def k_winners(model: nn.Module, share: float = 0.05) -> nn.Module:
    """A copy of `model` in which every ReLU has become a `KWinners(share)`. To be trained further."""
    copy = deepcopy(model)
    for parent in list(copy.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.ReLU):
                setattr(parent, name, KWinners(share))
    return copy


def masked(
    model: nn.Module, data: Dataset, updates: int = 200, names: Iterable[str] | None = None
) -> dict[str, nn.Module]:
    """Eight masked models by name, or those of `names`, all from one undefended `model`, which stays as it is.

    Five wear the mask as it is; those that would lose accuracy (median, noise, resize, k winners) are copies that are
    trained for `updates` more. Random masks and training follow torch's global seed.
    """

    def used_to(masked: nn.Module) -> nn.Module:
        return fit(deepcopy(masked), data.train, updates=updates)

    wear = {
        "quantised": lambda: nn.Sequential(Quantize(), model),
        "median": lambda: used_to(nn.Sequential(Median(), model)),
        "JPEG": lambda: nn.Sequential(JPEG().to(data.train.x.device), model),
        "noise": lambda: used_to(nn.Sequential(Noise(), model)),
        "resized": lambda: used_to(nn.Sequential(ResizeAndPad(), model)),
        "saturated": lambda: nn.Sequential(model, Saturate()),
        "k winners": lambda: used_to(k_winners(model)),
        "scrambled": lambda: nn.Sequential(Scramble(), model),
    }
    return {name: wear[name]().eval() for name in names or wear}


# Stand-ins, lesson 05.


class StraightThrough(nn.Module):
    """Forward: the mask. Backward: as if it were not there. BPDA, Athalye et al. 2018 (arXiv:1802.00420)."""

    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, x):
        return self.mask(x).detach() + (x - x.detach())  # the bracket is 0 and has gradient 1


class OpenMedian(nn.Module):
    """The same median with PyTorch's own gradient: it leads to the pixel whose value is the median."""

    def forward(self, x):
        padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
        return padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(4).median(4).values


class Averaged(nn.Module):
    """The mean of a random model's logits over `draws` calls. EOT, Athalye et al. 2018 (arXiv:1707.07397)."""

    def __init__(self, model, draws=10):
        super().__init__()
        self.model, self.draws = model, draws

    def forward(self, x):
        answers = self.model(x.repeat(self.draws, *[1] * (x.dim() - 1)))  # (draws * N, classes)
        return answers.unflatten(0, (self.draws, len(x))).mean(0)


class Cooled(nn.Module):
    """The model with its logits divided by `temperature`, so that the loss does not saturate."""

    def __init__(self, model, temperature):
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, x):
        return self.model(x) / self.temperature
