"""What attacks are made of: small pieces of work, losses to climb, balls to stay in."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from utils.models import looks_like_probabilities


def check_logits(logits: Tensor, y: Tensor, name: str = "y") -> Tensor:
    """Return the model's answer to a batch if it can be logits for the labels `y`, else say what is wrong with it.

    `name` is what the caller's users call the labels.
    """
    check_meaning(logits, y, name)
    if len(y) and looks_like_probabilities(logits.detach()):
        raise ValueError("model returns probabilities, and attacks need logits: remove its softmax, or append a log")
    return logits


def check_meaning(logits: Tensor, y: Tensor, name: str = "y") -> None:
    """Raise ValueError if no attack on these answers would mean anything: all are NaN, or a label is no class."""
    if len(y) and logits.isnan().any(1).all():
        raise ValueError(
            f"model returns NaN for all {len(y)} inputs that it was asked about: mend it first, no attack would mean "
            "anything"
        )
    check_labels(logits, y, name)


def check_labels(logits: Tensor, y: Tensor, name: str = "y") -> None:
    """Raise ValueError if a label is none of the model's classes: its image would count as fallen."""
    least, most = (int(y.long().min()), int(y.long().max())) if len(y) else (0, 0)
    if least < 0 or most >= logits.shape[1]:
        raise ValueError(
            f"{name} must lie in 0..{logits.shape[1] - 1}, one of the model's classes, counted from 0: got {least} to "
            f"{most}"
        )


def wrong(logits: Tensor, labels: Tensor) -> Tensor:
    """Whether each image is misclassified, (N,) bool; NaN is no answer, so not a wrong one.

    `labels` may carry more columns; the first is the true label.
    """
    best, answer = logits.max(1)
    return (answer != (labels if labels.dim() == 1 else labels[:, 0])).logical_and_(best == best)


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
