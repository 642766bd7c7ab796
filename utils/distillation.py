"""Distillation: training on another network's answers. Built in lesson 06.

Defensive distillation hides gradients and defends nothing: it is here to be recognised. What it takes to pass on
robustness is to show the student attacked images: `imitate(teacher, disturb=attacked(eps))`.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def soften(logits: Tensor, temperature: float) -> Tensor:
    """Class probabilities (N, classes) at a temperature: 1 as usual, the higher the more alike. Hinton et al. 2015."""
    return (logits / temperature).softmax(1)


def soft_loss(logits: Tensor, soft: Tensor) -> Tensor:
    """Mean cross-entropy of the model's answers with soft labels `soft`, both (N, classes); soft rows sum to 1.

    It is the KL divergence from the soft labels plus their entropy, which the model cannot change.
    """
    return -(soft * logits.log_softmax(1)).sum(1).mean()


def imitate(
    teacher: nn.Module, disturb: Callable[[nn.Module, Tensor, Tensor], Tensor] | None = None
) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """A loss for `fit`: answer as the teacher answers, whatever the labels say.

    teacher  gives logits as the student is to reproduce them, and these alone; for a temperature, divide both models'
             logits by it. It is asked in the mode that it is in: evaluation, as `fit` returns it
    disturb  disturb(model, x, y) -> x: noise or an attack on what the student sees. The teacher sees the image as it
             was, as in robust distillation (Goldblum et al. 2020, arXiv:1905.09747; Zi et al. 2021, arXiv:2108.07969)

    Defensive distillation (Papernot et al. 2016, arXiv:1511.04508) trains the teacher and then the student at a high
    temperature, and uses the student at 1.
    """

    def loss(model, x, y):
        with torch.no_grad():
            soft = soften(teacher(x), 1)
        return soft_loss(model(x if disturb is None else disturb(model, x, y)), soft)

    return loss
