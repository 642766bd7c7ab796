"""BatchNorm's statistics: whose an attack sees in training, and those of averaged weights."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim.swa_utils import update_bn

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


def set_statistics(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace BatchNorm's running statistics by those of `batches`, the mean over ranks.

    Averaged weights need it: the statistics that were gathered on the way belong to the weights on the way.
    A network without BatchNorm stays as it is, and no batch is made.
    """
    if any(isinstance(module, _NormBase) for module in model.modules()):
        update_bn(batches, model)
        average_buffers(model)
