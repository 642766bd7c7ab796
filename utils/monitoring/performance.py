"""How good is the model now? Estimates before the labels come, and a decision by cost."""

import math

import torch
from scipy import optimize
from torch import Tensor
from torch.nn import functional as F

from utils.arguments import floats, number_in
from utils.attacks.parts import check_labels
from utils.guard import check_one_label_each
from utils.models import looks_like_probabilities
from utils.rate import Rate, Z


def finite_logits(logits: Tensor) -> Tensor:
    """The logits in float64. Raises ValueError if there are none, some are not finite, or they are probabilities."""
    logits = floats("logits", logits)
    if logits.dim() != 2 or not len(logits) or logits.shape[1] < 2 or not logits.isfinite().all():
        odd = f"{int((~logits.isfinite()).sum())} values that are not finite"
        raise ValueError(
            f"logits must be finite, (N, classes) with N > 0 and two classes at least: got {tuple(logits.shape)} with "
            f"{odd}"
        )
    if looks_like_probabilities(logits):
        raise ValueError("logits hold probabilities: give their logarithm, or the model's answers before its softmax")
    return logits


def calibrate(logits: Tensor, y: Tensor) -> float:
    """The temperature by which to divide logits (N, classes) so that confidences fit held-out labels y (N,).

    Built in lesson 12. Guo et al. 2017 (arXiv:1706.04599): the lowest cross-entropy. Where no temperature has it, for
    lower ones are ever better (all labels are right) or higher ones (the logits say nothing of them), one with which
    all confidences are 1, or 1 / classes, or nearly so.
    """
    values = finite_logits(logits).cpu()
    labels = torch.as_tensor(y).cpu()
    check_one_label_each(values, labels)
    check_labels(values, labels)
    labels = labels.long()
    spread = float(values.std(1, correction=0).mean()) or 1.0
    for middle in (0.0, math.log(spread)):  # as networks answer; and as far apart as these logits lie
        found = optimize.minimize_scalar(
            lambda log_t: F.cross_entropy(values / math.exp(log_t), labels).item(),
            bounds=(middle - 4, middle + 4),
            method="bounded",
        )
        if abs(found.x - middle) < 3.9:
            break
    return math.exp(found.x)


def expected_accuracy(logits: Tensor, temperature: float = 1.0) -> tuple[float, tuple[float, float]]:
    """The accuracy that the confidences promise, and its 95 % interval: their mean, and the spread of so many coins.

    Built in lesson 12; tools call it CBPE, confidence-based performance estimation. Right where calibrated confidences
    are right; it knows nothing of a changed meaning of labels.
    """
    confidence = (finite_logits(logits) / number_in("temperature", temperature, "(0, inf)")).softmax(1).amax(1)
    mean = float(confidence.mean())
    half = Z * math.sqrt(float((confidence * (1 - confidence)).sum())) / len(confidence)
    return mean, (max(mean - half, 0.0), min(mean + half, 1.0))


def cost_of_waiting(before: Rate, now: Rate, *, events: int, error_cost: float) -> tuple[float, float]:
    """What keeping the model costs until `events` more answers are given, from and to, at 95 % confidence.

    Built in lesson 12. Retrain if all of it is above the price of retraining; wait if all of it is below. If the price
    lies between, label more. This assumes that retraining brings the old accuracy back: where it cannot, put the
    accuracy that you expect of the retrained model in place of `before`.

    before, now  accuracies when the model was new and now
    error_cost   what one wrong answer costs, in the currency of the price
    """
    events = number_in("events", events, "[0, inf)")
    error_cost = number_in("error_cost", error_cost, "[0, inf)")
    for name, rate in ("before", before), ("now", now):
        if not isinstance(rate, Rate):
            raise TypeError(f"{name} must be a Rate, which knows how many were counted: Rate(90, 100), got {rate!r}")
    worst, best = before.lead(now), before.lead_at_most(now)
    return worst * events * error_cost, best * events * error_cost
