"""Images that entries are judged on: drawn from a seed, and such that no entry has been trained on them."""

import torch
from torch import Tensor
from torch.nn import functional as F

from utils.data import load


def a_little_turned(x: Tensor, seed: int) -> Tensor:
    """Each image (N, C, H, W) turned, scaled and moved a little: nobody has seen it so before.

    By up to 8 degrees, 6 % and a twentieth of the width, from the seed.
    """
    random = torch.Generator().manual_seed(seed)
    angle, zoom, right, down = (2 * torch.rand(4, len(x), generator=random) - 1) * torch.tensor(
        [[0.14], [0.06], [0.1], [0.1]]
    )
    cos, sin = angle.cos() * (1 + zoom), angle.sin() * (1 + zoom)
    rows = torch.stack([torch.stack([cos, -sin, right], 1), torch.stack([sin, cos, down], 1)], 1)
    grid = F.affine_grid(rows, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False).clamp(0, 1)


def held_out(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """n digits of the test split, drawn and a little turned."""
    x, y = load("digits").test
    drawn = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))[:n]
    return a_little_turned(x[drawn].cpu(), seed + 1), y[drawn].cpu()
