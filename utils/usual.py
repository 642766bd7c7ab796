"""The models that lessons attack: good at their task, without a defense, or trained on attacked images."""

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

    Tables get `mlp` and grey images `small_cnn`, as `fit` trains them. That is too little for colour photographs. They
    get a residual network, ResNet-18 on a GPU and one of 0.31 million weights on a CPU, and so many `epochs` of SGD
    with images shifted by up to 2 pixels, those of CIFAR-10 also mirrored (a mirrored sign may mean another thing).

    Weights and order come from torch's global seed.
    """
    return for_long(data, epochs) if of_photographs(data) else fit(network(data), data.train)


def hardened(data: Dataset, epochs: int = 4) -> nn.Module:
    """The network of `undefended`, trained on images that are attacked within `data.eps`, in evaluation mode.

    Tables and grey images are attacked by three steps (`attacked`) in 200 updates, in 1000 where there are 10,000
    examples or more; colour photographs by one (`quickly_attacked`), for so many `epochs`.
    """
    if of_photographs(data):
        return for_long(data, epochs, transform=quickly_attacked(data.eps))
    updates = 200 if len(data.train.y) < 10_000 else 1000
    return fit(network(data), data.train, transform=attacked(data.eps, steps=3, updates=updates), updates=updates)


def for_long(data: Dataset, epochs: int, **how) -> nn.Module:
    """A residual network trained for so many epochs; `how` is handed to `fit`."""
    model = resnet(data, 16, (1, 1, 1, 1)) if data.train.x.device.type == "cpu" else network(data)
    how |= for_photographs(data, pad=2, flip=data.name == "cifar10")
    return fit(model, data.train, updates=epochs * max(len(data.train.y) // 64, 1), **how)
