"""Real data, one call: `load(name)`."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from utils.download import obtain
from utils.formats import check_arrays, read_cifar, read_gtsrb, read_idx, read_npz, read_payments

# name: L-infinity budget, shape of one input as stored, classes
SETS = {
    "digits": (0.15, (8, 8), tuple("0123456789")),
    "tumors": (0.05, (30,), ("malignant", "benign")),
    "credit": (0.05, (29,), ("honest", "fraud")),
    "mnist": (0.3, (28, 28), tuple("0123456789")),
    "fashion": (
        0.1,
        (28, 28),
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    "cifar10": (
        8 / 255,
        (32, 32, 3),
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    ),
    "olivetti": (8 / 255, (64, 64), tuple(f"person {i:02}" for i in range(40))),
    "gtsrb": (8 / 255, (32, 32, 3), tuple(f"sign {i:02}" for i in range(43))),
}


class Split(NamedTuple):
    """Inputs and their labels; unpacks as `x, y = data.test`."""

    x: Tensor
    y: Tensor

    def take(self, n: int) -> "Split":
        """At most `n` examples, evenly spaced over the split: the same ones each time, none twice."""
        if n >= len(self.y):
            return self
        # in float64 and on the CPU: float32 takes some examples twice, and devices round it differently
        index = torch.linspace(0, len(self.y) - 1, n, dtype=torch.float64).round().long().to(self.y.device)
        return Split(self.x[index], self.y[index])

    def __repr__(self):
        x, y = (f"{str(t.dtype)[6:]} {tuple(t.shape)}" for t in self)
        return f"Split of {len(self.y):,} examples: x {x}, y {y}"


class Dataset(NamedTuple):
    """What `load` returns.

    train, test  each a Split (x, y): inputs float32 in [0, 1], labels int64 (N,), on the fastest device here.
                 Images are (N, C, H, W), tables (N, features).
    classes      the name of each label
    eps          the L-infinity budget of the course, in the units of x: the field's custom for MNIST and CIFAR-10, our
                 own choice for the others
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    eps: float

    def __repr__(self):
        shape = " x ".join(str(length) for length in self.train.x.shape[1:])
        return (
            f"{self.name}: {len(self.train.y):,} training and {len(self.test.y):,} test examples of {shape} "
            f"in [0, 1], {len(self.classes)} classes, eps {self.eps:.3g}"
        )


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
    """The data set `name`, ready to train on. Without a name: what COURSE_DATASET says, else "digits".

    | name     | what                                         | training | test   | one input   | eps   |
    |----------|----------------------------------------------|----------|--------|-------------|-------|
    | digits   | handwritten digits (in scikit-learn)         | 1,400    | 397    | 1 x 8 x 8   | 0.15  |
    | tumors   | 30 measures of a tumor (in scikit-learn)     | 400      | 169    | 30          | 0.05  |
    | credit   | payments by card, 1 in 600 a fraud           | 200,000  | 84,807 | 29          | 0.05  |
    | mnist    | handwritten digits                           | 60,000   | 10,000 | 1 x 28 x 28 | 0.3   |
    | fashion  | clothes                                      | 60,000   | 10,000 | 1 x 28 x 28 | 0.1   |
    | cifar10  | photographs of ten kinds of things           | 50,000   | 10,000 | 3 x 32 x 32 | 8/255 |
    | olivetti | faces of 40 people (only from COURSE_DATA)   | 280      | 120    | 1 x 64 x 64 | 8/255 |
    | gtsrb    | photographs of German road signs             | 39,209   | 12,630 | 3 x 32 x 32 | 8/255 |

    Texts, payments and drawn road signs are in `utils.domains`.

    The first two need no network. The others come from DIR/NAME.npz if COURSE_DATA names a folder DIR that has
    this file (uint8 arrays x_train, y_train, x_test, y_test; images N x H x W or N x H x W x 3), credit from
    DIR/credit.csv as it was published; else they are downloaded once from their authors or a mirror, checked against
    published hashes, and kept in COURSE_CACHE (by default the system's folder for caches). A file in COURSE_DATA is
    taken as it is: a CIFAR-10 decoded from JPEG, for one, is not the original, and models differ on it from published
    accuracies by about a point.

    Pixels are divided by their largest value. Tumors' features are scaled to [0, 1] by their range in the training
    split, which the test split is clamped to. Both splits of scikit-learn's sets are stratified and always the same.
    Of credit (Dal Pozzolo et al. 2015; two days of 2013, 28 of 30 columns published as principal components only) the
    test split is the later part, and each feature is scaled as `utils.formats.read_payments` says.

    Raises ValueError (unknown name, a file that cannot be used), FileNotFoundError, ConnectionError (no host
    gave the files) or OSError (no place to keep them): one sentence each, which says what to do.
    """
    name = name or os.environ.get("COURSE_DATASET") or "digits"
    if name not in SETS:
        raise ValueError(f"there is no data set {name!r}: choose one of {', '.join(SETS)}")
    eps, shape, classes = SETS[name]
    if name == "digits":
        largest, arrays = 16, _digits()
    elif name == "tumors":
        largest, arrays = 1, _tumors()
    elif name == "credit":
        largest, arrays = 1, _published(name, "credit.csv", read_payments)
    else:
        largest, arrays = 255, _published(name, f"{name}.npz", partial(_images, name, shape, len(classes)))
    x_train, y_train, x_test, y_test = arrays
    return Dataset(name, _split(x_train, y_train, largest), _split(x_test, y_test, largest), classes, eps)


def _split(x: ndarray, y: ndarray, largest: float) -> Split:
    x = torch.tensor(x, device=device())  # still bytes, so that a GPU is sent a quarter of the floats' size
    if x.dim() > 2:
        x = x[:, None] if x.dim() == 3 else x.movedim(-1, 1).contiguous()
    return Split(x.float().div_(largest), torch.tensor(y.astype(np.int64), device=device()))


def _digits() -> tuple[ndarray, ...]:
    from sklearn.datasets import load_digits  # not above: it takes a second that other sets need not pay
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x = x.astype(np.uint8).reshape(-1, 8, 8)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=397, random_state=0, stratify=y)
    return x_train, y_train, x_test, y_test


def _tumors() -> tuple[ndarray, ...]:
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split

    x, y = load_breast_cancer(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=169, random_state=0, stratify=y)
    low, high = x_train.min(0), x_train.max(0)
    x_train, x_test = (((x - low) / (high - low)).clip(0, 1).astype(np.float32) for x in (x_train, x_test))
    return x_train, y_train, x_test, y_test


def _images(name: str, shape: tuple[int, ...], classes: int, *files: Path) -> list[ndarray]:
    if files[0].suffix == ".npz":
        return check_arrays(read_npz(*files), shape, classes)
    return check_arrays({"cifar10": read_cifar, "gtsrb": read_gtsrb}.get(name, read_idx)(files), shape, classes)


def _published(name: str, own: str, read: Callable[..., list[ndarray]]) -> list[ndarray]:
    """What `read` makes of the file `own` in COURSE_DATA, or else of the published files of `name`."""
    files = obtain(name, own)
    try:
        return read(*files)
    except Exception as problem:  # whatever a damaged or hostile file can cause, it is one thing to the reader
        reason = str(problem).split("\n")[0] or type(problem).__name__
        given = files[0].name == own
        advice = "replace it or take it out of the folder" if given else "delete it and load the data set again"
        raise ValueError(f"cannot use {files[0] if given else files[0].parent} ({reason}): {advice}") from None
