"""What every attack promises: checked input, an untouched model, its own random numbers, and small pieces of work."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.data import chunks

NORMS = ("linf", "l2")


@contextmanager
def guard(model: nn.Module, x: Tensor, y: Tensor, *, eps: float, norm: str = "linf", seed: int = 0) -> Iterator[None]:
    """Check the arguments, then lend the model to an attack and give it back as it was.

    Inside, the model is in evaluation mode with frozen parameters, gradients are recorded even if the caller had
    switched them off, and torch's random numbers follow `seed`. Afterwards mode, `requires_grad`, `.grad` and the
    caller's random state are what they were. Raises ValueError or TypeError that names the argument at fault.
    """
    check_input(model, x, y, eps=eps, norm=norm)
    training = [module for module in model.modules() if module.training]
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    devices = [x.device] if x.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.inference_mode(False), torch.enable_grad():
        torch.default_generator.manual_seed(seed)  # torch.manual_seed formats a stack trace at each call
        if devices:
            torch.cuda.manual_seed(seed)
        try:
            model.eval().requires_grad_(False)
            yield
        finally:
            for module in training:
                module.training = True
            for parameter in learning:
                parameter.requires_grad_(True)


def check_input(model: nn.Module, x: Tensor, y: Tensor, *, eps: float, norm: str) -> None:
    """Raise a sentence that names the argument at fault, if there is one."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be an nn.Module from inputs in [0, 1] to logits, got {type(model).__name__}")
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


def check_logits(logits: Tensor, y: Tensor) -> Tensor:
    """Return the model's answer to a batch if it can be logits for the labels `y`, else say what is wrong with it."""
    if not (isinstance(logits, Tensor) and logits.dim() == 2 and len(logits) == len(y) and logits.shape[1] >= 2):
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"model must return logits of shape ({len(y)}, classes) for {len(y)} images, got {got}")
    if logits.isnan().any():
        raise ValueError("model returns NaN: no loss has a gradient there, so a passed attack would mean nothing")
    if len(y) and not (0 <= int(y.min()) and int(y.max()) < logits.shape[1]):
        raise ValueError(f"y must lie in 0..{logits.shape[1] - 1}, one of the model's classes")
    values = logits.detach()
    if len(y) and (values >= 0).all() and torch.allclose(values.sum(1), torch.ones_like(values[:, 0]), atol=1e-4):
        raise ValueError("model returns probabilities, and attacks need logits: remove its softmax, or append a log")
    return logits


def in_chunks(search: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """`search` over pieces of the tensors that suit the device, put together again."""
    usable = (t.clone() if t.is_inference() else t.detach() for t in tensors)  # autograd refuses inference tensors
    return torch.cat([search(*piece) for piece in chunks(*usable)])


# Losses: (logits, labels) -> (N,). An attack climbs them; the labels are the true ones.


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Minus the log-probability of the label, for each image."""
    return F.cross_entropy(logits, y, reduction="none")


def margin(logits: Tensor, y: Tensor) -> Tensor:
    """The best other logit minus the label's, for each image: positive once the label has lost. Carlini & Wagner 2017.

    It does not saturate, so it keeps a gradient where cross-entropy's rounds to zero.
    """
    own = y[:, None]
    return logits.scatter(1, own, -math.inf).amax(1) - logits.gather(1, own)[:, 0]


# Balls: each function takes one image a row and treats the rows apart.


def size(delta: Tensor) -> Tensor:
    """The L2 norm of each row, shaped to multiply it: (N, 1, ..., 1)."""
    return delta.flatten(1).norm(dim=1).view(-1, *[1] * (delta.dim() - 1))


def into_ball(x_adv: Tensor, x: Tensor, eps: float, norm: str) -> Tensor:
    """The nearest image to `x_adv` in the ball of radius `eps` around `x`, then the nearest of those in [0, 1].

    Clamping moves each pixel towards `x`, which lies in [0, 1] itself, so the second step cannot leave the ball.
    """
    if norm == "linf":
        return x_adv.clamp(x - eps, x + eps).clamp_(0, 1)
    delta = x_adv - x
    return (x + delta * (eps / size(delta).clamp_min(1e-12)).clamp_max(1)).clamp_(0, 1)


def steepest(gradient: Tensor, norm: str) -> Tensor:
    """The direction of length 1 in `norm` along which a loss with this gradient rises fastest."""
    return gradient.sign() if norm == "linf" else gradient / size(gradient).clamp_min(1e-12)


def random_start(x: Tensor, eps: float, norm: str, *, rim: bool = False) -> Tensor:
    """A random image of the ball, clamped to [0, 1]: uniform in the box (linf), or at a uniform distance (l2).

    A point that is uniform in an L2 ball lies almost on its rim, and PGD that starts there ends weaker. APGD, whose
    first steps are longer than the ball, does not mind: with `rim` it starts there in L2, as Croce & Hein 2020 do.
    """
    if norm == "linf":
        return (x + torch.empty_like(x).uniform_(-eps, eps)).clamp_(0, 1)
    delta = torch.randn_like(x)
    distance = eps if rim else eps * torch.rand_like(size(delta))
    return (x + delta * (distance / size(delta).clamp_min(1e-12))).clamp_(0, 1)
