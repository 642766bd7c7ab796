"""The model that lessons attack: without a defense, and good at its task."""

from functools import partial

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from utils.data import Dataset
from utils.models import network, resnet
from utils.training import crop_and_flip, fastest_type, fit


def undefended(data: Dataset, epochs: int = 4) -> nn.Module:
    """A network that was trained plainly and has learned its task, in evaluation mode, on the device of `data`.

    Tables get `mlp` and grey images `small_cnn`, as `fit` trains them. That is too little for colour photographs. They
    get a residual network, ResNet-18 on a GPU and one of 0.31 million weights on a CPU, and so many `epochs` of SGD
    with images shifted by up to 2 pixels, those of CIFAR-10 also mirrored (a mirrored sign may mean another thing).

    Weights and order come from torch's global seed.
    """
    if data.train.x.dim() != 4 or data.train.x.shape[1] != 3:
        return fit(network(data), data.train)
    on_cpu = data.train.x.device.type == "cpu"
    return fit(
        resnet(data, 16, (1, 1, 1, 1)) if on_cpu else network(data),
        data.train,
        updates=epochs * max(len(data.train.y) // 64, 1),
        lr=0.1,
        augment=partial(crop_and_flip, pad=2, flip=data.name == "cifar10"),
        optimizer=partial(torch.optim.SGD, momentum=0.9, nesterov=True, weight_decay=5e-4),
        schedule=partial(OneCycleLR, anneal_strategy="linear", cycle_momentum=False),
        average=0.995,
        precision=fastest_type(data.train.x.device),
        channels_last=True,
    )
