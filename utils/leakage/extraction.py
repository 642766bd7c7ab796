"""Model extraction: a copy of a model from its answers. Built in lesson 08."""

from torch import Tensor, nn
from torch.nn import functional as F

from utils.distillation import soft_loss
from utils.evaluation import Rate
from utils.models import logits, predict
from utils.training import fit


def query(victim: nn.Module, x: Tensor, *, labels_only: bool = False) -> Tensor:
    """What the victim says about x, as probabilities (N, classes); with `labels_only` 1 for its class and 0 else."""
    said = logits(victim, x).softmax(1)
    return F.one_hot(said.argmax(1), said.shape[1]).to(said.dtype) if labels_only else said


def steal(victim: nn.Module, copy: nn.Module, x: Tensor, *, labels_only: bool = False, **training) -> nn.Module:
    """Train `copy` in place to answer the queries x as the victim does, and return it. Tramèr et al. 2016.

    The victim is asked once for each row of x; `training` goes to `fit`. Random numbers follow torch's global seed.
    """

    def loss(model, x, said):
        return soft_loss(model(x), said)

    return fit(copy, (x, query(victim, x, labels_only=labels_only)), loss=loss, **training)


def agreement(first: nn.Module, second: nn.Module, x: Tensor) -> Rate:
    """How often two models give the same answer, right or wrong. Ask it on images that were no queries."""
    same = predict(first, x) == predict(second, x)
    return Rate(int(same.sum()), len(same))
