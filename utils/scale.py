"""Adversarial training at scale: recipes for photographs, on a CPU, a GPU or several. Built in lesson 15.

    python -m utils.scale ten_minutes --folder build/scale            one process
    torchrun --nproc-per-node=2 -m utils.scale ten_minutes ...        the same network, by two

A run that was stopped goes on from its folder, by the same command. `make scale` runs recipes and keeps their records.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.distributed as dist
from safetensors.torch import load_model, save_model
from torch import nn

from utils.adversarial import quickly_attacked
from utils.attacks import pgd, worst_case
from utils.data import Dataset, Split, load
from utils.models import predict, resnet
from utils.rate import Rate
from utils.training import fit
from utils.training.checkpoints import read_checkpoint
from utils.training.ranks import my_rows, number_of_ranks, rank, summed
from utils.usual import for_photographs


class Recipe(NamedTuple):
    """One adversarial training of `models.resnet`, as plain numbers.

    width, blocks      the network
    epochs             how often each image comes up
    batch_size, lr     images an update, over all ranks; and the highest learning rate, reached after 0.3 of training,
                       on straight lines up and down
    weight_decay       SGD has Nesterov's momentum of 0.9 besides
    average            decay of the averaged weights
    pad, flip          `crop_and_flip`
    steps, reach, start, project   `quickly_attacked`
    held               training images kept aside, on which each epoch is judged by ten steps of PGD
    """

    width: int = 32
    blocks: tuple[int, ...] = (1, 1, 1, 1)
    epochs: int = 4
    batch_size: int = 64
    lr: float = 0.1
    weight_decay: float = 5e-4
    average: float = 0.995
    pad: int = 2
    flip: bool = True
    steps: int = 1
    reach: float = 1.25
    start: float = 1.0
    project: bool = True
    held: int = 300


RECIPES = {
    "taste": Recipe(width=8, epochs=4, lr=0.2, average=0.9, pad=1, flip=False, held=100),
    "ten_minutes": Recipe(pad=0, start=2.0, reach=1.0, project=False),  # N-FGSM; so few epochs leave crops no use
    "sixty_minutes": Recipe(epochs=24, average=0.999, pad=4),
    "resnet18": Recipe(width=64, blocks=(2, 2, 2, 2), epochs=30, batch_size=128, lr=0.2, average=0.999, pad=4),
}


CLOCKS = (time.monotonic, time.process_time)


class Epoch(NamedTuple):
    """How far a training was after an epoch: seconds since it began, of this process's processor, and on the held."""

    epoch: int
    seconds: float
    processor: float
    right: Rate
    left: Rate


def parted(train: Split, held: int) -> tuple[Split, Split]:
    """The images to learn from, and `held` others, evenly spaced."""
    chosen = torch.zeros(len(train.y), dtype=torch.bool, device=train.y.device)
    chosen[torch.linspace(0, len(train.y) - 1, held, dtype=torch.float64).round().long()] = True
    return Split(train.x[~chosen], train.y[~chosen]), Split(train.x[chosen], train.y[chosen])


def left(model: nn.Module, split: Split, attack: Callable, *, eps: float) -> Rate:
    """As `robust_accuracy`, shared by the ranks: each image is attacked by one of them, and the counts are added."""
    x, y = map(my_rows, split)
    right = int((predict(model, attack(model, x, y, eps=eps)) == y).sum()) if len(y) else 0
    return Rate(*summed(right, len(y)))


def as_they_are(model: nn.Module, x: torch.Tensor, y: torch.Tensor, *, eps: float) -> torch.Tensor:
    """No attack."""
    return x


def arguments(recipe: Recipe, data: Dataset) -> dict[str, object]:
    """What a recipe hands to `fit`."""
    inner = {name: getattr(recipe, name) for name in ("steps", "reach", "start", "project")}
    alike = {name: getattr(recipe, name) for name in ("pad", "flip", "lr", "weight_decay", "average")}
    return {
        "transform": quickly_attacked(data.eps, **inner),
        "batch_size": recipe.batch_size,
        **for_photographs(data, **alike),
    }


def train(
    recipe: Recipe, data: Dataset, folder: Path, *, seed: int = 0, by: str = "left", **instead: object
) -> tuple[nn.Module, list[Epoch]]:
    """Train by a recipe, and say how it went. What is in `folder` is taken up: a checkpoint, and the epochs so far.

    by       which rate of an epoch chooses the weights that are returned: "left" or "right"
    instead  what `fit` gets in place of what the recipe hands to it
    """
    began = [clock() for clock in CLOCKS]
    learning, held = parted(data.train, recipe.held)
    an_epoch, checkpoint = len(learning.y) // recipe.batch_size, folder / "checkpoint.safetensors"
    done = read_checkpoint(checkpoint)["update"] // an_epoch if checkpoint.exists() else 0
    epochs = read_epochs(folder)[:done]  # one more was written if the run was stopped between the two files
    before = (epochs[-1].seconds, epochs[-1].processor) if epochs else (0.0, 0.0)

    def watch(model: nn.Module) -> Rate:
        rates = [left(model, held, attack, eps=data.eps) for attack in (as_they_are, partial(pgd, steps=10))]
        spent = (then + clock() - since for then, since, clock in zip(before, began, CLOCKS, strict=True))
        epochs.append(Epoch(len(epochs) + 1, *(round(seconds, 1) for seconds in spent), *rates))
        if not rank():
            write_epochs(folder, epochs)
            print(f"epoch {len(epochs)} of {recipe.epochs}: {spent_in_words(epochs[-1])}", flush=True)
        return getattr(epochs[-1], by)

    torch.manual_seed(seed)
    how = arguments(recipe, data) | {"updates": recipe.epochs * an_epoch} | instead
    model = fit(resnet(data, recipe.width, recipe.blocks), learning, watch=watch, checkpoint=checkpoint, **how)
    return model, epochs


