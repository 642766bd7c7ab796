"""The models that lessons attack and train: good at their task, without a defense, or trained on attacked images.

What is enough for digits is too little for colour photographs. These functions have an answer to both.
"""

from functools import partial

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from utils.adversarial import attacked, quickly_attacked
from utils.data import Dataset
from utils.models import network, of_photographs, resnet
from utils.training import crop_and_flip, fastest_type, fit


def for_photographs(
    data: Dataset, *, pad: int, flip: bool, lr: float = 0.1, weight_decay: float = 5e-4, average: float = 0.995
) -> dict[str, object]:
    """What `fit` gets to train a residual network: images moved and mirrored (`crop_and_flip`), SGD with Nesterov's
    momentum of 0.9, `lr` reached and left on straight lines, averaged weights, and the quickest type of this device."""
    return {
        "lr": lr,
        "augment": partial(crop_and_flip, pad=pad, flip=flip),
        "optimizer": partial(torch.optim.SGD, momentum=0.9, nesterov=True, weight_decay=weight_decay),
        "schedule": partial(OneCycleLR, anneal_strategy="linear", cycle_momentum=False),
        "average": average,
        "precision": fastest_type(data.train.x.device),
        "channels_last": True,
    }


def undefended(data: Dataset, epochs: int = 4) -> nn.Module:
    """A network that was trained plainly and has learned its task, in evaluation mode, on the device of `data`.

    Tables get `mlp` and grey images `small_cnn`, as `fit` trains them. Colour photographs get a residual network
    (`untrained`) and so many `epochs` of SGD with images shifted by up to 2 pixels, those of CIFAR-10 also mirrored (a
    mirrored sign may mean another thing).

    Weights and order come from torch's global seed.
    """
    return for_long(data, epochs) if of_photographs(data) else fit(untrained(data), data.train)


def hardened(data: Dataset, epochs: int = 4) -> nn.Module:
    """The network of `undefended`, trained on images that are attacked within `data.eps`, in evaluation mode.

    Tables and grey images are attacked by three steps (`attacked`) in 200 updates, in 1000 where there are 10,000
    examples or more; colour photographs by one (`quickly_attacked`), for so many `epochs`.
    """
    if of_photographs(data):
        return for_long(data, epochs, transform=quickly_attacked(data.eps))
    updates = 200 if len(data.train.y) < 10_000 else 1000
    return fit(untrained(data), data.train, transform=attacked(data.eps, steps=3, updates=updates), updates=updates)


def untrained(data: Dataset) -> nn.Module:
    """A network for `data` that some epochs teach its task: `mlp` for tables, `small_cnn` for grey images, for colour
    photographs a residual network, ResNet-18 on a GPU and one of 0.31 million weights on a CPU."""
    slim = of_photographs(data) and data.train.x.device.type == "cpu"
    return resnet(data, 16, (1, 1, 1, 1)) if slim else network(data)


def settings(data: Dataset, *, updates: int, epochs: float | None = None, lr: float = 5e-3) -> dict[str, object]:
    """What `fit` gets to train `untrained(data)`: so many `updates`; on colour photographs so many `epochs`, if given.

    Both are trained as `fit` does, by Adam with a one-cycle learning rate of at most `lr`. Photographs are also shifted
    and mirrored as for `undefended`, and computed with in the quickest type of this device.
    """
    if not of_photographs(data):
        return {"updates": updates, "lr": lr}
    how = photographed(data)
    how = {name: how[name] for name in ("augment", "precision", "channels_last")}
    return how | {"updates": in_updates(data, epochs) if epochs else updates, "lr": lr}


def for_long(data: Dataset, epochs: int, **how) -> nn.Module:
    """A residual network trained for so many epochs; `how` is handed to `fit`."""
    return fit(untrained(data), data.train, updates=in_updates(data, epochs), **photographed(data), **how)


def photographed(data: Dataset) -> dict[str, object]:
    """`for_photographs` with the moves that these photographs bear."""
    return for_photographs(data, pad=2, flip=data.name == "cifar10")


def in_updates(data: Dataset, epochs: float) -> int:
    """How many batches of 64, the usual ones of `fit`, so many epochs have."""
    return max(round(epochs * (len(data.train.y) // 64)), 1)
