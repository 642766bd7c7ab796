"""Lending a model: whoever asks, attacks, smooths or examines it gets it ready for use, and it comes back as it was.

lent         the one way to borrow a model
guard        the same, with the arguments of an attack looked at first
in_chunks    what an attack does with them, piece by piece
check_input  what is wrong with these arguments, in a sentence

What is made of the model's answers stands in `utils.asking`.
"""

import math
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from utils.arguments import budget, number, whole
from utils.asking import FLOATS, FULL, Asked
from utils.convolution import quick_gradients
from utils.data import chunks

NORMS = ("linf", "l2")
ROUNDING = 1e-6  # how far outside of [0, 1] an input may lie, or by the spacing of a half-precision type below 1
OUTER: ContextVar[dict[int, Asked]] = ContextVar("what is lent at present, by the id of its model")


@contextmanager
def lent(model: nn.Module, *, seed: int | None = None, device: torch.device | None = None) -> Iterator[Asked]:
    """Borrow a model, as it is to be asked (`Asked`), and give it back as it was.

    Inside, it is in evaluation mode with frozen parameters, which get no gradients, and gradients are recorded even if
    the caller had switched them off. Afterwards modes, `requires_grad`, `.grad` and buffers are what they were.

    seed    where random numbers begin inside: torch's, NumPy's, Python's and those of generators that the model holds
            (also in a list, tuple or dictionary); afterwards all of them are where the caller left them. None: the
            model draws the caller's random numbers
    device  where it will be asked: a GPU has random numbers of its own

    If its answers or gradients were no numbers, one warning says for how many inputs: the outermost borrower gives it.
    Raises TypeError if `model` is no nn.Module.
    """
    check_model(model)
    outer = OUTER.get({})
    asked = Asked(model)
    token = OUTER.set({id(model): asked} | outer)  # the outermost stays
    try:
        with as_it_was(model, seed, device):
            yield asked
            asked.settle()
    finally:
        OUTER.reset(token)
    if (above := outer.get(id(model))) is None:
        warn_of(asked)
    else:
        above.lost = {kind: max(count, above.lost[kind]) for kind, count in asked.lost.items()}


def warn_of(asked: Asked) -> None:
    """One warning with counts, if the model gave what is no number."""
    n, met = asked.lost["inputs"], []
    if count := asked.lost["answers"]:
        met.append(f"answers NaN to {count} of {n} inputs (no answer: neither right, nor the success of an attack)")
    if count := asked.lost["gradients"]:
        met.append(f"has gradients that are not finite at {count} of {n} inputs (those parts move no pixel)")
    if met:
        advice = "" if len(met) == 1 and asked.lost["answers"] else "; worst_case also asks it without gradients"
        warnings.warn(f"model {' and '.join(met)}, as they are or changed{advice}", stacklevel=7)


@contextmanager
def as_it_was(model: nn.Module, seed: int | None, device: torch.device | None) -> Iterator[None]:
    """Evaluation mode, frozen parameters, its own random numbers; afterwards all is as before."""
    modules = list(model.modules())
    modes = [(module, module.training) for module in modules if hasattr(module, "training")]  # a frozen TorchScript
    learning = [(p, p.requires_grad) for p in model.parameters() if not p.is_inference()]  # those never get any
    buffers = [
        (owner, name, b, b.detach().clone()) for owner in modules for name, b in owner.named_buffers(recurse=False)
    ]
    with quick_gradients(modules), own_numbers(modules, seed, device), torch.inference_mode(False), torch.enable_grad():
        try:
            with suppress(NotImplementedError):  # an exported program keeps the mode that it was exported in
                model.eval()
            for parameter, _ in learning:
                parameter.requires_grad_(False)
            yield
        finally:
            for module, mode in modes:
                if module.training != mode:
                    module.training = mode
            for parameter, learns in learning:
                parameter.requires_grad_(learns)
            for owner, name, buffer, was in buffers:
                if getattr(owner, name, None) is not buffer:
                    owner._buffers[name] = buffer  # also where it was deleted
                if not torch.equal(*(t if t.layout == torch.strided else t.to_dense() for t in (buffer, was))):
                    with torch.no_grad():
                        (buffer if buffer.shape == was.shape else buffer.resize_(was.shape)).copy_(was)


