"""The loop."""

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from utils.arguments import whole
from utils.asking import logits_in
from utils.guard import check_counted_from_0, labels_noted, pair_of
from utils.progress import progress
from utils.rate import Rate
from utils.training.checkpoints import read_checkpoint, write_checkpoint
from utils.training.optimizers import Adam
from utils.training.ranks import average_buffers, average_gradients, my_rows, number_of_ranks, rank
from utils.training.statistics import norms, statistics_anew

FOR_STATISTICS = 20  # batches that the statistics of averaged weights are taken from


def mean_cross_entropy(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The usual loss: mean cross-entropy of the logits."""
    answer = logits_in(model(x), x)
    with labels_noted(y):
        return F.cross_entropy(answer, y)


@torch.enable_grad()
def fit(
    model: nn.Module,
    train: tuple[Tensor, Tensor],
    *,
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor] = mean_cross_entropy,
    transform: Callable[[nn.Module, Tensor, Tensor], Tensor] | None = None,
    updates: int = 300,
    batch_size: int = 64,
    lr: float = 5e-3,
    augment: Callable[[Tensor], Tensor] | None = None,
    optimizer: Callable[..., Optimizer] = Adam,
    schedule: Callable[..., LRScheduler] = OneCycleLR,
    average: float = 0.0,
    precision: torch.dtype | None = None,
    channels_last: bool = False,
    watch: Callable[[nn.Module], Rate] | None = None,
    checkpoint: str | Path | None = None,
) -> nn.Module:
    """Train `model` in place, by default by Adam with a one-cycle learning rate, and return it in evaluation mode.

    train      (x, y): inputs (N, ...) in [0, 1] and labels (N,), on the model's device
    loss       loss(model, x, y) -> scalar
    transform  transform(model, x, y) -> x: what replaces each batch's inputs (noise, attacks), if anything
    updates    weight updates; batches are drawn without replacement and reshuffled when used up: that is an epoch
    lr         the highest learning rate of the cycle

    What large networks and sets need besides:

    augment        augment(x) -> x, before the transform: `crop_and_flip`
    optimizer      optimizer(parameters, lr=lr): `partial(torch.optim.SGD, momentum=0.9, nesterov=True, ...)`
    schedule       schedule(optimizer, lr, total_steps=updates), a step after each update
    average        the weights returned are an exponential moving average of all updates' with this decay, such as
                   0.995; BatchNorm's statistics are then taken anew, from what the loss asks of 20 batches
    precision      compute under autocast in this type, as `fastest_type` says; None: in the weights' own. In float16
                   the loss is scaled, and an update whose gradients overflow is left out
    channels_last  keep weights and batches of images in this memory format, for which convolutions are often faster
    watch          watch(model) -> Rate on images kept aside, after each epoch; the weights with the highest are
                   returned. A warning says when it falls clearly below that: one-step training can collapse
    checkpoint     a file for all of the training's state after each epoch, safetensors; if it is there, training goes
                   on from it, to the same result. A transform or loss that counts its calls would begin anew

    Order and weights follow torch's global seed: call `torch.manual_seed` first. Where `torch.distributed` was set up,
    each rank takes its rows of every batch (`utils.training.ranks`). Raises ValueError for examples that cannot be
    learned from (none, no label for each, a label below 0, NaN or infinity), a model whose weights are all frozen, what
    is no number of updates or images, a batch that the ranks cannot share, and a checkpoint of another training;
    TypeError if `watch` returns no Rate.
    """
    x, y = pair_of(train)
    check_examples(x, y)
    if loss is mean_cross_entropy:
        check_counted_from_0(y)
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError(
            "model has no weights that learn: call model.requires_grad_(True), or on the part to be trained"
        )
    updates, batch_size = whole("updates", updates), min(whole("batch_size", batch_size), len(x))
    if batch_size % number_of_ranks():
        raise ValueError(f"batches of {batch_size} cannot be shared by {number_of_ranks()} ranks: take a multiple")
    if channels_last:
        model.to(memory_format=torch.channels_last)
    optimizer = optimizer(model.parameters(), lr=lr)
    schedule = schedule(optimizer, lr, total_steps=updates)
    scaler = torch.amp.GradScaler(x.device.type, enabled=precision == torch.float16)
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule, "scaler": scaler}
    if average:
        parts["average"] = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(average))
    computing = partial(torch.autocast, x.device.type, precision) if precision else nullcontext
    settings = {"images": len(y), "updates": updates, "batch_size": batch_size, "lr": lr, "average": average}
    done, best = resumed(checkpoint, settings, parts, x.device)

    def shuffled() -> tuple[Tensor, ...]:
        return torch.randperm(len(x)).to(x.device).split(batch_size)

    def made(network: nn.Module, batch: Tensor) -> tuple[Tensor, Tensor]:
        """The images at these places as the network learns from them, and their labels: those of this rank."""
        x_batch, y_batch = x[my_rows(batch)], y[my_rows(batch)]
        if augment is not None:
            x_batch = augment(x_batch)
        if channels_last:
            x_batch = x_batch.contiguous(memory_format=torch.channels_last)
        if transform is not None:
            with computing(), torch.enable_grad():
                x_batch = transform(network, x_batch, y_batch)
        return x_batch, y_batch

    def as_returned() -> nn.Module:
        """The network as it would be returned now."""
        if not average:
            average_buffers(model)
            return model
        averaged, some = parts["average"].module, shuffled()[:FOR_STATISTICS]
        if not norms(averaged):
            return averaged
        with statistics_anew(averaged):
            for batch in (batch for batch in some if len(batch) == batch_size):
                x_batch, y_batch = made(averaged, batch)
                with computing():
                    loss(averaged, x_batch, y_batch)  # which asks as in the training: TRADES asks twice
        return averaged

    def end_of_epoch(update: int) -> None:
        if watch is not None:
            network = as_returned()
            keep_best(best, watch(network), network, update)
        if checkpoint is not None and update < updates:
            save_training(checkpoint, settings, parts, update, best, x.device)

    model.train()
    order = iter(())
    quiet = {"disable": True} if rank() else {}
    for update in progress(range(done, updates), initial=done, total=updates, desc="training", **quiet):
        if (batch := next(order, None)) is None or len(batch) < batch_size:
            if update > done:
                end_of_epoch(update)
            order = iter(shuffled())
            batch = next(order)
        x_batch, y_batch = made(model, batch)
        optimizer.zero_grad(set_to_none=True)
        with computing():
            mean = loss(model, x_batch, y_batch)
        scaler.scale(mean).backward()
        average_gradients(model)
        scaler.step(optimizer)
        scaler.update()
        # torch warns if the scaler has left out the first update: that is as it should be
        with warnings.catch_warnings(action="ignore") if scaler.is_enabled() and update == done else nullcontext():
            schedule.step()
        if average:
            parts["average"].update_parameters(model)
    optimizer.zero_grad(set_to_none=True)
    if watch is not None:
        end_of_epoch(updates)
        model.load_state_dict(best["weights"])
    elif (network := as_returned()) is not model:
        model.load_state_dict(network.state_dict())
    model.eval()  # which in a user's own class may return nothing
    return model


def keep_best(best: dict, now: Rate, network: nn.Module, update: int) -> None:
    """Keep the weights in `best` if none were better, and warn, once in a training, if they are clearly worse."""
    if not isinstance(now, Rate):
        raise TypeError(f"watch must return a Rate, as accuracy(model, kept_aside) does, got {type(now).__name__}")
    highest = Rate(*best["rate"]) if best else None
    if highest is None or now >= highest:
        best |= {"rate": [now.k, now.n], "update": update, "weights": deepcopy(network.state_dict())}
    elif now.clearly_below(highest) and not best.get("fell"):
        best["fell"] = update
        warnings.warn(
            f"after {update} updates the model holds on {now} of the images kept aside, after {best['update']} on "
            f"{highest}: training has collapsed or learns by heart; the best weights will be returned",
            stacklevel=5,  # with the frame that lets `fit` record gradients
        )


def save_training(file: str | Path, settings: dict, parts: dict, update: int, best: dict, device: torch.device) -> None:
    """Write all that a training needs to go on after this update; one rank does, for all hold the same."""
    average_buffers(parts["model"])
    if rank():
        return
    random = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(device)
    states = {name: part.state_dict() for name, part in parts.items()}
    write_checkpoint(Path(file), {"settings": settings, "update": update, "best": best, "random": random} | states)


def resumed(file: str | Path | None, settings: dict, parts: dict, device: torch.device) -> tuple[int, dict]:
    """How many updates were made, and the best weights so far: from the checkpoint if there is one, else 0 and none."""
    if file is None or not Path(file).exists():
        return 0, {}
    state = read_checkpoint(Path(file))
    if state["settings"] != settings:
        other = {name: value for name, value in state["settings"].items() if settings.get(name) != value}
        raise ValueError(f"{file} belongs to another training ({other}): delete it, or name another file")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(state["random"]["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["random"]["cuda"], device)
    return state["update"], state["best"]


def check_examples(x: Tensor, y: Tensor) -> None:
    """Raise ValueError for examples that no training can learn from."""
    if not len(x) or len(y) != len(x):
        raise ValueError(f"train must hold examples, and a label for each: got {len(x)} examples and {len(y)} labels")
    if x.is_floating_point() and (lost := int((~x.flatten(1).isfinite().all(1)).sum())):
        raise ValueError(f"{lost} of the {len(x)} examples hold NaN or infinity, and the weights would too: mend them")
