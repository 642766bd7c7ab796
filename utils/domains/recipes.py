"""The defenses of images, as recipes for any kind of data. Built in lesson 11."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from utils.distillation import imitate
from utils.masking import Cooled


def recipes(
    make: Callable[[], nn.Module], learn: Callable[..., nn.Module], before: Mapping, fitted: Mapping, seed: int
) -> dict[str, nn.Module]:
    """Networks from one start: undefended, distilled, and adversarially trained as `before` and as `fitted` say.

    make            a fresh network, its weights from torch's global seed
    learn           learn(network, **how) trains it and returns it in evaluation mode, as `partial(fit, train=...)`
    before, fitted  what `learn` is told: `transform` or `loss` of a threat from elsewhere, and of the one at hand
    seed            of all four trainings
    """

    def trained(make, **how):
        torch.manual_seed(seed)
        return learn(make(), **how)

    teacher = trained(lambda: Cooled(make(), 20))
    return {
        "undefended": trained(make),
        "distilled": trained(lambda: Cooled(make(), 20), loss=imitate(teacher)).model,
        "trained as before": trained(make, **before),
        "trained on this threat": trained(make, **fitted),
    }
