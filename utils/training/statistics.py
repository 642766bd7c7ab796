"""BatchNorm's statistics: whose an attack sees in training, and those of averaged weights."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from utils.training.ranks import average_buffers


@contextmanager
def batch_statistics(model: nn.Module) -> Iterator[None]:
    """Inside, a network in training mode normalises by the batch at hand, and its running statistics stay as they are.

    For the attack inside a training. The weights learn from the loss under the batch's statistics, so that is the loss
    to climb; the running ones lag behind weights that move fast, and are those of another network. What the attack
    tries on the way is not what the network learns from, so it must not enter them.
    """
    keeping = [m for m in model.modules() if isinstance(m, _NormBase) and m.training and m.track_running_stats]
    for module in keeping:
        module.track_running_stats = False
    try:
        yield
    finally:
        for module in keeping:
            module.track_running_stats = True


@contextmanager
def statistics_anew(model: nn.Module) -> Iterator[None]:
    """Inside, a network is in training mode; afterwards BatchNorm's running statistics are the mean over all that it
    was asked there, and over the ranks.

    Averaged weights need it: the statistics that were gathered on the way belong to the weights on the way.
    """
    layers, was_training = norms(model), model.training
    momentum = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean
    model.train()
    try:
        yield
    finally:
        for layer, before in zip(layers, momentum, strict=True):
            layer.momentum = before
        model.train(was_training)
    average_buffers(model)


def norms(model: nn.Module) -> list[nn.Module]:
    """Its layers that keep running statistics."""
    return [module for module in model.modules() if isinstance(module, _NormBase)]