@contextmanager
def own_numbers(modules: list[nn.Module], seed: int | None, device: torch.device | None) -> Iterator[None]:
    """Every random generator within reach of the modules begins at `seed`, and ends where it was; None: none does."""
    if seed is None:
        yield
        return
    sources = [
        (random.getstate, random.setstate, random.seed),
        (np.random.get_state, np.random.set_state, lambda seed: np.random.seed(seed % 2**32)),
        *map(handles, held_sources(modules)),
    ]
    states = [get() for get, _, _ in sources]
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed formats a stack trace at each call
        if devices:
            torch.cuda.manual_seed(seed)
        for _, _, begin in sources:
            begin(seed)
        try:
            yield
        finally:
            for (_, put, _), state in zip(sources, states, strict=True):
                put(state)


def held_sources(modules: list[nn.Module]) -> list:
    """The generators of torch, NumPy and Python that modules hold, as they are or in a list, tuple or dictionary."""
    values = [value for module in modules for value in vars(module).values()]
    for value in tuple(values):
        values += value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    kinds = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
    return list({id(value): value for value in values if isinstance(value, kinds)}.values())


def handles(source) -> tuple[Callable, Callable, Callable]:
    """How to get a generator's state, to put it, and to begin at a seed."""
    if isinstance(source, torch.Generator):
        return source.get_state, source.set_state, source.manual_seed
    if isinstance(source, random.Random):
        return source.getstate, source.setstate, source.seed
    if isinstance(source, np.random.RandomState):
        return source.get_state, source.set_state, lambda seed: source.seed(seed % 2**32)
    bits = source.bit_generator

    def put(state):
        bits.state = state

    return lambda: bits.state, put, lambda seed: put(type(bits)(seed % 2**32).state)


@contextmanager
def guard(
    model: nn.Module, x: Tensor, y: Tensor, *, eps: float, norm: str = "linf", seed: int = 0, unbounded: bool = False
) -> Iterator[tuple[Asked, Tensor, Tensor, float]]:
    """`lent`, once the arguments have been looked at: yields the model as it is to be asked, and x, y, eps.

    unbounded  whether eps may be infinite

    Raises ValueError or TypeError that names the argument at fault.
    """
    given = x
    x, y, eps = check_input(model, x, y, eps=eps, norm=norm, unbounded=unbounded)
    with lent(model, seed=whole("seed", seed, None), device=x.device) as asked:
        asked.given, asked.ball = given.dtype if given.dtype in FLOATS else x.dtype, (eps, norm)
        yield asked, x, y, eps


@contextmanager
def labels_noted(y: Tensor) -> Iterator[None]:
    """Add a line to what torch says of a label that is none of the model's classes."""
    try:
        yield
    except (IndexError, RuntimeError) as error:
        if y.is_floating_point() or not len(y):
            raise
        least, most = (int(end) for end in y.long().aminmax())  # a wide unsigned type has neither
        if isinstance(error, IndexError) or y.dtype not in (torch.int64, torch.uint8):
            error.add_note(
                f"labels are {least} to {most}, {y.dtype}: they must be int64, 0 to one less than the number of the "
                "model's classes"
            )
        raise


def in_chunks(asked: Asked, search: Callable[..., Tensor], x: Tensor, *more: Tensor) -> Tensor:
    """`search` over pieces of the tensors that suit the device, put together again, in the type that x was given in.

    Where the model gave NaN on the way, an image for which it does so comes back unchanged: that is no success.
    """
    if not len(x):
        return x.to(asked.given)
    found = []
    usable = (t.clone() if t.is_inference() else t.detach() for t in (x, *more))  # autograd refuses inference tensors
    for piece in chunks(*usable):
        x_adv = search(*piece)
        if asked.settle():
            with torch.no_grad():
                lost = asked(x_adv.view_as(piece[0]), note=False).isnan().any(1)
            x_adv = torch.where(lost.view(-1, *[1] * (x_adv.dim() - 1)), piece[0], x_adv)
        found.append(x_adv if x_adv.dtype == asked.given else rounded(x_adv, piece[0], asked.given, *asked.ball))
    return torch.cat(found)


def rounded(x_adv: Tensor, x: Tensor, dtype: torch.dtype, eps: float, norm: str) -> Tensor:
    """`x_adv` in a type of 16 bits that holds `x`, as a model of that type was asked about it.

    Where that leaves the ball, pixels are rounded towards x instead, in L2 all of the image.
    """
    near = x_adv.to(dtype) + 0.0
    delta = near.to(x.dtype) - x
    out = delta.abs() > eps if norm == "linf" else delta.flatten(1).norm(dim=1).view(-1, *[1] * (x.dim() - 1)) > eps
    out = out & (delta.abs() > (x_adv - x).abs())
    bits = near.view(torch.int16)  # numbers >= 0 have the order of their bits
    return torch.where(out, bits + torch.where(near < x, 1, -1).to(bits.dtype), bits).view(dtype)


