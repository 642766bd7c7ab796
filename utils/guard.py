"""Lending a model: whoever asks, attacks, smooths or examines it gets it ready for use, and it comes back as it was.

lent          the one way to borrow a model
guard         the same, with the arguments of an attack looked at first
check_input   what is wrong with these arguments, in a sentence
check_answer  what is wrong with the model's answer, in a sentence
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

NORMS = ("linf", "l2")


@contextmanager
def lent(model: nn.Module, *, seed: int | None = None, device: torch.device | None = None) -> Iterator[None]:
    """Borrow a model, and give it back as it was.

    Inside, it is in evaluation mode with frozen parameters, which get no gradients, and gradients are recorded even if
    the caller had switched them off. Afterwards modes, `requires_grad`, `.grad` and buffers are what they were.

    seed    where random numbers begin inside: torch's, NumPy's, Python's and those of generators that the model holds;
            afterwards all of them are where the caller left them. None: the model draws the caller's random numbers
    device  where it will be asked: a GPU has random numbers of its own

    Raises TypeError if `model` is no nn.Module.
    """
    check_model(model)
    modules = list(model.modules())
    training = [module for module in modules if module.training]
    learning = [p for p in model.parameters() if p.requires_grad and not p.is_inference()]  # those never get any
    buffers = [
        (owner, name, b, b.detach().clone()) for owner in modules for name, b in owner.named_buffers(recurse=False)
    ]
    with own_numbers(modules, seed, device), torch.inference_mode(False), torch.enable_grad():
        try:
            model.eval()
            for parameter in learning:
                parameter.requires_grad_(False)
            yield
        finally:
            for module in training:
                module.training = True
            for parameter in learning:
                parameter.requires_grad_(True)
            for owner, name, buffer, was in buffers:
                if getattr(owner, name) is not buffer:
                    setattr(owner, name, buffer)
                if not torch.equal(buffer, was):
                    with torch.no_grad():
                        buffer.copy_(was)


@contextmanager
def own_numbers(modules: list[nn.Module], seed: int | None, device: torch.device | None) -> Iterator[None]:
    """Every random generator within reach of the modules begins at `seed`, and ends where it was; None: none does."""
    if seed is None:
        yield
        return
    held = [value for module in modules for value in vars(module).values() if isinstance(value, torch.Generator)]
    states = [generator.get_state() for generator in held]
    python, of_numpy = random.getstate(), np.random.get_state()
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed formats a stack trace at each call
        if devices:
            torch.cuda.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        for generator in held:
            generator.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(of_numpy)
            for generator, state in zip(held, states, strict=True):
                generator.set_state(state)


@contextmanager
def guard(model: nn.Module, x: Tensor, y: Tensor, *, eps: float, norm: str = "linf", seed: int = 0) -> Iterator[None]:
    """`lent`, once the arguments have been looked at. Raises ValueError or TypeError that names the one at fault."""
    check_input(model, x, y, eps=eps, norm=norm)
    with lent(model, seed=seed, device=x.device):
        yield


def check_model(model: nn.Module) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be an nn.Module from inputs in [0, 1] to logits, got {type(model).__name__}")


def check_input(model: nn.Module, x: Tensor, y: Tensor, *, eps: float, norm: str) -> None:
    """Raise a sentence that names the argument at fault, if there is one."""
    check_model(model)
    if not (isinstance(x, Tensor) and x.is_floating_point() and x.dim() >= 2):
        raise TypeError("x must be a floating-point tensor with the images along its first dimension, (N, ...)")
    if not (isinstance(y, Tensor) and y.dtype == torch.int64 and y.shape == x.shape[:1]):
        got = f"{y.dtype} of shape {tuple(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(f"y must hold one int64 label for each of the {len(x)} images in x, got {got}")
    if norm not in NORMS:
        raise ValueError(f"norm must be one of {NORMS}, got {norm!r}")
    if not (isinstance(eps, (int, float)) and eps >= 0):  # NaN fails this too
        raise ValueError(f"eps must be a number >= 0, got {eps!r}")
    if len(x) and not bool(((x >= 0) & (x <= 1)).all()):
        low, high = x.min().item(), x.max().item()
        raise ValueError(f"x must lie in [0, 1], its values run from {low:g} to {high:g}: scale it first, e.g. x / 255")


def check_answer(answer: Tensor, n: int) -> Tensor:
    """Return the model's answer to `n` inputs if it has the shape and type of logits, else raise ValueError."""
    if not (
        isinstance(answer, Tensor)
        and answer.is_floating_point()
        and answer.dim() == 2
        and len(answer) == n
        and answer.shape[1] >= 2
    ):
        got = f"{str(answer.dtype)[6:]} {tuple(answer.shape)}" if isinstance(answer, Tensor) else type(answer).__name__
        raise ValueError(f"model must return logits of shape ({n}, classes), float, for {n} inputs, got {got}")
    return answer
