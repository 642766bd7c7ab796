"""Several processes that train one network: each takes its rows of every batch, and what is summed is exact.

`torchrun` starts them, and `torch.distributed` connects them. Alone, all of this does nothing. Every rank has the whole
set and the same random numbers: it draws those of the joined batch and takes its rows, so that N ranks compute what one
process computes. BatchNorm is the exception: in training each rank normalises by its own rows, as is usual.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn


def number_of_ranks() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if number_of_ranks() > 1 else 0


def my_rows(t: Tensor) -> Tensor:
    """This rank's rows, every N-th: together the ranks have each row once, also where N does not divide them."""
    return t[rank() :: number_of_ranks()]


def uniform(x: Tensor, *shape: int) -> Tensor:
    """Uniform numbers in [0, 1), (len(x), *shape), of x's type and device: for each of this rank's images its own."""
    return my_rows(torch.rand(len(x) * number_of_ranks(), *shape, dtype=x.dtype, device=x.device))


def average_gradients(model: nn.Module) -> None:
    """Give each rank the mean of all ranks' gradients: that of the joined batch, where all have as many rows.

    One message for the whole network. It is sent after the backward pass, and not while that runs as
    DistributedDataParallel does, because a loss of the course may ask the network several times.
    """
    if number_of_ranks() == 1:
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    joined = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(joined)
    joined /= number_of_ranks()
    for g, part in zip(gradients, joined.split([g.numel() for g in gradients]), strict=True):
        g.copy_(part.view(g.shape))


def average_buffers(model: nn.Module) -> None:
    """Give each rank the mean of all ranks' buffers, such as BatchNorm's running statistics."""
    if number_of_ranks() == 1:
        return
    for buffer in model.buffers():
        if buffer.is_floating_point():
            dist.all_reduce(buffer)
            buffer /= number_of_ranks()


def summed(*counts: int) -> tuple[int, ...]:
    """Each count, added up over the ranks."""
    if number_of_ranks() == 1:
        return counts
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    total = torch.tensor(counts, dtype=torch.int64, device=device)
    dist.all_reduce(total)
    return tuple(total.tolist())
