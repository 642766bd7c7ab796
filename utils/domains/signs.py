"""Road signs drawn by a program, in any pose and light: synthetic, seeded, and with a gradient. Built in lesson 11b.

A sign is a flat texture (4, 48, 48): red, green, blue, and where it is. A camera sees it turned, tilted, shifted, in
some light, blurred, before some background, as 24 x 24 pixels. Every step of that has a gradient, so that whoever
paints on a sign can ask what the camera will see: that is what the physical attack needs.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from utils.data import Dataset, Split, device

SIGNS = ("stop", "yield", "no entry", "limit 30", "limit 80", "priority", "ahead", "crossing")
SIDE = 48  # of a texture, in its own pixels
RED, WHITE, BLUE, YELLOW, BLACK = (
    torch.tensor(c)[:, None, None]
    for c in ((0.75, 0.08, 0.1), (0.95, 0.95, 0.95), (0.1, 0.25, 0.65), (0.95, 0.8, 0.1), (0.08, 0.08, 0.08))
)


def textures() -> Tensor:
    """The eight signs as flat textures (8, 4, 48, 48) in [0, 1]; the last channel is 1 on the sign and 0 beside it."""
    line = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    v, u = torch.meshgrid(line, line, indexing="ij")  # v points down
    angle, radius = torch.atan2(v, u), (u**2 + v**2).sqrt()

    def polygon(sides: int, size: float, turn: float = 0.0) -> Tensor:
        wedge = 2 * math.pi / sides
        return radius * ((angle - turn) % wedge - wedge / 2).cos() < size * math.cos(wedge / 2)

    def bar(left: float, top: float, right: float, bottom: float) -> Tensor:
        return (u > left) & (u < right) & (v > top) & (v < bottom)

    def digit(strokes: str, left: float) -> Tensor:  # of the seven segments a to g of a clock
        w, t, high = 0.42, 0.13, 0.45
        places = {
            "a": (0, -high, w, -high + t),
            "b": (w - t, -high, w, 0),
            "c": (w - t, 0, w, high),
            "d": (0, high - t, w, high),
            "e": (0, 0, t, high),
            "f": (0, -high, t, 0),
            "g": (0, -t / 2, w, t / 2),
        }
        parts = [bar(left + places[s][0], places[s][1], left + places[s][2], places[s][3]) for s in strokes]
        return torch.stack(parts).any(0)

    disc, rim = radius < 0.95, radius > 0.72
    limits = [
        (disc, WHITE, [(RED, rim), (BLACK, digit(first, -0.5) | digit("abcdef", 0.08))])
        for first in ("abcdg", "abcdefg")
    ]
    down = math.pi / 2
    arrow = bar(-0.13, -0.2, 0.13, 0.65) | ((v > -0.65) & (v < -0.1) & (u.abs() < (v + 0.65) * 0.8))
    letters = torch.stack([bar(left, -0.25, left + 0.18, 0.25) for left in (-0.66, -0.3, 0.12, 0.48)]).any(0)
    layers = [
        (polygon(8, 0.96, math.pi / 8), RED, [(WHITE, letters)]),
        (polygon(3, 1.0, down), RED, [(WHITE, polygon(3, 0.62, down))]),
        (disc, RED, [(WHITE, bar(-0.65, -0.16, 0.65, 0.16))]),
        *limits,
        (polygon(4, 0.96), WHITE, [(YELLOW, polygon(4, 0.75))]),
        (disc, BLUE, [(WHITE, arrow)]),
        (bar(-0.85, -0.85, 0.85, 0.85), BLUE, [(WHITE, polygon(3, 0.8, -down)), (BLACK, bar(-0.1, -0.35, 0.1, 0.3))]),
    ]
    made = []
    for shape, ground, paints in layers:
        colour = ground.expand(3, SIDE, SIDE)
        for paint, where in paints:
            colour = torch.where(where, paint, colour)
        made.append(torch.cat([colour, shape[None].float()]))
    return torch.stack(made)


class Scenes(NamedTuple):
    """How n cameras see a sign.

    pose        where each pixel of the camera looks on the sign, (n, 2, 3) for `affine_grid`
    gain        of the light, (n, 1, 1, 1)
    offset      of each colour, (n, 3, 1, 1)
    blur        share of a 3 x 3 mean in each pixel, (n, 1, 1, 1)
    background  (n, 3, 24, 24) in [0, 1]
    """

    pose: Tensor
    gain: Tensor
    offset: Tensor
    blur: Tensor
    background: Tensor


def scenes(n: int, *, seed: int = 0, size: int = 24) -> Scenes:
    """n random scenes: the sign turned by up to 15 degrees and tilted, near or far, in some light, before something."""
    draw = torch.Generator().manual_seed(seed)

    def between(low, high, *shape):
        return low + (high - low) * torch.rand(n, *shape, generator=draw)

    turn, near, tilt = between(-0.26, 0.26), between(1.0, 1.5), between(0.8, 1.0)
    shift = between(-0.2, 0.2, 2)
    pose = torch.stack([turn.cos() / tilt, -turn.sin(), turn.sin(), turn.cos()], 1).view(n, 2, 2) * near[:, None, None]
    pose = torch.cat([pose, shift[:, :, None]], 2)
    coarse = torch.rand(n, 3, 4, 4, generator=draw)
    background = F.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=False)
    background = (0.7 * background + 0.3 * torch.rand(n, 3, 1, 1, generator=draw)).clamp(0, 1)
    made = Scenes(
        pose, between(0.45, 1.1, 1, 1, 1), between(-0.06, 0.06, 3, 1, 1), between(0, 0.8, 1, 1, 1), background
    )
    return Scenes(*(part.to(device()) for part in made))


def render(texture: Tensor, view: Scenes) -> Tensor:
    """What each of n cameras sees of its sign: textures (n, 4, 48, 48) to images (n, 3, 24, 24) in [0, 1].

    Differentiable in the texture. One texture (1, 4, 48, 48) is seen by all cameras.
    """
    n, _, height, width = view.background.shape
    grid = F.affine_grid(view.pose, [n, 4, height, width], align_corners=False)
    seen = F.grid_sample(texture.expand(n, -1, -1, -1), grid, padding_mode="border", align_corners=False)
    colour, there = seen[:, :3], seen[:, 3:]
    lit, behind = (view.gain * colour + view.offset).clamp(0, 1), view.gain.clamp_max(1) * view.background
    image = there * lit + (1 - there) * behind
    soft = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return torch.lerp(image, soft, view.blur).clamp(0, 1)


def road_signs(train: int = 2000, test: int = 400, *, seed: int = 0) -> Dataset:
    """A `Dataset` of drawn road signs (N, 3, 24, 24), as many of each of the eight as of the others. Synthetic."""
    flat, splits = textures().to(device()), []
    for part, n in enumerate((train, test)):
        y = torch.arange(n) % len(SIGNS)
        x = render(flat[y], scenes(n, seed=2 * seed + part))
        splits.append(Split(x, y.to(x.device)))
    return Dataset("signs", *splits, SIGNS, 8 / 255)