def spent_in_words(epoch: Epoch) -> str:
    return (
        f"{epoch.seconds:.0f} s ({epoch.processor:.0f} s of processor time), of the images kept aside {epoch.right} "
        f"right, {epoch.left} left by ten steps of PGD"
    )


def write_epochs(folder: Path, epochs: list[Epoch]) -> None:
    lines = [json.dumps(epoch._replace(**{name: [r.k, r.n] for name, r in rates_of(epoch)})) for epoch in epochs]
    (folder / "epochs.jsonl").write_text("\n".join(lines) + "\n")


def rates_of(epoch: Epoch) -> list[tuple[str, Rate]]:
    return [(name, getattr(epoch, name)) for name in ("right", "left")]


def read_epochs(folder: Path) -> list[Epoch]:
    file = folder / "epochs.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return [Epoch(*numbers, Rate(*right), Rate(*kept)) for *numbers, right, kept in map(json.loads, lines)]


def resting(weights: Path, recipe: Recipe, data: Dataset) -> nn.Module:
    """A network whose training is done, from its file."""
    model = resnet(data, recipe.width, recipe.blocks)
    load_model(model, weights)
    return model.to(memory_format=torch.channels_last).eval()


def trained(
    recipe: Recipe, data: Dataset, folder: Path, *, seed: int = 0, **how: object
) -> tuple[nn.Module, list[Epoch]]:
    """The network that lies in `folder`, and its epochs; or, if there is none, those that `train` makes and leaves."""
    weights = folder / "model.safetensors"
    if weights.exists():
        return resting(weights, recipe, data), read_epochs(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model, epochs = train(recipe, data, folder, seed=seed, **how)
    if not rank():
        save_model(model, str(weights))
    return model, epochs


def unseen_images(data: Dataset, n: int) -> Split:
    """`n` test images, evenly spaced, and others than those of `take(n)`, on which recipes were compared.

    Raises ValueError if the test set does not hold twice as many.
    """
    if 2 * n > (size := len(data.test.y)):
        raise ValueError(f"of {size:,} test images at most {size // 2:,} can be unseen: got n = {n:,}")
    return parted(data.test, n)[0].take(n)


def judged_rates(model: nn.Module, data: Dataset, n: int) -> dict[str, Rate]:
    """What a network keeps: all test images as they are, and `unseen_images` under attack."""
    test = unseen_images(data, n)
    return {
        "right": left(model, data.test, as_they_are, eps=data.eps),
        "left by PGD": left(model, test, partial(pgd, steps=50), eps=data.eps),
        "left by worst_case": left(model, test, worst_case, eps=data.eps),
    }


def run(recipe: Recipe, data: Dataset, folder: Path, *, seed: int = 0, n: int = 1000) -> dict:
    """Train, or take up what was trained in `folder`, and judge on `n` images: what the record of the run keeps."""
    unseen_images(data, n)  # which refuses an n that is too large before hours of training, not after
    model, epochs = trained(recipe, data, folder, seed=seed)
    return {"epochs": epochs} | judged_rates(model, data, n)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--folder", type=Path, default=Path("build/scale"), help="where checkpoints and weights lie")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-n", type=int, default=1000, help="test images for worst_case")
    given = parser.parse_args(words)
    folder = given.folder / f"{given.recipe}.{given.dataset}.{given.seed}"
    connect()
    in_float32()
    with ends_clearly(folder):
        found = run(RECIPES[given.recipe], load(given.dataset), folder, seed=given.seed, n=given.n)
    if not rank():
        for name in ("right", "left by PGD", "left by worst_case"):
            print(f"{name}: {found[name]}")
    if number_of_ranks() > 1:
        dist.destroy_process_group()


class Stopped(Exception):
    """`torchrun` ends this rank, because another one died."""


def connect() -> None:
    """Join the other ranks, if `torchrun` started this process."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    signal.signal(signal.SIGTERM, end_this_rank)
    if torch.cuda.is_available():
        if (n := int(os.environ["LOCAL_WORLD_SIZE"])) > (count := torch.cuda.device_count()):
            sys.exit(f"{n} ranks on {count} GPU(s): start at most one rank for each GPU")
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def in_float32() -> None:
    """Ask networks in the float32 of their weights: for attacks, which take small steps.

    PyTorch lets graphics cards since Ampere round what a convolution multiplies to TF32, which has 10 bits instead of
    23. A training that computes in 16 bits does so as before.
    """
    torch.backends.cudnn.allow_tf32 = False


def end_this_rank(*_: object) -> None:
    raise Stopped("another rank died")


@contextmanager
def ends_clearly(folder: Path) -> Iterator[None]:
    """If a rank must end before its time, it says so in a sentence, with what is kept in `folder`."""
    try:
        yield
    except (RuntimeError, Stopped) as problem:
        if number_of_ranks() == 1:
            raise
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # torchrun's may come now: this rank is ending as it is
        file, epochs = folder / "checkpoint.safetensors", len(read_epochs(folder))
        kept = f"{file} has all up to the end of epoch {epochs}: the same command goes on from there"
        sys.exit(
            f"rank {rank()} of {number_of_ranks()} stopped, and the run with it: {str(problem).splitlines()[0]}. "
            f"{kept if file.exists() else 'No epoch was complete: the same command begins anew'}"
        )


if __name__ == "__main__":
    main()
