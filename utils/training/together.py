"""Several small networks of one kind, trained in one pass."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from utils.arguments import whole
from utils.progress import progress
from utils.training.optimizers import Adam


@torch.enable_grad()
def fit_together(
    models: Sequence[nn.Module],
    trains: Sequence[tuple[Tensor, Tensor]],
    seeds: Sequence[int],
    *,
    updates: int = 300,
    batch_size: int = 64,
    lr: float = 5e-3,
) -> list[nn.Module]:
    """Train several networks of one kind in place, each on its own set, and return them in evaluation mode.

    Up to rounding each is what `torch.manual_seed(seed); fit(model, train, ...)` gives, in a third of the time: small
    networks keep a processor waiting, and here one call computes a layer of all of them.

    models  of one architecture, without batch statistics or dropout
    trains  training sets (x, y) as for `fit`; of a batch's size at least, or all sets get batches of the smallest
    seeds   one for each network, for the order of its batches; the caller's random numbers are left as they were

    Raises ValueError for what is no number of updates or images.
    """
    updates, batch_size = whole("updates", updates), min(whole("batch_size", batch_size), *(len(y) for _, y in trains))
    orders = []
    for (_, y), seed in zip(trains, seeds, strict=True):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            order = []
            while len(order) < updates:
                order += torch.randperm(len(y)).split(batch_size)[: len(y) // batch_size]
        orders.append([batch.to(y.device) for batch in order[:updates]])
    for model in models:
        model.train()
    weights, buffers = stack_module_state(list(models))
    answer = torch.vmap(lambda weights, buffers, x: functional_call(models[0], (weights, buffers), (x,)))
    optimizer = Adam(weights.values(), lr=lr)
    schedule = OneCycleLR(optimizer, lr, total_steps=updates)
    for batches in progress(list(zip(*orders, strict=True)), desc="training"):
        x, y = (torch.stack([t[i] for t, i in zip(ts, batches, strict=True)]) for ts in zip(*trains, strict=True))
        optimizer.zero_grad(set_to_none=True)
        each = F.cross_entropy(answer(weights, buffers, x).flatten(0, 1), y.flatten(), reduction="none")
        (each.sum() / batch_size).backward()  # the sum over networks: each gets the gradient of its own mean
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        for i, model in enumerate(models):
            for name, weight in model.named_parameters():
                weight.copy_(weights[name][i])
            model.eval()
    return list(models)
