"""One training loop for the whole course. A defense is a loss or a batch transform handed to it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.progress import progress


def mean_cross_entropy(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The usual loss: mean cross-entropy of the logits."""
    return F.cross_entropy(model(x), y)


def fit(
    model: nn.Module,
    train: tuple[Tensor, Tensor],
    *,
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor] = mean_cross_entropy,
    transform: Callable[[nn.Module, Tensor, Tensor], Tensor] | None = None,
    updates: int = 300,
    batch_size: int = 64,
    lr: float = 5e-3,
) -> nn.Module:
    """Train `model` in place by Adam with a one-cycle learning rate, and return it in evaluation mode.

    train      (x, y): inputs (N, ...) in [0, 1] and labels (N,), on the model's device
    loss       loss(model, x, y) -> scalar
    transform  transform(model, x, y) -> x: what replaces each batch's inputs (noise, attacks), if anything
    updates    weight updates; batches are drawn without replacement and reshuffled when used up
    lr         the highest learning rate of the cycle

    Order and weights follow torch's global seed: call `torch.manual_seed` first.
    """
    x, y = train
    batch_size = min(batch_size, len(x))
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=updates)
    model.train()
    order = iter(())
    for _ in progress(range(updates), desc="training"):
        if (batch := next(order, None)) is None or len(batch) < batch_size:
            order = iter(torch.randperm(len(x)).to(x.device).split(batch_size))
            batch = next(order)
        x_batch, y_batch = x[batch], y[batch]
        if transform is not None:
            x_batch = transform(model, x_batch, y_batch)
        optimizer.zero_grad(set_to_none=True)
        loss(model, x_batch, y_batch).backward()
        optimizer.step()
        schedule.step()
    optimizer.zero_grad(set_to_none=True)
    model.eval()  # which in a user's own class may return nothing
    return model
