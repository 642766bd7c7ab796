"""What is done to a batch of images before all else, on the device that they lie on."""

import torch
from torch import Tensor
from torch.nn import functional as F

from utils.training.ranks import uniform


def crop_and_flip(x: Tensor, *, pad: int = 4, flip: bool = True) -> Tensor:
    """Each image shifted by up to `pad` pixels each way, black coming in, and mirrored left to right half of the time.

    He et al. 2016 (arXiv:1512.03385, section 4.2), for photographs of 32 x 32; a mirrored digit is none: flip=False.
    x (N, C, H, W) -> the same shape. One gather for the whole batch. Random numbers are torch's global ones.
    """
    n, _, height, width = x.shape
    down, right, mirrored = uniform(x, 3).unbind(1)  # (N,) each, in [0, 1)
    rows = (down * (2 * pad + 1)).long()[:, None] + torch.arange(height, device=x.device)
    columns = torch.arange(width, device=x.device).expand(n, -1)
    if flip:
        columns = torch.where(mirrored[:, None] < 0.5, columns.flip(1), columns)
    columns = (right * (2 * pad + 1)).long()[:, None] + columns
    last = F.pad(x, (pad,) * 4).permute(0, 2, 3, 1)  # (N, H, W, C): a pixel's channels are taken together
    images = torch.arange(n, device=x.device)[:, None, None]
    return last[images, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
