"""A physical attack: a square of paint on a road sign, made for every pose and light; a proof against. Lesson 11b."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.attacks import margin
from utils.domains import signs

SPOTS = ((17, 17), (8, 17), (26, 17), (17, 8), (17, 26))  # where a sticker may sit


def stick(texture: Tensor, paint: Tensor, spot: tuple[int, int]) -> Tensor:
    """Signs (..., 4, 48, 48) with a square of `paint` (..., 3, side, side) on them, its corner at `spot`."""
    (top, left), side = spot, paint.shape[-1]
    worn = texture.clone()
    worn[..., :3, top : top + side, left : left + side] = paint
    return worn


def sticker(
    model: nn.Module,
    texture: Tensor,
    y: Tensor,
    *,
    side: int = 14,
    spots: Sequence[tuple[int, int]] = SPOTS,
    steps: int = 20,
    poses: int = 4,
    seed: int = 0,
    fixed: signs.Scenes | None = None,
) -> Tensor:
    """Each sign with the sticker, of all spots, that most new poses misread. Athalye et al. 2018 (arXiv:1707.07397).

    model       from images (N, 3, 24, 24) in [0, 1] to logits, frozen and in evaluation mode; of a mask, its stand-in
    texture, y  signs (N, 4, 48, 48) as `signs.textures`, and their labels (N,) int64
    side        of the sticker, in pixels of the texture
    spots       corners (top, left) to try
    poses       new scenes in each step, for each sign and spot: expectation over transformation
    fixed       scenes that are used in every step instead of new ones

    Guarantee: the signs differ from `texture` in one square of `side` pixels, and lie in [0, 1].
    """
    n, p = len(texture), len(spots)
    paint, fooled = torch.full((p, n, 3, side, side), 0.5, device=y.device), torch.zeros(p, n, device=y.device)
    for i in range(steps):
        paint = paint.detach().requires_grad_()
        worn = torch.stack([stick(texture, paint[k], spots[k]) for k in range(p)])
        view = signs.scenes(p * n * poses, seed=1000 * seed + i) if fixed is None else fixed
        seen = signs.render(worn.repeat_interleave(poses, 1).flatten(0, 1), view)
        value = margin(model(seen), y.repeat_interleave(poses).repeat(p)).view(p, n, poses)
        (gradient,) = torch.autograd.grad(value.clamp_max(2).sum(), paint)
        fooled += (value > 0).float().mean(2).detach() * (i >= steps / 2)
        paint = (paint + 0.1 * (1 - i / steps) * gradient.sign()).clamp(0, 1)
    best = fooled.argmax(0)
    return torch.stack([stick(texture[j], paint[best[j], j], spots[best[j]]) for j in range(n)]).detach()


def squares(model: nn.Module, x: Tensor, y: Tensor, side: int = 5, steps: int = 2) -> Tensor:
    """A transform for `fit`: a square of each image is painted to raise the loss. Wu et al. 2020 (arXiv:1909.09552)."""
    n, _, height, _ = x.shape
    corner = torch.randint(3, height - side - 2, (2, n, 1), device=x.device)
    line = torch.arange(height, device=x.device)
    rows, columns = ((line >= c) & (line < c + side) for c in corner)
    mask = (rows[:, :, None] & columns[:, None])[:, None].to(x)
    paint = torch.rand(n, 3, 1, 1, device=x.device).expand_as(x)
    for _ in range(steps):
        paint = paint.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(margin(model(x + mask * (paint - x)), y).sum(), paint)
        paint = (paint.detach() + 0.4 * gradient.sign()).clamp(0, 1)
    return x + mask * (paint - x)


def banded(x: Tensor, start: Tensor, band: int) -> Tensor:
    """Images (N, C, H, W) of which only `band` columns are shown, from `start` (N,) around the edge; else grey."""
    columns = torch.arange(x.shape[-1], device=x.device)
    shown = (columns - start[:, None]) % x.shape[-1] < band
    return torch.where(shown[:, None, None], x, 0.5)


class Bands(nn.Module):
    """A vote of all bands: how many of them the model reads as each class, (N, classes).

    Derandomized smoothing, Levine & Feizi 2020 (arXiv:2002.10733). `widest_proved` says what the votes prove.

    model  from images of one band (N, C, H, W), as `banded` makes them, to logits; in evaluation mode
    band   columns that are shown
    """

    def __init__(self, model, band):
        super().__init__()
        self.model, self.band = model, band

    def answers(self, x, every=1):
        """The model's logits for one band in `every`, (bands, N, classes)."""
        starts = torch.arange(0, x.shape[-1], every, device=x.device)
        return torch.stack([self.model(banded(x, start.expand(len(x)), self.band)) for start in starts])

    def forward(self, x):
        answers = self.answers(x)
        return F.one_hot(answers.argmax(-1), answers.shape[-1]).sum(0).float()


def widest_proved(votes: Tensor, y: Tensor, band: int) -> Tensor:
    """The widest sticker, in columns, that cannot change a right answer, (N,) int64; -1 where it is wrong or tied.

    votes  (N, classes) of `Bands`

    Guarantee: whatever stands in so many neighbouring columns, the vote stays right: they are in at most
    columns + band - 1 bands, each of which can leave the right class and join another.
    """
    own = votes.gather(1, y[:, None])[:, 0]
    lead = own - votes.scatter(1, y[:, None], -math.inf).max(1).values
    return torch.where(lead > 0, (((lead - 1) // 2).long() - band + 1).clamp_min(0), -1)