def check_model(model: nn.Module) -> None:
    if isinstance(model, nn.Module):
        return
    advice = ""
    if hasattr(model, "predict") or isinstance(model, (str, Path)):
        advice = ": wrap it by utils.models.black_box"
    elif type(model).__name__ == "ExportedProgram":
        advice = ": give its module()"
    raise TypeError(f"model must be an nn.Module from inputs in [0, 1] to logits, got {type(model).__name__}{advice}")


def check_input(
    model: nn.Module, x: Tensor, y: Tensor, *, eps: float, norm: str, unbounded: bool = False
) -> tuple[Tensor, Tensor, float]:
    """Return x in [0, 1] as float32 (or float64), y as int64 and eps as a float, or name the argument at fault.

    What lies outside of [0, 1] by no more than rounding (1e-6, or the spacing of a half-precision type) is clamped.
    """
    check_model(model)
    if not (isinstance(x, Tensor) and x.is_floating_point() and x.dim() >= 2):
        got = f"{str(x.dtype)[6:]} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        advice = ": give x / 255" if got.startswith("uint8") else ": give torch.tensor(x)" if got == "ndarray" else ""
        raise TypeError(
            "x must be a floating-point tensor with the images along its first dimension, (N, ...), in [0, 1], "
            f"got {got}{advice}"
        )
    check_one_label_each(x, y)
    if norm not in NORMS:
        raise ValueError(f"norm must be one of {NORMS}, got {norm!r}")
    eps = number("eps", eps, "be a number >= 0", lambda v: v >= 0) if unbounded else budget("eps", eps)
    widest = 1.0 if norm == "linf" else x[0].numel() ** 0.5 if len(x) else math.inf
    if eps > widest * (1 + ROUNDING) and not unbounded:
        hint = f"; in steps of 1/255 say {eps:g} / 255" if eps <= 255 and eps == round(eps) else ""
        raise ValueError(f"eps must be at most {widest:.4g}, all of [0, 1] in {norm}, got {eps:g}{hint}")
    return within(x), y.long(), eps if unbounded else min(eps, widest)


def pair_of(train) -> tuple[Tensor, Tensor]:
    """Inputs and labels to train on, (x, y). Raises TypeError for what is no pair of tensors, such as a DataLoader."""
    if isinstance(train, (tuple, list)) and len(train) == 2 and all(isinstance(part, Tensor) for part in train):
        return tuple(train)
    got = f"{type(train).__name__}"
    if isinstance(train, (tuple, list)):
        got += f" of {', '.join(type(part).__name__ for part in train[:3])}"
    raise TypeError(f"train must be a pair of tensors (x, y), inputs and their labels, got {got}")


def check_one_label_each(x: Tensor, y: Tensor) -> None:
    """Raise ValueError if y does not hold a whole number for each of the inputs x, TypeError if x is no tensor."""
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a tensor of inputs along its first dimension, got {type(x).__name__}")
    integer = isinstance(y, Tensor) and not (y.is_floating_point() or y.is_complex() or y.dtype == torch.bool)
    if not (integer and y.shape == x.shape[:1]):
        got = f"{y.dtype} of shape {tuple(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(f"y must hold one int64 label for each of the {len(x)} images in x, got {got}")


def check_counted_from_0(y: Tensor) -> None:
    """Raise ValueError for labels below 0: torch's cross-entropy leaves out those of -100, and says nothing."""
    if len(y) and (least := int(y.long().min())) < 0:
        raise ValueError(f"labels must count from 0, and the least of train's is {least}: take such examples out")


def within(x: Tensor) -> Tensor:
    """x as float32 or float64 in [0, 1], if it is so up to rounding; else ValueError."""
    slack = max(ROUNDING, torch.finfo(x.dtype).eps if x.dtype not in FULL else 0)
    x = x if x.dtype in FULL else x.float()
    if not len(x) or bool(((x >= 0) & (x <= 1)).all()):
        return x
    if bool(((x >= -slack) & (x <= 1 + slack)).all()):
        return x.clamp(0, 1)
    if lost := int((~x.flatten(1).isfinite().all(1)).sum()):
        raise ValueError(f"x must lie in [0, 1], and {lost} of its {len(x)} inputs hold NaN or infinity")
    low, high = (end.cpu().numpy()[()] for end in x.aminmax())  # NumPy prints as many digits as tell them apart
    advice = "scale it first, e.g. x / 255" if high > 2 else "scale it first, or clamp it if that is meant"
    raise ValueError(f"x must lie in [0, 1], its values run from {low!s} to {high!s}: {advice}")
