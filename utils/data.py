"""Real data, one call: `load(name)`."""

import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Split(NamedTuple):
    """Inputs and their labels; unpacks as `x, y = data.test`."""

    x: Tensor
    y: Tensor

    def take(self, n: int) -> "Split":
        """At most `n` examples, evenly spaced over the split: the same ones each time."""
        if n >= len(self.y):
            return self
        index = torch.linspace(0, len(self.y) - 1, n, device=self.y.device).round().long()
        return Split(self.x[index], self.y[index])


class Dataset(NamedTuple):
    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    eps: float


def device() -> torch.device:
    """The fastest device here: CUDA, else Apple's MPS (untested), else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def chunks(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The tensors in pieces that suit the device: 250 rows on a CPU, whose caches they fit, 1,000 elsewhere."""
    size = 250 if tensors[0].device.type == "cpu" else 1000
    return zip(*(t.split(size) for t in tensors), strict=True)


def load(name: str | None = None) -> Dataset:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    name = name or os.environ.get("COURSE_DATASET", "digits")
    d = load_digits()
    x = (d.images / 16).astype(np.float32)[:, None]
    a, b, c, e = train_test_split(x, d.target, test_size=397, random_state=0, stratify=d.target)
    mk = lambda x, y: Split(torch.from_numpy(x), torch.from_numpy(y).long())
    return Dataset(name, mk(a, c), mk(b, e), tuple("0123456789"), 0.15)
